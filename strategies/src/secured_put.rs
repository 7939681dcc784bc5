//! A put sold against cash and held through expiry.

use crate::clock;
use crate::condor::{self, Condor, Series};
use crate::premium::Rules;
use crate::walk::Walk;
use onetape_engine::ids::{AccountIx, InstrumentIx};
use onetape_engine::num::SECOND;
use onetape_engine::strategy::{Ctx, FillReport, OrderUpdate};
use onetape_engine::{Money, Price, Qty};
use serde::{Deserialize, Serialize};

/// Order group of the put.
const GROUP: u32 = 100;
/// Advances at the natural price before the rest is given up.
const PATIENCE: u32 = 20;

/// The put and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SecuredPut {
    timer_id: u64,
    series: Option<Series>,
    underlying: Option<InstrumentIx>,
    walk: Option<Walk>,
    premium: Money,
    sold: Qty,
    shares_before: Qty,
}

impl SecuredPut {
    /// No put yet; steps ring `timer_id`.
    pub(crate) fn new(timer_id: u64) -> SecuredPut {
        SecuredPut {
            timer_id,
            series: None,
            underlying: None,
            walk: None,
            premium: Money::ZERO,
            sold: Qty::ZERO,
            shares_before: Qty::ZERO,
        }
    }

    /// Begins to sell the put nearest to a delta, if cash secures it.
    pub(crate) fn enter(
        &mut self,
        ctx: &mut Ctx<'_>,
        condor: &Condor,
        underlying: InstrumentIx,
        date: u32,
        (delta, quantity): (f64, Qty),
        rules: &Rules,
    ) {
        if quantity == Qty::ZERO {
            return;
        }
        let Some(series) = condor::choose_put(ctx, condor, underlying, date, delta) else {
            let text = format!("{} No put to sell is quoted on both sides", clock::stamp(ctx));
            return ctx.note(text);
        };
        let multiplier = ctx.instrument(series.instrument).map_or(1, |def| def.multiplier);
        let secured = series.strike.notional(quantity, multiplier);
        let cash = ctx.account(AccountIx(0)).map_or(Money::ZERO, |account| account.cash);
        if cash < secured {
            let text =
                format!("{} No put: securing it takes {secured}, the cash is {cash}", clock::stamp(ctx));
            return ctx.note(text);
        }
        self.series = Some(series);
        self.underlying = Some(underlying);
        self.walk = Some(Walk::start(ctx, &[(series.instrument, quantity.neg())], GROUP, 1, rules.steps));
        self.ring(ctx, rules);
    }

    fn ring(&self, ctx: &mut Ctx<'_>, rules: &Rules) {
        let due = ctx.now().after(u64::from(rules.step_seconds) * SECOND);
        ctx.timer(due, self.timer_id);
    }

    /// The next step is due.
    pub(crate) fn on_timer(&mut self, ctx: &mut Ctx<'_>, rules: &Rules) {
        let Some(walk) = &mut self.walk else { return };
        walk.advance(ctx);
        if walk.waited() > PATIENCE {
            walk.stop(ctx);
        }
        self.settle(ctx);
        if self.walk.is_some() {
            self.ring(ctx, rules);
        }
    }

    /// Forwards news of an order.
    pub(crate) fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate) {
        if self.walk.as_mut().is_some_and(|walk| walk.on_order(ctx, update)) {
            self.settle(ctx);
        }
    }

    /// Forwards a fill.
    pub(crate) fn on_fill(&mut self, ctx: &mut Ctx<'_>, fill: &FillReport) {
        self.count_shares(ctx);
        if self.walk.as_mut().is_some_and(|walk| walk.on_fill(ctx, fill)) {
            self.settle(ctx);
        }
    }

    /// Remembers the shares held, so that those an assignment brings can be told apart.
    fn count_shares(&mut self, ctx: &Ctx<'_>) {
        self.shares_before = self.underlying.map_or(Qty::ZERO, |underlying| ctx.position(underlying));
    }

    fn settle(&mut self, ctx: &mut Ctx<'_>) {
        let Some(walk) = self.walk.take_if(|walk| walk.is_over()) else { return };
        let Some(series) = self.series else { return };
        self.sold = walk.legs.iter().fold(Qty::ZERO, |sum, leg| sum + leg.filled.neg());
        self.premium = walk.cash();
        self.count_shares(ctx);
        let at = clock::stamp(ctx);
        if self.sold == Qty::ZERO {
            let why = if walk.is_refused { "the order was refused" } else { "not filled" };
            return ctx.note(format!("{at} No put: {why}"));
        }
        let def = ctx.instrument(series.instrument);
        let secured = series.strike.notional(self.sold, def.map_or(1, |def| def.multiplier));
        let delta =
            ctx.greeks(series.instrument).map_or(0.0, |greeks| libm::round(greeks.delta.abs() * 100.0));
        ctx.note(format!(
            "{at} Put sold: {} at strike {} ({delta}Δ) for {}, secured by {secured} in cash, held through expiry",
            self.sold, series.strike, self.premium
        ));
    }

    /// Tells how the put ended.
    pub(crate) fn on_expiry(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) {
        let (Some(series), Some(underlying)) = (self.series, self.underlying) else { return };
        if instrument != series.instrument || self.sold == Qty::ZERO {
            return self.count_shares(ctx);
        }
        let at = clock::stamp(ctx);
        let symbol = condor::symbol(ctx, underlying);
        let last = ctx.top(underlying).map_or(Price::ZERO, |top| top.last);
        let last = if last.0 > 0 { last } else { ctx.price(underlying).unwrap_or(series.strike) };
        let distance = (last - series.strike).abs();
        let percent = libm::round(distance.to_f64() / series.strike.to_f64() * 10_000.0) / 100.0;
        let side = if last < series.strike { "below" } else { "above" };
        let finish =
            format!("{symbol} ended at {last}, {distance} ({percent} %) {side} the {} put", series.strike);
        let shares = ctx.position(underlying) - self.shares_before;
        let premium = self.premium;
        let outcome = if shares.0 > 0 {
            let cost = self.cost_per_share(ctx, series);
            format!(
                "assigned, {shares} shares bought at {} cost {cost} each after the premium",
                series.strike
            )
        } else {
            format!("it expired worthless and the premium of {premium} is kept")
        };
        self.sold = Qty::ZERO;
        ctx.note(format!("{at} {finish}: {outcome}"));
    }

    fn cost_per_share(&self, ctx: &Ctx<'_>, series: Series) -> Price {
        let multiplier = ctx.instrument(series.instrument).map_or(1, |def| def.multiplier);
        let units = i128::from(self.sold.whole()) * i128::from(multiplier);
        let premium = i64::try_from(self.premium.0 / units.max(1)).unwrap_or(0);
        series.strike - Price(premium)
    }
}
