//! One arbitrage-free surface on the forward: SSVI (Gatheral and Jacquier, *Arbitrage-free SVI
//! volatility surfaces*, 2014) in total variance,
//!
//! ```text
//! w(k, θ) = θ/2 · (1 + ρ φ k + √((φ k + ρ)² + 1 − ρ²)),   φ = η θ^−½,   k = ln(K/F)
//! ```
//!
//! free of butterfly arbitrage while η(1 + |ρ|) ≤ 2 and of calendar arbitrage while θ increases with
//! expiry, which it does because θ is an integral of positive forward variance over the variance clock.
//!
//! Calls are European on a fund that pays nothing before the last listed expiry, which is also their
//! American value. Puts carry the early-exercise premium of Barone-Adesi and Whaley (1987), eq. 20–25,
//! with each strike's own volatility. Rates are continuously compounded, ACT/365F.

use super::model::Model;
use onetape_pricing::Right;

/// Calls and puts of one expiry at one instant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) years: f64,
    pub(super) theta: f64,
    pub(super) discount: f64,
    pub(super) rho: f64,
    pub(super) eta: f64,
    pub(super) rate: f64,
    ln_growth: f64,
}

/// Fair values of one strike and the sensitivities that quoting needs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Fair {
    pub(super) call: f64,
    pub(super) put: f64,
    /// Delta of the European call.
    pub(super) call_delta: f64,
    /// Total standard deviation √w.
    pub(super) deviation: f64,
    /// (ln F/K)/√w + √w/2.
    pub(super) d1: f64,
}

/// Below this many years early exercise of a put is worth less than a tenth of a cent.
const EARLY_EXERCISE_YEARS_MIN: f64 = 1.2 / 365.0;

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * core::f64::consts::FRAC_1_SQRT_2)
}

/// Density of the standard normal.
pub(super) fn normal_pdf(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) * 0.398_942_280_401_432_7
}

/// Integrals of forward variance from now to each of the increasing variance times `horizons`.
pub(super) fn total_variances(model: &Model, horizons: &[f64], out: &mut Vec<f64>) {
    // Gauss–Legendre with four points on [0, 1].
    const NODES: [(f64, f64); 4] = [
        (0.069_431_844_202_973_71, 0.173_927_422_568_726_93),
        (0.330_009_478_207_571_87, 0.326_072_577_431_273_07),
        (0.669_990_521_792_428_1, 0.326_072_577_431_273_07),
        (0.930_568_155_797_026_3, 0.173_927_422_568_726_93),
    ];
    out.clear();
    let (mut from, mut total) = (0.0, 0.0);
    for &horizon in horizons {
        let to = if horizon > from { horizon } else { from };
        let width = to - from;
        if width > 0.0 {
            for (node, weight) in NODES {
                // s ↦ s² gathers the points where the kernel is steep.
                let tau = from + width * node * node;
                total += model.forward_variance(tau) * weight * 2.0 * node * width;
            }
        }
        out.push(total);
        from = to;
    }
}

impl Slice {
    /// A slice of the model's surface with at-the-money total variance `theta` and `years` to expiry.
    pub(super) fn new(model: &Model, theta: f64, years: f64) -> Slice {
        let rate = model.parameters.rate;
        Slice {
            years,
            theta,
            discount: libm::exp(-rate * years),
            rho: model.parameters.smile_rho,
            eta: model.eta(),
            rate,
            ln_growth: rate * years,
        }
    }

    /// A slice without a smile.
    pub(super) fn flat(theta: f64, years: f64, rate: f64) -> Slice {
        let discount = libm::exp(-rate * years);
        Slice { years, theta, discount, rho: 0.0, eta: 0.0, rate, ln_growth: rate * years }
    }

    /// Total variance at log-moneyness `k` on the forward.
    pub(super) fn total_variance(&self, k: f64) -> f64 {
        let x = self.eta * k / self.theta.sqrt();
        let root = ((x + self.rho) * (x + self.rho) + 1.0 - self.rho * self.rho).sqrt();
        0.5 * self.theta * (1.0 + self.rho * x + root)
    }

    /// Implied volatility (ACT/365F) at log-moneyness `k` on the forward.
    pub(super) fn vol(&self, k: f64) -> f64 {
        (self.total_variance(k) / self.years).sqrt()
    }

