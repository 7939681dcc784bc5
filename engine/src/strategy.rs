//! What a strategy is, and all it may see and ask.
//!
//! A strategy sees event time only. Its intents are buffered while a callback runs and appended to
//! the log when it returns; if it panics they are discarded and that strategy alone is stopped.

use crate::account::Account;
use crate::book::Top;
use crate::chain::{Chain, Chains};
use crate::config::RunConfig;
use crate::depth::Depth;
use crate::event::Execution;
use crate::ids::{AccountIx, InstrumentIx, OrderIx, StrategyIx};
use crate::input::Imbalance;
use crate::instrument::{InstrumentDef, Right};
use crate::num::{Money, Nanos, Price, Qty};
use crate::order::{Order, OrderState, Package};
use crate::record::{Bar, SessionPhase, Statistic, Status, Trade};
use crate::state::Core;
use crate::view::Read;
use onetape_pricing::bsm::{self, BsmInputs, IvInputs};
use rand_chacha::ChaCha8Rng;

/// Whether a strategy goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Keep the callbacks coming.
    Continue,
    /// Stop this strategy; its open orders are cancelled.
    Stop,
}

/// A parameter of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Key, as in `--set key=value`.
    pub key: &'static str,
    /// Present value.
    pub value: String,
    /// What it means, with its unit and legal range.
    pub doc: &'static str,
}

/// A refused parameter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// No such key.
    #[error("unknown parameter '{key}'; known: {known}")]
    Unknown {
        /// The key.
        key: String,
        /// The keys there are.
        known: String,
    },
    /// The value does not parse or lies outside its range.
    #[error("parameter '{key}': '{value}' is not {expected}")]
    Invalid {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What was expected.
        expected: String,
    },
}

/// Saved bytes a strategy cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("saved state of strategy '{strategy}' is not readable by its version {version}")]
pub struct StateError {
    /// Name.
    pub strategy: String,
    /// Version.
    pub version: String,
}

/// An order changed state, as its owner learns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderUpdate {
    /// Order.
    pub order: OrderIx,
    /// State it is in.
    pub state: OrderState,
}

/// A fill, as its owner learns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillReport {
    /// What was executed.
    pub execution: Execution,
    /// Fee charged.
    pub fee: Money,
}

/// A trading strategy. Every callback has a default that does nothing.
#[allow(unused_variables)]
pub trait Strategy: Send {
    /// Registered name.
    fn name(&self) -> &'static str;
    /// Version of the code; the journal records it and re-derivation demands it.
    fn version(&self) -> &'static str;
    /// Parameters with their present values, in a fixed order.
    fn params(&self) -> Vec<Param> {
        Vec::new()
    }
    /// Sets a parameter.
    ///
    /// # Errors
    /// When the key is unknown or the value illegal; the strategy is unchanged then.
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        Err(ParamError::Unknown { key: key.to_string(), known: known_keys(&self.params()) })
    }
    /// Appends everything that decides the strategy's future behaviour.
    fn save(&self, out: &mut Vec<u8>);
    /// Restores what [`Strategy::save`] wrote.
    ///
    /// # Errors
    /// When the bytes are not of this version.
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError>;
    /// The run begins; no instrument is defined yet.
    fn on_start(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        Flow::Continue
    }
    /// An instrument was defined.
    fn on_definition(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        Flow::Continue
    }
    /// A trading session changed phase.
    fn on_session(&mut self, ctx: &mut Ctx<'_>, phase: &SessionPhase) -> Flow {
        Flow::Continue
    }
    /// The top of book was stated (a quote, a complete quote bar, or a change of a deeper book's best prices).
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        Flow::Continue
    }
    /// The book of an instrument changed, at the end of a group of depth records. When best bid or ask
    /// changed with it, [`Strategy::on_quote`] comes first.
    fn on_depth(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        Flow::Continue
    }
    /// A trade printed.
    fn on_trade(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, trade: &Trade) -> Flow {
        Flow::Continue
    }
    /// A trade bar ended.
    fn on_bar(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, bar: &Bar) -> Flow {
        Flow::Continue
    }
    /// A statistic was published.
    fn on_statistic(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, statistic: &Statistic) -> Flow {
        Flow::Continue
    }
    /// An auction's imbalance was published.
    fn on_imbalance(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, imbalance: &Imbalance) -> Flow {
        Flow::Continue
    }
    /// The trading status of an instrument changed.
    fn on_status(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, status: &Status) -> Flow {
        Flow::Continue
    }
    /// A timer set with [`Ctx::timer`] rang.
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64) -> Flow {
        Flow::Continue
    }
    /// An own order changed state without a fill.
    fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate) -> Flow {
        Flow::Continue
    }
    /// An own order was filled, wholly or in part.
    fn on_fill(&mut self, ctx: &mut Ctx<'_>, fill: &FillReport) -> Flow {
        Flow::Continue
    }
    /// An option position of an account ended by exercise, assignment or worthless.
    fn on_expiry(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        Flow::Continue
    }
    /// The tape ended.
    fn on_end(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        Flow::Continue
    }
}

