//! `script`: orders from a text, so that a published case replays without code.
//!
//! The text is TOML:
//!
//! ```toml
//! liquidate_at = "2015-12-24 12:59:00"   # optional: cancel what is open, close what is held
//!
//! [[order]]                              # one leg
//! at = "2015-12-24 09:31:00"             # exchange time; "2015-12-24T14:31:00Z" is UTC
//! symbol = "GOOG"
//! quantity = 100                         # positive buys, negative sells
//!
//! [[order]]                              # several legs: single-leg orders, judged as one group
//! when = "quoted"                        # the first moment every leg has a live opposite side
//! legs = [
//!   { root = "GOOG", expiry = "2016-01-15", strike = 745, right = "C", quantity = 10, limit = 16.9 },
//!   { root = "GOOG", expiry = "2016-01-15", strike = 750, right = "C", quantity = -10, limit = 14.2 },
//! ]
//! type = "limit"                         # "market" (default without limits) or "limit"
//! tif = "day"                            # "day" (default), "gtc", "ioc", "fok" or, with until = "…Z", "gtd"
//!
//! [[order]]                              # a stop: at the market once the midpoint was there for two seconds
//! at = "2015-12-24 09:32:00"
//! symbol = "GOOG"
//! quantity = -100
//! stop = 745.0                           # with limit = …: a stop-limit
//! until = "2015-12-24T17:00:00Z"         # in UTC: leaves the market then (good till date)
//!
//! [[exercise]]                           # advice for a long series' next cut-off; 0: do not exercise
//! symbol = "GOOG  151224C00747500"
//! contracts = 0
//! ```
//!
//! or CSV with the header `at,symbol,quantity[,limit[,tif]]`.
//!
//! **Times.** `at` T sees every input with receipt time up to T: `09:31:00` sees the whole minute bar
//! that ends then. `at` with `when = "quoted"`: the first such moment from T on. A local time is fixed
//! when its date's session opens: a time before the open runs at the open, a date without a session at
//! the next one. Actions of one instant run in the order of the text, orders before advice before
//! liquidation, and are judged together.
//!
//! Limits: where market data comes before any session phase, local times are read as UTC. An
//! instrument that is not defined when an order is due is a remark, not an order. Legs are separate
//! orders: they may fill apart. Liquidation uses market orders for all positions of the first account.

mod csv;
mod parse;
mod plan;

use crate::clock;
use crate::params::{self, param};
use crate::saved;
use onetape_engine::ids::{AccountIx, InstrumentIx, OrderIx};
use onetape_engine::num::Nanos;
use onetape_engine::order::{Leg, Package, TimeInForce};
use onetape_engine::record::{Bar, SessionPhase, Trade};
use onetape_engine::strategy::{Ctx, Flow, Param, ParamError, StateError, Strategy};
use onetape_engine::{Price, Qty};
use plan::{Action, Deed, Moment, Name, NamedLeg};
use serde::{Deserialize, Serialize};

/// Groups of scripted orders begin here.
const GROUP: u32 = 1000;

/// Where an action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Progress {
    /// Its time is not known yet.
    Unscheduled,
    /// Due at an instant.
    Due(Nanos),
    /// Due, and waiting for quotes.
    WaitingForQuotes,
    Done,
}

/// Orders from a text.
///
/// | parameter | meaning |
/// |---|---|
/// | `script` | the text itself, TOML or CSV |
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Script {
    text: String,
    actions: Vec<Action>,
    progress: Vec<Progress>,
    sent: Vec<OrderIx>,
    is_waiting_for_quotes: bool,
    is_dated: bool,
}

impl Script {
    /// Fixes the times of everything that `resolve` can date.
    fn schedule(&mut self, ctx: &mut Ctx<'_>, resolve: impl Fn(Moment) -> Option<Nanos>) {
        for (n, action) in self.actions.iter().enumerate() {
            if self.progress[n] == Progress::Unscheduled
                && let Some(due) = resolve(action.at)
            {
                self.progress[n] = Progress::Due(due);
                ctx.timer(due, n as u64);
            }
        }
        self.is_dated = !self.progress.contains(&Progress::Unscheduled);
    }

    /// Runs what is due, in the order of the text.
    fn run_due(&mut self, ctx: &mut Ctx<'_>) {
        let now = ctx.now();
        for n in 0..self.actions.len() {
            if matches!(self.progress[n], Progress::Due(due) if due <= now) {
                self.progress[n] = Progress::WaitingForQuotes;
                self.attempt(ctx, n);
            }
        }
        self.is_waiting_for_quotes = self.progress.contains(&Progress::WaitingForQuotes);
    }

    /// Runs an action unless it waits for quotes that are not there.
    fn attempt(&mut self, ctx: &mut Ctx<'_>, n: usize) {
        let action = &self.actions[n];
        if action.waits_for_quotes && !is_quoted(ctx, &action.deed) {
            return;
        }
        self.progress[n] = Progress::Done;
        let line = action.line;
        match action.deed.clone() {
            Deed::Order { legs, tif } => self.submit(ctx, n, &legs, tif),
            Deed::Exercise { name, contracts } => match find(ctx, &name) {
                Some(series) => ctx.exercise(series, contracts),
                None => ctx.note(format!("script line {line}: {name} is not defined, no advice")),
            },
            Deed::Liquidate => self.liquidate(ctx),
        }
    }

