//! European single-barrier options, continuously monitored.
//!
//! Reiner & Rubinstein, "Breaking down the barriers", Risk 4(8), 1991, in the notation
//! of Haug, "The complete guide to option pricing formulas", 2nd ed., section 4.17.1:
//! eight types from the terms A to F. Knock-in rebates are paid at expiry, knock-out
//! rebates when the barrier is hit.

use crate::Right;
use crate::math::normal::cdf;
use crate::mc::payoff::Knock;
use crate::model_error::{ModelError, finite, non_negative, positive};

/// A barrier option with its market; rates continuously compounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarrierOption {
    /// Price of the underlying.
    pub spot: f64,
    /// Strike.
    pub strike: f64,
    /// Barrier level.
    pub barrier: f64,
    /// Whether the barrier is above the spot.
    pub is_up: bool,
    /// Knock-in or knock-out.
    pub knock: Knock,
    /// Call or put.
    pub right: Right,
    /// Cash rebate.
    pub rebate: f64,
    /// Years to expiry.
    pub years: f64,
    /// Interest rate.
    pub rate: f64,
    /// Dividend yield.
    pub dividend_yield: f64,
    /// Volatility per 1.00.
    pub vol: f64,
}

impl BarrierOption {
    /// Present value. A spot at or beyond the barrier has hit it: a knock-out is worth
    /// its rebate, a knock-in the plain option.
    ///
    /// # Errors
    /// [`ModelError`] for arguments out of range, or when `(S/H)` powers overflow.
    pub fn price(&self) -> Result<f64, ModelError> {
        positive("spot", self.spot)?;
        positive("strike", self.strike)?;
        positive("barrier", self.barrier)?;
        non_negative("rebate", self.rebate)?;
        positive("T", self.years)?;
        finite("rate", self.rate)?;
        finite("dividend yield", self.dividend_yield)?;
        positive("volatility", self.vol)?;
        let is_hit = if self.is_up { self.spot >= self.barrier } else { self.spot <= self.barrier };
        let terms = Terms::new(self);
        let value = match (is_hit, self.knock) {
            (true, Knock::Out) => self.rebate,
            (true, Knock::In) => terms.a,
            (false, Knock::In) => self.knock_in(&terms),
            (false, Knock::Out) => self.knock_out(&terms),
        };
        // A difference of option values may round below zero.
        Ok(finite("barrier option value", value)?.max(0.0))
    }

    fn knock_in(&self, t: &Terms) -> f64 {
        let is_strike_above = self.strike >= self.barrier;
        let plain = match (self.right, self.is_up, is_strike_above) {
            (Right::Call, false, true) | (Right::Put, true, false) => t.c,
            (Right::Call, false, false) | (Right::Put, true, true) => t.a - t.b + t.d,
            (Right::Call, true, true) | (Right::Put, false, false) => t.a,
            (Right::Call, true, false) | (Right::Put, false, true) => t.b - t.c + t.d,
        };
        plain + t.e
    }

    fn knock_out(&self, t: &Terms) -> f64 {
        let is_strike_above = self.strike >= self.barrier;
        let plain = match (self.right, self.is_up, is_strike_above) {
            (Right::Call, false, true) | (Right::Put, true, false) => t.a - t.c,
            (Right::Call, false, false) | (Right::Put, true, true) => t.b - t.d,
            (Right::Call, true, true) | (Right::Put, false, false) => 0.0,
            (Right::Call, true, false) | (Right::Put, false, true) => t.a - t.b + t.c - t.d,
        };
        plain + t.f
    }
}

/// Haug's terms A to F.
struct Terms {
    a: f64,
    b: f64,
    c: f64,
    d: f64,
    e: f64,
    f: f64,
}

