//! Profit and loss split by cause.
//!
//! Two complementary views of the same move:
//! - [`taylor`]: Greeks at the start times the move (delta, gamma, vega, theta, rho and
//!   the second-order crosses, speed); what is left is `unexplained`.
//! - [`sequential`]: the position is revalued in full, one cause at a time (time, spot,
//!   volatility, rate, yield by default). The parts add up to the whole P&L, so the
//!   residual is rounding only; the split between causes depends on the order, which is
//!   therefore an argument.

use crate::bsm::{BsmInputs, Greeks};
use crate::model_error::ModelError;

/// Change of the market between two instants.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Move {
    /// Change of the underlying's price.
    pub spot: f64,
    /// Change of volatility per 1.00.
    pub vol: f64,
    /// Calendar time passed in years.
    pub years: f64,
    /// Change of the interest rate per 1.00.
    pub rate: f64,
}

/// Greek-by-Greek P&L in price units. Sums and multiples of positions are sums and
/// multiples of these terms.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TaylorExplain {
    /// `delta dS`.
    pub delta: f64,
    /// `gamma dS^2/2`.
    pub gamma: f64,
    /// `vega dsigma`.
    pub vega: f64,
    /// `theta dt`.
    pub theta: f64,
    /// `rho dr`.
    pub rho: f64,
    /// `vanna dS dsigma`.
    pub vanna: f64,
    /// `vomma dsigma^2/2`.
    pub vomma: f64,
    /// `charm dS dt`.
    pub charm: f64,
    /// `veta dsigma dt`.
    pub veta: f64,
    /// `speed dS^3/6`.
    pub speed: f64,
}

impl TaylorExplain {
    /// Sum of all terms.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.as_array().iter().sum()
    }

    /// What full revaluation shows beyond the terms.
    #[must_use]
    pub fn unexplained(&self, pnl: f64) -> f64 {
        pnl - self.total()
    }

    /// Adds `quantity` times `other`: the explain of a portfolio is built leg by leg.
    pub fn add(&mut self, other: &Self, quantity: f64) {
        let mut sum = self.as_array();
        for (s, o) in sum.iter_mut().zip(other.as_array()) {
            *s += quantity * o;
        }
        let [delta, gamma, vega, theta, rho, vanna, vomma, charm, veta, speed] = sum;
        *self = Self { delta, gamma, vega, theta, rho, vanna, vomma, charm, veta, speed };
    }

    fn as_array(&self) -> [f64; 10] {
        [
            self.delta, self.gamma, self.vega, self.theta, self.rho, self.vanna, self.vomma, self.charm,
            self.veta, self.speed,
        ]
    }
}

/// The Taylor terms of a move from the Greeks at its start (units of
/// [`Greeks`]: per 1.00 of volatility and rate, per year of calendar time).
#[must_use]
pub fn taylor(greeks: &Greeks, step: &Move) -> TaylorExplain {
    let (s, v, t) = (step.spot, step.vol, step.years);
    TaylorExplain {
        delta: greeks.delta * s,
        gamma: 0.5 * greeks.gamma * s * s,
        vega: greeks.vega * v,
        theta: greeks.theta * t,
        rho: greeks.rho * step.rate,
        vanna: greeks.vanna * s * v,
        vomma: 0.5 * greeks.vomma * v * v,
        charm: greeks.charm * s * t,
        veta: greeks.veta * v * t,
        speed: greeks.speed * s * s * s / 6.0,
    }
}

/// A cause of P&L in [`sequential`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Passing of time.
    Time,
    /// Move of the underlying.
    Spot,
    /// Move of volatility.
    Vol,
    /// Move of the interest rate.
    Rate,
    /// Move of the dividend yield.
    DividendYield,
}

/// Time, spot, volatility, rate, yield: the order desks report in.
pub const USUAL_ORDER: [Cause; 5] = [Cause::Time, Cause::Spot, Cause::Vol, Cause::Rate, Cause::DividendYield];

/// P&L by cause from full revaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequentialExplain {
    /// Each cause in the order it was applied, with its P&L.
    pub parts: [(Cause, f64); 5],
    /// Value at the end minus value at the start.
    pub pnl: f64,
    /// `pnl` minus the parts: rounding, bounded by a few units in the last place of the values.
    pub residual: f64,
}

