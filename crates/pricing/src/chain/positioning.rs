//! Max pain, put/call ratios and profiles.

use crate::Right;
use crate::model_error::{ModelError, non_negative, positive};
use std::collections::BTreeMap;

/// One series' activity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesActivity {
    /// Strike.
    pub strike: f64,
    /// Call or put.
    pub right: Right,
    /// Contracts open.
    pub open_interest: f64,
    /// Contracts traded today.
    pub volume: f64,
    /// Mark price per unit of the underlying.
    pub mark: f64,
}

/// The settlement price at which option holders receive least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MaxPain {
    /// The strike.
    pub strike: f64,
    /// What all holders together receive there, per unit of the multiplier.
    pub payout: f64,
}

/// Max pain of one expiry: the listed strike minimising the total intrinsic value of
/// open interest (the pay-out is convex and piecewise linear, so a strike attains the
/// minimum). Equal pay-outs resolve to the lowest strike.
///
/// # Errors
/// [`ModelError`] for no series, a strike that is not positive, or negative open interest.
pub fn max_pain(series: &[SeriesActivity]) -> Result<MaxPain, ModelError> {
    let mut strikes = Vec::with_capacity(series.len());
    for s in series {
        positive("strike", s.strike)?;
        non_negative("open interest", s.open_interest)?;
        strikes.push(s.strike);
    }
    strikes.sort_by(f64::total_cmp);
    strikes.dedup();
    let payout =
        |at: f64| series.iter().map(|s| s.open_interest * s.right.intrinsic(at, s.strike)).sum::<f64>();
    strikes
        .into_iter()
        .map(|strike| MaxPain { strike, payout: payout(strike) })
        .min_by(|a, b| a.payout.total_cmp(&b.payout))
        .ok_or(ModelError::TooFew { what: "max pain (series)", needed: 1, found: 0 })
}

/// Put over call totals; `None` where calls are zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PutCallRatios {
    /// By contracts traded.
    pub volume: Option<f64>,
    /// By open contracts.
    pub open_interest: Option<f64>,
    /// By value traded (volume times mark).
    pub value: Option<f64>,
}

/// Put/call ratios of any set of series (an expiry or a whole chain).
///
/// # Errors
/// [`ModelError`] for a count or mark that is negative or not finite.
pub fn put_call_ratios(series: &[SeriesActivity]) -> Result<PutCallRatios, ModelError> {
    let mut sums = [[0.0; 3]; 2];
    for s in series {
        let volume = non_negative("volume", s.volume)?;
        let row = &mut sums[usize::from(s.right == Right::Put)];
        row[0] += volume;
        row[1] += non_negative("open interest", s.open_interest)?;
        row[2] += volume * non_negative("mark", s.mark)?;
    }
    let ratio = |i: usize| (sums[0][i] > 0.0).then(|| sums[1][i] / sums[0][i]);
    Ok(PutCallRatios { volume: ratio(0), open_interest: ratio(1), value: ratio(2) })
}

/// Open interest and volume of both rights at one strike.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProfileRow {
    /// Strike.
    pub strike: f64,
    /// Call open interest.
    pub call_open_interest: f64,
    /// Put open interest.
    pub put_open_interest: f64,
    /// Call volume.
    pub call_volume: f64,
    /// Put volume.
    pub put_volume: f64,
}

/// Open interest and volume by strike, ascending.
///
/// # Errors
/// [`ModelError`] for a strike that is not positive or a negative count.
pub fn profile(series: &[SeriesActivity]) -> Result<Vec<ProfileRow>, ModelError> {
    // Positive floats order like their bits.
    let mut rows: BTreeMap<u64, ProfileRow> = BTreeMap::new();
    for s in series {
        let strike = positive("strike", s.strike)?;
        let row = rows.entry(strike.to_bits()).or_insert(ProfileRow { strike, ..ProfileRow::default() });
        let (oi, volume) =
            (non_negative("open interest", s.open_interest)?, non_negative("volume", s.volume)?);
        match s.right {
            Right::Call => {
                row.call_open_interest += oi;
                row.call_volume += volume;
            }
            Right::Put => {
                row.put_open_interest += oi;
                row.put_volume += volume;
            }
        }
    }
    Ok(rows.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(strike: f64, right: Right, open_interest: f64) -> SeriesActivity {
        SeriesActivity { strike, right, open_interest, volume: open_interest / 10.0, mark: 2.0 }
    }

    #[test]
    fn by_hand() {
        let chain = [
            series(90.0, Right::Put, 100.0),
            series(100.0, Right::Call, 200.0),
            series(100.0, Right::Put, 50.0),
            series(110.0, Right::Call, 10.0),
        ];
        // At 90: puts 100s pay 500; at 100: nothing pays; at 110: calls 100s pay 2000.
        assert_eq!(max_pain(&chain).unwrap(), MaxPain { strike: 100.0, payout: 0.0 });
        let ratios = put_call_ratios(&chain).unwrap();
        assert!((ratios.open_interest.unwrap() - 150.0 / 210.0).abs() < 1e-15);
        assert_eq!(ratios.value, ratios.volume);
        assert_eq!(profile(&chain).unwrap().len(), 3);
        assert_eq!(put_call_ratios(&[]).unwrap().volume, None);
        assert!(max_pain(&[]).is_err());
        assert!(max_pain(&[series(f64::NAN, Right::Put, 1.0)]).is_err());
    }
}
