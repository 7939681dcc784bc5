//! The branch-free heart of the formula, shared by the scalar and the batch functions.
use crate::math::kernel::{bell_pair, exp, ln_ratio, tail_pair};

/// What all strikes of one expiry share.
#[derive(Clone, Copy)]
pub(crate) struct Carry {
    pub(crate) spot: f64,
    /// 1/S
    pub(crate) inverse_spot: f64,
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
        let spot = if valid { spot } else { f64::NAN };
        Self {
            spot,
            inverse_spot: 1.0 / spot,
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
        Self::standardised(carry, strike, vol, sign).with_bells().with_probabilities()
    }

    /// d1, d2 and what they rest on; the normal's values are left at zero.
    ///
    /// The three steps are loops of their own in the batch functions: each is short enough for the
    /// processor to work on several vectors at once, which one long loop body is not (measured: 9.6 ns
    /// against 6 ns per strike of a chain).
    #[inline(always)]
    pub(crate) fn standardised(carry: &Carry, strike: f64, vol: f64, sign: f64) -> Self {
        let valid = (strike >= 0.0) & (vol >= 0.0);
        let strike = if valid { strike } else { f64::NAN };
        let total_vol = vol * carry.sqrt_years;
        let log_moneyness = ln_ratio(carry.spot, strike) + carry.drift;
        Self::from_total_vol(carry, strike, vol, sign, log_moneyness, total_vol, 1.0 / total_vol)
    }

    /// [`Core::standardised`] given ln(F/K), σ√T and 1/(σ√T).
    #[inline(always)]
    pub(crate) fn from_total_vol(
        carry: &Carry,
        strike: f64,
        vol: f64,
        sign: f64,
        log_moneyness: f64,
        total_vol: f64,
        inverse_total_vol: f64,
    ) -> Self {
        let centre = log_moneyness * inverse_total_vol;
        // At the money without volatility: 0·∞.
        let centre = if log_moneyness == 0.0 { 0.0 } else { centre };
        Self {
            sign,
            strike,
            vol,
            discounted_spot: carry.spot * carry.spot_discount,
            discounted_strike: strike * carry.strike_discount,
            inverse_total_vol,
            d1: centre + 0.5 * total_vol,
            d2: centre - 0.5 * total_vol,
            bell1: 0.0,
            bell2: 0.0,
            n1: 0.0,
            n2: 0.0,
        }
    }

    /// Fills `bell1` and `bell2`: S e^{−qT} φ(d1) = K e^{−rT} φ(d2), so one exponential gives both.
    #[inline(always)]
    pub(crate) fn with_bells(self) -> Self {
        let (bell1, bell2) = bell_pair(self.d1, self.d2, self.discounted_spot, self.discounted_strike);
        Self { bell1, bell2, ..self }
    }

    /// Fills `n1` and `n2`.
    #[inline(always)]
    pub(crate) fn with_probabilities(self) -> Self {
        let (n1, n2) = tail_pair(self.sign * self.d1, self.sign * self.d2, self.bell1, self.bell2);
        Self { n1, n2, ..self }
    }

    #[inline(always)]
    pub(crate) fn price(&self) -> f64 {
        let value = self.sign * (self.discounted_spot * self.n1 - self.discounted_strike * self.n2);
        if value < 0.0 { 0.0 } else { value }
    }
}
