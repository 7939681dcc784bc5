//! The early-exercise premium of boundaries on panels, and its derivatives in spot.
use super::panel_rule::Rule;
use super::panels::Panels;
use super::premium::Premium;
use super::tables::LANES;
use crate::math::kernel::{exp, normal_pair};
use crate::math::normal::FRAC_1_SQRT_2PI;
use crate::simd::{Kernel, dispatch};

impl Panels {
    /// ∫ Σ ±[r K e^{−ru} N(−d₂(u, S/B)) − q S e^{−qu} N(−d₁(u, S/B))] du over the times with exercise, plus for
    /// the upper boundary, minus for the lower; for a spot outside the exercise region.
    pub(super) fn premium(&self, spot: f64, strike: f64, log_spot: f64) -> Premium {
        let put = self.put();
        let root = put.years.sqrt();
        let carry = put.rate.abs().max(put.dividend_yield.abs());
        // As long as it has been since the last exercise, the integrand is smooth over as wide an angle.
        let since = (root * root - self.end() * self.end()).max(0.0).sqrt();
        let gap = (self.gap(log_spot) / put.vol).max(since);
        let mut rule = Rule::default();
        rule.fill(
            root,
            self.end(),
            f64::min(2.0 * put.vol / carry, 0.3 * gap) / root,
            put.vol,
            put.dividend_yield,
        );
        let mut edges = [vec![0.0; rule.x.len()], vec![0.0; rule.x.len()]];
        for (at, x) in rule.x.iter().enumerate() {
            let [upper, lower] = self.log_edges(*x);
            (edges[0][at], edges[1][at]) = (upper, lower);
        }
        let mut out = Premium::default();
        dispatch(Integral { panels: self, rule: &rule, edges: &edges, log_spot, out: &mut out });
        let scale = spot / strike;
        Premium {
            value: strike * out.value,
            delta: out.delta / scale,
            gamma: (out.gamma - out.delta) / (scale * spot),
        }
    }
}

struct Integral<'a> {
    panels: &'a Panels,
    rule: &'a Rule,
    edges: &'a [Vec<f64>; 2],
    log_spot: f64,
    out: &'a mut Premium,
}

impl Kernel for Integral<'_> {
    /// Value of a unit strike and its derivatives in the log spot.
    #[inline(always)]
    fn run(self) {
        use super::boundary::lanes;
        let Integral { panels, rule, edges, log_spot, out } = self;
        let (rate, q) = (panels.put().rate, panels.put().dividend_yield);
        let spot = exp(log_spot);
        let (mut value, mut delta, mut gamma) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for (edge, sign) in edges.iter().zip([1.0, -1.0]).take(panels.edges()) {
            for at in (0..rule.x.len()).step_by(LANES) {
                let edge = lanes(edge, at);
                let lag = lanes(&rule.lag, at);
                let inverse = lanes(&rule.inverse, at);
                let half = lanes(&rule.half, at);
                let measure = lanes(&rule.measure, at);
                for lane in 0..LANES {
                    let i = inverse[lane];
                    let centre = (log_spot - edge[lane] + (rate - q) * lag[lane]) * i;
                    let (d1, d2) = (centre + half[lane], centre - half[lane]);
                    let normal = normal_pair(-d1, -d2);
                    let interest = sign * rate * measure[lane] * exp((q - rate) * lag[lane]);
                    let yields = sign * q * measure[lane] * spot;
                    let phi1 = yields * (FRAC_1_SQRT_2PI * normal.bell1) * i;
                    let phi2 = interest * (FRAC_1_SQRT_2PI * normal.bell2) * i;
                    value[lane] += interest * normal.n2 - yields * normal.n1;
                    delta[lane] += phi1 - phi2 - yields * normal.n1;
                    gamma[lane] += phi1 * (2.0 - d1 * i) + phi2 * d2 * i - yields * normal.n1;
                }
            }
        }
        *out = Premium { value: value.iter().sum(), delta: delta.iter().sum(), gamma: gamma.iter().sum() };
    }
}
