//! What each kind of input does to the state, and whom it tells.

use super::depth::ends_group;
use super::{Kernel, venue_time};
use crate::book::Stated;
use crate::config::FillProfile;
use crate::depth::Depths;
use crate::event::{Event, StateReason, StopReason};
use crate::ids::{InstrumentIx, Seq, StrategyIx};
use crate::input::{Cold, Command};
use crate::instrument::InstrumentKind;
use crate::num::{DAY, Nanos, Price, Qty};
use crate::order::TimeInForce;
use crate::record::{
    Bar, Body, HalfBar, Kind, Phase, Quote, Record, SessionPhase, Statistic, StatisticKind, Status, Trade,
    TradeClass, flags,
};
use crate::strategy::Strategy;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<S: Strategy> Kernel<S> {
    #[inline]
    pub(super) fn apply_kind(&mut self, kind: Kind, record: &Record, cold: Option<&Cold>, seq: Seq) {
        if record.has(flags::EXTENDED) && self.ignores_extended(kind, record.instrument()) {
            return self.keep_book(record);
        }
        match record.as_quote() {
            Some(quote) => self.apply_quote(record, quote, seq),
            None if kind.is_depth() => self.apply_depth(record, seq),
            None => self.apply_other(record, cold, seq),
        }
    }

    /// Records outside regular hours stay on the tape; best prices and strategies see them only when asked to.
    /// An index has no extended session: its closing value is published after the stocks' close.
    #[cold]
    fn ignores_extended(&self, kind: Kind, ix: InstrumentIx) -> bool {
        kind.is_market()
            && !matches!(kind, Kind::Statistic | Kind::Status)
            && !self.core.config.extended_hours
            && self.core.def(ix).kind != InstrumentKind::Index
    }

    #[inline(never)]
    fn apply_other(&mut self, record: &Record, cold: Option<&Cold>, seq: Seq) {
        let ix = record.instrument();
        let Some(body) = record.body() else { return };
        match body {
            Body::Quote(quote) => self.apply_quote(record, &quote, seq),
            Body::Trade(trade) => self.apply_trade(record, &trade, seq),
            Body::BidBar(half) => self.apply_half_bar(record, &half, flags::BID, seq),
            Body::AskBar(half) => self.apply_half_bar(record, &half, flags::ASK, seq),
            Body::TradeBar(bar) => self.apply_bar(record, &bar, seq),
            Body::Statistic(statistic) => self.apply_statistic(record, &statistic, seq),
            Body::Status(status) => self.apply_status(&status, ix, seq),
            Body::SessionPhase(phase) => self.apply_phase(&phase, seq),
            Body::Tick => self.run_due(record.ts()),
            Body::Seal if record.has(flags::END) => self.finish(seq),
            Body::Seal => {}
            Body::BookLevel(_) | Body::BookOrder(_) => self.apply_depth(record, seq),
            Body::Cold(_) => {
                if let Some(cold) = cold {
                    self.apply_cold(cold, ix, seq);
                }
            }
        }
    }

    #[inline]
    fn apply_quote(&mut self, record: &Record, quote: &Quote, seq: Seq) {
        let top = &mut self.core.tops[record.instrument as usize];
        let (ts, firm) = (record.ts(), !record.has(flags::NON_FIRM));
        if record.has(flags::BID) {
            top.state_bid(Stated { price: quote.bid(), size: quote.bid_size(), ts, seq, firm });
        }
        if record.has(flags::ASK) {
            top.state_ask(Stated { price: quote.ask(), size: quote.ask_size(), ts, seq, firm });
        }
        self.quote_stated(record, seq);
    }

    fn apply_half_bar(&mut self, record: &Record, half: &HalfBar, side: u8, seq: Seq) {
        let (price, size) = (Price(half.close), Qty(half.size));
        let stated = Stated { price, size, ts: record.ts(), seq, firm: !record.has(flags::NON_FIRM) };
        let top = &mut self.core.tops[record.instrument as usize];
        if side == flags::BID {
            top.state_bid(stated);
        } else {
            top.state_ask(stated);
        }
        self.quote_stated(record, seq);
    }

    #[inline]
    pub(super) fn quote_stated(&mut self, record: &Record, seq: Seq) {
        if !record.has(flags::LAST) {
            return;
        }
        let ix = record.instrument();
        if self.core.is_reached(ix) {
            self.core.match_resting_on_quote(ix, venue_time(record), seq);
        }
        self.core.schedule_mark(seq);
        self.call_all(seq, |strategy, ctx| strategy.on_quote(ctx, ix));
    }

    fn apply_trade(&mut self, record: &Record, trade: &Trade, seq: Seq) {
        let ix = record.instrument();
        // A doubtful print is shown to strategies and is evidence of nothing.
        let is_evidence = !record.has(flags::NON_FIRM);
        let has_resting = is_evidence && self.core.has_resting(ix);
        if has_resting {
            self.core.match_resting_on_print(ix, trade, venue_time(record), seq);
        }
        if is_evidence && TradeClass::from_wire(trade.class).is_eligible() {
            self.core.state_last(ix, Price(trade.price), seq);
            if has_resting {
                self.core.trigger_stops(ix, venue_time(record), seq);
            }
        }
        self.core.schedule_mark(seq);
        self.call_all(seq, |strategy, ctx| strategy.on_trade(ctx, ix, trade));
        if ends_group(record, trade) {
            self.apply_depth(record, seq);
        }
    }

    fn apply_bar(&mut self, record: &Record, bar: &Bar, seq: Seq) {
        let ix = record.instrument();
        if !record.has(flags::NON_FIRM) {
            self.core.state_last(ix, Price(bar.close), seq);
            if self.core.has_resting(ix) {
                self.core.trigger_stops(ix, venue_time(record), seq);
            }
        }
        self.core.schedule_mark(seq);
        self.call_all(seq, |strategy, ctx| strategy.on_bar(ctx, ix, bar));
    }

    fn apply_statistic(&mut self, record: &Record, statistic: &Statistic, seq: Seq) {
        const EXERCISE: u16 = StatisticKind::ExerciseSettlement as u16;
        const CLOSE: u16 = StatisticKind::ClosePrice as u16;
        let ix = record.instrument();
        let value = (Price(statistic.value), record.ts());
        match statistic.stat {
            EXERCISE => drop(self.core.settlement_values.insert(ix, value)),
            CLOSE => drop(self.core.closing_prices.insert(ix, value)),
            _ => {}
        }
        self.call_all(seq, |strategy, ctx| strategy.on_statistic(ctx, ix, statistic));
    }

    fn apply_status(&mut self, status: &Status, ix: InstrumentIx, seq: Seq) {
        self.core.tops[ix.index()].state = status.trading_state();
        self.call_all(seq, |strategy, ctx| strategy.on_status(ctx, ix, status));
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
            self.core.end_resting(seq, StateReason::DayEnd, |held| held.tif == TimeInForce::Day);
            self.core.mark_accounts(seq);
        }
        self.call_all(seq, |strategy, ctx| strategy.on_session(ctx, phase));
    }

    fn apply_cold(&mut self, cold: &Cold, ix: InstrumentIx, seq: Seq) {
        match cold {
            Cold::Start(_) => self.call_all(seq, |strategy, ctx| strategy.on_start(ctx)),
            Cold::Definition(def) => {
                let ix = InstrumentIx::from(self.core.instruments.len());
                self.core.define((**def).clone());
                self.call_all(seq, |strategy, ctx| strategy.on_definition(ctx, ix));
            }
            Cold::Command(command) => self.apply_command(command, seq),
            Cold::JournalLag { blocks } => self.core.journal_lag = *blocks,
            Cold::Resumed { .. } => {
                self.core.tops.iter_mut().for_each(|top| top.forget_before(Nanos::MAX));
                self.core.depths = Depths::default();
            }
            Cold::Imbalance(imbalance) => {
                self.call_all(seq, |strategy, ctx| strategy.on_imbalance(ctx, ix, imbalance));
            }
        }
    }

    fn apply_command(&mut self, command: &Command, seq: Seq) {
        let refused = match command {
            Command::Kill { .. } => {
                for n in 0..self.slots.len() {
                    self.stop(n, StopReason::Kill, seq);
                }
                String::new()
            }
            Command::Pause { strategy } => self.set_paused(*strategy, true),
            Command::Resume { strategy } => self.set_paused(*strategy, false),
            Command::Set { strategy, key, value } => self.set_param(*strategy, key, value, seq),
            Command::Fills { profile } => {
                self.core.switch_profile(*profile);
                String::new()
            }
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
                slot.is_called = slot.is_active && !is_paused;
                String::new()
            }
            None => format!("no strategy {}", strategy.0),
        }
    }

    fn set_param(&mut self, strategy: StrategyIx, key: &str, value: &str, seq: Seq) -> String {
        let n = strategy.index();
        let Some(slot) = self.slots.get_mut(n) else { return format!("no strategy {}", strategy.0) };
        let outcome = catch_unwind(AssertUnwindSafe(|| slot.strategy.set(key, value)));
        match outcome {
            Ok(Ok(())) => String::new(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                self.stop(n, StopReason::Panic, seq);
                format!("strategy {n} panicked while '{key}' was set")
            }
        }
    }
}
