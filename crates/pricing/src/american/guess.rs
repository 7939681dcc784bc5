//! The first guess of the boundary of a put.
use super::boundary::{Put, Workspace};
use super::tables::{LANES, Tables};
use crate::math::kernel::{exp, ln, ln_ratio, normal_pair};
use crate::math::normal::FRAC_1_SQRT_2PI;

/// Newton steps; more where a negative yield puts the boundary far below the limit.
const GUESS_STEPS: usize = 5;
const GUESS_STEPS_FAR: usize = 12;

impl Workspace {
    /// The first guess of y: Bjerksund & Stensland's (1993) interpolation between the limits, in terms of
    /// the call's boundary, which is proportional to 1/B, improved by the quadratic approximation of Barone-Adesi &
    /// Whaley (1987), eq. 20 for the put, by Newton steps in ln B. (Li's QD+ correction makes prices from
    /// the guess alone ten times better, but its nodes are too rough a start for Newton's method.)
    #[inline(always)]
    pub(super) fn quadratic_guess(&mut self, put: &Put, tables: &Tables) {
        for at in (0..tables.nodes.len()).step_by(LANES) {
            self.quadratic_guess_lanes(put, tables, at);
        }
    }

    /// [`Workspace::quadratic_guess`] for the eight nodes from `at`.
    #[inline(always)]
    fn quadratic_guess_lanes(&mut self, put: &Put, tables: &Tables, at: usize) {
        let Put { strike, rate, dividend_yield, vol, .. } = *put;
        let alpha = 2.0 * rate / (vol * vol);
        let omega = 2.0 * (rate - dividend_yield) / (vol * vol) - 1.0;
        let (x, mut y, count) = self.node_lanes(tables, at);
        let root_years = put.years.sqrt();
        let (log_limit, log_strike) = (self.log_limit, self.log_strike);
        let width = exp(ln_ratio(put.limit(), put.perpetual()).clamp(1e-8, 50.0)) - 1.0;
        for lane in 0..LANES {
            let spread = 2.0 * vol * root_years * x[lane];
            let growth = spread - (rate - dividend_yield) * put.years * x[lane] * x[lane];
            let growth = if growth > 0.25 * spread { growth } else { 0.25 * spread };
            y[lane] = ln(1.0 + width * (1.0 - exp(-growth / width)));
        }
        let start = y;
        let mut terms = [[0.0; LANES]; 5];
        for lane in 0..LANES {
            let tau = put.years * x[lane] * x[lane];
            let h = 1.0 - exp(-rate * tau);
            terms[0][lane] = vol * root_years * x[lane];
            terms[1][lane] = (rate - dividend_yield) * tau - log_strike;
            terms[2][lane] = exp(-dividend_yield * tau);
            terms[3][lane] = 1.0 - h;
            // α/h, whose limit without interest is 2/(σ²τ).
            let ratio = if h > 0.0 { alpha / h } else { 2.0 / (vol * vol * tau) };
            terms[4][lane] = -0.5 * (omega + (omega * omega + 4.0 * ratio).sqrt());
        }
        let [total_vol, shift, spot_discount, discount, lambda] = terms;
        let steps = if dividend_yield < 0.0 { GUESS_STEPS_FAR } else { GUESS_STEPS };
        for _ in 0..steps {
            for lane in 0..LANES {
                let v = total_vol[lane];
                let inverse = 1.0 / v;
                let log_b = log_limit - y[lane];
                let b = exp(log_b);
                let d1 = (log_b + shift[lane]) * inverse + 0.5 * v;
                let normal = normal_pair(-d1, v - d1);
                let spot_share = spot_discount[lane] * normal.n1;
                let density = spot_discount[lane] * FRAC_1_SQRT_2PI * normal.bell1;
                let early = strike - b - (strike * discount[lane] * normal.n2 - b * spot_share);
                let value = (1.0 - spot_share) * b + lambda[lane] * early;
                let slope = b * ((1.0 - spot_share) * (1.0 - lambda[lane]) + density * inverse);
                let next = y[lane] + value / slope;
                let next = if next < 0.5 * y[lane] { 0.5 * y[lane] } else { next };
                y[lane] = if next > 2.0 * y[lane] { 2.0 * y[lane] } else { next };
            }
        }
        for lane in 0..LANES {
            // Close to expiry with q > r the quadratic approximation tends to K, not X; there
            // y ≈ 0.64 σ√τ (Evans, Kuske & Keller 2002) and `start` is 2 σ√τ.
            let floor = 0.32 * start[lane];
            let guess = if y[lane] < floor { floor } else { y[lane] };
            y[lane] = if guess < 10.0 * start[lane] { guess } else { start[lane] };
        }
        self.y[at..at + count].copy_from_slice(&y[..count]);
    }
}
