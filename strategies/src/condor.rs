//! Choosing an iron condor of series that expire on a date, and telling about it.

use onetape_engine::chain::ExpiryKey;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::{InstrumentKind, Right};
use onetape_engine::strategy::Ctx;
use onetape_engine::{Money, Price, Qty};
use serde::{Deserialize, Serialize};

/// Distance of a wing without a delta, as a fraction of the spot.
const WING_FRACTION: f64 = 0.01;

/// A series with its strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) instrument: InstrumentIx,
    pub(crate) strike: Price,
}

/// The four series of an iron condor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Condor {
    pub(crate) long_put: Series,
    pub(crate) short_put: Series,
    pub(crate) short_call: Series,
    pub(crate) long_call: Series,
    multiplier: i64,
}

/// Whether the instrument is a share.
pub(crate) fn is_equity(ctx: &Ctx<'_>, instrument: InstrumentIx) -> bool {
    ctx.instrument(instrument).is_some_and(|def| def.kind == InstrumentKind::Equity)
}

/// An instrument's symbol.
pub(crate) fn symbol(ctx: &Ctx<'_>, instrument: InstrumentIx) -> String {
    ctx.instrument(instrument).map(|def| def.symbol.clone()).unwrap_or_default()
}

/// The expiry on a date of an underlying's chain.
pub(crate) fn expiry_on(ctx: &Ctx<'_>, underlying: InstrumentIx, date: u32) -> Option<ExpiryKey> {
    ctx.chain(underlying)?.expiry_at_or_after(date).filter(|key| key.0 == date).cloned()
}

/// A quoted series with its delta's size.
struct Candidate {
    series: Series,
    delta: f64,
}

/// The series of a right that are quoted two-sided and have a delta, by strike.
fn candidates(ctx: &Ctx<'_>, underlying: InstrumentIx, expiry: &ExpiryKey, right: Right) -> Vec<Candidate> {
    let Some(chain) = ctx.chain(underlying) else { return Vec::new() };
    let candidate = |(strike, row): (Price, onetape_engine::chain::StrikeRow)| {
        let instrument = row.get(right)?;
        let delta = ctx.greeks(instrument)?.delta.abs();
        Some(Candidate { series: Series { instrument, strike }, delta })
    };
    chain.strikes(expiry).filter_map(candidate).collect()
}

/// The out-of-the-money candidate nearest to a delta; ties go to the lower strike.
fn nearest(candidates: &[Candidate], target: f64, keep: impl Fn(Price) -> bool) -> Option<Series> {
    let mut best: Option<(f64, Series)> = None;
    for candidate in candidates.iter().filter(|candidate| keep(candidate.series.strike)) {
        let distance = (candidate.delta - target).abs();
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate.series));
        }
    }
    best.map(|(_, series)| series)
}

/// The offered series of a right nearest to a strike, among those `keep` admits.
fn nearest_strike(
    ctx: &Ctx<'_>,
    underlying: InstrumentIx,
    expiry: &ExpiryKey,
    right: Right,
    (target, keep): (f64, impl Fn(Price) -> bool),
) -> Option<Series> {
    let mut best: Option<(f64, Series)> = None;
    for (strike, row) in ctx.chain(underlying)?.strikes(expiry).filter(|(strike, _)| keep(*strike)) {
        let Some(instrument) = row.get(right) else { continue };
        if ctx.top(instrument).is_none_or(|top| top.live_ask(ctx.now()).is_none()) {
            continue;
        }
        let distance = (strike.to_f64() - target).abs();
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, Series { instrument, strike }));
        }
    }
    best.map(|(_, series)| series)
}

/// The condor to sell now; `None` while the chain is not quoted.
pub(crate) fn choose(
    ctx: &Ctx<'_>,
    underlying: InstrumentIx,
    date: u32,
    short_delta: f64,
    wing_delta: f64,
) -> Option<Condor> {
    let expiry = expiry_on(ctx, underlying, date)?;
    let spot = ctx.price(underlying)?;
    let side = |right: Right| -> Option<(Series, Series)> {
        let quoted = candidates(ctx, underlying, &expiry, right);
        let is_beyond = |strike: Price, of: Price| match right {
            Right::Call => strike > of,
            Right::Put => strike < of,
        };
        let short = nearest(&quoted, short_delta, |strike| is_beyond(strike, spot))?;
        let beyond = |strike| is_beyond(strike, short.strike);
        let away = spot.to_f64() * if right == Right::Call { WING_FRACTION } else { -WING_FRACTION };
        let target = short.strike.to_f64() + away;
        let long = nearest(&quoted, wing_delta, beyond)
            .or_else(|| nearest_strike(ctx, underlying, &expiry, right, (target, beyond)))?;
        Some((short, long))
    };
    let (short_put, long_put) = side(Right::Put)?;
    let (short_call, long_call) = side(Right::Call)?;
    let multiplier = ctx.instrument(short_put.instrument)?.multiplier;
    Some(Condor { long_put, short_put, short_call, long_call, multiplier })
}

/// The put nearest to a delta that is no leg of `condor`.
pub(crate) fn choose_put(
    ctx: &Ctx<'_>,
    condor: &Condor,
    underlying: InstrumentIx,
    date: u32,
    delta: f64,
) -> Option<Series> {
    let expiry = expiry_on(ctx, underlying, date)?;
    let puts = candidates(ctx, underlying, &expiry, Right::Put);
    nearest(&puts, delta, |strike| strike != condor.short_put.strike && strike != condor.long_put.strike)
}

impl Condor {
    /// The legs to sell `quantity` condors.
    pub(crate) fn legs(&self, quantity: Qty) -> Vec<(InstrumentIx, Qty)> {
        vec![
            (self.long_put.instrument, quantity),
            (self.long_call.instrument, quantity),
            (self.short_put.instrument, quantity.neg()),
            (self.short_call.instrument, quantity.neg()),
        ]
    }

    /// What is offered, in one line.
    pub(crate) fn offer(&self, ctx: &Ctx<'_>, quantity: Qty, spot: Price) -> String {
        let delta = |series: Series| {
            let delta = ctx.greeks(series.instrument).map_or(0.0, |greeks| greeks.delta.abs());
            libm::round(delta * 100.0)
        };
        let name = ctx.instrument(self.short_put.instrument).and_then(|def| def.underlying());
        format!(
            "{} at {spot}: selling {quantity} iron condors that expire today, puts {}/{}, calls {}/{} (shorts at {}Δ and {}Δ)",
            name.map_or_else(String::new, |ix| symbol(ctx, ix)),
            self.long_put.strike,
            self.short_put.strike,
            self.short_call.strike,
            self.long_call.strike,
            delta(self.short_put),
            delta(self.short_call),
        )
    }

    /// What was sold, in one line.
    pub(crate) fn sold(&self, quantity: Qty, credit: Money) -> String {
        let width = (self.short_put.strike - self.long_put.strike)
            .max(self.long_call.strike - self.short_call.strike);
        let at_risk = width.notional(quantity, self.multiplier) - credit;
        let units = i128::from(quantity.whole()) * i128::from(self.multiplier);
        let per_share = i64::try_from(credit.0 / units.max(1)).map_or(Price::ZERO, Price);
        let cents = Price(per_share.0 / 10_000_000 * 10_000_000);
        format!(
            "Condor filled for {cents} a share: {credit} of credit, {at_risk} at risk, break-even {} and {}",
            self.short_put.strike - cents,
            self.short_call.strike + cents,
        )
    }
}
