//! `demo`: one expiry day in two trades, told in six lines.
//!
//! On a day on which options of an equity expire:
//! 1. At `entry` an iron condor of the expiring series is sold: the call and the put nearest to
//!    `short_delta`, protected by the ones beyond them nearest to `wing_delta`, or, where no wing has
//!    a delta, nearest to 1 % of the spot away. Each leg is a limit order, walked from mid to natural
//!    in `steps`. It is closed at `profit_target`, at `loss_multiple` or at `exit`, whichever is first.
//! 2. Once the condor is filled or given up, `put_quantity` puts nearest to `put_delta` are sold
//!    against cash and held through expiry.
//!
//! Which day: with `date` empty the first day whose expiring series are the last of their calendar
//! week, with `date = any` the first day on which series expire, else the given trade date. One
//! such day is traded in a run. Exit times after the close count as 15 minutes before it. When the
//! chain is not quoted at `entry`, it tries again every minute for half an hour.
//!
//! Limits: the put's requirement of cash is checked against the account's cash alone.

use crate::clock::{self, TimeOfDay};
use crate::condor::{self, Condor};
use crate::params::{self, invalid, param};
use crate::premium::{ExitReason, Rules, ShortPremium, Source, Stage};
use crate::saved;
use crate::secured_put::SecuredPut;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::{MINUTE, Nanos};
use onetape_engine::record::{Phase, SessionPhase};
use onetape_engine::strategy::{Ctx, FillReport, Flow, OrderUpdate, Param, ParamError, StateError, Strategy};
use onetape_engine::{Money, Price, Qty};
use serde::{Deserialize, Serialize};

const ENTRY: u64 = 1;
const CONDOR: u64 = 10;
const PUT: u64 = 20;
const BEFORE_CLOSE_NS: u64 = 15 * MINUTE;
const TRY_FOR_NS: u64 = 30 * MINUTE;

/// Which trade date is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Day {
    /// The first whose expiring series are the last of their week.
    LastOfWeek,
    /// The first on which series expire.
    Any,
    /// A given one.
    On(u32),
}

/// An iron condor and a cash-secured put on expiry day.
///
/// | parameter | meaning |
/// |---|---|
/// | `underlying` | symbol; empty: the first equity with series that expire on the day |
/// | `date` | YYYYMMDD, `any`, or empty: the week's last expiry |
/// | `entry`, `exit` | local times HH:MM |
/// | `short_delta`, `wing_delta`, `put_delta` | sizes of deltas, above 0, below 1 |
/// | `quantity`, `put_quantity` | contracts of each condor leg (1 to 1,000,000) and of the put (0 to 100,000) |
/// | `profit_target` | fraction of the credit to keep, 0 to 1 |
/// | `loss_multiple`, `loss_at` | loss in credits, 0 to 100, taken at `mid` or `natural` prices |
/// | `steps`, `step_seconds` | steps from mid to natural, 1 to 20, and seconds between them |
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Demo {
    underlying: String,
    day: Day,
    entry: TimeOfDay,
    exit: TimeOfDay,
    short_delta: f64,
    wing_delta: f64,
    put_delta: f64,
    quantity: Qty,
    put_quantity: u32,
    rules: Rules,
    traded: Option<u32>,
    waiting_for: Option<u32>,
    try_until: Nanos,
    exit_at: Nanos,
    spot: Option<InstrumentIx>,
    condor: Option<Condor>,
    position: ShortPremium,
    low: Price,
    high: Price,
    is_tested: bool,
    put: SecuredPut,
}

impl Default for Demo {
    fn default() -> Demo {
        Demo {
            underlying: String::new(),
            day: Day::LastOfWeek,
            entry: TimeOfDay::at(9, 45),
            exit: TimeOfDay::at(15, 45),
            short_delta: 0.16,
            wing_delta: 0.05,
            put_delta: 0.40,
            quantity: Qty::from_whole(10).unwrap_or(Qty::ONE),
            put_quantity: 1,
            rules: Rules::default(),
            traded: None,
            waiting_for: None,
            try_until: Nanos(0),
            exit_at: Nanos(0),
            spot: None,
            condor: None,
            position: ShortPremium::new(CONDOR, 1),
            low: Price::ZERO,
            high: Price::ZERO,
            is_tested: false,
            put: SecuredPut::new(PUT),
        }
    }
}

impl Demo {
    /// The underlying to trade on a date: the parameter's, or the first equity with series that expire then.
    fn underlying_on(&self, ctx: &Ctx<'_>, date: u32) -> Option<InstrumentIx> {
        let expires = |ix: &InstrumentIx| condor::expiry_on(ctx, *ix, date).is_some();
        if !self.underlying.is_empty() {
            return ctx.find(&self.underlying).filter(expires);
        }
        (0..ctx.instruments().len())
            .map(InstrumentIx::from)
            .filter(|&ix| condor::is_equity(ctx, ix))
            .find(expires)
    }