impl Terms {
    fn new(o: &BarrierOption) -> Self {
        // phi: call or put; eta: side of the barrier.
        let (phi, eta) = (o.right.sign(), if o.is_up { -1.0 } else { 1.0 });
        let deviation = o.vol * o.years.sqrt();
        let variance = o.vol * o.vol;
        let mu = (o.rate - o.dividend_yield - 0.5 * variance) / variance;
        let lambda = (mu * mu + 2.0 * o.rate / variance).max(0.0).sqrt();
        let (log_sk, log_sh) = (libm::log(o.spot / o.strike), libm::log(o.spot / o.barrier));
        let log_hk = libm::log(o.barrier / o.strike);
        let shift = (1.0 + mu) * deviation;
        let x1 = log_sk / deviation + shift;
        let x2 = log_sh / deviation + shift;
        let y1 = (log_hk - log_sh) / deviation + shift;
        let y2 = -log_sh / deviation + shift;
        let z = -log_sh / deviation + lambda * deviation;
        let (asset, cash) =
            (o.spot * libm::exp(-o.dividend_yield * o.years), o.strike * libm::exp(-o.rate * o.years));
        // (H/S)^p
        let power = |p: f64| libm::exp(-p * log_sh);
        let plain = |x: f64| phi * (asset * cdf(phi * x) - cash * cdf(phi * (x - deviation)));
        let mirrored = |y: f64| {
            phi * (asset * power(2.0 * (mu + 1.0)) * cdf(eta * y)
                - cash * power(2.0 * mu) * cdf(eta * (y - deviation)))
        };
        let rebate = o.rebate * libm::exp(-o.rate * o.years);
        Self {
            a: plain(x1),
            b: plain(x2),
            c: mirrored(y1),
            d: mirrored(y2),
            e: rebate * (cdf(eta * (x2 - deviation)) - power(2.0 * mu) * cdf(eta * (y2 - deviation))),
            f: o.rebate
                * (power(mu + lambda) * cdf(eta * z)
                    + power(mu - lambda) * cdf(eta * (z - 2.0 * lambda * deviation))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: BarrierOption = BarrierOption {
        spot: 100.0,
        strike: 90.0,
        barrier: 95.0,
        is_up: false,
        knock: Knock::Out,
        right: Right::Call,
        rebate: 3.0,
        years: 0.5,
        rate: 0.08,
        dividend_yield: 0.04,
        vol: 0.25,
    };

    #[test]
    fn haug_table() {
        // Haug (1998), pages 72–73.
        assert!((BASE.price().unwrap() - 9.0246).abs() < 1e-4);
        let case = |barrier, is_up, knock, strike| {
            BarrierOption { barrier, is_up, knock, strike, ..BASE }.price().unwrap()
        };
        assert!((case(105.0, true, Knock::Out, 100.0) - 2.3580).abs() < 1e-4);
        assert!((case(95.0, false, Knock::In, 110.0) - 2.0576).abs() < 1e-4);
        assert!((case(105.0, true, Knock::In, 90.0) - 14.1112).abs() < 1e-4);
        assert!((case(100.0, false, Knock::Out, 90.0) - 3.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn in_plus_out_is_the_plain_option(
            strike in 60.0..150.0f64, distance in 0.01..0.5f64, is_up in any::<bool>(), is_call in any::<bool>(), vol in 0.05..0.8f64,
        ) {
            let right = if is_call { Right::Call } else { Right::Put };
            let barrier = 100.0 * if is_up { 1.0 + distance } else { 1.0 - distance };
            let option = BarrierOption { strike, barrier, is_up, right, vol, rebate: 0.0, ..BASE };
            let both = option.price().unwrap() + BarrierOption { knock: Knock::In, ..option }.price().unwrap();
            let plain = crate::bsm::price(&crate::bsm::BsmInputs { spot: 100.0, strike, years: 0.5, rate: 0.08, dividend_yield: 0.04, vol }, right);
            prop_assert!((both - plain).abs() < 1e-9);
        }

        #[test]
        fn any_number_is_survived(n in prop::array::uniform8(prop::num::f64::ANY)) {
            let _ = BarrierOption { spot: n[0], strike: n[1], barrier: n[2], rebate: n[3], years: n[4], rate: n[5], dividend_yield: n[6], vol: n[7], ..BASE }.price();
        }
    }
}
