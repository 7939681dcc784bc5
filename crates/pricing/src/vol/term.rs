//! Term structure of at-the-money volatility.

use crate::model_error::{ModelError, in_range, non_negative, positive};

/// At-the-money volatility of one expiry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TermPoint {
    /// Years to expiry, > 0.
    pub years: f64,
    /// Implied volatility per 1.00.
    pub vol: f64,
}

/// Volatility for any time by linear interpolation of total variance between the
/// neighbouring expiries, flat volatility outside them.
///
/// # Errors
/// [`ModelError`] for no points, points not in ascending time, or a bad number.
pub fn constant_maturity(points: &[TermPoint], years: f64) -> Result<f64, ModelError> {
    validate(points)?;
    positive("years", years)?;
    let after = points.partition_point(|p| p.years < years);
    if after == 0 {
        return Ok(points[0].vol);
    }
    let Some(far) = points.get(after) else { return Ok(points[points.len() - 1].vol) };
    let near = &points[after - 1];
    let share = (years - near.years) / (far.years - near.years);
    let total = (1.0 - share) * near.vol * near.vol * near.years + share * far.vol * far.vol * far.years;
    Ok((total / years).sqrt())
}

/// Volatility between two expiries; `None` where the forward variance is negative,
/// which is calendar arbitrage.
#[must_use]
pub fn forward_vol(near: TermPoint, far: TermPoint) -> Option<f64> {
    let variance =
        (far.vol * far.vol * far.years - near.vol * near.vol * near.years) / (far.years - near.years);
    (variance >= 0.0).then(|| variance.sqrt())
}

/// An expiry that sticks out of its neighbours' line, usually an event inside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kink {
    /// Position in the points.
    pub index: usize,
    /// Volatility minus the interpolation of its two neighbours.
    pub excess_vol: f64,
}

/// Interior expiries whose volatility differs from the total-variance interpolation of
/// their neighbours by more than `threshold` (vol per 1.00), largest first.
///
/// # Errors
/// As [`constant_maturity`].
pub fn kinks(points: &[TermPoint], threshold: f64) -> Result<Vec<Kink>, ModelError> {
    validate(points)?;
    non_negative("threshold", threshold)?;
    let mut found = Vec::new();
    for index in 1..points.len().saturating_sub(1) {
        let neighbours = [points[index - 1], points[index + 1]];
        let excess_vol = points[index].vol - constant_maturity(&neighbours, points[index].years)?;
        if excess_vol.abs() > threshold {
            found.push(Kink { index, excess_vol });
        }
    }
    found.sort_by(|a, b| b.excess_vol.abs().total_cmp(&a.excess_vol.abs()));
    Ok(found)
}

/// Difference of two constant-maturity volatilities over the difference of the roots
/// of their times; negative in backwardation.
///
/// # Errors
/// As [`constant_maturity`], and when both times are equal.
pub fn slope(points: &[TermPoint], near_years: f64, far_years: f64) -> Result<f64, ModelError> {
    in_range("far time", far_years, "after the near time", |far| far > near_years)?;
    let (near, far) = (constant_maturity(points, near_years)?, constant_maturity(points, far_years)?);
    Ok((far - near) / (far_years.sqrt() - near_years.sqrt()))
}

fn validate(points: &[TermPoint]) -> Result<(), ModelError> {
    if points.is_empty() {
        return Err(ModelError::TooFew { what: "term structure", needed: 1, found: 0 });
    }
    let mut last = 0.0;
    for point in points {
        non_negative("volatility", point.vol)?;
        in_range("years", point.years, "ascending and greater than 0", |t| t > last)?;
        last = point.years;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [TermPoint; 4] = [
        TermPoint { years: 0.05, vol: 0.2 },
        TermPoint { years: 0.1, vol: 0.32 },
        TermPoint { years: 0.2, vol: 0.21 },
        TermPoint { years: 0.5, vol: 0.22 },
    ];

    #[test]
    fn interpolates_total_variance() {
        let found = constant_maturity(&POINTS, 0.35).unwrap();
        let total = 0.5 * (0.21 * 0.21 * 0.2 + 0.22 * 0.22 * 0.5);
        assert!((found - (total / 0.35f64).sqrt()).abs() < 1e-14);
        assert_eq!(constant_maturity(&POINTS, 0.01).unwrap(), 0.2);
        assert_eq!(constant_maturity(&POINTS, 9.0).unwrap(), 0.22);
    }

    #[test]
    fn an_event_shows_as_a_kink_and_as_calendar_arbitrage() {
        assert_eq!(kinks(&POINTS, 0.02).unwrap()[0].index, 1);
        assert!(forward_vol(POINTS[1], POINTS[2]).is_none());
        assert!(forward_vol(POINTS[2], POINTS[3]).unwrap() > 0.22);
        assert!(slope(&POINTS, 0.2, 0.5).unwrap() > 0.0);
    }

    #[test]
    fn unsorted_points_are_refused() {
        assert!(constant_maturity(&[POINTS[1], POINTS[0]], 0.1).is_err());
        assert!(constant_maturity(&[], 0.1).is_err());
        assert!(constant_maturity(&POINTS, f64::NAN).is_err());
    }
}
