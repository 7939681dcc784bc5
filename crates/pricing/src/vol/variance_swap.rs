//! Fair variance by static replication.
//!
//! Demeterfi, Derman, Kamal & Zou, "More than you ever wanted to know about volatility
//! swaps" (Goldman Sachs, 1999): the log contract's pay-off
//! `f(S) = (2/T) ((S - S*)/S* - ln(S/S*))` is replicated piecewise linearly by the listed
//! strikes (their appendix A), and eq. 27–29 turn the portfolio's cost into a variance.

use crate::math::normal;
use crate::model_error::{ModelError, finite, in_range, non_negative, positive, same_length};
use crate::surface::Smile;

/// Spot, carry and time of the swap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SwapTerms {
    /// Price of the underlying.
    pub spot: f64,
    /// Interest rate per year, continuously compounded.
    pub rate: f64,
    /// Dividend yield per year.
    pub dividend_yield: f64,
    /// Years to the end.
    pub years: f64,
    /// Boundary `S*` between puts and calls, usually the strike next to the forward.
    pub boundary: f64,
}

/// One wing of the replicating strip, strikes listed outward from the boundary, the
/// boundary itself first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wing<'a> {
    /// Strikes, strictly moving away from the boundary.
    pub strikes: &'a [f64],
    /// Option prices (present values) at these strikes.
    pub prices: &'a [f64],
}

/// Fair annualised variance of a listed strip. The last strike of each wing only ends
/// the last linear piece and is not bought, as in the paper.
///
/// # Errors
/// [`ModelError`] for wings with fewer than two strikes, strikes not moving outward
/// from the boundary, or numbers out of range.
pub fn fair_variance(terms: &SwapTerms, puts: Wing<'_>, calls: Wing<'_>) -> Result<f64, ModelError> {
    let spot = positive("spot", terms.spot)?;
    let years = positive("T", terms.years)?;
    let boundary = positive("boundary", terms.boundary)?;
    let carry = finite("rate", terms.rate)? - finite("dividend yield", terms.dividend_yield)?;
    let strip = wing_cost(puts, terms, -1.0)? + wing_cost(calls, terms, 1.0)?;
    let forward = spot * libm::exp(carry * years);
    // (2/T) [ln(F/S*) - (F/S* - 1)] + e^{rT} Pi: eq. 27 with the forward at its fair value.
    let ratio = forward / boundary;
    Ok(2.0 / years * (libm::log(ratio) - (ratio - 1.0)) + libm::exp(terms.rate * years) * strip)
}

/// Cost of one wing: slopes of the pay-off's chords, differenced (appendix A, eq. A4–A6).
fn wing_cost(wing: Wing<'_>, terms: &SwapTerms, side: f64) -> Result<f64, ModelError> {
    same_length("strikes and prices", wing.strikes.len(), wing.prices.len())?;
    if wing.strikes.len() < 2 {
        return Err(ModelError::TooFew { what: "variance swap wing", needed: 2, found: wing.strikes.len() });
    }
    let payoff =
        |s: f64| 2.0 / terms.years * ((s - terms.boundary) / terms.boundary - libm::log(s / terms.boundary));
    let (mut cost, mut held) = (0.0, 0.0);
    for i in 0..wing.strikes.len() - 1 {
        let here = positive("strike", wing.strikes[i])?;
        let next = in_range("strike", wing.strikes[i + 1], "positive and farther from the boundary", |k| {
            k > 0.0 && side * (k - here) > 0.0
        })?;
        let slope = (payoff(next) - payoff(here)) / (side * (next - here));
        cost += (slope - held) * non_negative("option price", wing.prices[i])?;
        held = slope;
    }
    Ok(cost)
}

