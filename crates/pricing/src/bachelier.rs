//! Bachelier (1900): an option on a forward that moves normally, in price units per √year.
//!
//! ```text
//! d = (F − K)/(σ√T),   call = e^{−rT} [(F − K) N(d) + σ√T φ(d)]
//! ```
//!
//! Source: Bachelier, *Théorie de la spéculation*; discounting as in Haug (2007) §1.3.1. Forward and
//! strike may have any sign, so this is the model for spreads and rates. Limits: no time or no
//! volatility gives the discounted intrinsic value; the density terms vanish off the strike.
pub mod batch;

use crate::Right;
use crate::math::kernel::{NORMAL_EDGE, exp, mills_fraction, normal_loss};
use crate::math::normal::{FRAC_1_SQRT_2PI, bell};

/// What a Bachelier price depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BachelierInputs {
    /// Forward price for the expiry, any sign.
    pub forward: f64,
    /// Strike, any sign.
    pub strike: f64,
    /// Time to expiry in years, ≥ 0.
    pub years: f64,
    /// Continuously compounded rate of the discount factor.
    pub rate: f64,
    /// Volatility in price units per √year, ≥ 0.
    pub vol: f64,
}

/// Price and sensitivities, all at a fixed forward.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BachelierGreeks {
    /// Present value.
    pub price: f64,
    /// ∂V/∂F.
    pub delta: f64,
    /// ∂²V/∂F².
    pub gamma: f64,
    /// ∂V/∂σ per price unit of volatility.
    pub vega: f64,
    /// ∂V/∂t per year: the change as time passes.
    pub theta: f64,
    /// ∂V/∂r per 1.00: −T·price.
    pub rho: f64,
    /// ∂²V/∂F∂σ.
    pub vanna: f64,
    /// ∂²V/∂σ².
    pub vomma: f64,
    /// ∂V/∂K = −delta.
    pub dual_delta: f64,
}

/// Present value; NaN for negative time or volatility and for NaN.
#[must_use]
pub fn price(inputs: &BachelierInputs, right: Right) -> f64 {
    evaluate(inputs, right.sign()).price
}

/// Price and sensitivities.
#[must_use]
pub fn greeks(inputs: &BachelierInputs, right: Right) -> BachelierGreeks {
    evaluate(inputs, right.sign())
}

/// Both, without a branch, so that a loop over it becomes vector code.
#[inline(always)]
fn evaluate(inputs: &BachelierInputs, sign: f64) -> BachelierGreeks {
    let BachelierInputs { forward, strike, years, rate, vol } = *inputs;
    let valid = (years >= 0.0) & (vol >= 0.0) & !rate.is_nan() & !forward.is_nan() & !strike.is_nan();
    let root = years.sqrt();
    let v = vol * root;
    let distance = forward - strike;
    let d = if distance == 0.0 { 0.0 } else { distance / v };
    let z = if d.abs() > NORMAL_EDGE { NORMAL_EDGE } else { d.abs() };
    let bell = bell(z);
    let (p, q) = mills_fraction(z);
    let tail = bell * (p / q);
    // The out-of-the-money value v·(φ(h) − h N(−h)), with full relative accuracy in the wings.
    let time_value = if bell > 0.0 { v * bell * normal_loss(z) } else { 0.0 };
    let outright = sign * distance;
    let outright = if outright < 0.0 { 0.0 } else { outright };
    let discount = exp(-rate * years);
    let discount = if valid { discount } else { f64::NAN };
    let value = discount * (outright + time_value);
    let probability = if sign * d > 0.0 { 1.0 - tail } else { tail };
    let delta = sign * discount * probability;
    let density = discount * (FRAC_1_SQRT_2PI * bell);
    // Off the strike the density dies faster than any power of 1/(σ√T) grows.
    let has_density = bell > 0.0;
    let d = if has_density { d } else { 0.0 };
    let inverse = if has_density { 1.0 / v } else { 0.0 };
    let per_vol = if has_density { root / v } else { 0.0 };
    BachelierGreeks {
        price: value,
        delta,
        gamma: density * inverse,
        vega: density * root,
        theta: rate * value - 0.5 * density * (vol * vol * inverse),
        rho: -years * value,
        vanna: -density * d * per_vol,
        vomma: density * root * d * d * per_vol,
        dual_delta: -delta,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iv::{ForwardQuote, normal_vol};
    use proptest::prelude::*;

    fn inputs() -> BachelierInputs {
        BachelierInputs { forward: 100.0, strike: 95.0, years: 0.5, rate: 0.03, vol: 20.0 }
    }

    #[test]
    fn at_the_money_is_vol_over_root_two_pi() {
        let atm = BachelierInputs { strike: 100.0, years: 1.0, rate: 0.0, ..inputs() };
        assert!((price(&atm, Right::Call) - 20.0 * 0.398_942_280_401_432_7).abs() < 1e-14);
    }

    #[test]
    fn greeks_are_the_derivatives() {
        for right in [Right::Call, Right::Put] {
            let at = |f: &dyn Fn(&mut BachelierInputs)| {
                let mut shifted = inputs();
                f(&mut shifted);
                price(&shifted, right)
            };
            let g = greeks(&inputs(), right);
            let e = 1e-4;
            let slope = |up: f64, down: f64| (up - down) / (2.0 * e);
            assert!((g.delta - slope(at(&|i| i.forward += e), at(&|i| i.forward -= e))).abs() < 1e-9);
            assert!((g.vega - slope(at(&|i| i.vol += e), at(&|i| i.vol -= e))).abs() < 1e-9);
            assert!((g.theta + slope(at(&|i| i.years += e), at(&|i| i.years -= e))).abs() < 1e-6);
            assert!((g.rho - slope(at(&|i| i.rate += e), at(&|i| i.rate -= e))).abs() < 1e-7);
            let bend = (at(&|i| i.forward += 1e-2) - 2.0 * g.price + at(&|i| i.forward -= 1e-2)) / 1e-4;
            assert!((g.gamma - bend).abs() < 1e-8);
        }
    }

    proptest! {
        #[test]
        fn normal_vol_inverts_the_price(
            forward in -50.0..150.0f64, moneyness in -8.0..8.0f64, vol in 1e-3..60.0f64, years in 1e-5..3.0f64,
        ) {
            let strike = forward + moneyness * vol * years.sqrt();
            let right = if strike > forward { Right::Call } else { Right::Put };
            let inputs = BachelierInputs { forward, strike, years, rate: 0.0, vol };
            let quote = ForwardQuote { price: price(&inputs, right), forward, strike, years };
            let found = normal_vol(&quote, right).expect("a price of this model");
            prop_assert!((found / vol - 1.0).abs() < 4e-15, "{found} for {vol}");
        }

        #[test]
        fn nothing_panics(
            forward in prop::num::f64::ANY, strike in prop::num::f64::ANY, years in prop::num::f64::ANY,
            rate in prop::num::f64::ANY, vol in prop::num::f64::ANY,
        ) {
            let g = greeks(&BachelierInputs { forward, strike, years, rate, vol }, Right::Put);
            let _ = normal_vol(&ForwardQuote { price: vol, forward, strike, years }, Right::Call);
            prop_assert!(g.price.is_nan() || g.price >= 0.0);
        }
    }
}