    /// European values of a strike; the put without its early-exercise premium.
    pub(super) fn european(&self, ln_spot: f64, spot: f64, strike: f64, ln_strike: f64) -> Fair {
        let present_strike = strike * self.discount;
        let k = ln_strike - ln_spot - self.ln_growth;
        if self.theta <= 1e-16 || k * k > 49.0 * self.total_variance(k) {
            let forward_value = spot - present_strike;
            let (call, call_delta) = if forward_value > 0.0 { (forward_value, 1.0) } else { (0.0, 0.0) };
            return Fair { call, put: call - forward_value, call_delta, deviation: 0.0, d1: 0.0 };
        }
        let deviation = self.total_variance(k).sqrt();
        let d1 = -k / deviation + 0.5 * deviation;
        // The out-of-the-money side is computed, the other follows by parity: no cancellation.
        if k >= 0.0 {
            let call_delta = normal_cdf(d1);
            let call = spot * call_delta - present_strike * normal_cdf(d1 - deviation);
            Fair { call, put: call - spot + present_strike, call_delta, deviation, d1 }
        } else {
            let put_delta = normal_cdf(-d1);
            let put = present_strike * normal_cdf(deviation - d1) - spot * put_delta;
            Fair { call: put + spot - present_strike, put, call_delta: 1.0 - put_delta, deviation, d1 }
        }
    }

    /// The terms of a strike's early-exercise premium, or `None` where it is negligible.
    pub(super) fn early_exercise(&self, strike: f64, deviation: f64) -> Option<EarlyExercise> {
        if self.years < EARLY_EXERCISE_YEARS_MIN || deviation <= 0.0 || self.rate <= 0.0 {
            return None;
        }
        EarlyExercise::solve(self, strike, deviation)
    }

    /// Log-moneyness at which the European option of this side has the absolute delta `target`.
    pub(super) fn moneyness_of_delta(&self, right: Right, target: f64) -> f64 {
        let delta = |k: f64| {
            let deviation = self.total_variance(k).sqrt();
            let d1 = -k / deviation + 0.5 * deviation;
            match right {
                Right::Call => normal_cdf(d1),
                Right::Put => normal_cdf(-d1),
            }
        };
        let reach = 8.0 * self.theta.sqrt();
        let (mut near, mut far) = match right {
            Right::Call => (-reach, reach),
            Right::Put => (reach, -reach),
        };
        for _ in 0..60 {
            let middle = 0.5 * (near + far);
            if delta(middle) > target {
                near = middle;
            } else {
                far = middle;
            }
        }
        0.5 * (near + far)
    }

    /// Fair variance of the strip of out-of-the-money options, per year (the VIX formula in the limit
    /// of a dense, unbounded strip).
    pub(super) fn strip_variance(&self) -> f64 {
        const CELLS: i32 = 400;
        let reach = 12.0 * self.theta.sqrt();
        let step = 2.0 * reach / f64::from(CELLS);
        let mut sum = 0.0;
        for cell in 0..CELLS {
            let k = -reach + (f64::from(cell) + 0.5) * step;
            let deviation = self.total_variance(k).sqrt();
            let d1 = -k / deviation + 0.5 * deviation;
            let growth = libm::exp(k);
            // Undiscounted out-of-the-money value on a forward of 1, over K² times dK = K dk.
            let value = if k >= 0.0 {
                normal_cdf(d1) - growth * normal_cdf(d1 - deviation)
            } else {
                growth * normal_cdf(deviation - d1) - normal_cdf(-d1)
            };
            sum += value / growth * step;
        }
        2.0 * sum / self.years
    }
}

/// Early-exercise premium of an American put without dividends at a fixed volatility.
#[derive(Debug, Clone, Copy)]
pub(super) struct EarlyExercise {
    critical: f64,
    ln_critical: f64,
    power: f64,
    scale: f64,
}