/// Fair annualised variance of a continuous smile, `(2/T) int OTM(k) e^{-k} dk` with
/// undiscounted out-of-the-money prices per unit of the forward (Carr & Madan 1998),
/// by the trapezoidal rule in units of the smile's local standard deviation.
///
/// # Errors
/// [`ModelError`] when the smile's variance is not positive or the wings do not vanish.
pub fn fair_variance_of_smile<S: Smile + ?Sized>(smile: &S, years: f64) -> Result<f64, ModelError> {
    positive("T", years)?;
    let money = positive("total variance", smile.total_variance(0.0))?.sqrt();
    // Both wings end where the Black price falls below 1e-15 of the forward.
    let step = money / 64.0;
    let mut sum = 0.5 * (smile_price(smile, 0.0)? + smile_price(smile, -0.0)?);
    for side in [1.0, -1.0] {
        let mut is_done = false;
        for i in 1..100_000 {
            let k = side * step * f64::from(i);
            let value = smile_price(smile, k)? * libm::exp(-k);
            sum += value;
            if value < 1e-15 {
                is_done = true;
                break;
            }
        }
        if !is_done {
            return Err(ModelError::NoConvergence { what: "variance of the smile", residual: sum * step });
        }
    }
    // The out-of-the-money price has a kink at the money, where its slope falls by one:
    // the trapezoid's leading error there, step^2/12, is removed.
    Ok(2.0 / years * (sum * step - step * step / 12.0))
}

fn smile_price<S: Smile + ?Sized>(smile: &S, k: f64) -> Result<f64, ModelError> {
    let root = positive("total variance", smile.total_variance(k))?.sqrt();
    let (d1, d2) = (-k / root + 0.5 * root, -k / root - 0.5 * root);
    let strike = libm::exp(k);
    Ok(if k >= 0.0 {
        normal::cdf(d1) - strike * normal::cdf(d2)
    } else {
        strike * normal::cdf(-d2) - normal::cdf(-d1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::VarianceJet;

    struct Flat(f64);
    impl Smile for Flat {
        fn jet(&self, _: f64) -> VarianceJet {
            VarianceJet { w: self.0, dw: 0.0, d2w: 0.0 }
        }
    }

    #[test]
    fn a_flat_smile_is_its_own_fair_variance() {
        for w in [0.0001, 0.01, 0.04, 0.5] {
            let found = fair_variance_of_smile(&Flat(w), 0.5).unwrap();
            assert!((found / (w / 0.5) - 1.0).abs() < 1e-7, "{w}: {found}");
        }
    }

    #[test]
    fn a_dense_strip_of_flat_volatility_costs_its_variance() {
        let terms = SwapTerms { spot: 100.0, rate: 0.03, dividend_yield: 0.01, years: 0.5, boundary: 101.0 };
        let price = |strike: f64, right| {
            crate::bsm::price(
                &crate::bsm::BsmInputs {
                    spot: 100.0,
                    strike,
                    years: 0.5,
                    rate: 0.03,
                    dividend_yield: 0.01,
                    vol: 0.25,
                },
                right,
            )
        };
        let puts: Vec<f64> = (0..350).map(|i| 101.0 - 0.25 * f64::from(i)).collect();
        let calls: Vec<f64> = (0..1200).map(|i| 101.0 + 0.25 * f64::from(i)).collect();
        let put_prices: Vec<f64> = puts.iter().map(|&k| price(k, crate::Right::Put)).collect();
        let call_prices: Vec<f64> = calls.iter().map(|&k| price(k, crate::Right::Call)).collect();
        let found = fair_variance(
            &terms,
            Wing { strikes: &puts, prices: &put_prices },
            Wing { strikes: &calls, prices: &call_prices },
        )
        .unwrap();
        assert!((found - 0.0625).abs() < 1e-5, "{found}");
    }

    #[test]
    fn wings_must_move_outward() {
        let terms = SwapTerms { spot: 100.0, rate: 0.0, dividend_yield: 0.0, years: 0.5, boundary: 100.0 };
        let good = Wing { strikes: &[100.0, 105.0], prices: &[5.0, 3.0] };
        let bad = Wing { strikes: &[100.0, 105.0], prices: &[5.0, 3.0] };
        assert!(fair_variance(&terms, bad, good).is_err());
        assert!(fair_variance(&terms, Wing { strikes: &[], prices: &[] }, good).is_err());
    }
}
