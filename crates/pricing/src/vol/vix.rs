//! The Cboe volatility index method.
//!
//! Cboe, "VIX white paper" and "Volatility index methodology": generalised variance of
//! two expiries around 30 days,
//! `sigma^2 = (2/T) sum dK/K^2 e^{RT} Q(K) - (1/T) (F/K0 - 1)^2`,
//! interpolated in total variance to 30 days. Times are years counted in minutes
//! (525,600 a year). Out-of-the-money quotes are taken outward from `K0` until two
//! consecutive strikes have no bid; strikes without a bid are left out.

use crate::model_error::{ModelError, finite, in_range, positive};

/// Both quotes of one strike; a zero bid means no bid, NaN a side that was never quoted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StrikeQuotes {
    /// Strike.
    pub strike: f64,
    /// Call bid.
    pub call_bid: f64,
    /// Call ask.
    pub call_ask: f64,
    /// Put bid.
    pub put_bid: f64,
    /// Put ask.
    pub put_ask: f64,
}

/// One strike's part of the variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// Strike.
    pub strike: f64,
    /// Half the distance between its neighbours (full distance at an end).
    pub delta_k: f64,
    /// Mid quote of the out-of-the-money option (mean of both at `K0`).
    pub quote: f64,
    /// `dK/K^2 e^{RT} Q`.
    pub value: f64,
}

/// The variance of one expiry with its working.
#[derive(Debug, Clone, PartialEq)]
pub struct TermVariance {
    /// Years to expiry.
    pub years: f64,
    /// Forward index level.
    pub forward: f64,
    /// First listed strike at or below the forward.
    pub k0: f64,
    /// Selected strikes, ascending.
    pub contributions: Vec<Contribution>,
    /// Variance per year.
    pub variance: f64,
}

/// Days over which the index looks ahead.
pub const TARGET_DAYS: f64 = 30.0;

/// Generalised variance of one expiry from its quotes in ascending strike order.
///
/// # Errors
/// [`ModelError`] for quotes out of order or not finite, no strike at or below the
/// forward, or fewer than two selected strikes.
pub fn term_variance(quotes: &[StrikeQuotes], years: f64, rate: f64) -> Result<TermVariance, ModelError> {
    positive("T", years)?;
    finite("rate", rate)?;
    validate(quotes)?;
    let growth = libm::exp(rate * years);
    // Mid prices as Cboe prints them; the first of equal differences wins.
    let closest = quotes
        .iter()
        .min_by(|a, b| a.parity_gap().abs().total_cmp(&b.parity_gap().abs()))
        .ok_or(ModelError::TooFew { what: "VIX (strikes)", needed: 2, found: 0 })?;
    let forward = finite("forward", closest.strike + growth * closest.parity_gap())?;
    let below = quotes.partition_point(|q| q.strike <= forward);
    if below == 0 {
        return Err(ModelError::OutOfRange {
            what: "forward",
            expected: "at or above the lowest strike",
            value: forward,
        });
    }
    let middle = below - 1;
    let puts = select(quotes[..middle].iter().rev(), |q| (q.put_bid, q.put_ask));
    let calls = select(quotes[middle + 1..].iter(), |q| (q.call_bid, q.call_ask));
    let at = &quotes[middle];
    let both = finite("quotes at K0", 0.25 * (at.call_bid + at.call_ask + at.put_bid + at.put_ask))?;
    let chosen: Vec<(f64, f64)> =
        puts.into_iter().rev().chain(core::iter::once((at.strike, both))).chain(calls).collect();
    if chosen.len() < 2 {
        return Err(ModelError::TooFew { what: "VIX (strikes with a bid)", needed: 2, found: chosen.len() });
    }
    let contributions: Vec<Contribution> = (0..chosen.len())
        .map(|i| {
            let (strike, quote) = chosen[i];
            let (left, right) = (chosen[i.saturating_sub(1)].0, chosen[(i + 1).min(chosen.len() - 1)].0);
            let is_end = i == 0 || i + 1 == chosen.len();
            let delta_k = if is_end { right - left } else { 0.5 * (right - left) };
            Contribution { strike, delta_k, quote, value: delta_k / (strike * strike) * growth * quote }
        })
        .collect();
    let sum: f64 = contributions.iter().map(|c| c.value).sum();
    let k0 = at.strike;
    let offset = forward / k0 - 1.0;
    Ok(TermVariance {
        years,
        forward,
        k0,
        variance: 2.0 / years * sum - offset * offset / years,
        contributions,
    })
}