impl<T: Strategy + ?Sized> Strategy for Box<T> {
    fn name(&self) -> &'static str {
        (**self).name()
    }
    fn version(&self) -> &'static str {
        (**self).version()
    }
    fn params(&self) -> Vec<Param> {
        (**self).params()
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        (**self).set(key, value)
    }
    fn save(&self, out: &mut Vec<u8>) {
        (**self).save(out);
    }
    fn load(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        (**self).load(bytes)
    }
    fn on_start(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        (**self).on_start(ctx)
    }
    fn on_definition(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        (**self).on_definition(ctx, instrument)
    }
    fn on_session(&mut self, ctx: &mut Ctx<'_>, phase: &SessionPhase) -> Flow {
        (**self).on_session(ctx, phase)
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        (**self).on_quote(ctx, instrument)
    }
    fn on_depth(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        (**self).on_depth(ctx, instrument)
    }
    fn on_trade(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, trade: &Trade) -> Flow {
        (**self).on_trade(ctx, instrument, trade)
    }
    fn on_bar(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, bar: &Bar) -> Flow {
        (**self).on_bar(ctx, instrument, bar)
    }
    fn on_statistic(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, statistic: &Statistic) -> Flow {
        (**self).on_statistic(ctx, instrument, statistic)
    }
    fn on_imbalance(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, imbalance: &Imbalance) -> Flow {
        (**self).on_imbalance(ctx, instrument, imbalance)
    }
    fn on_status(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx, status: &Status) -> Flow {
        (**self).on_status(ctx, instrument, status)
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64) -> Flow {
        (**self).on_timer(ctx, id)
    }
    fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate) -> Flow {
        (**self).on_order(ctx, update)
    }
    fn on_fill(&mut self, ctx: &mut Ctx<'_>, fill: &FillReport) -> Flow {
        (**self).on_fill(ctx, fill)
    }
    fn on_expiry(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        (**self).on_expiry(ctx, instrument)
    }
    fn on_end(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        (**self).on_end(ctx)
    }
}

/// The keys of a parameter list, for error messages.
pub fn known_keys(params: &[Param]) -> String {
    if params.is_empty() {
        "none".to_string()
    } else {
        params.iter().map(|p| p.key).collect::<Vec<_>>().join(", ")
    }
}

/// Parses a parameter's value.
///
/// # Errors
/// [`ParamError::Invalid`] that says what was expected.
pub fn parse_param<T: std::str::FromStr>(key: &str, value: &str, expected: &str) -> Result<T, ParamError> {
    value.parse().map_err(|_| ParamError::Invalid {
        key: key.to_string(),
        value: value.to_string(),
        expected: expected.to_string(),
    })
}

/// What a callback asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Intent {
    Submit(Package),
    Cancel(OrderIx),
    Timer(Nanos, u64),
    Note(String),
    Exercise(AccountIx, InstrumentIx, Qty),
}