impl EarlyExercise {
    fn solve(slice: &Slice, strike: f64, deviation: f64) -> Option<EarlyExercise> {
        let discount = slice.discount;
        // With cost of carry b = r: M = N = 2r/σ² in time units of the option's life.
        let m = 2.0 * slice.rate * slice.years / (deviation * deviation);
        let h = 1.0 - discount;
        let b = m - 1.0;
        let power = 0.5 * (-b - (b * b + 4.0 * m / h).sqrt());
        let european = |s: f64| {
            let d1 = (libm::log(s / strike) + slice.rate * slice.years) / deviation + 0.5 * deviation;
            let put = strike * discount * normal_cdf(deviation - d1) - s * normal_cdf(-d1);
            (put, normal_cdf(-d1))
        };
        // K − S − p(S) + S(1 − N(−d1))/q1 is monotone in S: bisection cannot fail.
        let (mut low, mut high) = (0.2 * strike, strike);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            let (put, n) = european(middle);
            if strike - middle > put - (1.0 - n) * middle / power {
                low = middle;
            } else {
                high = middle;
            }
        }
        let critical = 0.5 * (low + high);
        let (_, n) = european(critical);
        let scale = -(critical / power) * (1.0 - n);
        (scale.is_finite() && scale > 0.0).then(|| EarlyExercise {
            critical,
            ln_critical: libm::log(critical),
            power,
            scale,
        })
    }

    /// The American value given the European one.
    pub(super) fn american(&self, european: f64, ln_spot: f64, spot: f64, strike: f64) -> f64 {
        let value = if spot > self.critical {
            european + self.scale * libm::exp(self.power * (ln_spot - self.ln_critical))
        } else {
            strike - spot
        };
        value.max(strike - spot).max(european)
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::ModelParameters;
    use super::super::random::{Purpose, Stream};
    use super::*;

    fn model() -> Model {
        Model::stationary(ModelParameters::default(), libm::log(100.0), &mut Stream::new(5, Purpose::History))
    }

    #[test]
    fn total_variance_increases_and_matches_a_fine_sum() {
        let model = model();
        let horizons = [0.001, 0.02, 0.1, 0.25];
        let mut out = Vec::new();
        total_variances(&model, &horizons, &mut out);
        let n = 200_000;
        let step = 0.25 / f64::from(n);
        let fine: f64 = (0..n).map(|i| model.forward_variance((f64::from(i) + 0.5) * step) * step).sum();
        assert!((out[3] / fine - 1.0).abs() < 2e-3, "{} {fine}", out[3]);
        assert!(out.windows(2).all(|pair| pair[1] > pair[0]));
    }

    #[test]
    fn the_smile_prices_are_convex_and_agree_with_black_scholes() {
        let slice = Slice::new(&model(), 0.004, 0.1);
        let spot = 100.0f64;
        let value = |strike: f64| slice.european(libm::log(spot), spot, strike, libm::log(strike));
        for strike in [80.0, 95.0, 100.0, 105.0, 120.0] {
            let fair = value(strike);
            let k = libm::log(strike / spot) - slice.rate * slice.years;
            let inputs = onetape_pricing::bsm::BsmInputs {
                spot,
                strike,
                years: slice.years,
                rate: slice.rate,
                dividend_yield: 0.0,
                vol: slice.vol(k),
            };
            for (ours, right) in [(fair.call, Right::Call), (fair.put, Right::Put)] {
                let theirs = onetape_pricing::bsm::price(&inputs, right);
                assert!((ours - theirs).abs() < 1e-9, "{strike} {right:?} {ours} {theirs}");
            }
            let wings = value(strike - 1.0).call + value(strike + 1.0).call;
            assert!(wings >= 2.0 * fair.call - 1e-12);
        }
    }

    #[test]
    fn american_puts_follow_the_published_approximation() {
        // Barone-Adesi and Whaley (1987), table 1 family: S 90, K 100, r = b = 0.08, σ 0.2, T 0.25.
        let mut slice = Slice::new(&model(), 0.04 * 0.25, 0.25);
        slice.rate = 0.08;
        slice.discount = libm::exp(-0.02);
        let deviation = 0.2 * 0.5;
        let early = slice.early_exercise(100.0, deviation).expect("a put with time value");
        let d1 = (libm::log(0.9) + 0.02) / deviation + 0.5 * deviation;
        let european = 100.0 * slice.discount * normal_cdf(deviation - d1) - 90.0 * normal_cdf(-d1);
        let american = early.american(european, libm::log(90.0), 90.0, 100.0);
        assert!((american - 10.0).abs() < 0.08, "{american}");
        assert!(american >= 10.0 && american > european);
    }

    #[test]
    fn the_strip_is_worth_more_than_the_money() {
        let slice = Slice::new(&model(), 0.0033, 30.0 / 365.0);
        let vix = slice.strip_variance().sqrt();
        assert!(vix > slice.vol(0.0) && vix < 1.25 * slice.vol(0.0), "{vix}");
        let k = slice.moneyness_of_delta(Right::Put, 0.25);
        assert!(k < 0.0 && slice.vol(k) > slice.vol(0.0));
    }
}
