//! `short-strangle`: sells one out-of-the-money call and put, manages them, and is flat by the close.
//!
//! Each session: at `entry` the nearest expiry at least `dte_min` calendar days away is chosen, and
//! in it the call and the put whose |delta| (Black–Scholes–Merton at the midpoint) is nearest to
//! `delta`; both must be quoted two-sided. When nothing fits, it tries again every minute up to the
//! exit time. Both legs are limit orders in one group, walked from mid to natural. Closed at
//! `profit_target`, at `loss_multiple`, or at `exit`; without an `exit` 5 minutes before the close
//! that the session states, so half days need no setting. One position a session.
//!
//! Limits: an entry or exit time after the session's close counts as 5 minutes before it; tapes
//! without session phases are not traded.

use crate::clock::{self, TimeOfDay};
use crate::params::{self, param};
use crate::premium::{ExitReason, Rules, ShortPremium, Stage};
use crate::saved;
use onetape_engine::Qty;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::Right;
use onetape_engine::num::{MINUTE, Nanos};
use onetape_engine::record::{Phase, SessionPhase};
use onetape_engine::strategy::{Ctx, FillReport, Flow, OrderUpdate, Param, ParamError, StateError, Strategy};
use serde::{Deserialize, Serialize};

const ENTRY: u64 = 1;
const POSITION: u64 = 2;
const BEFORE_CLOSE_NS: u64 = 5 * MINUTE;

/// Sells strangles.
///
/// | parameter | meaning |
/// |---|---|
/// | `underlying` | symbol; empty: the first instrument with a chain |
/// | `entry` | local time HH:MM |
/// | `exit` | local time HH:MM; empty: 5 minutes before the close |
/// | `dte_min` | calendar days to expiry at least, 0 to 1000 |
/// | `delta` | size of each leg's delta, above 0, below 1 |
/// | `quantity` | contracts of each leg |
/// | `profit_target` | fraction of the credit to keep, 0 to 1 |
/// | `loss_multiple`, `loss_at` | loss in credits, 0 to 100, taken at `mid` or `natural` prices |
/// | `steps` | steps from mid to natural, 1 to 20 |
/// | `step_seconds` | seconds between steps, 1 to 3600 |
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShortStrangle {
    underlying: String,
    entry: TimeOfDay,
    exit: Option<TimeOfDay>,
    dte_min: u32,
    delta: f64,
    quantity: Qty,
    rules: Rules,
    position: ShortPremium,
    exit_at: Nanos,
    trade_date: u32,
}

impl Default for ShortStrangle {
    fn default() -> ShortStrangle {
        ShortStrangle {
            underlying: String::new(),
            entry: TimeOfDay::at(10, 0),
            exit: None,
            dte_min: 5,
            delta: 0.16,
            quantity: Qty::ONE,
            rules: Rules::default(),
            position: ShortPremium::new(POSITION, 1),
            exit_at: Nanos(0),
            trade_date: 0,
        }
    }
}

impl ShortStrangle {
    fn underlying(&self, ctx: &Ctx<'_>) -> Option<InstrumentIx> {
        if !self.underlying.is_empty() {
            return ctx.find(&self.underlying);
        }
        (0..ctx.instruments().len()).map(InstrumentIx::from).find(|&ix| ctx.chain(ix).is_some())
    }

    /// The call and put to sell now.
    fn choose(&self, ctx: &Ctx<'_>) -> Option<(InstrumentIx, InstrumentIx)> {
        let underlying = self.underlying(ctx)?;
        let expiry = ctx
            .chain(underlying)?
            .expiries()
            .find(|key| clock::days_between(self.trade_date, key.0) >= i64::from(self.dte_min))?;
        let near = |right| ctx.series_near_delta(underlying, expiry, right, self.delta);
        Some((near(Right::Call)?, near(Right::Put)?))
    }

