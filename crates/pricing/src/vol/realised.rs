//! Realised volatility from daily bars.
//!
//! Sources: Parkinson, J. of Business 53 (1980); Garman & Klass, J. of Business 53
//! (1980), estimator without overnight jump; Rogers & Satchell, Annals of Applied
//! Probability 1 (1991), drift-independent; Yang & Zhang, J. of Business 73 (2000),
//! drift-independent with overnight jumps. All return volatility per 1.00 per
//! square-root year: the daily variance times `sessions_per_year`.
//!
//! Parkinson, Garman–Klass and Rogers–Satchell measure the trading session only; the
//! close-to-close and Yang–Zhang estimators include the night.

use crate::math::kernel::ln;
use crate::model_error::{ModelError, in_range, positive};

/// One session's prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

/// An estimator of realised volatility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Estimator {
    /// Sample standard deviation (n - 1) of log close-to-close returns.
    CloseToClose,
    /// High–low range.
    Parkinson,
    /// High–low range and open–close return.
    GarmanKlass,
    /// Drift-independent range estimator.
    RogersSatchell,
    /// Overnight, open–close and Rogers–Satchell variance combined.
    YangZhang,
}

impl Estimator {
    /// All estimators, in the order of their publication.
    pub const ALL: [Self; 5] =
        [Self::CloseToClose, Self::Parkinson, Self::GarmanKlass, Self::RogersSatchell, Self::YangZhang];

    /// Whether the first bar only provides the close before the first return.
    #[must_use]
    pub fn needs_previous_close(self) -> bool {
        matches!(self, Self::CloseToClose | Self::YangZhang)
    }

    /// Fewest bars that determine the estimate.
    #[must_use]
    pub fn bars_needed(self) -> usize {
        if self.needs_previous_close() { 3 } else { 1 }
    }
}

/// Annualised realised volatility of `bars` in time order.
///
/// # Errors
/// [`ModelError`] when there are too few bars, a price is not positive and finite, or a
/// bar's high and low do not enclose its open and close.
pub fn realised_vol(bars: &[Bar], estimator: Estimator, sessions_per_year: f64) -> Result<f64, ModelError> {
    positive("sessions per year", sessions_per_year)?;
    let needed = estimator.bars_needed();
    if bars.len() < needed {
        return Err(ModelError::TooFew { what: "realised volatility (bars)", needed, found: bars.len() });
    }
    for bar in bars {
        bar.validate()?;
    }
    let daily = match estimator {
        Estimator::CloseToClose => sample_variance(bars.windows(2).map(|w| ln(w[1].close / w[0].close))),
        Estimator::Parkinson => {
            mean(bars.iter().map(|b| square(ln(b.high / b.low)))) / (4.0 * core::f64::consts::LN_2)
        }
        Estimator::GarmanKlass => mean(bars.iter().map(|b| {
            0.5 * square(ln(b.high / b.low))
                - (2.0 * core::f64::consts::LN_2 - 1.0) * square(ln(b.close / b.open))
        })),
        Estimator::RogersSatchell => mean(bars.iter().map(Bar::rogers_satchell)),
        Estimator::YangZhang => yang_zhang(bars),
    };
    Ok((daily.max(0.0) * sessions_per_year).sqrt())
}

/// Close-to-close volatility of a series of closes (sample standard deviation, n - 1).
///
/// # Errors
/// [`ModelError`] for fewer than three closes or a close that is not positive.
pub fn close_to_close(closes: &[f64], sessions_per_year: f64) -> Result<f64, ModelError> {
    positive("sessions per year", sessions_per_year)?;
    if closes.len() < 3 {
        return Err(ModelError::TooFew {
            what: "realised volatility (closes)",
            needed: 3,
            found: closes.len(),
        });
    }
    for &close in closes {
        positive("close", close)?;
    }
    Ok((sample_variance(closes.windows(2).map(|w| ln(w[1] / w[0]))) * sessions_per_year).sqrt())
}

impl Bar {
    fn validate(&self) -> Result<(), ModelError> {
        for (what, price) in
            [("open", self.open), ("high", self.high), ("low", self.low), ("close", self.close)]
        {
            positive(what, price)?;
        }
        in_range("bar's high", self.high, "at least its open, low and close", |h| {
            h >= self.open && h >= self.close && h >= self.low
        })?;
        in_range("bar's low", self.low, "at most its open and close", |l| l <= self.open && l <= self.close)?;
        Ok(())
    }

