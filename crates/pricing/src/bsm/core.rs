//! The branch-free heart of the formula, shared by the scalar and the batch functions.
use crate::math::kernel::{exp, ln_ratio, normal_pair};

/// What all strikes of one expiry share.
#[derive(Clone, Copy)]
pub(crate) struct Carry {
    pub(crate) spot: f64,
    pub(crate) years: f64,
    pub(crate) rate: f64,
    pub(crate) dividend_yield: f64,
    pub(crate) sqrt_years: f64,
    /// (r − q) T
    pub(crate) drift: f64,
    /// e^{−qT}
    pub(crate) spot_discount: f64,
    /// e^{−rT}
    pub(crate) strike_discount: f64,
}

impl Carry {
    /// NaN in `spot` marks inadmissible inputs; it spreads to every result.
    #[inline(always)]
    pub(crate) fn new(spot: f64, years: f64, rate: f64, dividend_yield: f64) -> Self {
        let valid = (spot >= 0.0) & (years >= 0.0) & !rate.is_nan() & !dividend_yield.is_nan();
        Self {
            spot: if valid { spot } else { f64::NAN },
            years,
            rate,
            dividend_yield,
            sqrt_years: years.sqrt(),
            drift: (rate - dividend_yield) * years,
            spot_discount: exp(-dividend_yield * years),
            strike_discount: exp(-rate * years),
        }
    }
}

/// One option's intermediate values.
#[derive(Clone, Copy)]
pub(crate) struct Core {
    /// +1 for a call, −1 for a put.
    pub(crate) sign: f64,
    pub(crate) strike: f64,
    pub(crate) vol: f64,
    pub(crate) discounted_spot: f64,
    pub(crate) discounted_strike: f64,
    /// 1/(σ√T)
    pub(crate) inverse_total_vol: f64,
    pub(crate) d1: f64,
    pub(crate) d2: f64,
    /// e^{−d1²/2} and e^{−d2²/2}
    pub(crate) bell1: f64,
    pub(crate) bell2: f64,
    /// N(± d1) and N(± d2)
    pub(crate) n1: f64,
    pub(crate) n2: f64,
}

impl Core {
    #[inline(always)]
    pub(crate) fn new(carry: &Carry, strike: f64, vol: f64, sign: f64) -> Self {
        let valid = (strike >= 0.0) & (vol >= 0.0);
        let strike = if valid { strike } else { f64::NAN };
        let total_vol = vol * carry.sqrt_years;
        let inverse_total_vol = 1.0 / total_vol;
        let log_moneyness = ln_ratio(carry.spot, strike) + carry.drift;
        let centre = log_moneyness * inverse_total_vol;
        // At the money without volatility: 0·∞.
        let centre = if log_moneyness == 0.0 { 0.0 } else { centre };
        let d1 = centre + 0.5 * total_vol;
        let d2 = centre - 0.5 * total_vol;
        let normal = normal_pair(sign * d1, sign * d2);
        Self {
            sign,
            strike,
            vol,
            discounted_spot: carry.spot * carry.spot_discount,
            discounted_strike: strike * carry.strike_discount,
            inverse_total_vol,
            d1,
            d2,
            bell1: normal.bell1,
            bell2: normal.bell2,
            n1: normal.n1,
            n2: normal.n2,
        }
    }

    #[inline(always)]
    pub(crate) fn price(&self) -> f64 {
        let value = self.sign * (self.discounted_spot * self.n1 - self.discounted_strike * self.n2);
        if value < 0.0 { 0.0 } else { value }
    }
}