    /// The first later expiry in the same calendar week.
    fn later_this_week(&self, ctx: &Ctx<'_>, underlying: InstrumentIx, date: u32) -> Option<u32> {
        let chain = ctx.chain(underlying)?;
        let later = chain.expiry_at_or_after(date.saturating_add(1))?.0;
        (clock::week_of(later) == clock::week_of(date)).then_some(later)
    }

    fn try_to_enter(&mut self, ctx: &mut Ctx<'_>) {
        let Some(date) = ctx.session().map(|session| session.trade_date) else { return };
        let Some(underlying) = self.underlying_on(ctx, date) else { return };
        if self.day == Day::LastOfWeek {
            self.waiting_for = self.later_this_week(ctx, underlying, date);
            if self.waiting_for.is_some() {
                return;
            }
        }
        let chosen = condor::choose(ctx, underlying, date, self.short_delta, self.wing_delta);
        let (Some(condor), Some(spot)) = (chosen, ctx.price(underlying)) else {
            if ctx.now() < self.try_until {
                let retry = ctx.now().after(MINUTE);
                return ctx.timer(retry, ENTRY);
            }
            self.traded = Some(date);
            let text = format!(
                "{} No entry: the chain expiring today is not quoted on both sides",
                clock::stamp(ctx)
            );
            return ctx.note(text);
        };
        self.traded = Some(date);
        self.spot = Some(underlying);
        (self.low, self.high) = (spot, spot);
        ctx.note(format!("{} {}", clock::stamp(ctx), condor.offer(ctx, self.quantity, spot)));
        self.position.enter(ctx, condor.legs(self.quantity), self.exit_at, &self.rules);
        self.condor = Some(condor);
    }

    /// Sells the put. The condor comes first: its protection counts only when it is held.
    fn enter_put(&mut self, ctx: &mut Ctx<'_>) {
        if let (Some(condor), Some(underlying), Some(date)) = (&self.condor, self.spot, self.traded) {
            let quantity = Qty::from_whole(i64::from(self.put_quantity)).unwrap_or(Qty::ZERO);
            self.put.enter(ctx, condor, underlying, date, (self.put_delta, quantity), &self.rules);
        }
    }

    /// Follows the underlying while the condor is open; tells of the first touch of a short strike.
    fn watch(&mut self, ctx: &mut Ctx<'_>, underlying: InstrumentIx) {
        let (Some(condor), Some(price)) = (&self.condor, ctx.price(underlying)) else { return };
        (self.low, self.high) = (self.low.min(price), self.high.max(price));
        let side = match condor {
            _ if self.is_tested => return,
            condor if price <= condor.short_put.strike => ("put", condor.short_put.strike),
            condor if price >= condor.short_call.strike => ("call", condor.short_call.strike),
            _ => return,
        };
        self.is_tested = true;
        let cost = match self.position.cost_to_close(ctx, Source::Natural) {
            Some(cost) => format!("closing would cost {cost} against a credit of {}", self.position.credit),
            None => "a short leg has no offer".to_string(),
        };
        let symbol = condor::symbol(ctx, underlying);
        let text = format!(
            "{} {symbol} at {price} tests the short {} {}: {cost}",
            clock::stamp(ctx),
            side.1,
            side.0
        );
        ctx.note(text);
    }

    /// Tells what changed since `before`.
    fn tell(&mut self, ctx: &mut Ctx<'_>, before: Stage) {
        if let Some(cash) = self.position.salvaged.take() {
            let result = self.position.result();
            let text =
                format!("{} Leftover wings sold for {cash}: the condor made {result}", clock::stamp(ctx));
            ctx.note(text);
        }
        if self.position.stage == before {
            return;
        }
        let at = clock::stamp(ctx);
        match (self.position.stage, &self.condor) {
            (Stage::Holding, Some(condor)) => {
                let text = format!("{at} {}", condor.sold(self.quantity, self.position.credit));
                ctx.note(text);
            }
            (Stage::Closed(ExitReason::Incomplete), _) if self.position.credit == Money::ZERO => {
                let why = if self.position.is_refused { "an order was refused" } else { "not filled" };
                ctx.note(format!("{at} No condor: {why}"));
            }
            (Stage::Closed(reason), _) => self.tell_exit(ctx, &at, reason),
            _ => {}
        }
        if before == Stage::Entering {
            self.enter_put(ctx);
        }
    }

    fn tell_exit(&self, ctx: &mut Ctx<'_>, at: &str, reason: ExitReason) {
        if !self.is_tested
            && let Some(underlying) = self.spot
        {
            let symbol = condor::symbol(ctx, underlying);
            let (low, high) = (self.low, self.high);
            ctx.note(format!("{at} No side was tested: {symbol} stayed between {low} and {high}"));
        }
        // A quantity prints without trailing zeros.
        let percent = |ratio: Price| Qty(ratio.0.saturating_mul(100));
        let why = match reason {
            ExitReason::ProfitTarget => {
                format!("{} % of the credit is kept", percent(self.rules.profit_target))
            }
            ExitReason::Loss => format!("the loss reached {} credits", Qty(self.rules.loss_multiple.0)),
            ExitReason::Time => "time is up".to_string(),
            ExitReason::Incomplete => "the entry was not completed".to_string(),
        };
        let (cost, fees) = (self.position.exit_cash.neg(), self.position.fees);
        let result = self.position.result();
        ctx.note(format!("{at} Condor out, {why}: bought back for {cost}, {result} after {fees} of fees"));
    }
}

