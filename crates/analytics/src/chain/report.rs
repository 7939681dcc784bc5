//! Positioning, skew, term structure and liquidity of a chain.
//!
//! Dealer gamma rests on the usual assumption, which no tape can confirm: dealers are long the calls
//! and short the puts that are open.

use super::fit::fit_alone;
use super::slice::{CarryInputs, ExpirySlice, Series};
use super::snapshot::ExpiryKey;
use onetape_engine::instrument::ExerciseStyle;
use onetape_pricing::chain::exposure::{DollarGreeks, dealer_gammas, gamma_flip};
use onetape_pricing::chain::liquidity::{
    ActivityInputs, ActivityThresholds, LiquidityInputs, UnusualActivity, liquidity_score, unusual_activity,
};
use onetape_pricing::chain::live::{ChainPricer, ExpirySeries, ExpiryTerms};
use onetape_pricing::chain::positioning::{
    MaxPain, ProfileRow, PutCallRatios, SeriesActivity, max_pain, profile, put_call_ratios,
};
use onetape_pricing::chain::skew::{SkewReport, skew};
use onetape_pricing::finite_difference::Exercise;
use onetape_pricing::surface::fit::SviFit;
use onetape_pricing::vol::expected_move;
use onetape_pricing::vol::term::{Kink, TermPoint, kinks, slope};
use onetape_pricing::{ModelError, Right};

/// Volatility by which an expiry must differ from its neighbours' line to be a kink.
pub const KINK_VOL: f64 = 0.005;
/// Share of the spot searched on both sides for the level where dealer gamma changes sign.
const FLIP_REACH: f64 = 0.2;

/// One expiry's measures; `None` where its quotes do not determine one.
#[derive(Debug, Clone)]
pub struct ExpiryReport {
    /// Date and class root.
    pub key: ExpiryKey,
    /// Years to expiry.
    pub years: f64,
    /// At-the-money-forward volatility.
    pub atm_vol: Option<f64>,
    /// One standard deviation to expiry in price units, S σ √T.
    pub expected_move: Option<f64>,
    /// Settlement at which holders receive least.
    pub max_pain: Option<MaxPain>,
    /// Put/call ratios.
    pub ratios: Option<PutCallRatios>,
    /// Open interest and volume by strike.
    pub profile: Vec<ProfileRow>,
    /// 25-delta risk reversal and butterfly on the fitted smile.
    pub skew: Option<SkewReport>,
    /// Mean liquidity score, weighted by vega, in [0, 1].
    pub liquidity: Option<f64>,
    /// Dollar Greeks of everything open, long.
    pub open: DollarGreeks,
    /// Dealer gamma, $ of delta per 1 % move.
    pub dealer_gamma: Option<f64>,
}

/// A series whose volume stands out.
#[derive(Debug, Clone)]
pub struct Unusual {
    /// Symbol.
    pub symbol: String,
    /// Contracts traded today.
    pub volume: f64,
    /// Contracts open before.
    pub open_interest: f64,
    /// The measures.
    pub measures: UnusualActivity,
}

/// A chain's measures over its expiries.
#[derive(Debug, Clone)]
pub struct ChainReport {
    /// By expiry, ascending.
    pub expiries: Vec<ExpiryReport>,
    /// Put/call ratios of all of them.
    pub ratios: Option<PutCallRatios>,
    /// Expiries that stick out of their neighbours' line of total variance.
    pub kinks: Vec<(ExpiryKey, Kink)>,
    /// Volatility from 30 to 90 days over the difference of the roots of time; negative in backwardation.
    pub term_slope: Option<f64>,
    /// Dollar Greeks of everything open by strike, ascending.
    pub by_strike: Vec<(f64, DollarGreeks)>,
    /// Dealer gamma of all expiries, $ of delta per 1 % move.
    pub dealer_gamma: Option<f64>,
    /// Spot at which it changes sign.
    pub gamma_flip: Option<f64>,
    /// Series with unusual volume, largest first.
    pub unusual: Vec<Unusual>,
}

