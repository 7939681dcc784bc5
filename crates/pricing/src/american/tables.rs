//! What a scheme needs and no option changes: nodes, weights and the interpolation between them.
/// Lanes that the loops are padded to.
pub(super) const LANES: usize = 8;

/// Nodes and weights for one choice of sizes.
///
/// The boundary is known at x = √(τ/T) on Chebyshev points of [0, 1]; x = 0, where the boundary is known
/// exactly, is left out. Integrals over the time since a node's date are taken in the angle θ with
/// lag = τ sin²θ and boundary time = τ cos²θ, which removes the square-root singularities at both ends,
/// by Gauss–Legendre quadrature on [0, π/2].
pub(super) struct Tables {
    /// Boundary nodes x_i in (0, 1], largest first.
    pub(super) nodes: Vec<f64>,
    /// sin θ_j of the boundary integrals, and the weight times 2 cos θ_j.
    pub(super) sines: Vec<f64>,
    pub(super) weights: Vec<f64>,
    /// For each node k the factor of its value in the interpolant at x_i cos θ_j, (i, j) row by row.
    pub(super) interpolation: Vec<Vec<f64>>,
    /// The same for the price integral, which starts at x = 1.
    pub(super) price_sines: Vec<f64>,
    pub(super) price_weights: Vec<f64>,
    pub(super) price_interpolation: Vec<Vec<f64>>,
}

impl Tables {
    /// `nodes` boundary nodes, `points` and `price_points` quadrature points (multiples of 8).
    pub(super) fn new(nodes: usize, points: usize, price_points: usize) -> Self {
        let chebyshev: Vec<f64> = (0..=nodes)
            .map(|k| {
                let half_angle = core::f64::consts::FRAC_PI_2 * k as f64 / nodes as f64;
                let cosine = libm::cos(half_angle);
                cosine * cosine
            })
            .collect();
        let (angles, angle_weights) = gauss_legendre(points, 0.0, core::f64::consts::FRAC_PI_2);
        let sines: Vec<f64> = angles.iter().map(|&a| libm::sin(a)).collect();
        let cosines: Vec<f64> = angles.iter().map(|&a| libm::cos(a)).collect();
        let weights = angle_weights.iter().zip(&cosines).map(|(w, c)| 2.0 * w * c).collect();
        let targets: Vec<f64> =
            chebyshev[..nodes].iter().flat_map(|&x| cosines.iter().map(move |&c| x * c)).collect();

        let (price_angles, price_angle_weights) =
            gauss_legendre(price_points, 0.0, core::f64::consts::FRAC_PI_2);
        let price_cosines: Vec<f64> = price_angles.iter().map(|&a| libm::cos(a)).collect();
        Self {
            interpolation: interpolation(&chebyshev, &targets),
            price_interpolation: interpolation(&chebyshev, &price_cosines),
            nodes: chebyshev[..nodes].to_vec(),
            sines,
            weights,
            price_sines: price_angles.iter().map(|&a| libm::sin(a)).collect(),
            price_weights: price_angle_weights.iter().zip(&price_cosines).map(|(w, c)| 2.0 * w * c).collect(),
        }
    }
}

/// Barycentric interpolation factors at `targets` for every node but the last (whose value is zero):
/// Berrut & Trefethen (2004), eq. 4.2 and 5.4.
fn interpolation(nodes: &[f64], targets: &[f64]) -> Vec<Vec<f64>> {
    let last = nodes.len() - 1;
    let mut columns = vec![vec![0.0; targets.len()]; last];
    for (row, &x) in targets.iter().enumerate() {
        if let Some(hit) = nodes.iter().position(|&node| (node - x).abs() < 1e-15) {
            if hit < last {
                columns[hit][row] = 1.0;
            }
            continue;
        }
        let factor = |k: usize| {
            let end = if k == 0 || k == last { 0.5 } else { 1.0 };
            let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
            sign * end / (x - nodes[k])
        };
        let total: f64 = (0..=last).map(factor).sum();
        for (k, column) in columns.iter_mut().enumerate() {
            column[row] = factor(k) / total;
        }
    }
    columns
}

/// Gauss–Legendre nodes and weights on [low, high], by Newton's method on the three-term recurrence.
pub(crate) fn gauss_legendre(count: usize, low: f64, high: f64) -> (Vec<f64>, Vec<f64>) {
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    let n = count as f64;
    let mut nodes = Vec::with_capacity(count);
    let mut weights = Vec::with_capacity(count);
    for i in 0..count {
        let mut x = -libm::cos(core::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5));
        let mut slope = 1.0;
        for _ in 0..12 {
            let (mut previous, mut value) = (1.0, x);
            for k in 2..=count {
                let k = k as f64;
                (previous, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * previous) / k);
            }
            slope = n * (x * value - previous) / (x * x - 1.0);
            let step = value / slope;
            x -= step;
            if step.abs() < 1e-16 {
                break;
            }
        }
        nodes.push(middle + half * x);
        weights.push(half * 2.0 / ((1.0 - x * x) * slope * slope));
    }
    (nodes, weights)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quadrature_is_exact_for_polynomials() {
        let (x, w) = gauss_legendre(8, 0.0, 2.0);
        let integral: f64 = x.iter().zip(&w).map(|(x, w)| w * x.powi(15)).sum();
        assert!((integral / 4096.0 - 1.0).abs() < 1e-14);
    }

    #[test]
    fn interpolation_reproduces_polynomials_that_vanish_at_zero() {
        let tables = Tables::new(6, 8, 8);
        let value = |x: f64| x * (1.0 + x * (2.0 - x * x));
        for (i, &node) in tables.nodes.iter().enumerate() {
            for (j, &sine) in tables.sines.iter().enumerate() {
                let cosine = (1.0 - sine * sine).sqrt();
                let at: f64 = tables
                    .interpolation
                    .iter()
                    .zip(&tables.nodes)
                    .map(|(column, &x)| column[i * 8 + j] * value(x))
                    .sum();
                assert!((at - value(node * cosine)).abs() < 1e-14);
            }
        }
    }
}
