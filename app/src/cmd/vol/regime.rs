//! `onetape vol regime`.

use super::history::history;
use super::vix;
use crate::Session;
use crate::cmd::market::MarketArgs;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_pricing::vol::rank::{Lookback, iv_standing};
use onetape_pricing::vol::realised::close_to_close;
use onetape_pricing::vol::regime::{RegimeInputs, RegimeThresholds, VolRegime, classify};
use serde_json::json;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape vol regime --at 10:00\n  onetape vol regime --low-index 18 --high-index 30 --json\n\nRules, strict, the first that holds:\n  low          index < low-index and rank < low-rank\n  high         index > high-index or rank > high-rank\n  expansion    realised/implied > expansion-ratio and rank > middle-rank\n  contraction  realised/implied < contraction-ratio and rank < middle-rank\n  neutral      otherwise\nIndex: the VIX-style figure of the chain; rank: (index - low)/(high - low) over --sessions, today included;\nrealised: 20 daily log returns, × √252."
)]
pub(crate) struct RegimeArgs {
    #[command(flatten)]
    market: MarketArgs,
    /// Sessions of the rank, today included.
    #[arg(long, default_value_t = 252)]
    sessions: usize,
    /// Index below which volatility may be low.
    #[arg(long, default_value_t = 15.0)]
    low_index: f64,
    /// Rank below which it is low.
    #[arg(long, default_value_t = 0.30)]
    low_rank: f64,
    /// Index above which volatility is high.
    #[arg(long, default_value_t = 25.0)]
    high_index: f64,
    /// Rank above which it is high.
    #[arg(long, default_value_t = 0.80)]
    high_rank: f64,
    /// Realised over implied above which volatility expands.
    #[arg(long, default_value_t = 0.90)]
    expansion_ratio: f64,
    /// Realised over implied below which it contracts.
    #[arg(long, default_value_t = 0.60)]
    contraction_ratio: f64,
    /// Rank that separates expansion (above) from contraction (below).
    #[arg(long, default_value_t = 0.50)]
    middle_rank: f64,
}

impl RegimeArgs {
    fn thresholds(&self) -> Result<RegimeThresholds, Failure> {
        let finite = |flag: &str, value: f64| {
            let error = || Failure::usage(format!("--{flag}: {value} is not a number to compare with"));
            value.is_finite().then_some(value).ok_or_else(error)
        };
        Ok(RegimeThresholds {
            low_index: finite("low-index", self.low_index)?,
            low_rank: finite("low-rank", self.low_rank)?,
            high_index: finite("high-index", self.high_index)?,
            high_rank: finite("high-rank", self.high_rank)?,
            expansion_ratio: finite("expansion-ratio", self.expansion_ratio)?,
            contraction_ratio: finite("contraction-ratio", self.contraction_ratio)?,
            middle_rank: finite("middle-rank", self.middle_rank)?,
        })
    }
}

/// Daily returns of the realised volatility.
const RETURNS: usize = 20;

pub(crate) fn run(args: &RegimeArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let thresholds = args.thresholds()?;
    let (terms, caption) = vix::from_session(&args.market)?;
    let index = vix::figure(&terms)?;
    let days = history(&args.market.open()?, args.market.symbol.as_deref())?;
    // Today takes a place of the window, and may be its lowest or highest.
    let before = args.sessions.saturating_sub(1);
    let levels: Vec<f64> = days.iter().filter_map(|day| day.vix).collect();
    let mut window: Vec<f64> = levels[levels.len().saturating_sub(before)..].to_vec();
    window.push(index);
    let lookback = Lookback { sessions: window.len(), sessions_min: window.len() };
    let standing = (levels.len() >= before && before > 0).then(|| iv_standing(&window, index, lookback));
    let rank = standing.and_then(Result::ok).map_or(f64::NAN, |standing| standing.rank / 100.0);
    let closes: Vec<f64> = days.iter().map(|day| day.bar.close).collect();
    let recent = closes.len().checked_sub(RETURNS + 1).map(|from| &closes[from..]);
    let realised = recent.and_then(|closes| close_to_close(closes, 252.0).ok()).unwrap_or(f64::NAN);
    let inputs = RegimeInputs { index, rank, realised_over_implied: realised / (index / 100.0) };
    let regime = name(classify(&inputs, &thresholds));
    if session.json {
        report::json(&json!({
            "regime": regime,
            "index": index,
            "rank": rank.is_finite().then_some(rank),
            "realised_vol": realised.is_finite().then_some(realised),
            "realised_over_implied": inputs.realised_over_implied.is_finite().then_some(inputs.realised_over_implied),
        }))?;
        return Ok(0);
    }
    let shown =
        |value: f64| if value.is_finite() { format!("{value:.2}") } else { "not defined".to_string() };
    report::line(&format!("{caption}: {regime}"));
    report::line(&format!("index               {:>8}  VIX-style points", shown(index)));
    report::line(&format!(
        "rank                {:>8}  of {} sessions, today included",
        shown(rank),
        window.len()
    ));
    report::line(&format!("realised            {:>8}  %, 20 daily returns", shown(100.0 * realised)));
    report::line(&format!("realised / implied  {:>8}", shown(inputs.realised_over_implied)));
    Ok(0)
}

fn name(regime: VolRegime) -> &'static str {
    match regime {
        VolRegime::Low => "low_vol",
        VolRegime::High => "high_vol",
        VolRegime::Expansion => "iv_expansion",
        VolRegime::Contraction => "iv_contraction",
        VolRegime::Neutral => "neutral",
    }
}
