//! The loop: `apply(input)` is the only door.
//!
//! Applying an input runs what is due before it, lets orders under way arrive, appends the input,
//! applies it and drains what follows. Derived events that run before an input follow the input
//! before it, so event time never decreases along the log.

use crate::block::{DERIVED_PER_INPUT_MAX, DERIVED_SEAL, INPUTS_MAX};
use crate::book::Stated;
use crate::config::{FillProfile, RunConfig};
use crate::event::{Derived, Event, StateReason, StopReason};
use crate::ids::{InstrumentIx, OrderIx, Seq, StrategyIx};
use crate::input::{Cold, Command};
use crate::instrument::InstrumentKind;
use crate::num::{DAY, Money, Nanos, Price, Qty};
use crate::order::Order;
use crate::record::{
    Body, Kind, Phase, Quote, Record, SessionPhase, Statistic, Status, Trade, TradeClass, flags,
};
use crate::schedule::{Due, Scheduled};
use crate::state::{Core, Notice};
use crate::state_hash::state_hash;
use crate::strategy::{Ctx, Flow, Intent, OrderUpdate, Strategy};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Seqs between state hashes.
const STATE_HASH_EVERY: u64 = 1 << 20;

/// An input the loop cannot take. The run ends; nothing of the input was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// Receipt time went backwards.
    #[error(
        "input at seq {seq} has ts {ts}, before the previous input's {previous}: the tape must be sorted by receipt time"
    )]
    OutOfOrder {
        /// Position.
        seq: Seq,
        /// Its time.
        ts: u64,
        /// The time before.
        previous: u64,
    },
    /// The kind byte is unknown.
    #[error("input at seq {seq} has record kind {kind}, which this version does not know")]
    UnknownKind {
        /// Position.
        seq: Seq,
        /// The byte.
        kind: u8,
    },
    /// A record names an instrument that was not defined before it.
    #[error("input at seq {seq} names instrument {instrument}, but only {defined} are defined before it")]
    UndefinedInstrument {
        /// Position.
        seq: Seq,
        /// Its index.
        instrument: u32,
        /// Definitions so far.
        defined: usize,
    },
    /// A definition's underlying or symbol is not usable.
    #[error("definition at seq {seq} of '{symbol}': {problem}")]
    BadDefinition {
        /// Position.
        seq: Seq,
        /// Symbol.
        symbol: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A cold record came without its payload.
    #[error("cold input at seq {seq} has no payload in its block")]
    MissingPayload {
        /// Position.
        seq: Seq,
    },
    /// The journal's configuration is not the one this kernel was made for.
    #[error("the start input at seq {seq} holds another configuration than this run's")]
    OtherConfig {
        /// Position.
        seq: Seq,
    },
}

#[derive(Debug)]
struct Slot<S> {
    strategy: S,
    rng: ChaCha8Rng,
    is_active: bool,
    is_paused: bool,
}

/// The deterministic loop over strategies of type `S` (a concrete type, or `Box<dyn Strategy>`).
#[derive(Debug)]
pub struct Kernel<S> {
    core: Core,
    slots: Vec<Slot<S>>,
    intents: Vec<Intent>,
    last_ts: Nanos,
    next_state_hash: Seq,
    last_state_hash: Option<[u8; 32]>,
    input_floor: usize,
    inputs: u64,
    is_finished: bool,
}