impl Strategy for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        let day = match self.day {
            Day::LastOfWeek => String::new(),
            Day::Any => "any".to_string(),
            Day::On(date) => date.to_string(),
        };
        let mut params = vec![
            param(
                "underlying",
                &self.underlying,
                "symbol; empty: the first equity whose options expire that day",
            ),
            param("date", day, "trade date YYYYMMDD, any, or empty: the first expiry that ends its week"),
            param("entry", self.entry, "local time HH:MM"),
            param("exit", self.exit, "local time HH:MM"),
            param("short_delta", self.short_delta, "size of the short legs' delta, above 0, below 1"),
            param("wing_delta", self.wing_delta, "size of the wings' delta, above 0, below 1"),
            param("put_delta", self.put_delta, "size of the held put's delta, above 0, below 1"),
            param("quantity", self.quantity, "contracts of each condor leg, 1 to 1000000"),
            param("put_quantity", self.put_quantity, "contracts of the held put, 0 to 100000"),
        ];
        params.extend(self.rules.params());
        params
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        match key {
            "underlying" => self.underlying = params::symbol(key, value)?,
            "date" if value.is_empty() => self.day = Day::LastOfWeek,
            "date" if value == "any" => self.day = Day::Any,
            "date" => {
                let date = clock::parse_date(value);
                self.day = Day::On(date.ok_or_else(|| invalid(key, value, "YYYYMMDD, any or empty"))?);
            }
            "entry" => self.entry = params::time_of_day(key, value)?,
            "exit" => self.exit = params::time_of_day(key, value)?,
            "short_delta" => self.short_delta = params::delta(key, value)?,
            "wing_delta" => self.wing_delta = params::delta(key, value)?,
            "put_delta" => self.put_delta = params::delta(key, value)?,
            "quantity" => self.quantity = params::quantity(key, value)?,
            "put_quantity" => self.put_quantity = params::whole(key, value, 0, 100_000)?,
            _ if self.rules.set(key, value)? => {}
            _ => return Err(params::unknown(key, &self.params())),
        }
        Ok(())
    }
    fn save(&self, out: &mut Vec<u8>) {
        saved::save(self, out);
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        *self = saved::load(bytes, self.name(), self.version())?;
        Ok(())
    }
    fn on_session(&mut self, ctx: &mut Ctx<'_>, phase: &SessionPhase) -> Flow {
        let is_the_day = match self.day {
            Day::On(date) => phase.trade_date == date,
            Day::LastOfWeek | Day::Any => true,
        };
        if phase.phase == Phase::Open as u8 && self.traded.is_none() && is_the_day {
            let latest = Nanos(phase.close.saturating_sub(BEFORE_CLOSE_NS));
            let at = |time| clock::on_trade_date(phase, time).unwrap_or(latest).min(latest);
            let entry_at = at(self.entry);
            self.exit_at = at(self.exit);
            self.try_until = entry_at.after(TRY_FOR_NS).min(self.exit_at);
            ctx.timer(entry_at, ENTRY);
        }
        Flow::Continue
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64) -> Flow {
        let before = self.position.stage;
        match id {
            ENTRY => self.try_to_enter(ctx),
            PUT => self.put.on_timer(ctx, &self.rules),
            _ => self.position.on_timer(ctx, id, &self.rules),
        }
        self.tell(ctx, before);
        Flow::Continue
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        if self.position.stage == Stage::Holding {
            if self.spot == Some(instrument) {
                self.watch(ctx, instrument);
            }
            self.position.on_quote(ctx, instrument, &self.rules);
        }
        Flow::Continue
    }
    fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate) -> Flow {
        let before = self.position.stage;
        self.position.on_order(ctx, update, &self.rules);
        self.put.on_order(ctx, update);
        self.tell(ctx, before);
        Flow::Continue
    }
    fn on_fill(&mut self, ctx: &mut Ctx<'_>, fill: &FillReport) -> Flow {
        let before = self.position.stage;
        self.position.on_fill(ctx, fill, &self.rules);
        self.put.on_fill(ctx, fill);
        self.tell(ctx, before);
        Flow::Continue
    }
    fn on_expiry(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        self.put.on_expiry(ctx, instrument);
        Flow::Continue
    }
    fn on_end(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        if self.traded.is_none() {
            ctx.note(match self.waiting_for {
                Some(date) => format!(
                    "No trade: the week's expiries run on to {date}; date=any takes the first expiry day"
                ),
                None => "No trade: no series of an equity expired on this tape's days".to_string(),
            });
        }
        Flow::Continue
    }
}
