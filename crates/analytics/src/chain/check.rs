//! What theory does not allow: arbitrage at natural prices, and quotes off the fitted smile.
//!
//! The laws are of European prices. American quotes lose their early-exercise premium first (American
//! minus European value at the midpoint's volatility), so a deep in-the-money pair without a
//! volatility is not judged.

use super::report::smile;
use super::slice::{ExpirySlice, Series};
use super::snapshot::ExpiryKey;
use onetape_engine::instrument::ExerciseStyle;
use onetape_pricing::ModelError;
use onetape_pricing::bsm;
use onetape_pricing::checks::{
    Band, ChainQuote, SliceTerms, Violation, calendar_violations, outliers, slice_violations,
};
use onetape_pricing::forward::{ParityPair, without_exercise_premium};
use onetape_pricing::surface::Smile;

/// A violation within an expiry, or between it and the next.
#[derive(Debug, Clone)]
pub struct Found {
    /// The (nearer) expiry.
    pub key: ExpiryKey,
    /// The law, its strikes and the edge.
    pub violation: Violation,
}

/// A midpoint volatility outside its band around the fitted smile.
#[derive(Debug, Clone)]
pub struct OffSmile {
    /// Symbol.
    pub symbol: String,
    /// Midpoint volatility.
    pub quoted: f64,
    /// Fitted volatility.
    pub theory: f64,
    /// Distance as a multiple of the band.
    pub severity: f64,
}

/// What a chain was found to break.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Arbitrage at natural prices, larger than the tolerance.
    pub violations: Vec<Found>,
    /// Quotes off their smile, worst first.
    pub outliers: Vec<OffSmile>,
    /// Strikes with both rights that were judged.
    pub pairs: usize,
    /// Volatilities that were judged.
    pub vols: usize,
}

/// What is tolerated.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Edges up to this are ignored, in price units.
    pub price: f64,
    /// Distance of a midpoint volatility from the smile, per 1.00.
    pub vol: f64,
}

/// Everything that the expiries of one underlying break, in ascending order of time.
///
/// # Errors
/// [`ModelError`] for a tolerance that is not admissible.
pub fn check(slices: &[ExpirySlice], tolerance: Tolerance) -> Result<Findings, ModelError> {
    let mut findings = Findings::default();
    for slice in slices {
        let quotes = european_quotes(slice);
        findings.pairs += quotes.len();
        let forward = &slice.carry.forward;
        let terms = SliceTerms {
            forward: forward.forward,
            discount: forward.discount,
            // Parity is known as well as the forward is.
            tolerance: tolerance.price + 2.0 * forward.standard_error,
        };
        let found = slice_violations(&quotes, &terms)?.into_iter();
        findings.violations.extend(found.map(|violation| Found { key: slice.key.clone(), violation }));
        off_smile(slice, tolerance.vol, &mut findings)?;
    }
    for pair in slices.windows(2) {
        let found = calendar(&pair[0], &pair[1])?.into_iter();
        findings.violations.extend(found.map(|violation| Found { key: pair[0].key.clone(), violation }));
    }
    findings.outliers.sort_by(|a, b| b.severity.total_cmp(&a.severity));
    Ok(findings)
}

fn european_quotes(slice: &ExpirySlice) -> Vec<ChainQuote> {
    let quotes = slice.chain_quotes();
    if slice.style == ExerciseStyle::European {
        return quotes;
    }
    let pairs: Vec<ParityPair> = quotes
        .iter()
        .map(|q| ParityPair { strike: q.strike, call: (q.call_bid, q.call_ask), put: (q.put_bid, q.put_ask) })
        .collect();
    let european = without_exercise_premium(&pairs, |strike, right, price| {
        let vol = slice.vol(price, strike, right)?;
        Some(price - bsm::price(&slice.inputs(strike, vol), right))
    });
    let quotes = european.into_iter().map(|pair| ChainQuote {
        strike: pair.strike,
        call_bid: pair.call.0,
        call_ask: pair.call.1,
        put_bid: pair.put.0,
        put_ask: pair.put.1,
    });
    quotes.collect()
}

fn off_smile(slice: &ExpirySlice, band: f64, findings: &mut Findings) -> Result<(), ModelError> {
    let Some(fit) = smile(slice) else { return Ok(()) };
    let forward = slice.carry.forward.forward;
    let judged: Vec<(&Series, f64)> =
        slice.out_of_the_money().filter_map(|series| Some((series, series.vols[1]?))).collect();
    let quoted: Vec<f64> = judged.iter().map(|(_, vol)| *vol).collect();
    let theory: Vec<f64> = judged
        .iter()
        .map(|(series, _)| fit.slice.implied_vol((series.strike / forward).ln(), slice.years))
        .collect();
    findings.vols += quoted.len();
    for outlier in outliers(&quoted, &theory, Band { absolute: band, relative: 0.0 })? {
        let symbol = judged[outlier.index].0.symbol.clone();
        let (quoted, theory, severity) = (outlier.quoted, outlier.theory, outlier.severity);
        findings.outliers.push(OffSmile { symbol, quoted, theory, severity });
    }
    Ok(())
}

/// Bands of total variance by log-moneyness of the out-of-the-money side, ascending.
fn bands(slice: &ExpirySlice) -> Vec<(f64, f64, f64)> {
    let forward = slice.carry.forward.forward;
    let usable = slice.out_of_the_money().filter_map(|series| {
        let (low, high) = (series.vols[0]?, series.vols[2]?);
        Some(((series.strike / forward).ln(), low * low * slice.years, high * high * slice.years))
    });
    usable.collect()
}

/// Near lows above far highs at the near strikes that the far expiry encloses.
fn calendar(near: &ExpirySlice, far: &ExpirySlice) -> Result<Vec<Violation>, ModelError> {
    let far = bands(far);
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for band in bands(near) {
        let after = far.partition_point(|f| f.0 < band.0);
        let Some((left, right)) = after.checked_sub(1).and_then(|n| far.get(n)).zip(far.get(after)) else {
            continue;
        };
        let share = (band.0 - left.0) / (right.0 - left.0);
        low.push(band);
        high.push((band.0, left.1 + share * (right.1 - left.1), left.2 + share * (right.2 - left.2)));
    }
    calendar_violations(&low, &high, 0.0)
}
