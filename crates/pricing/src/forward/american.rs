//! The forward of American options: parity on prices without their exercise premium.
//!
//! The premium depends on the carry that is being sought, so both are found together:
//! from a first guess of the yield, every quote's American implied volatility gives its
//! European value, parity on these gives a forward, the forward a new yield. The map is
//! a contraction (the premium reacts weakly to the yield) and settles in a few rounds.

use super::{ImpliedForward, ParityPair, ParitySettings, implied_forward, without_exercise_premium};
use crate::american::{Pricer, Scheme};
use crate::bsm::{self, BsmInputs, IvInputs};
use crate::model_error::{ModelError, in_range, positive};

/// What is known about the underlying.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AmericanTerms {
    /// Price of the underlying.
    pub spot: f64,
    /// Years to expiry.
    pub years: f64,
    /// Interest rate per year; American quotes near the money cannot tell it from the yield.
    pub rate: f64,
    /// First guess of the dividend yield including borrow.
    pub yield_guess: f64,
}

/// A forward from American quotes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AmericanForward {
    /// The forward with its evidence.
    pub forward: ImpliedForward,
    /// The continuous yield (dividends and borrow) that carries spot to the forward.
    pub carry_yield: f64,
    /// Rounds until the yield moved by less than 1e-9.
    pub rounds: usize,
}

/// Largest number of rounds.
const ROUNDS_MAX: usize = 25;
/// Rounds in which the yield must settle to half of its last move: a map that does not contract never will, and each
/// round of it takes the solver's slow paths.
const HALVING_ROUNDS: usize = 3;

/// A rate that a market may have, hard-to-borrow stocks included.
fn carry(what: &'static str, value: f64) -> Result<f64, ModelError> {
    in_range(what, value, "within 5 (500 % a year) of zero", |rate| rate.abs() <= 5.0)
}

/// Forward and yield implied by American pairs at a known rate. `settings.discount` is
/// replaced by the rate's discount factor, and the fit is for the forward alone.
///
/// # Errors
/// [`ModelError`] when a term is out of range, no pair yields a volatility, or the
/// rounds do not settle.
pub fn implied_forward_of_american(
    pairs: &[ParityPair],
    terms: &AmericanTerms,
    settings: &ParitySettings,
) -> Result<AmericanForward, ModelError> {
    positive("spot", terms.spot)?;
    positive("T", terms.years)?;
    carry("rate", terms.rate)?;
    let mut carry_yield = carry("yield guess", terms.yield_guess)?;
    let discount = libm::exp(-terms.rate * terms.years);
    // More pairs than any chain has: the regression for the discount factor is not wanted.
    let settings = ParitySettings { discount: Some(discount), pairs_min: usize::MAX, ..*settings };
    let mut pricer = Pricer::new(Scheme::Fast);
    let (mut moved, mut bar) = (f64::INFINITY, f64::INFINITY);
    for rounds in 1..=ROUNDS_MAX {
        let european = without_exercise_premium(pairs, |strike, right, price| {
            let inputs = IvInputs {
                price,
                spot: terms.spot,
                strike,
                years: terms.years,
                rate: terms.rate,
                dividend_yield: carry_yield,
            };
            let vol = pricer.implied_vol(&inputs, right).ok()?;
            let inputs = BsmInputs {
                spot: terms.spot,
                strike,
                years: terms.years,
                rate: terms.rate,
                dividend_yield: carry_yield,
                vol,
            };
            Some(price - bsm::price(&inputs, right))
        });
        let forward = implied_forward(&european, &settings).map_err(|_| ModelError::TooFew {
            what: "American parity (pairs with an implied volatility)",
            needed: 1,
            found: european.len(),
        })?;
        let next = terms.rate - libm::log(forward.forward / terms.spot) / terms.years;
        moved = (next - carry_yield).abs();
        carry_yield = carry("implied yield", next)?;
        if moved < 1e-9 {
            return Ok(AmericanForward { forward, carry_yield, rounds });
        }
        if rounds % HALVING_ROUNDS == 0 {
            if moved > 0.5 * bar {
                break;
            }
            bar = moved;
        }
    }
    Err(ModelError::NoConvergence { what: "forward of American options", residual: moved })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Right;
    use crate::forward::ForwardSource;

    fn american_pairs(dividend_yield: f64, rate: f64) -> Vec<ParityPair> {
        let mut pricer = Pricer::new(Scheme::Fast);
        (-4..=4)
            .map(|i| {
                let strike = 100.0 + 2.5 * f64::from(i);
                let vol = 0.25 - 0.001 * (strike - 100.0);
                let inputs = BsmInputs { spot: 100.0, strike, years: 0.5, rate, dividend_yield, vol };
                let mut quote = |right| {
                    let price = pricer.price(&inputs, right);
                    (price - 0.02, price + 0.02)
                };
                ParityPair { strike, call: quote(Right::Call), put: quote(Right::Put) }
            })
            .collect()
    }

    #[test]
    fn the_yield_is_recovered_where_plain_parity_misses_it() {
        for (dividend_yield, rate) in [(0.0, 0.05), (0.02, 0.05), (0.06, 0.03), (0.03, 0.0)] {
            let pairs = american_pairs(dividend_yield, rate);
            let terms = AmericanTerms { spot: 100.0, years: 0.5, rate, yield_guess: rate };
            let found = implied_forward_of_american(&pairs, &terms, &ParitySettings::default()).unwrap();
            let exact = 100.0 * libm::exp((rate - dividend_yield) * 0.5);
            assert!((found.forward.forward - exact).abs() < 1e-3, "{found:?} {exact}");
            assert!((found.carry_yield - dividend_yield).abs() < 3e-5, "{found:?}");
            assert_eq!(found.forward.source, ForwardSource::ParityGivenDiscount);
        }
    }

    #[test]
    fn impossible_terms_are_refused() {
        let pairs = american_pairs(0.02, 0.05);
        let terms = AmericanTerms { spot: 100.0, years: 0.5, rate: 0.05, yield_guess: 0.0 };
        let with = |terms: AmericanTerms| {
            implied_forward_of_american(&pairs, &terms, &ParitySettings::default()).is_err()
        };
        assert!(with(AmericanTerms { spot: f64::NAN, ..terms }));
        assert!(with(AmericanTerms { years: 0.0, ..terms }));
        assert!(with(AmericanTerms { rate: -5.1, ..terms }));
        assert!(with(AmericanTerms { yield_guess: 1e10, ..terms }));
        // A forward a thousand times the spot within minutes.
        assert!(with(AmericanTerms { spot: 0.1, years: 1e-5, ..terms }));
        assert!(implied_forward_of_american(&[], &terms, &ParitySettings::default()).is_err());
    }
}
