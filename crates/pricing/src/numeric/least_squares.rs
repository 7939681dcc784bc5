//! Levenberg–Marquardt for a handful of parameters.
//!
//! Marquardt (1963) damping on the normal equations with Nielsen's (1999) update of
//! the damping parameter. Problems here have at most [`MAX_PARAMETERS`] well-scaled
//! parameters, so the normal equations are accurate enough and need no allocation.

/// Largest number of parameters.
pub(crate) const MAX_PARAMETERS: usize = 8;

/// A vector of parameters, unused places zero.
pub(crate) type Parameters = [f64; MAX_PARAMETERS];

/// Accumulates `J^T J`, `J^T r` and `r^T r` one residual at a time.
#[derive(Clone, Copy)]
pub(crate) struct NormalEquations {
    matrix: [[f64; MAX_PARAMETERS]; MAX_PARAMETERS],
    gradient: Parameters,
    /// Sum of squared residuals.
    pub(crate) cost: f64,
}

impl NormalEquations {
    pub(crate) fn new() -> Self {
        Self { matrix: [[0.0; MAX_PARAMETERS]; MAX_PARAMETERS], gradient: [0.0; MAX_PARAMETERS], cost: 0.0 }
    }

    /// Adds one residual and its derivatives with respect to each parameter.
    pub(crate) fn add(&mut self, residual: f64, derivatives: &[f64]) {
        self.cost += residual * residual;
        for (i, &di) in derivatives.iter().enumerate() {
            self.gradient[i] += di * residual;
            for (j, &dj) in derivatives.iter().enumerate().take(i + 1) {
                self.matrix[i][j] += di * dj;
            }
        }
    }

    /// Solves `(J^T J + damping diag) step = -J^T r`; `None` when not positive definite.
    pub(crate) fn step(&self, n: usize, damping: f64) -> Option<Parameters> {
        let mut lower = self.matrix;
        for (i, row) in lower.iter_mut().enumerate().take(n) {
            row[i] += damping * row[i].max(1e-30);
        }
        for i in 0..n {
            for j in 0..=i {
                let mut sum = lower[i][j];
                for (a, b) in lower[i][..j].iter().zip(&lower[j][..j]) {
                    sum -= a * b;
                }
                if i == j {
                    if !crate::model_error::is_positive(sum) {
                        return None;
                    }
                    lower[i][i] = sum.sqrt();
                } else {
                    lower[i][j] = sum / lower[j][j];
                }
            }
        }
        let mut step = [0.0; MAX_PARAMETERS];
        for i in 0..n {
            let mut sum = -self.gradient[i];
            for (l, s) in lower[i][..i].iter().zip(&step) {
                sum -= l * s;
            }
            step[i] = sum / lower[i][i];
        }
        for i in (0..n).rev() {
            let mut sum = step[i];
            for k in i + 1..n {
                sum -= lower[k][i] * step[k];
            }
            step[i] = sum / lower[i][i];
        }
        Some(step)
    }
}

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) struct Stop {
    /// Largest number of evaluations with derivatives.
    pub(crate) evaluations: usize,
    /// Relative decrease of the cost below which the fit has converged.
    pub(crate) relative_decrease: f64,
}

/// Outcome of a minimisation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minimum {
    pub(crate) x: Parameters,
    pub(crate) cost: f64,
    pub(crate) evaluations: usize,
    pub(crate) has_converged: bool,
}

/// Minimises a sum of squares from `start`; `evaluate` returns the normal equations at
/// a point, or `None` where the model does not exist (the step is then shortened).
pub(crate) fn minimise(
    n: usize,
    start: Parameters,
    stop: Stop,
    mut evaluate: impl FnMut(&Parameters) -> Option<NormalEquations>,
) -> Option<Minimum> {
    let mut x = start;
    let mut here = evaluate(&x).filter(|e| e.cost.is_finite())?;
    let (mut damping, mut growth) = (1e-3, 2.0);
    let mut evaluations = 1;
    let mut has_converged = here.cost == 0.0;
    while evaluations < stop.evaluations && !has_converged {
        let Some(step) = here.step(n, damping) else {
            damping *= 10.0;
            has_converged = damping > 1e16;
            continue;
        };
        let mut trial = x;
        let mut predicted = 0.0;
        for i in 0..n {
            trial[i] += step[i];
            predicted -= step[i] * here.gradient[i];
        }
        let there = evaluate(&trial).filter(|e| e.cost.is_finite());
        evaluations += 1;
        match there {
            Some(there) if there.cost < here.cost => {
                let decrease = here.cost - there.cost;
                let gain = decrease / predicted.max(1e-300);
                let bend = 2.0 * gain - 1.0;
                damping *= (1.0 - bend * bend * bend).clamp(1.0 / 3.0, 1.0);
                growth = 2.0;
                has_converged = decrease <= stop.relative_decrease * here.cost;
                (x, here) = (trial, there);
            }
            _ => {
                damping *= growth;
                growth *= 2.0;
                has_converged = damping > 1e12 || predicted <= stop.relative_decrease * here.cost;
            }
        }
    }
    Some(Minimum { x, cost: here.cost, evaluations, has_converged })
}

/// [`minimise`] for residuals without analytic derivatives: central differences with
/// steps relative to each parameter's size. `residuals` fills the buffer it is given
/// and returns `false` where the model does not exist.
pub(crate) fn minimise_by_differences(
    n: usize,
    residual_count: usize,
    start: Parameters,
    stop: Stop,
    mut residuals: impl FnMut(&Parameters, &mut [f64]) -> bool,
) -> Option<Minimum> {
    let mut base = vec![0.0; residual_count];
    let mut up = vec![vec![0.0; residual_count]; n];
    let mut down = vec![0.0; residual_count];
    minimise(n, start, stop, |x| {
        if !residuals(x, &mut base) {
            return None;
        }
        for (i, column) in up.iter_mut().enumerate() {
            let h = 6e-6 * x[i].abs().max(1e-2);
            let (mut forward, mut backward) = (*x, *x);
            forward[i] += h;
            backward[i] -= h;
            if !residuals(&forward, column) || !residuals(&backward, &mut down) {
                return None;
            }
            for (c, d) in column.iter_mut().zip(&down) {
                *c = (*c - d) / (2.0 * h);
            }
        }
        let mut equations = NormalEquations::new();
        let mut row = [0.0; MAX_PARAMETERS];
        for (k, &residual) in base.iter().enumerate() {
            for (slot, column) in row.iter_mut().zip(&up) {
                *slot = column[k];
            }
            equations.add(residual, &row[..n]);
        }
        Some(equations)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_rosenbrock() {
        let stop = Stop { evaluations: 200, relative_decrease: 1e-14 };
        let mut start = [0.0; MAX_PARAMETERS];
        (start[0], start[1]) = (-1.2, 1.0);
        let found = minimise_by_differences(2, 2, start, stop, |x, r| {
            (r[0], r[1]) = (10.0 * (x[1] - x[0] * x[0]), 1.0 - x[0]);
            true
        })
        .unwrap();
        assert!((found.x[0] - 1.0).abs() < 1e-6 && (found.x[1] - 1.0).abs() < 1e-6, "{found:?}");
    }
}