impl<S: Strategy> Kernel<S> {
    /// A kernel for a configuration; `strategies` in the order of `config.strategies`.
    pub fn new(config: RunConfig, strategies: Vec<S>) -> Kernel<S> {
        let seed = config.seed;
        let slots = strategies
            .into_iter()
            .enumerate()
            .map(|(n, strategy)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(n as u64 + 1);
                Slot { strategy, rng, is_active: true, is_paused: false }
            })
            .collect();
        Kernel {
            core: Core::new(config),
            slots,
            intents: Vec::new(),
            last_ts: Nanos(0),
            next_state_hash: STATE_HASH_EVERY,
            last_state_hash: None,
            input_floor: 0,
            inputs: 0,
            is_finished: false,
        }
    }

    /// Applies one input and everything that follows from it.
    ///
    /// # Errors
    /// [`KernelError`] when the input is impossible; nothing of it was applied.
    pub fn apply(&mut self, record: &Record, cold: Option<&Cold>) -> Result<(), KernelError> {
        let kind = self.check(record)?;
        let ts = record.ts();
        self.input_floor = self.core.derived.len();
        if self.core.schedule.is_due_before(ts) {
            self.run_due(Nanos(ts.0 - 1));
        }
        if let Some(first) = self.core.venue.next_arrival() {
            self.prove_arrivals(kind, record, first);
        }
        self.core.now = ts;
        self.last_ts = ts;
        let seq = self.core.seq;
        self.core.seq += 1;
        self.core.block_inputs += 1;
        self.inputs += 1;
        self.apply_kind(kind, record, cold, seq)?;
        self.drain();
        if self.core.seq >= self.next_state_hash {
            self.emit_state_hash(seq);
        }
        Ok(())
    }

    #[inline]
    fn check(&self, record: &Record) -> Result<Kind, KernelError> {
        let seq = self.core.seq;
        if record.ts < self.last_ts.0 {
            return Err(KernelError::OutOfOrder { seq, ts: record.ts, previous: self.last_ts.0 });
        }
        let kind = record.kind().ok_or(KernelError::UnknownKind { seq, kind: record.kind })?;
        let defined = self.core.instruments.len();
        if kind as u8 >= Kind::Quote as u8 && record.instrument as usize >= defined {
            return Err(KernelError::UndefinedInstrument { seq, instrument: record.instrument, defined });
        }
        Ok(kind)
    }

    fn prove_arrivals(&mut self, kind: Kind, record: &Record, first: Nanos) {
        let feed = self.core.config.latency.feed_ns;
        let proven = match kind {
            Kind::Tick | Kind::SessionPhase => Nanos(record.ts.saturating_sub(feed)),
            Kind::Cold | Kind::Seal => return,
            _ => record.ts_src(),
        };
        if proven > first {
            self.input_floor = self.core.derived.len();
            self.core.deliver_arrivals(proven, record.ts());
            self.drain();
        }
    }

    #[inline]
    fn apply_kind(
        &mut self,
        kind: Kind,
        record: &Record,
        cold: Option<&Cold>,
        seq: Seq,
    ) -> Result<(), KernelError> {
        let ix = record.instrument();
        if record.has(flags::EXTENDED) && self.ignores_extended(kind, ix) {
            return Ok(());
        }
        match (kind, record.body()) {
            (Kind::Quote, Some(Body::Quote(quote))) => self.apply_quote(record, &quote, ix, seq),
            (Kind::Trade, Some(Body::Trade(trade))) => self.apply_trade(record, &trade, ix, seq),
            (Kind::BidBar, Some(Body::BidBar(bar))) => {
                self.state_side(record, ix, flags::BID, (bar.close, bar.size), seq);
                self.quote_stated(record, ix, seq);
            }
            (Kind::AskBar, Some(Body::AskBar(bar))) => {
                self.state_side(record, ix, flags::ASK, (bar.close, bar.size), seq);
                self.quote_stated(record, ix, seq);
            }
            (Kind::TradeBar, Some(Body::TradeBar(bar))) => {
                self.core.tops[ix.index()].last = Price(bar.close);
                self.core.tops[ix.index()].last_ts = record.ts();
                self.core.tops[ix.index()].last_seq = seq;
                self.core.schedule_mark(seq);
                self.call_all(seq, |strategy, ctx| strategy.on_bar(ctx, ix, &bar));
            }
            (Kind::Statistic, Some(Body::Statistic(statistic))) => {
                self.apply_statistic(record, &statistic, ix, seq)
            }
            (Kind::Status, Some(Body::Status(status))) => self.apply_status(&status, ix),
            (Kind::SessionPhase, Some(Body::SessionPhase(phase))) => self.apply_phase(&phase, seq),
            (Kind::Tick, _) => self.run_due(record.ts()),
            (Kind::Seal, _) => {
                if record.has(flags::END) {
                    self.finish(seq);
                }
            }
            _ => self.apply_cold(cold.ok_or(KernelError::MissingPayload { seq })?, seq)?,
        }
        Ok(())
    }

    /// Records outside regular hours stay on the tape; books and strategies see them only when asked to.
    /// An index has no extended session: its closing value is published after the stocks' close.
    fn ignores_extended(&self, kind: Kind, ix: InstrumentIx) -> bool {
        let is_index =
            self.core.instruments.get(ix.index()).is_some_and(|def| def.kind == InstrumentKind::Index);
        !self.core.config.extended_hours && kind != Kind::Statistic && !is_index
    }

    #[inline]
    fn apply_quote(&mut self, record: &Record, quote: &Quote, ix: InstrumentIx, seq: Seq) {
        if record.has(flags::BID) {
            self.state_side(record, ix, flags::BID, (quote.bid, quote.bid_size), seq);
        }
        if record.has(flags::ASK) {
            self.state_side(record, ix, flags::ASK, (quote.ask, quote.ask_size), seq);
        }
        self.quote_stated(record, ix, seq);
    }

    #[inline]
    fn state_side(
        &mut self,
        record: &Record,
        ix: InstrumentIx,
        side: u8,
        (price, size): (i64, i64),
        seq: Seq,
    ) {
        let stated = Stated {
            price: Price(price),
            size: Qty(size),
            ts: record.ts(),
            seq,
            firm: !record.has(flags::NON_FIRM),
        };
        let top = &mut self.core.tops[ix.index()];
        if side == flags::BID { top.state_bid(stated) } else { top.state_ask(stated) }
    }

    #[inline]
    fn quote_stated(&mut self, record: &Record, ix: InstrumentIx, seq: Seq) {
        if !record.has(flags::LAST) {
            return;
        }
        if self.core.has_resting(ix) {
            self.core.match_resting_on_quote(ix, record.ts_src(), seq);
        }
        self.core.schedule_mark(seq);
        self.call_all(seq, |strategy, ctx| strategy.on_quote(ctx, ix));
    }

    fn apply_trade(&mut self, record: &Record, trade: &Trade, ix: InstrumentIx, seq: Seq) {
        if self.core.has_resting(ix) {
            self.core.match_resting_on_print(ix, trade, record.ts_src(), seq);
        }
        if TradeClass::from_wire(trade.class).is_eligible() {
            let top = &mut self.core.tops[ix.index()];
            top.last = Price(trade.price);
            top.last_ts = record.ts();
            top.last_seq = seq;
        }
        self.core.schedule_mark(seq);
        self.call_all(seq, |strategy, ctx| strategy.on_trade(ctx, ix, trade));
    }

    fn apply_statistic(&mut self, record: &Record, statistic: &Statistic, ix: InstrumentIx, seq: Seq) {
        const EXERCISE: u16 = crate::record::StatisticKind::ExerciseSettlement as u16;
        const CLOSE: u16 = crate::record::StatisticKind::ClosePrice as u16;
        if matches!(statistic.stat, EXERCISE | CLOSE) {
            self.core.settlement_values.insert(ix, (Price(statistic.value), record.ts()));
        }
        self.call_all(seq, |strategy, ctx| strategy.on_statistic(ctx, ix, statistic));
    }

    fn apply_status(&mut self, status: &Status, ix: InstrumentIx) {
        self.core.tops[ix.index()].state = status.trading_state();
    }

    fn apply_phase(&mut self, phase: &SessionPhase, seq: Seq) {
        let is_open = phase.phase == Phase::Open as u8;
        self.core.session = Some(*phase);
        self.core.is_open = Some(is_open);
        if is_open {
            // LEAN carries quotes over without age limit; elsewhere a quote dies with its local date.
            if self.core.config.profile != FillProfile::Lean {
                let offset_ns = i128::from(phase.utc_offset_s) * 1_000_000_000;
                let local = i128::from(phase.open) + offset_ns;
                let midnight = local - local.rem_euclid(i128::from(DAY)) - offset_ns;
                let midnight = Nanos(u64::try_from(midnight).unwrap_or(0));
                self.core.tops.iter_mut().for_each(|top| top.forget_before(midnight));
            }
        } else {
            let is_day = |held: &crate::venue::VenueOrder| held.tif == crate::order::TimeInForce::Day;
            self.core.end_resting(seq, StateReason::DayEnd, is_day);
            self.core.mark_accounts(seq);
        }
        self.call_all(seq, |strategy, ctx| strategy.on_session(ctx, phase));
    }

    fn apply_cold(&mut self, cold: &Cold, seq: Seq) -> Result<(), KernelError> {
        match cold {
            Cold::Start(config) => {
                if **config != self.core.config {
                    return Err(KernelError::OtherConfig { seq });
                }
                self.call_all(seq, |strategy, ctx| strategy.on_start(ctx));
            }
            Cold::Definition(def) => {
                let bad = |problem| KernelError::BadDefinition { seq, symbol: def.symbol.clone(), problem };
                let ix = InstrumentIx::from(self.core.instruments.len());
                if self.core.symbols.contains_key(&def.symbol) {
                    return Err(bad("the symbol is defined already"));
                }
                if def.underlying().is_some_and(|underlying| underlying >= ix) {
                    return Err(bad("its underlying must be defined before it"));
                }
                if def.multiplier <= 0 || def.lot.0 <= 0 {
                    return Err(bad("multiplier and lot must be above zero"));
                }
                self.core.define((**def).clone());
                self.call_all(seq, |strategy, ctx| strategy.on_definition(ctx, ix));
            }
            Cold::Command(command) => self.apply_command(command, seq),
        }
        Ok(())
    }

    fn apply_command(&mut self, command: &Command, seq: Seq) {
        let refused = match command {
            Command::Kill { .. } => {
                self.core.killed = true;
                for n in 0..self.slots.len() {
                    self.stop(n, StopReason::Kill, seq);
                }
                String::new()
            }
            Command::Pause { strategy } => self.set_paused(*strategy, true),
            Command::Resume { strategy } => self.set_paused(*strategy, false),
            Command::Set { strategy, key, value } => match self.slots.get_mut(strategy.index()) {
                Some(slot) => slot.strategy.set(key, value).err().map(|e| e.to_string()).unwrap_or_default(),
                None => format!("no strategy {}", strategy.0),
            },
            Command::Cancel { order } => {
                if order.index() < self.core.orders.len() {
                    self.core.request_cancel(*order, StateReason::Operator, seq);
                    String::new()
                } else {
                    format!("no order {}", order.0)
                }
            }
        };
        self.core.emit(seq, Event::CommandApplied { refused });
    }

    fn set_paused(&mut self, strategy: StrategyIx, is_paused: bool) -> String {
        match self.slots.get_mut(strategy.index()) {
            Some(slot) => {
                slot.is_paused = is_paused;
                String::new()
            }
            None => format!("no strategy {}", strategy.0),
        }
    }

    /// Runs everything due at or before `until`, each entry with its full drain.
    fn run_due(&mut self, until: Nanos) {
        while let Some(entry) = self.core.schedule.pop_until(until) {
            self.input_floor = self.core.derived.len();
            self.core.now = self.core.now.max(entry.due);
            self.run_entry(&entry);
            self.drain();
        }
    }

    fn run_entry(&mut self, entry: &Scheduled) {
        match entry.what {
            Due::Report(report) => self.core.book_report(report, entry.cause),
            Due::Timer(strategy, id) => {
                let n = strategy.index();
                if self.slots[n].is_active {
                    let seq = self.core.emit(entry.cause, Event::Timer { strategy, id });
                    self.call(n, seq, |strategy, ctx| strategy.on_timer(ctx, id));
                }
            }
            Due::LastTrade(ix) => self.core.stop_trading(ix, entry.cause),
            Due::Cutoff(ix) => self.core.decide_exercise(ix, entry.cause),
            Due::Notice(ix) => self.core.notify_assignment(ix, entry.cause),
            Due::Mark => {
                self.core.mark_is_scheduled = false;
                self.core.mark_accounts(entry.cause);
            }
        }
    }

    /// The tape ends: reports under way are booked, series that expired on the tape settle, accounts are marked.
    fn finish(&mut self, seq: Seq) {
        let tape_end = self.core.now;
        self.drain();
        while let Some(entry) = self.core.schedule.pop_until(Nanos::MAX) {
            let runs = match entry.what {
                Due::Report(_) => true,
                Due::LastTrade(ix) | Due::Cutoff(ix) | Due::Notice(ix) => self.settles_on_tape(ix, tape_end),
                Due::Timer(..) | Due::Mark => entry.due <= tape_end,
            };
            if runs {
                self.input_floor = self.core.derived.len();
                self.core.now = self.core.now.max(entry.due);
                self.run_entry(&entry);
                self.drain();
            }
        }
        self.core.mark_accounts(seq);
        self.call_all(seq, |strategy, ctx| strategy.on_end(ctx));
        self.drain();
        self.is_finished = true;
        self.emit_state_hash(seq);
    }

    fn settles_on_tape(&self, ix: InstrumentIx, tape_end: Nanos) -> bool {
        let terms = self.core.def(ix).option.as_ref();
        terms.is_some_and(|terms| {
            terms.last_trade <= tape_end && terms.expiry.0 <= tape_end.0.saturating_add(DAY)
        })
    }

    fn emit_state_hash(&mut self, seq: Seq) {
        let strategies = self.slots.iter().map(|slot| (&slot.strategy, &slot.rng, slot.is_active));
        let hash = state_hash(&self.core, strategies);
        debug_assert!(self.core.accounts.iter().all(|account| account.is_conserved()));
        self.last_state_hash = Some(hash);
        self.core.emit(seq, Event::StateHash { hash });
        self.next_state_hash = (self.core.seq / STATE_HASH_EVERY + 1) * STATE_HASH_EVERY;
    }

    /// Tells strategies what happened until nothing is left to tell.
    #[inline]
    fn drain(&mut self) {
        while let Some(notice) = self.core.notices.pop_front() {
            self.tell(notice);
        }
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Order(strategy, order, seq) => {
                let state = self.core.orders[order.index()].state;
                let update = OrderUpdate { order, state };
                self.call(strategy.index(), seq, |strategy, ctx| strategy.on_order(ctx, &update));
            }
            Notice::Fill(strategy, fill, seq) => {
                self.call(strategy.index(), seq, |strategy, ctx| strategy.on_fill(ctx, &fill));
            }
            Notice::Expiry(ix, seq) => self.call_all(seq, |strategy, ctx| strategy.on_expiry(ctx, ix)),
        }
    }

    #[inline]
    fn call_all(&mut self, cause: Seq, callback: impl Fn(&mut S, &mut Ctx<'_>) -> Flow) {
        for n in 0..self.slots.len() {
            self.call(n, cause, &callback);
        }
    }

    /// Runs one callback; its intents enter the log when it returned.
    #[inline]
    fn call(&mut self, n: usize, cause: Seq, callback: impl FnOnce(&mut S, &mut Ctx<'_>) -> Flow) {
        let slot = &mut self.slots[n];
        if !slot.is_active || slot.is_paused {
            return;
        }
        let (strategy, rng) = (&mut slot.strategy, &mut slot.rng);
        let mut ctx = Ctx {
            core: &self.core,
            intents: &mut self.intents,
            strategy: StrategyIx(n as u16),
            rng,
            orders_asked: 0,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| callback(strategy, &mut ctx)));
        if self.intents.is_empty() && matches!(outcome, Ok(Flow::Continue)) {
            return;
        }
        self.after_callback(n, cause, outcome.ok());
    }

    #[cold]
    fn after_callback(&mut self, n: usize, cause: Seq, outcome: Option<Flow>) {
        let mut intents = std::mem::take(&mut self.intents);
        if outcome.is_none() {
            intents.clear();
        }
        self.append_intents(n, cause, &mut intents);
        self.intents = intents;
        let is_runaway = self.core.derived.len() - self.input_floor > DERIVED_PER_INPUT_MAX;
        match outcome {
            None => self.stop(n, StopReason::Panic, cause),
            Some(_) if is_runaway => self.stop(n, StopReason::EventBudget, cause),
            Some(Flow::Stop) => self.stop(n, StopReason::Flow, cause),
            Some(Flow::Continue) => {}
        }
    }

    fn append_intents(&mut self, n: usize, cause: Seq, intents: &mut Vec<Intent>) {
        let strategy = StrategyIx(n as u16);
        let first_order = self.core.orders.len();
        for intent in intents.drain(..) {
            match intent {
                Intent::Submit(package) => {
                    self.core.append_order(strategy, package, cause);
                }
                Intent::Cancel(order) => self.core.request_cancel(order, StateReason::CancelRequested, cause),
                Intent::Timer(due, id) => {
                    self.core.schedule.push(due.max(self.core.now), cause, Due::Timer(strategy, id));
                }
                Intent::Note(text) => {
                    self.core.emit(cause, Event::Note { strategy, text });
                }
                Intent::Exercise(account, instrument, quantity) => {
                    self.core.advice.insert((account.0, instrument), quantity);
                    self.core.emit(cause, Event::ExerciseAdvised { strategy, account, instrument, quantity });
                }
            }
        }
        for order in first_order..self.core.orders.len() {
            // A cancel in the same callback may have ended it already.
            if !self.core.orders[order].state.is_final() {
                self.core.judge_and_send(OrderIx::from(order));
            }
        }
    }

    fn stop(&mut self, n: usize, reason: StopReason, cause: Seq) {
        if !std::mem::replace(&mut self.slots[n].is_active, false) {
            return;
        }
        let strategy = StrategyIx(n as u16);
        let seq = self.core.emit(cause, Event::StrategyStopped { strategy, reason });
        let own: Vec<OrderIx> = self
            .core
            .open_orders
            .iter()
            .filter(|ix| self.core.orders[ix.index()].strategy == strategy)
            .copied()
            .collect();
        let why = if reason == StopReason::Kill { StateReason::Kill } else { StateReason::StrategyStopped };
        for order in own {
            self.core.request_cancel(order, why, seq);
        }
    }

    /// Whether the block under construction must seal after the input just applied.
    pub fn must_seal(&self, record: &Record) -> bool {
        record.kind == Kind::Seal as u8
            || self.core.block_inputs as usize >= INPUTS_MAX
            || self.core.derived.len() >= DERIVED_SEAL
    }

    /// Takes the derived lane of the block under construction, leaving `empty` in its place, and begins the next block.
    pub fn take_derived(&mut self, mut empty: Vec<Derived>) -> Vec<Derived> {
        empty.clear();
        self.core.block_inputs = 0;
        self.input_floor = 0;
        std::mem::replace(&mut self.core.derived, empty)
    }

    /// Seq of the next element.
    pub fn seq(&self) -> Seq {
        self.core.seq
    }

    /// Inputs applied.
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Whether the end of the tape was applied.
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// The last state hash.
    pub fn last_state_hash(&self) -> Option<[u8; 32]> {
        self.last_state_hash
    }

    /// The accounts.
    pub fn accounts(&self) -> &[crate::account::Account] {
        &self.core.accounts
    }

    /// All orders.
    pub fn orders(&self) -> &[Order] {
        &self.core.orders
    }

    /// Definitions so far.
    pub fn instruments(&self) -> &[crate::instrument::InstrumentDef] {
        &self.core.instruments
    }

    /// The strategies, by index.
    pub fn strategies(&self) -> impl Iterator<Item = &S> {
        self.slots.iter().map(|slot| &slot.strategy)
    }

    /// Equity over all accounts.
    pub fn equity(&self) -> Money {
        self.core.accounts.iter().fold(Money::ZERO, |sum, account| sum + account.equity())
    }
}
