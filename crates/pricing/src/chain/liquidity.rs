//! How tradable a series is, and what stands out today.

use crate::model_error::{ModelError, in_range, non_negative};

/// What a liquidity score looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LiquidityInputs {
    /// Best bid; 0 when there is none.
    pub bid: f64,
    /// Best ask; 0 when there is none.
    pub ask: f64,
    /// Smaller of the two displayed sizes, contracts.
    pub size: f64,
    /// Contracts traded today.
    pub volume: f64,
    /// Contracts open.
    pub open_interest: f64,
}

/// Score in [0, 1]: half the weight on the relative spread, the rest on displayed size,
/// volume and open interest, each on a saturating scale. A series without two live,
/// uncrossed sides scores 0.
///
/// `score = 0.5/(1 + spread/(0.05 mid)) + 0.2 s/(s + 20) + 0.15 v/(v + 200) + 0.15 o/(o + 1000)`:
/// half of each part is earned at a 5 % spread, 20 contracts shown, 200 traded, 1000 open.
///
/// # Errors
/// [`ModelError`] for a negative or non-finite input.
pub fn liquidity_score(inputs: &LiquidityInputs) -> Result<f64, ModelError> {
    let bid = non_negative("bid", inputs.bid)?;
    let ask = non_negative("ask", inputs.ask)?;
    let size = non_negative("displayed size", inputs.size)?;
    let volume = non_negative("volume", inputs.volume)?;
    let open = non_negative("open interest", inputs.open_interest)?;
    if bid == 0.0 || ask < bid {
        return Ok(0.0);
    }
    let middle = 0.5 * bid + 0.5 * ask;
    let saturating = |x: f64, half: f64| if x > 1e12 { 1.0 } else { x / (x + half) };
    Ok(0.5 / (1.0 + (ask - bid) / (0.05 * middle))
        + 0.2 * saturating(size, 20.0)
        + 0.15 * saturating(volume, 200.0)
        + 0.15 * saturating(open, 1000.0))
}

/// Today's trading in a series beside its past.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActivityInputs {
    /// Contracts traded today.
    pub volume: f64,
    /// Contracts open before today.
    pub open_interest: f64,
    /// Mean daily volume of the look-back.
    pub volume_mean: f64,
    /// Standard deviation of daily volume in the look-back.
    pub volume_deviation: f64,
}

/// Thresholds of [`unusual_activity`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ActivityThresholds {
    /// Fewest contracts to be worth a mention.
    pub volume_min: f64,
    /// Volume over open interest at or above this opens new positions.
    pub volume_over_open_interest: f64,
    /// Standard deviations above the mean.
    pub deviations: f64,
}

impl Default for ActivityThresholds {
    fn default() -> Self {
        Self { volume_min: 100.0, volume_over_open_interest: 1.5, deviations: 3.0 }
    }
}

/// Why a series' activity is unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnusualActivity {
    /// Volume over open interest; infinite on a series without open interest.
    pub volume_over_open_interest: f64,
    /// Standard deviations above the mean; infinite when the past had none.
    pub deviations: f64,
}

/// The measures when at least one exceeds its threshold, else `None`.
///
/// # Errors
/// [`ModelError`] for a negative or non-finite input.
pub fn unusual_activity(
    inputs: &ActivityInputs,
    thresholds: &ActivityThresholds,
) -> Result<Option<UnusualActivity>, ModelError> {
    let volume = non_negative("volume", inputs.volume)?;
    let open = non_negative("open interest", inputs.open_interest)?;
    let mean = non_negative("mean volume", inputs.volume_mean)?;
    let deviation = non_negative("volume deviation", inputs.volume_deviation)?;
    in_range("activity volume threshold", thresholds.volume_min, "0 or greater", |v| v >= 0.0)?;
    if volume < thresholds.volume_min || volume == 0.0 {
        return Ok(None);
    }
    let found = UnusualActivity {
        volume_over_open_interest: volume / open,
        deviations: if volume > mean { (volume - mean) / deviation } else { 0.0 },
    };
    let is_unusual = found.volume_over_open_interest >= thresholds.volume_over_open_interest
        || found.deviations >= thresholds.deviations;
    Ok(is_unusual.then_some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn half_marks() {
        let inputs =
            LiquidityInputs { bid: 0.975, ask: 1.025, size: 20.0, volume: 200.0, open_interest: 1000.0 };
        assert!((liquidity_score(&inputs).unwrap() - 0.5).abs() < 1e-14);
        assert_eq!(liquidity_score(&LiquidityInputs { bid: 0.0, ..inputs }).unwrap(), 0.0);
        assert_eq!(liquidity_score(&LiquidityInputs { bid: 2.0, ..inputs }).unwrap(), 0.0);
    }

    #[test]
    fn unusual_means_new_or_far_above_the_past() {
        let quiet = ActivityInputs {
            volume: 150.0,
            open_interest: 1000.0,
            volume_mean: 140.0,
            volume_deviation: 30.0,
        };
        let thresholds = ActivityThresholds::default();
        assert_eq!(unusual_activity(&quiet, &thresholds).unwrap(), None);
        let burst = ActivityInputs { volume: 400.0, ..quiet };
        assert!(unusual_activity(&burst, &thresholds).unwrap().unwrap().deviations > 8.0);
        let fresh = ActivityInputs { open_interest: 0.0, ..quiet };
        assert!(unusual_activity(&fresh, &thresholds).unwrap().is_some());
    }

    proptest! {
        #[test]
        fn the_score_stays_in_its_range(n in prop::array::uniform5(prop::num::f64::ANY)) {
            let inputs = LiquidityInputs { bid: n[0], ask: n[1], size: n[2], volume: n[3], open_interest: n[4] };
            if let Ok(score) = liquidity_score(&inputs) {
                prop_assert!((0.0..=1.0).contains(&score), "{} {:?}", score, inputs);
            }
        }
    }
}