/// The smile of an expiry as an arbitrage-free SVI slice; `None` with fewer than five quotes.
#[must_use]
pub fn smile(slice: &ExpirySlice) -> Option<SviFit> {
    if slice.smile_quotes().len() < 5 {
        return None;
    }
    fit_alone(slice).ok()
}

/// All measures of the expiries of one underlying, in ascending order of time.
#[must_use]
pub fn report(slices: &[ExpirySlice]) -> ChainReport {
    let mut expiries: Vec<ExpiryReport> = slices.iter().map(expiry).collect();
    let gamma = dealer_gamma(slices).unwrap_or_else(|_| DealerGamma::default());
    for (expiry, gamma) in expiries.iter_mut().zip(&gamma.by_expiry) {
        expiry.dealer_gamma = Some(*gamma);
    }
    let everything: Vec<SeriesActivity> = slices.iter().flat_map(activity).collect();
    let points: Vec<(ExpiryKey, TermPoint)> = expiries
        .iter()
        .filter_map(|e| Some((e.key.clone(), TermPoint { years: e.years, vol: e.atm_vol? })))
        .collect();
    let term: Vec<TermPoint> = points.iter().map(|(_, point)| *point).collect();
    let found = kinks(&term, KINK_VOL).unwrap_or_default();
    let covers = term.len() >= 2;
    ChainReport {
        ratios: put_call_ratios(&everything).ok(),
        kinks: found.into_iter().map(|kink| (points[kink.index].0.clone(), kink)).collect(),
        term_slope: if covers { slope(&term, 30.0 / 365.0, 90.0 / 365.0).ok() } else { None },
        by_strike: by_strike(slices),
        dealer_gamma: (!gamma.by_expiry.is_empty()).then(|| gamma.by_expiry.iter().sum()),
        gamma_flip: gamma.flip,
        unusual: unusual(slices),
        expiries,
    }
}

fn expiry(slice: &ExpirySlice) -> ExpiryReport {
    let activity: Vec<SeriesActivity> = activity(slice).collect();
    let atm_vol = slice.atm_vol();
    let days = slice.years * 365.0;
    let mut open = DollarGreeks::default();
    for series in &slice.series {
        if let Some(greeks) = dollars(slice, series) {
            open = open.plus(&greeks);
        }
    }
    ExpiryReport {
        key: slice.key.clone(),
        years: slice.years,
        atm_vol,
        expected_move: atm_vol.and_then(|vol| expected_move::from_vol(slice.spot, vol, days).ok()),
        max_pain: max_pain(&activity).ok(),
        ratios: put_call_ratios(&activity).ok(),
        profile: profile(&activity).unwrap_or_default(),
        skew: smile(slice).and_then(|fit| skew(&fit.slice, slice.years, 0.25).ok()),
        liquidity: liquidity(slice),
        open,
        dealer_gamma: None,
    }
}

fn activity(slice: &ExpirySlice) -> impl Iterator<Item = SeriesActivity> {
    slice.series.iter().map(|series| SeriesActivity {
        strike: series.strike,
        right: series.right,
        open_interest: series.open_interest.unwrap_or(0.0).max(0.0),
        volume: series.volume,
        mark: series.mid().or(series.last).unwrap_or(0.0),
    })
}

/// Dollar Greeks of a series' open interest.
fn dollars(slice: &ExpirySlice, series: &Series) -> Option<DollarGreeks> {
    let units = series.open_interest? * slice.multiplier;
    Some(DollarGreeks::new(series.risk.as_ref()?, slice.spot, units))
}

#[derive(Default)]
struct DealerGamma {
    by_expiry: Vec<f64>,
    flip: Option<f64>,
}

