//! Skew measures of a smile.

use crate::Right;
use crate::math::normal;
use crate::model_error::{ModelError, in_range, is_non_negative, is_positive, positive};
use crate::surface::Smile;

/// Skew of one expiry; volatilities per 1.00.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkewReport {
    /// At-the-money-forward volatility.
    pub atm_vol: f64,
    /// Volatility of the call with the asked delta.
    pub call_vol: f64,
    /// Volatility of the put with the asked delta.
    pub put_vol: f64,
    /// Call minus put volatility.
    pub risk_reversal: f64,
    /// Mean of both wings minus at-the-money.
    pub butterfly: f64,
    /// `d sigma/dk` at the money, per 1.00 of log-moneyness.
    pub slope: f64,
    /// Log-moneyness of the call.
    pub call_k: f64,
    /// Log-moneyness of the put.
    pub put_k: f64,
}

/// Risk reversal and butterfly at an undiscounted forward delta (0.25 is the usual).
///
/// # Errors
/// [`ModelError`] for a delta outside (0, 0.5), a time that is not positive, or a smile
/// on which the delta is not attained.
pub fn skew<S: Smile + ?Sized>(smile: &S, years: f64, delta: f64) -> Result<SkewReport, ModelError> {
    positive("T", years)?;
    in_range("delta", delta, "in (0, 0.5)", |d| d > 0.0 && d < 0.5)?;
    let atm = smile.jet(0.0);
    let atm_vol = (positive("at-the-money variance", atm.w)? / years).sqrt();
    let call_k = strike_of_delta(smile, Right::Call, delta)?;
    let put_k = strike_of_delta(smile, Right::Put, delta)?;
    let (call_vol, put_vol) = (smile.implied_vol(call_k, years), smile.implied_vol(put_k, years));
    Ok(SkewReport {
        atm_vol,
        call_vol,
        put_vol,
        risk_reversal: call_vol - put_vol,
        butterfly: 0.5 * (call_vol + put_vol) - atm_vol,
        slope: 0.5 * atm.dw / (years * atm_vol),
        call_k,
        put_k,
    })
}

/// Log-moneyness at which the undiscounted forward delta of the option, with the
/// smile's own volatility there, is `delta` in absolute value.
///
/// # Errors
/// [`ModelError`] when it is not attained within 20 standard deviations.
pub fn strike_of_delta<S: Smile + ?Sized>(smile: &S, right: Right, delta: f64) -> Result<f64, ModelError> {
    in_range("delta", delta, "in (0, 1)", |d| d > 0.0 && d < 1.0)?;
    let side = right.sign();
    // |delta| = N(side d1) falls as the strike moves out of the money.
    let excess = |k: f64| {
        let root = smile.total_variance(k).sqrt();
        normal::cdf(side * (-k / root + 0.5 * root)) - delta
    };
    let unit = positive("at-the-money variance", smile.total_variance(0.0))?.sqrt();
    let mut inside = -2.0 * side * unit;
    let mut outside = inside;
    for i in 1..=88 {
        outside = side * unit * (0.25 * f64::from(i) - 2.0);
        if excess(outside) < 0.0 {
            break;
        }
        inside = outside;
    }
    if !is_non_negative(excess(inside)) || !is_positive(-excess(outside)) {
        return Err(ModelError::NoConvergence { what: "strike of a delta", residual: excess(outside) });
    }
    for _ in 0..80 {
        let middle = 0.5 * (inside + outside);
        if excess(middle) >= 0.0 { inside = middle } else { outside = middle }
    }
    Ok(0.5 * (inside + outside))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::surface::svi::RawSvi;

    #[test]
    fn equity_smile() {
        let smile = RawSvi { a: 0.005, b: 0.08, rho: -0.6, m: 0.02, sigma: 0.12 };
        let report = skew(&smile, 0.25, 0.25).unwrap();
        assert!(report.risk_reversal < 0.0 && report.butterfly > 0.0 && report.slope < 0.0, "{report:?}");
        let root = smile.total_variance(report.put_k).sqrt();
        let d1 = -report.put_k / root + 0.5 * root;
        assert!((normal::cdf(-d1) - 0.25).abs() < 1e-12);
        assert!(skew(&smile, 0.25, 0.7).is_err());
        assert!(skew(&smile, f64::NAN, 0.25).is_err());
    }

    #[test]
    fn no_skew_without_a_smile() {
        let flat = RawSvi { a: 0.04, b: 0.0, rho: 0.0, m: 0.0, sigma: 0.1 };
        let report = skew(&flat, 1.0, 0.25).unwrap();
        assert!(report.risk_reversal.abs() < 1e-15 && report.butterfly.abs() < 1e-15);
        assert!((report.atm_vol - 0.2).abs() < 1e-15);
    }
}
