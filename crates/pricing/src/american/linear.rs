//! A small dense linear solver.

/// Solves `matrix · x = rhs` in place by elimination with partial pivoting; `matrix` is square, row by
/// row, and is overwritten; `rhs` becomes x. False if the matrix is singular to working precision.
#[inline(always)]
pub(super) fn solve(matrix: &mut [f64], rhs: &mut [f64]) -> bool {
    let n = rhs.len();
    for column in 0..n {
        let mut pivot = column;
        for row in column + 1..n {
            if matrix[row * n + column].abs() > matrix[pivot * n + column].abs() {
                pivot = row;
            }
        }
        let size = matrix[pivot * n + column].abs();
        if size.is_nan() || size <= 1e-300 {
            return false;
        }
        if pivot != column {
            for k in column..n {
                matrix.swap(pivot * n + k, column * n + k);
            }
            rhs.swap(pivot, column);
        }
        let (above, below) = matrix.split_at_mut((column + 1) * n);
        let pivot_row = &above[column * n + column..];
        let inverse = 1.0 / pivot_row[0];
        for (i, row) in below.chunks_exact_mut(n).enumerate() {
            let factor = row[column] * inverse;
            if factor != 0.0 {
                for (x, p) in row[column..].iter_mut().zip(pivot_row) {
                    *x -= factor * p;
                }
                rhs[column + 1 + i] -= factor * rhs[column];
            }
        }
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| matrix[row * n + k] * rhs[k]).sum();
        rhs[row] = (rhs[row] - known) / matrix[row * n + row];
    }
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn solves_with_pivoting() {
        let mut matrix = [0.0, 2.0, 1.0, 1.0, 1.0, 0.0, 3.0, 0.0, -1.0];
        let mut rhs = [7.0, 3.0, 0.0];
        assert!(super::solve(&mut matrix, &mut rhs));
        for (x, expected) in rhs.iter().zip([1.0, 2.0, 3.0]) {
            assert!((x - expected).abs() < 1e-14);
        }
        assert!(!super::solve(&mut [1.0, 1.0, 1.0, 1.0], &mut [1.0, 2.0]));
    }
}
