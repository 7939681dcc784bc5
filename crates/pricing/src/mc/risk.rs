//! Risk of a position by simulation with full revaluation.
//!
//! Prices of the underlying at a horizon come from any [`PathModel`]; the caller's
//! function revalues the whole position at each of them. Value at risk and expected
//! shortfall are empirical quantiles, reported as positive losses.

use super::model::{PathModel, Step};
use super::random::NormalStream;
use super::{BLOCK_PATHS, Estimate};
use crate::model_error::{ModelError, finite, in_range, positive};

/// Most scenarios: each one's outcome is kept.
pub const SCENARIOS_MAX: usize = 20_000_000;

/// Horizon, size and seed of [`position_risk`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskSettings {
    /// Years to the horizon.
    pub horizon: f64,
    /// Scenarios, rounded up to whole blocks of 1,024.
    pub scenarios: usize,
    /// Confidence of value at risk and expected shortfall, in (0.5, 1).
    pub confidence: f64,
    /// Seed of all streams.
    pub seed: u64,
}

/// Distribution of a position's P&L at the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PositionRisk {
    /// Mean P&L with its standard error.
    pub mean: Estimate,
    /// Loss that is exceeded with probability 1 - confidence.
    pub value_at_risk: f64,
    /// Mean loss beyond it.
    pub expected_shortfall: f64,
    /// Share of scenarios with a profit.
    pub probability_of_profit: f64,
    /// Largest loss simulated.
    pub worst: f64,
}

/// Simulates the underlying to the horizon and revalues the position: `pnl(prices)`
/// gets one price per asset of the model.
///
/// # Errors
/// [`ModelError`] for settings or a model out of range, or a P&L that is not finite.
pub fn position_risk<M: PathModel + ?Sized>(
    model: &M,
    settings: &RiskSettings,
    mut pnl: impl FnMut(&[f64]) -> f64,
) -> Result<PositionRisk, ModelError> {
    model.validate()?;
    let dt = positive("horizon", settings.horizon)?;
    positive("scenarios", settings.scenarios as f64)?;
    in_range("scenarios", settings.scenarios as f64, "at most 20,000,000", |n| n <= SCENARIOS_MAX as f64)?;
    in_range("confidence", settings.confidence, "in (0.5, 1)", |c| c > 0.5 && c < 1.0)?;
    let step = [Step { start: 0.0, dt, root_dt: dt.sqrt() }];
    let factors = model.normals_per_step();
    let mut normals = vec![0.0; factors * BLOCK_PATHS];
    let mut prices = vec![0.0; model.assets()];
    let mut outcomes = Vec::with_capacity(settings.scenarios);
    for block in 0..settings.scenarios.div_ceil(BLOCK_PATHS) as u64 {
        NormalStream::new(settings.seed, block).fill(&mut normals);
        for z in normals.chunks_exact(factors) {
            model.path(&step, z, &mut prices);
            outcomes.push(finite("simulated P&L", pnl(&prices))?);
        }
    }
    let n = outcomes.len() as f64;
    let mean = outcomes.iter().sum::<f64>() / n;
    let squares: f64 = outcomes.iter().map(|x| (x - mean) * (x - mean)).sum();
    let profits = outcomes.iter().filter(|x| **x > 0.0).count() as f64;
    outcomes.sort_by(f64::total_cmp);
    let tail = (((1.0 - settings.confidence) * n) as usize).clamp(1, outcomes.len());
    Ok(PositionRisk {
        mean: Estimate {
            mean,
            standard_error: (squares / (n * (n - 1.0))).sqrt(),
            paths: outcomes.len() as u64,
        },
        value_at_risk: -outcomes[tail - 1],
        expected_shortfall: -outcomes[..tail].iter().sum::<f64>() / tail as f64,
        probability_of_profit: profits / n,
        worst: -outcomes[0],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heston::Market;
    use crate::math::normal;
    use crate::mc::model::Gbm;

    #[test]
    fn a_linear_position_has_the_lognormal_quantiles() {
        let market = Market { spot: 100.0, rate: 0.0, dividend_yield: 0.0 };
        let model = Gbm { market, vol: 0.2 };
        let settings = RiskSettings { horizon: 0.04, scenarios: 200_000, confidence: 0.99, seed: 9 };
        let risk = position_risk(&model, &settings, |s| s[0] - 100.0).unwrap();
        // Quantile of exp(N(-0.0008, 0.04)).
        let quantile = 100.0 * (1.0 - libm::exp(-0.0008 - 0.04 * normal::inverse_cdf(0.99)));
        assert!((risk.value_at_risk - quantile).abs() < 0.1, "{risk:?} {quantile}");
        assert!(risk.expected_shortfall > risk.value_at_risk && risk.worst >= risk.expected_shortfall);
        assert!(risk.mean.mean.abs() < 4.0 * risk.mean.standard_error);
        assert!(position_risk(&model, &RiskSettings { confidence: 0.2, ..settings }, |_| 0.0).is_err());
        assert!(position_risk(&model, &settings, |_| f64::NAN).is_err());
    }
}