/// A strategy's window on the loop during a callback.
pub struct Ctx<'a> {
    pub(crate) core: &'a Core,
    pub(crate) intents: &'a mut Vec<Intent>,
    pub(crate) strategy: StrategyIx,
    pub(crate) rng: &'a mut ChaCha8Rng,
    pub(crate) orders_asked: u32,
}

/// Black–Scholes–Merton figures of a series at its midpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesGreeks {
    /// Implied volatility per 1.00.
    pub vol: f64,
    /// Price change per 1.00 of the underlying.
    pub delta: f64,
    /// ACT/365F years to settlement.
    pub years: f64,
}

impl Ctx<'_> {
    /// Tells an auditor's watch what the strategy looks at.
    #[inline]
    fn note_read(&self, read: Read) {
        if self.core.watching.is_some() {
            self.core.note_read(self.strategy, read);
        }
    }

    /// Event time.
    pub fn now(&self) -> Nanos {
        self.core.now
    }

    /// Nanoseconds since local midnight at the consolidated market, from the last session phase; `None` before one.
    pub fn local_time(&self) -> Option<u64> {
        let phase = self.session()?;
        let local = i128::from(self.core.now.0) + i128::from(phase.utc_offset_s) * 1_000_000_000;
        u64::try_from(local.rem_euclid(i128::from(crate::num::DAY))).ok()
    }

    /// The last session phase of the consolidated market.
    pub fn session(&self) -> Option<&SessionPhase> {
        self.core.session.as_ref()
    }

    /// Calendar days from the current trade date to a series' expiry date; `None` for other instruments.
    pub fn dte(&self, instrument: InstrumentIx) -> Option<i64> {
        let terms = self.instrument(instrument)?.option.as_ref()?;
        let today = self.session()?.trade_date;
        Some(days_from_civil(terms.expiry_date) - days_from_civil(today))
    }

    /// The run's configuration.
    pub fn config(&self) -> &RunConfig {
        &self.core.config
    }

    /// A definition.
    pub fn instrument(&self, instrument: InstrumentIx) -> Option<&InstrumentDef> {
        self.core.instruments.get(instrument.index())
    }

    /// All definitions so far, by index.
    pub fn instruments(&self) -> &[InstrumentDef] {
        &self.core.instruments
    }

    /// The instrument with a symbol.
    pub fn find(&self, symbol: &str) -> Option<InstrumentIx> {
        self.core.symbols.get(symbol).copied()
    }

    /// Top of book and last trade.
    #[inline]
    pub fn top(&self, instrument: InstrumentIx) -> Option<&Top> {
        self.note_read(Read::Book(instrument));
        self.core.tops.get(instrument.index())
    }

    /// The books behind best bid and ask; `None` of an instrument without depth records.
    pub fn depth(&self, instrument: InstrumentIx) -> Option<&Depth> {
        self.core.depths.get(instrument)
    }

    /// Midpoint, else last trade.
    pub fn price(&self, instrument: InstrumentIx) -> Option<Price> {
        self.top(instrument)?.mid_or_last(self.core.now)
    }

    /// The chain on an underlying.
    pub fn chain(&self, underlying: InstrumentIx) -> Option<&Chain> {
        self.note_read(Read::Chain(underlying));
        self.core.chains.of(underlying)
    }

    /// Every chain, for look-ups by terms.
    pub fn chains(&self) -> &Chains {
        &self.core.chains
    }

    /// Implied volatility and delta of a series at its midpoint, with the run's rate and no dividend.
    pub fn greeks(&self, instrument: InstrumentIx) -> Option<SeriesGreeks> {
        let greeks = self.implied(instrument);
        self.note_read(Read::Greeks(instrument, greeks));
        greeks
    }

    fn implied(&self, instrument: InstrumentIx) -> Option<SeriesGreeks> {
        let terms = self.instrument(instrument)?.option.as_ref()?;
        let spot = self.price(terms.underlying)?.to_f64();
        let price = self.top(instrument)?.mid(self.core.now)?.to_f64();
        let years = terms.years_to_expiry(self.core.now);
        let mut inputs = BsmInputs {
            spot,
            strike: terms.strike.to_f64(),
            years,
            rate: self.core.config.rate,
            dividend_yield: 0.0,
            vol: 0.0,
        };
        inputs.vol = bsm::implied_vol(&IvInputs::from_price(price, &inputs), terms.right).ok()?;
        Some(SeriesGreeks { vol: inputs.vol, delta: bsm::delta(&inputs, terms.right), years })
    }

    /// The quoted series of an expiry and right whose |delta| is nearest to `target`.
    pub fn series_near_delta(
        &self,
        underlying: InstrumentIx,
        expiry: &crate::chain::ExpiryKey,
        right: Right,
        target: f64,
    ) -> Option<InstrumentIx> {
        let chain = self.chain(underlying)?;
        let mut best: Option<(f64, InstrumentIx)> = None;
        for (_, row) in chain.strikes(expiry) {
            let Some(series) = row.get(right) else { continue };
            let Some(greeks) = self.greeks(series) else { continue };
            let distance = (greeks.delta.abs() - target).abs();
            // Ties go to the lower strike, which comes first.
            if best.is_none_or(|(nearest, _)| distance < nearest) {
                best = Some((distance, series));
            }
        }
        best.map(|(_, series)| series)
    }

    /// An account.
    pub fn account(&self, account: AccountIx) -> Option<&Account> {
        self.note_read(Read::Account(account));
        self.core.accounts.get(account.index())
    }

    /// Signed quantity the first account holds.
    pub fn position(&self, instrument: InstrumentIx) -> Qty {
        self.note_read(Read::Position(instrument));
        self.core.accounts.first().map_or(Qty::ZERO, |account| account.quantity(instrument))
    }

    /// An order of this run.
    pub fn order(&self, order: OrderIx) -> Option<&Order> {
        self.note_read(Read::Order(order));
        self.core.orders.get(order.index())
    }

    /// This strategy's seeded random stream.
    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        self.rng
    }

    /// Asks for an order; the returned index is the one the log will give it.
    pub fn submit(&mut self, package: Package) -> OrderIx {
        let ix = OrderIx::from(self.core.orders.len() + self.orders_asked as usize);
        self.orders_asked += 1;
        self.intents.push(Intent::Submit(package));
        ix
    }

    /// Asks to cancel an own order; a finished or another strategy's order is left alone.
    pub fn cancel(&mut self, order: OrderIx) {
        self.intents.push(Intent::Cancel(order));
    }

    /// Rings [`Strategy::on_timer`] with `id` at `due`, before the first input with a later `ts`; a time
    /// that has passed rings before the next later input.
    pub fn timer(&mut self, due: Nanos, id: u64) {
        self.intents.push(Intent::Timer(due, id));
    }

    /// Adds a remark to the run's story.
    pub fn note(&mut self, text: impl Into<String>) {
        self.intents.push(Intent::Note(text.into()));
    }

    /// Advises to exercise `contracts` of a long series at its next cut-off; zero advises not to.
    pub fn exercise(&mut self, series: InstrumentIx, contracts: Qty) {
        self.intents.push(Intent::Exercise(AccountIx(0), series, contracts));
    }

    /// This strategy's index.
    pub fn strategy(&self) -> StrategyIx {
        self.strategy
    }
}

/// Days since 1970-01-01 of a yyyymmdd date (proleptic Gregorian; Hinnant, "chrono-compatible
/// low-level date algorithms", `days_from_civil`).
pub fn days_from_civil(yyyymmdd: u32) -> i64 {
    let (y, m, d) =
        (i64::from(yyyymmdd / 10_000), i64::from(yyyymmdd / 100 % 100), i64::from(yyyymmdd % 100));
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let month = (m + 9) % 12;
    let day_of_year = (153 * month + 2) / 5 + d - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_dates_count_days() {
        for (date, days) in [(19700101, 0), (20151224, 16793), (20000229, 11016), (19691231, -1)] {
            assert_eq!(days_from_civil(date), days, "{date}");
        }
    }
}
