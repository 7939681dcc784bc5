//! Chebyshev panels in √τ and the graded quadrature over the time since a node's date.
use super::tables::{LANES, gauss_legendre};
use crate::math::kernel::exp;
use std::sync::OnceLock;

/// Degree of a panel's interpolant; its left end is the right end of the panel before.
pub(super) const DEGREE: usize = 14;
/// Gauss–Legendre points of one piece of the quadrature: a multiple of the lanes.
const POINTS: usize = 2 * LANES;
/// Growth of the pieces' ends from the narrow one at θ = 0 outwards.
const GROWTH: f64 = 4.0;
/// The piece at θ = π/2.
const LAST: f64 = 0.1;
/// The widest piece.
const WIDEST: f64 = 0.6;
/// The narrowest first piece.
const NARROWEST: f64 = 1e-5;

/// What no option changes.
pub(super) struct PanelTables {
    /// Chebyshev points of the second kind on [0, 1], ascending.
    pub(super) nodes: [f64; DEGREE + 1],
    points: (Vec<f64>, Vec<f64>),
}

pub(super) fn panel_tables() -> &'static PanelTables {
    static TABLES: OnceLock<PanelTables> = OnceLock::new();
    TABLES.get_or_init(|| PanelTables {
        nodes: core::array::from_fn(|k| {
            let sine = libm::sin(core::f64::consts::FRAC_PI_2 * k as f64 / DEGREE as f64);
            sine * sine
        }),
        points: gauss_legendre(POINTS, 0.0, 1.0),
    })
}

impl PanelTables {
    /// Factors of the node values in the interpolant at `t` in [0, 1]: Berrut & Trefethen (2004), eq. 5.4.
    pub(super) fn factors(&self, t: f64) -> [f64; DEGREE + 1] {
        let mut factors = [0.0; DEGREE + 1];
        let mut total = 0.0;
        for (k, factor) in factors.iter_mut().enumerate() {
            let distance = t - self.nodes[k];
            if distance.abs() < 1e-15 {
                return core::array::from_fn(|j| if j == k { 1.0 } else { 0.0 });
            }
            let end = if k == 0 || k == DEGREE { 0.5 } else { 1.0 };
            let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
            *factor = sign * end / distance;
            total += *factor;
        }
        factors.map(|factor| factor / total)
    }

    /// Size of the last two Chebyshev coefficients of node values: what the interpolant leaves out.
    pub(super) fn tail(&self, values: &[f64; DEGREE + 1]) -> f64 {
        let coefficient = |j: usize| {
            let term = |(k, value): (usize, &f64)| {
                let end = if k == 0 || k == DEGREE { 0.5 } else { 1.0 };
                // T_j at the k-th point, whose angle falls from π to 0.
                let turns = (j * (DEGREE - k)) as f64 / DEGREE as f64;
                end * value * libm::cos(core::f64::consts::PI * turns)
            };
            let sum: f64 = values.iter().enumerate().map(term).sum();
            (sum * 2.0 / DEGREE as f64).abs()
        };
        (0.5 * coefficient(DEGREE)).max(coefficient(DEGREE - 1))
    }
}

/// One stretch of √τ with the squares of y at its nodes, per boundary.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) squares: [[f64; DEGREE + 1]; 2],
}

impl Panel {
    pub(super) fn node(&self, k: usize) -> f64 {
        self.left + (self.right - self.left) * panel_tables().nodes[k]
    }

    /// y of the boundary `edge` from the interpolation's factors.
    pub(super) fn distance(&self, edge: usize, factors: &[f64; DEGREE + 1]) -> f64 {
        let square: f64 = self.squares[edge].iter().zip(factors).map(|(value, factor)| value * factor).sum();
        square.max(0.0).sqrt()
    }

    pub(super) fn factors(&self, x: f64) -> [f64; DEGREE + 1] {
        panel_tables().factors(((x - self.left) / (self.right - self.left)).clamp(0.0, 1.0))
    }
}

/// The panel that holds `x`; the last one beyond all.
pub(super) fn panel_at(panels: &[Panel], x: f64) -> &Panel {
    let at = panels.partition_point(|panel| panel.right < x);
    &panels[at.min(panels.len() - 1)]
}

/// Quadrature over u = τ sin²θ, the time since a date τ, by pieces that narrow geometrically towards both
/// ends; a piece has [`POINTS`] points. Against pieces half as wide, prices move by less than 1e-9 of spot 100.
#[derive(Default)]
pub(super) struct Rule {
    /// u, 1/(σ√u), σ√u/2 and √(τ − u).
    pub(super) lag: Vec<f64>,
    pub(super) inverse: Vec<f64>,
    pub(super) half: Vec<f64>,
    pub(super) x: Vec<f64>,
    /// e^{−qu} du, and the same over σ√u (finite at u = 0).
    pub(super) measure: Vec<f64>,
    pub(super) smooth: Vec<f64>,
}

impl Rule {
    /// For the date with √τ = `root`, boundary times up to √(τ − u) ≤ `end`.
    pub(super) fn fill(&mut self, root: f64, end: f64, width: f64, vol: f64, dividend_yield: f64) {
        for column in [
            &mut self.lag,
            &mut self.inverse,
            &mut self.half,
            &mut self.x,
            &mut self.measure,
            &mut self.smooth,
        ] {
            column.clear();
        }
        let right = core::f64::consts::FRAC_PI_2;
        let start = if end < root { libm::acos(end / root) } else { 0.0 };
        let mut low = start;
        let mut step = width.clamp(NARROWEST, WIDEST);
        while low < right {
            // Towards θ = π/2, expiry, pieces shrink again: y has a logarithm there.
            let left = right - low;
            let high = if left < LAST { right } else { low + step.min(left * (1.0 - 1.0 / GROWTH)) };
            step = (step * GROWTH).min(WIDEST);
            self.piece(root, (low, high), vol, dividend_yield);
            low = high;
        }
    }

    fn piece(&mut self, root: f64, (low, high): (f64, f64), vol: f64, dividend_yield: f64) {
        let (nodes, weights) = &panel_tables().points;
        for (node, weight) in nodes.iter().zip(weights) {
            let theta = low + (high - low) * node;
            let (sine, cosine) = (libm::sin(theta), libm::cos(theta));
            let lag = root * root * sine * sine;
            let smooth = (high - low) * weight * 2.0 * root * cosine / vol * exp(-dividend_yield * lag);
            let total_vol = vol * root * sine;
            self.lag.push(lag);
            self.inverse.push(1.0 / total_vol);
            self.half.push(0.5 * total_vol);
            self.x.push(root * cosine);
            self.measure.push(smooth * total_vol);
            self.smooth.push(smooth);
        }
    }
}
