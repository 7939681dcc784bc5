//! Expected moves of the underlying.

use crate::math::normal;
use crate::model_error::{ModelError, finite, non_negative, positive};
use crate::surface::Smile;

/// One-standard-deviation move in price over `days` calendar days, `S sigma sqrt(days/365)`.
///
/// # Errors
/// [`ModelError`] for a spot that is not positive or a negative volatility or time.
pub fn from_vol(spot: f64, vol: f64, days: f64) -> Result<f64, ModelError> {
    positive("spot", spot)?;
    non_negative("volatility", vol)?;
    non_negative("days", days)?;
    Ok(spot * vol * (days / 365.0).sqrt())
}

/// Mid prices around the money of one expiry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StraddleQuotes {
    /// At-the-money straddle.
    pub straddle: f64,
    /// Strangle of the first strikes out of the money.
    pub first_strangle: f64,
    /// Strangle of the second strikes out of the money.
    pub second_strangle: f64,
}

/// The brokers' straddle method: 0.6 straddle + 0.3 first strangle + 0.1 second
/// strangle, a mean absolute move rather than a standard deviation.
///
/// # Errors
/// [`ModelError`] for a price that is negative or not finite.
pub fn from_straddle(quotes: &StraddleQuotes) -> Result<f64, ModelError> {
    let straddle = non_negative("straddle price", quotes.straddle)?;
    let first = non_negative("first strangle price", quotes.first_strangle)?;
    let second = non_negative("second strangle price", quotes.second_strangle)?;
    Ok(0.6 * straddle + 0.3 * first + 0.1 * second)
}

/// Risk-neutral probability under a smile that the underlying ends below `ln(K/F) = k`:
/// `N(-d2) + phi(d2) w'/(2 sqrt(w))`, the derivative of the put price by strike.
///
/// # Errors
/// [`ModelError`] when the smile's variance at `k` is not positive.
pub fn probability_below<S: Smile + ?Sized>(smile: &S, k: f64) -> Result<f64, ModelError> {
    finite("log-moneyness", k)?;
    let jet = smile.jet(k);
    let root = positive("total variance", jet.w)?.sqrt();
    let d2 = -k / root - 0.5 * root;
    let slope = 0.5 * jet.dw / root;
    Ok((normal::cdf(-d2) + normal::pdf(d2) * slope).clamp(0.0, 1.0))
}

/// Probability that the forward's price touches `ln(K/F) = k` before expiry when it
/// diffuses with the constant total variance `w`: reflection principle with drift
/// `-w/2` (Shreve 2004, eq. 7.2.10).
///
/// # Errors
/// [`ModelError`] when `w` is not positive.
pub fn probability_of_touch(w: f64, k: f64) -> Result<f64, ModelError> {
    let root = positive("total variance", w)?.sqrt();
    let k = finite("log-moneyness", k)?;
    let side = if k >= 0.0 { 1.0 } else { -1.0 };
    let direct = normal::cdf(side * (-0.5 * w - k) / root);
    let reflected = libm::exp(-k) * normal::cdf(side * (0.5 * w - k) / root);
    Ok((direct + if reflected.is_finite() { reflected } else { 0.0 }).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::svi::RawSvi;

    #[test]
    fn moves_by_hand() {
        assert!((from_vol(100.0, 0.2, 365.0).unwrap() - 20.0).abs() < 1e-12);
        let quotes = StraddleQuotes { straddle: 10.0, first_strangle: 8.0, second_strangle: 6.0 };
        assert!((from_straddle(&quotes).unwrap() - 9.0).abs() < 1e-12);
        assert!(from_vol(-1.0, 0.2, 1.0).is_err());
    }

    #[test]
    fn smile_probabilities_integrate_the_density() {
        let smile = RawSvi { a: 0.01, b: 0.1, rho: -0.5, m: 0.0, sigma: 0.2 };
        let (mut sum, h) = (0.0, 1e-4);
        let mut k = -4.0;
        while k < -0.1 {
            sum += h * smile.jet(k + 0.5 * h).density(k + 0.5 * h);
            k += h;
        }
        assert!((probability_below(&smile, -0.1).unwrap() - sum).abs() < 1e-6);
    }

    #[test]
    fn touching_is_at_least_as_likely_as_ending_beyond() {
        for k in [-0.3, -0.05, 0.0, 0.05, 0.3] {
            let touch = probability_of_touch(0.04, k).unwrap();
            let root = 0.2;
            let beyond = normal::cdf(-(k.abs() + if k >= 0.0 { 0.02 } else { -0.02 }) / root);
            assert!(touch >= beyond - 1e-12, "{k}: {touch} {beyond}");
        }
        assert!((probability_of_touch(0.04, 0.0).unwrap() - 1.0).abs() < 1e-12);
    }
}