/// Moves the market from `from` to `to` one cause at a time and revalues after each.
///
/// `value` is any pricing function of the inputs (the strike is left as it is).
///
/// # Errors
/// [`ModelError`] when `order` repeats a cause or a value is not finite.
pub fn sequential(
    from: &BsmInputs,
    to: &BsmInputs,
    order: [Cause; 5],
    mut value: impl FnMut(&BsmInputs) -> f64,
) -> Result<SequentialExplain, ModelError> {
    for cause in USUAL_ORDER {
        if !order.contains(&cause) {
            return Err(ModelError::TooFew { what: "causes of a sequential explain", needed: 5, found: 4 });
        }
    }
    let start = crate::model_error::finite("value at the start", value(from))?;
    let mut state = *from;
    let (mut last, mut parts) = (start, [(Cause::Time, 0.0); 5]);
    for (part, cause) in parts.iter_mut().zip(order) {
        match cause {
            Cause::Time => state.years = to.years,
            Cause::Spot => state.spot = to.spot,
            Cause::Vol => state.vol = to.vol,
            Cause::Rate => state.rate = to.rate,
            Cause::DividendYield => state.dividend_yield = to.dividend_yield,
        }
        let next = crate::model_error::finite("value after a cause", value(&state))?;
        *part = (cause, next - last);
        last = next;
    }
    let pnl = last - start;
    let explained: f64 = parts.iter().map(|(_, p)| p).sum();
    Ok(SequentialExplain { parts, pnl, residual: pnl - explained })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Right;
    use crate::bsm;
    use proptest::prelude::*;

    const START: BsmInputs = BsmInputs {
        spot: 100.0,
        strike: 104.15,
        years: 1.6144,
        rate: 0.0038,
        dividend_yield: 0.0047,
        vol: 0.4805,
    };

    #[test]
    fn taylor_terms_of_a_fifty_digit_row() {
        let step = Move {
            spot: 99.8336 - 100.0,
            vol: 0.4978 - 0.4805,
            years: 0.008_219_178_082_191_78,
            rate: 0.00299 - 0.0038,
        };
        let found = taylor(&bsm::greeks(&START, Right::Call), &step);
        let expected = [
            -0.097_993_917_545_568_36,
            8.731_117_002_801_59e-5,
            0.846_337_927_966_929_4,
            -0.058_708_072_286_191_72,
            -0.047_932_731_091_666_1,
            -8.632_770_496_550_973e-4,
            -0.001_347_225_256_434_749_9,
            5.647_401_580_794_41e-5,
            -0.001_933_647_837_550_434_7,
            6.717_096_833_373_32e-8,
        ];
        for (f, e) in found.as_array().into_iter().zip(expected) {
            assert!((f - e).abs() < 1e-13, "{f} {e}");
        }
        assert!((found.unexplained(0.638_404_697_762_206_2) - 7.017_885_054_489_916e-4).abs() < 1e-13);
    }

    #[test]
    fn a_repeated_cause_is_refused() {
        let order = [Cause::Time, Cause::Time, Cause::Vol, Cause::Rate, Cause::DividendYield];
        assert!(sequential(&START, &START, order, |_| 1.0).is_err());
        assert!(sequential(&START, &START, USUAL_ORDER, |_| f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(spot in 50.0..200.0f64, vol in 0.05..1.0f64, years in 0.0..1.6f64, rate in -0.02..0.1f64) {
            let end = BsmInputs { spot, vol, years, rate, ..START };
            let split = sequential(&START, &end, USUAL_ORDER, |i| bsm::price(i, Right::Put)).unwrap();
            prop_assert!(split.residual.abs() < 1e-12);
            prop_assert!((split.pnl - (bsm::price(&end, Right::Put) - bsm::price(&START, Right::Put))).abs() < 1e-12);
        }

        #[test]
        fn a_small_move_is_explained(ds in -0.5..0.5f64, dv in -0.01..0.01f64, dt in 0.0..0.01f64) {
            let end = BsmInputs { spot: 100.0 + ds, vol: START.vol + dv, years: START.years - dt, ..START };
            let pnl = bsm::price(&end, Right::Call) - bsm::price(&START, Right::Call);
            let terms = taylor(&bsm::greeks(&START, Right::Call), &Move { spot: ds, vol: dv, years: dt, rate: 0.0 });
            prop_assert!(terms.unexplained(pnl).abs() < 2e-4);
        }
    }
}