    fn submit(&mut self, ctx: &mut Ctx<'_>, n: usize, legs: &[NamedLeg], tif: TimeInForce) {
        if let Some(leg) = legs.iter().find(|leg| find(ctx, &leg.name).is_none()) {
            let line = self.actions[n].line;
            return ctx.note(format!("script line {line}: {} is not defined, no order", leg.name));
        }
        let group = (legs.len() > 1).then(|| GROUP.saturating_add(u32::try_from(n).unwrap_or(u32::MAX)));
        for leg in legs {
            let Some(instrument) = find(ctx, &leg.name) else { continue };
            let order = Package {
                legs: [Leg { instrument, quantity: leg.quantity }].into_iter().collect(),
                order_type: leg.order_type(),
                tif,
                group,
                ..Package::market(instrument, leg.quantity)
            };
            let order = ctx.submit(order);
            self.sent.push(order);
        }
    }

    fn liquidate(&mut self, ctx: &mut Ctx<'_>) {
        for order in self.sent.drain(..) {
            if ctx.order(order).is_some_and(|order| !order.state.is_final()) {
                ctx.cancel(order);
            }
        }
        let held: Vec<(InstrumentIx, Qty)> = ctx.account(AccountIx(0)).map_or_else(Vec::new, |account| {
            account.positions().map(|(instrument, position)| (instrument, position.quantity)).collect()
        });
        // Shorts first: closing them never needs more buying power.
        let (shorts, longs): (Vec<_>, Vec<_>) = held.into_iter().partition(|(_, quantity)| quantity.0 < 0);
        for (instrument, quantity) in shorts.into_iter().chain(longs) {
            ctx.submit(Package::market(instrument, quantity.neg()));
        }
    }

    /// On tapes without session phases exchange time is read as UTC.
    fn date_without_sessions(&mut self, ctx: &mut Ctx<'_>) {
        if !self.is_dated && ctx.session().is_none() {
            self.schedule(ctx, |moment| match moment {
                Moment::Local { date, time } => clock::instant(date, time, 0),
                Moment::Start | Moment::Utc(_) => None,
            });
        }
    }
}

fn find(ctx: &Ctx<'_>, name: &Name) -> Option<InstrumentIx> {
    match name {
        Name::Symbol(symbol) => ctx.find(symbol),
        Name::Series { root, expiry, strike, right } => ctx.chains().series(root, *expiry, *strike, *right),
    }
}

/// Whether every leg has a live opposite side.
fn is_quoted(ctx: &Ctx<'_>, deed: &Deed) -> bool {
    let Deed::Order { legs, .. } = deed else { return true };
    let now = ctx.now();
    let has_opposite = |leg: &NamedLeg| {
        let top = find(ctx, &leg.name).and_then(|instrument| ctx.top(instrument));
        top.is_some_and(|top| {
            let side = if leg.quantity.0 > 0 { top.live_ask(now) } else { top.live_bid(now) };
            side.is_some_and(|side| side.price > Price::ZERO)
        })
    };
    legs.iter().all(has_opposite)
}

impl Strategy for Script {
    fn name(&self) -> &'static str {
        "script"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        vec![param("script", &self.text, "the orders, as TOML or CSV text")]
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        if key != "script" {
            return Err(params::unknown(key, &self.params()));
        }
        let actions = parse::parse(value)?;
        let progress = vec![Progress::Unscheduled; actions.len()];
        *self = Script { text: value.to_string(), actions, progress, ..Script::default() };
        Ok(())
    }
    fn save(&self, out: &mut Vec<u8>) {
        saved::save(self, out);
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        *self = saved::load(bytes, self.name(), self.version())?;
        Ok(())
    }
    fn on_start(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        self.schedule(ctx, |moment| match moment {
            Moment::Start => Some(Nanos(0)),
            Moment::Utc(at) => Some(at),
            Moment::Local { .. } => None,
        });
        Flow::Continue
    }
    fn on_session(&mut self, ctx: &mut Ctx<'_>, phase: &SessionPhase) -> Flow {
        let (today, offset_s) = (phase.trade_date, phase.utc_offset_s);
        self.schedule(ctx, |moment| match moment {
            Moment::Local { date, time } if date <= today => clock::instant(date, time, offset_s),
            _ => None,
        });
        Flow::Continue
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, _: u64) -> Flow {
        self.run_due(ctx);
        Flow::Continue
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, _: InstrumentIx) -> Flow {
        self.date_without_sessions(ctx);
        if self.is_waiting_for_quotes {
            for n in 0..self.actions.len() {
                if self.progress[n] == Progress::WaitingForQuotes {
                    self.attempt(ctx, n);
                }
            }
            self.is_waiting_for_quotes = self.progress.contains(&Progress::WaitingForQuotes);
        }
        Flow::Continue
    }
    fn on_trade(&mut self, ctx: &mut Ctx<'_>, _: InstrumentIx, _: &Trade) -> Flow {
        self.date_without_sessions(ctx);
        Flow::Continue
    }
    fn on_bar(&mut self, ctx: &mut Ctx<'_>, _: InstrumentIx, _: &Bar) -> Flow {
        self.date_without_sessions(ctx);
        Flow::Continue
    }
    fn on_end(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        for (action, progress) in self.actions.iter().zip(&self.progress) {
            if *progress != Progress::Done {
                ctx.note(format!("script line {}: not run before the tape ended", action.line));
            }
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests;