    /// `ln(H/C) ln(H/O) + ln(L/C) ln(L/O)`.
    fn rogers_satchell(&self) -> f64 {
        ln(self.high / self.close) * ln(self.high / self.open)
            + ln(self.low / self.close) * ln(self.low / self.open)
    }
}

/// Yang & Zhang (2000), eq. 7, with their recommended `k = 0.34/(1.34 + (n+1)/(n-1))`.
fn yang_zhang(bars: &[Bar]) -> f64 {
    // The first bar only provides the previous close.
    let days = &bars[1..];
    let n = days.len() as f64;
    let overnight = sample_variance(bars.windows(2).map(|w| ln(w[1].open / w[0].close)));
    let session = sample_variance(days.iter().map(|b| ln(b.close / b.open)));
    let range = mean(days.iter().map(Bar::rogers_satchell));
    let k = 0.34 / (1.34 + (n + 1.0) / (n - 1.0));
    overnight + k * session + (1.0 - k) * range
}

fn square(x: f64) -> f64 {
    x * x
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    sum / count
}

/// Variance with divisor n - 1, two passes.
pub(crate) fn sample_variance(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let centre = mean(values.clone());
    let (sum, count) = values.fold((0.0, 0.0), |(s, n), v| (s + square(v - centre), n + 1.0));
    sum / (count - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WEEK: [Bar; 4] = [
        Bar { open: 100.0, high: 102.0, low: 99.0, close: 101.0 },
        Bar { open: 101.5, high: 103.0, low: 100.5, close: 102.0 },
        Bar { open: 101.0, high: 101.5, low: 98.0, close: 98.5 },
        Bar { open: 99.0, high: 100.0, low: 97.5, close: 99.5 },
    ];

    #[test]
    fn estimators_match_the_formulas_by_hand() {
        // Evaluated with the definitions in 30-digit arithmetic.
        let expected = [
            (Estimator::CloseToClose, 0.411_455_525_876_710_2),
            (Estimator::Parkinson, 0.276_611_944_317_831_2),
            (Estimator::GarmanKlass, 0.295_242_320_045_388),
            (Estimator::RogersSatchell, 0.291_408_926_002_274_6),
            (Estimator::YangZhang, 0.313_148_605_204_145_5),
        ];
        for (estimator, vol) in expected {
            let found = realised_vol(&WEEK, estimator, 252.0).unwrap();
            assert!((found - vol).abs() < 1e-12, "{estimator:?} {found}");
        }
    }

    #[test]
    fn a_steady_drift_has_no_drift_free_volatility() {
        // Prices that only rise: high = close, low = open, no night.
        let mut bars = Vec::new();
        let mut price = 100.0;
        for _ in 0..30 {
            let next = price * 1.01;
            bars.push(Bar { open: price, high: next, low: price, close: next });
            price = next;
        }
        assert!(realised_vol(&bars, Estimator::RogersSatchell, 252.0).unwrap() < 1e-9);
        assert!(realised_vol(&bars, Estimator::YangZhang, 252.0).unwrap() < 1e-7);
        assert!(realised_vol(&bars, Estimator::Parkinson, 252.0).unwrap() > 0.09);
    }

    #[test]
    fn impossible_bars_are_refused() {
        let bad = Bar { high: 98.0, ..WEEK[0] };
        assert!(realised_vol(&[bad], Estimator::Parkinson, 252.0).is_err());
        assert!(realised_vol(&WEEK[..2], Estimator::YangZhang, 252.0).is_err());
        assert!(close_to_close(&[1.0, f64::NAN, 2.0], 252.0).is_err());
    }

    proptest! {
        #[test]
        fn scale_free(scale in 0.01..100.0f64) {
            let scaled = WEEK.map(|b| Bar { open: b.open * scale, high: b.high * scale, low: b.low * scale, close: b.close * scale });
            for estimator in Estimator::ALL {
                let (a, b) = (realised_vol(&WEEK, estimator, 252.0).unwrap(), realised_vol(&scaled, estimator, 252.0).unwrap());
                prop_assert!((a - b).abs() < 1e-11);
            }
        }
    }
}