/// Of the open series that have a volatility, in the exercise style of their class.
fn dealer_gamma(slices: &[ExpirySlice]) -> Result<DealerGamma, ModelError> {
    let open = |slice: &ExpirySlice| -> Vec<(f64, Right, f64, f64)> {
        let series = slice.series.iter().filter_map(|series| {
            let units = series.open_interest.filter(|open| *open > 0.0)? * slice.multiplier;
            Some((series.strike, series.right, series.vols[1]?, units))
        });
        series.collect()
    };
    let open: Vec<_> = slices.iter().map(open).collect();
    let strikes: Vec<Vec<f64>> = open.iter().map(|series| series.iter().map(|s| s.0).collect()).collect();
    let rights: Vec<Vec<Right>> = open.iter().map(|series| series.iter().map(|s| s.1).collect()).collect();
    let expiries: Vec<ExpirySeries<'_>> = slices
        .iter()
        .zip(strikes.iter().zip(&rights))
        .map(|(slice, (strike, right))| {
            let CarryInputs { rate, carry_yield, .. } = slice.carry;
            let terms = ExpiryTerms { years: slice.years, rate, dividend_yield: carry_yield };
            let exercise = match slice.style {
                ExerciseStyle::American => Exercise::American,
                ExerciseStyle::European => Exercise::European,
            };
            ExpirySeries { terms, exercise, strike, right }
        })
        .collect();
    let spot = slices.first().map_or(f64::NAN, |slice| slice.spot);
    let mut chain = ChainPricer::new(spot, &expiries)?;
    let all: Vec<_> = open.iter().flatten().collect();
    for (i, series) in all.iter().enumerate() {
        chain.set_vol(i, series.2)?;
    }
    let units: Vec<f64> = all.iter().map(|series| series.3).collect();
    let by_series = dealer_gammas(&chain, &units)?;
    let mut rest = by_series.as_slice();
    let mut by_expiry = Vec::with_capacity(open.len());
    for series in &open {
        let (here, later) = rest.split_at(series.len());
        by_expiry.push(here.iter().sum());
        rest = later;
    }
    Ok(DealerGamma { by_expiry, flip: gamma_flip(&mut chain, &units, FLIP_REACH)? })
}

fn by_strike(slices: &[ExpirySlice]) -> Vec<(f64, DollarGreeks)> {
    let parts = slices.iter().flat_map(|slice| {
        // Positive floats order as their bits do.
        slice.series.iter().filter_map(|s| Some((s.strike.to_bits(), dollars(slice, s)?)))
    });
    let sums = onetape_pricing::chain::exposure::by_group(&parts.collect::<Vec<_>>());
    sums.into_iter().map(|(bits, greeks)| (f64::from_bits(bits), greeks)).collect()
}

/// A series' liquidity score.
#[must_use]
pub fn score(series: &Series) -> Option<f64> {
    let inputs = LiquidityInputs {
        bid: series.bid.unwrap_or(0.0),
        ask: series.ask.unwrap_or(0.0),
        size: series.size,
        volume: series.volume,
        open_interest: series.open_interest.unwrap_or(0.0),
    };
    liquidity_score(&inputs).ok()
}

fn liquidity(slice: &ExpirySlice) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for series in slice.out_of_the_money() {
        if let (Some(score), Some(risk)) = (score(series), &series.risk) {
            sum += score * risk.vega;
            weights += risk.vega;
        }
    }
    (weights > 0.0).then(|| sum / weights)
}

/// Sessions hold no volumes of earlier days by series, so volume over open interest alone decides.
fn unusual(slices: &[ExpirySlice]) -> Vec<Unusual> {
    let series = slices.iter().flat_map(|slice| &slice.series);
    let mut found: Vec<Unusual> = series
        .filter_map(|series| {
            let (volume, open_interest) = (series.volume, series.open_interest?);
            let inputs = ActivityInputs { volume, open_interest, volume_mean: volume, volume_deviation: 1.0 };
            let measures = unusual_activity(&inputs, &ActivityThresholds::default()).ok()??;
            Some(Unusual { symbol: series.symbol.clone(), volume, open_interest, measures })
        })
        .collect();
    found.sort_by(|a, b| b.volume.total_cmp(&a.volume).then_with(|| a.symbol.cmp(&b.symbol)));
    found
}