/// The index in points (20 = 20 %) from the variances of two expiries, given as
/// `(years, variance per year)`, interpolated (or extrapolated) to 30 days.
///
/// # Errors
/// [`ModelError`] when the times are not ascending or the interpolated variance is negative.
pub fn index(near: (f64, f64), far: (f64, f64)) -> Result<f64, ModelError> {
    let (t1, v1) = (positive("near T", near.0)?, finite("near variance", near.1)?);
    let t2 = in_range("far T", far.0, "after the near T", |t| t > t1)?;
    let v2 = finite("far variance", far.1)?;
    let target = TARGET_DAYS / 365.0;
    let total = t1 * v1 * ((t2 - target) / (t2 - t1)) + t2 * v2 * ((target - t1) / (t2 - t1));
    in_range("interpolated variance", total, "0 or greater", |v| v >= 0.0)?;
    Ok(100.0 * (total / target).sqrt())
}

impl StrikeQuotes {
    /// Call mid minus put mid.
    fn parity_gap(&self) -> f64 {
        0.5 * ((self.call_bid + self.call_ask) - (self.put_bid + self.put_ask))
    }
}

fn validate(quotes: &[StrikeQuotes]) -> Result<(), ModelError> {
    let mut last = 0.0;
    for quote in quotes {
        in_range("strike", quote.strike, "ascending and greater than 0", |k| k > last)?;
        last = quote.strike;
        for (what, price) in [
            ("call bid", quote.call_bid),
            ("call ask", quote.call_ask),
            ("put bid", quote.put_bid),
            ("put ask", quote.put_ask),
        ] {
            if !price.is_nan() {
                in_range(what, price, "0 or greater", |p| p >= 0.0)?;
            }
        }
    }
    Ok(())
}

/// Strikes with a bid, moving outward, until two in a row have none.
fn select<'a>(
    outward: impl Iterator<Item = &'a StrikeQuotes>,
    side: impl Fn(&StrikeQuotes) -> (f64, f64),
) -> Vec<(f64, f64)> {
    let (mut chosen, mut without_bid) = (Vec::new(), 0);
    for quote in outward {
        let (bid, ask) = side(quote);
        if bid > 0.0 && ask.is_finite() {
            without_bid = 0;
            chosen.push((quote.strike, 0.5 * (bid + ask)));
        } else {
            without_bid += 1;
            if without_bid == 2 {
                break;
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reproduces_the_white_papers_printed_index() {
        // Cboe white paper (2014+): near-term sigma^2 0.01846292, next-term 0.01882101, index 13.685821.
        let found = index((0.068_348_6, 0.018_462_92), (0.088_268_6, 0.018_821_01)).unwrap();
        assert!((found - 13.685_821).abs() < 5e-6);
        // White paper (2009): 0.4727679, 0.3668180, 61.22.
        let found =
            index((0.024_657_534_246_575_34, 0.472_767_9), (0.101_369_863_013_698_63, 0.366_818_0)).unwrap();
        assert!((found - 61.22).abs() < 5e-3);
    }

    #[test]
    fn stops_after_two_strikes_without_a_bid() {
        let quote = |strike: f64, call: f64, put: f64| StrikeQuotes {
            strike,
            call_bid: call,
            call_ask: call + 0.1,
            put_bid: put,
            put_ask: put + 0.1,
        };
        let quotes = [
            quote(80.0, 20.0, 0.5), // beyond two missing bids: not used
            quote(85.0, 15.0, 0.0),
            quote(90.0, 10.2, 0.0),
            quote(95.0, 5.6, 0.4),
            quote(100.0, 2.0, 2.0),
            quote(105.0, 0.5, 5.4),
            quote(110.0, 0.0, 10.0),
            quote(115.0, 0.1, 15.0),
        ];
        let term = term_variance(&quotes, 0.1, 0.0).unwrap();
        let strikes: Vec<f64> = term.contributions.iter().map(|c| c.strike).collect();
        assert_eq!(strikes, [95.0, 100.0, 105.0, 115.0]);
        assert_eq!((term.forward, term.k0), (100.0, 100.0));
    }

    #[test]
    fn bad_quotes_are_refused() {
        assert!(term_variance(&[], 0.1, 0.0).is_err());
        let q = StrikeQuotes { strike: 100.0, call_bid: f64::NAN, call_ask: 1.0, put_bid: 1.0, put_ask: 1.0 };
        assert!(term_variance(&[q], 0.1, 0.0).is_err());
        assert!(index((0.1, 0.04), (0.05, 0.04)).is_err());
    }
}