    fn try_to_enter(&mut self, ctx: &mut Ctx<'_>) {
        if self.position.stage != Stage::Idle || ctx.now() >= self.exit_at {
            return;
        }
        let Some((call, put)) = self.choose(ctx) else {
            let retry = ctx.now().after(MINUTE);
            return ctx.timer(retry, ENTRY);
        };
        let symbol = |ix| ctx.instrument(ix).map(|def| def.symbol.clone()).unwrap_or_default();
        let text =
            format!("{} Selling {} {} and {}", clock::stamp(ctx), self.quantity, symbol(put), symbol(call));
        ctx.note(text);
        let short = self.quantity.neg();
        self.position.enter(ctx, vec![(put, short), (call, short)], self.exit_at, &self.rules);
    }

    /// Tells what changed since `before`.
    fn tell(&self, ctx: &mut Ctx<'_>, before: Stage) {
        let at = clock::stamp(ctx);
        let position = &self.position;
        let text = match position.stage {
            stage if stage == before => return,
            Stage::Holding => format!("{at} Sold for a credit of {}", position.credit),
            Stage::Closed(ExitReason::Incomplete) if position.credit.0 == 0 => {
                let why = if position.is_refused { "an order was refused" } else { "no fill" };
                format!("{at} No position: {why}")
            }
            Stage::Closed(reason) => {
                let why = match reason {
                    ExitReason::ProfitTarget => "profit target",
                    ExitReason::Loss => "loss limit",
                    ExitReason::Time => "time",
                    ExitReason::Incomplete => "entry incomplete",
                };
                format!(
                    "{at} Closed ({why}) for {}: {} after fees of {}",
                    position.exit_cash.neg(),
                    position.result(),
                    position.fees
                )
            }
            _ => return,
        };
        ctx.note(text);
    }
}

impl Strategy for ShortStrangle {
    fn name(&self) -> &'static str {
        "short-strangle"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        let exit = self.exit.map(|time| time.to_string()).unwrap_or_default();
        let mut params = vec![
            param("underlying", &self.underlying, "symbol; empty: the first instrument with a chain"),
            param("entry", self.entry, "local time HH:MM"),
            param("exit", exit, "local time HH:MM; empty: 5 minutes before the close"),
            param("dte_min", self.dte_min, "calendar days to expiry at least, 0 to 1000"),
            param("delta", self.delta, "size of each leg's delta, above 0, below 1"),
            param("quantity", self.quantity, "contracts of each leg, 1 to 1000000"),
        ];
        params.extend(self.rules.params());
        params
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        match key {
            "underlying" => self.underlying = params::symbol(key, value)?,
            "entry" => self.entry = params::time_of_day(key, value)?,
            "exit" if value.is_empty() => self.exit = None,
            "exit" => self.exit = Some(params::time_of_day(key, value)?),
            "dte_min" => self.dte_min = params::whole(key, value, 0, 1000)?,
            "delta" => self.delta = params::delta(key, value)?,
            "quantity" => self.quantity = params::quantity(key, value)?,
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
        let is_busy = !matches!(self.position.stage, Stage::Idle | Stage::Closed(_));
        if phase.phase != Phase::Open as u8 || is_busy {
            return Flow::Continue;
        }
        self.position = ShortPremium::new(POSITION, self.position.next_group());
        self.trade_date = phase.trade_date;
        let latest = Nanos(phase.close.saturating_sub(BEFORE_CLOSE_NS));
        let at = |time| clock::on_trade_date(phase, time).unwrap_or(latest).min(latest);
        self.exit_at = self.exit.map_or(latest, at);
        ctx.timer(at(self.entry), ENTRY);
        Flow::Continue
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64) -> Flow {
        let before = self.position.stage;
        match id {
            ENTRY => self.try_to_enter(ctx),
            _ => self.position.on_timer(ctx, id, &self.rules),
        }
        self.tell(ctx, before);
        Flow::Continue
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        self.position.on_quote(ctx, instrument, &self.rules);
        Flow::Continue
    }
    fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate) -> Flow {
        let before = self.position.stage;
        self.position.on_order(ctx, update, &self.rules);
        self.tell(ctx, before);
        Flow::Continue
    }
    fn on_fill(&mut self, ctx: &mut Ctx<'_>, fill: &FillReport) -> Flow {
        let before = self.position.stage;
        self.position.on_fill(ctx, fill, &self.rules);
        self.tell(ctx, before);
        Flow::Continue
    }
}
