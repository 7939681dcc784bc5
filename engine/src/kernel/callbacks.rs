//! Callbacks into strategies, and how their intents enter the log.

use super::Kernel;
use crate::block::{DERIVED_PER_INPUT_MAX, STRATEGY_EVENTS_MAX};
use crate::event::{Event, RejectReason, StateReason, StopReason};
use crate::ids::{OrderIx, Seq, StrategyIx};
use crate::num::Qty;
use crate::order::OrderState;
use crate::risk::Verdict;
use crate::schedule::Due;
use crate::state::Notice;
use crate::strategy::{Ctx, Flow, Intent, OrderUpdate, Strategy};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Events an intent may lead to before the loop drains again (a submission under LEAN's profile
/// arrives and executes at once).
const EVENTS_PER_SUBMIT: usize = 5;
/// Left to marks, stops and the state hash of the same input.
const RESERVE: usize = 4_096;

impl<S: Strategy> Kernel<S> {
    /// Tells strategies what happened until nothing is left to tell.
    #[inline]
    pub(super) fn drain(&mut self) {
        while let Some(notice) = self.core.notices.pop_front() {
            self.tell(notice);
        }
    }

    fn tell(&mut self, notice: Notice) {
        match notice {
            Notice::Order(strategy, order, state, seq) => {
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
    pub(super) fn call_all(&mut self, cause: Seq, callback: impl Fn(&mut S, &mut Ctx<'_>) -> Flow) {
        for n in 0..self.slots.len() {
            self.call(n, cause, &callback);
        }
    }

    /// Runs one callback; its intents enter the log when it returned.
    #[inline]
    pub(super) fn call(&mut self, n: usize, cause: Seq, callback: impl FnOnce(&mut S, &mut Ctx<'_>) -> Flow) {
        let slot = &mut self.slots[n];
        if !slot.is_called {
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
    #[inline(never)]
    fn after_callback(&mut self, n: usize, cause: Seq, outcome: Option<Flow>) {
        let mut intents = std::mem::take(&mut self.intents);
        if outcome.is_none() {
            intents.clear();
        }
        let before = self.core.derived.len();
        let is_within = self.append_intents(n, cause, &mut intents);
        self.intents = intents;
        let spent = self.charge(n, self.core.derived.len() - before);
        match outcome {
            None => self.stop(n, StopReason::Panic, cause),
            Some(_) if !is_within || spent > STRATEGY_EVENTS_MAX => {
                self.stop(n, StopReason::EventBudget, cause);
            }
            Some(Flow::Stop) => self.stop(n, StopReason::Flow, cause),
            Some(Flow::Continue) => {}
        }
    }

    /// Adds to what a strategy caused at this instant of this input, and returns the sum.
    pub(super) fn charge(&mut self, n: usize, events: usize) -> usize {
        let (now, input) = (self.core.now, self.inputs);
        let slot = &mut self.slots[n];
        if (slot.spent_at, slot.spent_in) != (now, input) {
            (slot.spent, slot.spent_at, slot.spent_in) = (0, now, input);
        }
        slot.spent += events;
        slot.spent
    }

    /// Appends intents; false when they outgrow the strategy's budget, which drops the rest and refuses
    /// the orders of this callback.
    fn append_intents(&mut self, n: usize, cause: Seq, intents: &mut Vec<Intent>) -> bool {
        let strategy = StrategyIx::from(n);
        let first_order = self.core.orders.len();
        let left = (DERIVED_PER_INPUT_MAX - RESERVE).saturating_sub(self.core.spent());
        let mut left = left.min(STRATEGY_EVENTS_MAX.saturating_sub(self.charge(n, 0)));
        let mut is_within = true;
        for intent in intents.drain(..) {
            let cost = if matches!(intent, Intent::Submit(_)) { EVENTS_PER_SUBMIT } else { 2 };
            is_within &= cost <= left;
            if !is_within {
                break;
            }
            left -= cost;
            self.append_intent(strategy, cause, intent);
        }
        if is_within {
            self.core.judge_and_send(first_order);
        } else {
            for ix in (first_order..self.core.orders.len()).map(OrderIx::from) {
                if self.core.orders[ix.index()].state == OrderState::Submitted {
                    self.core.refuse(ix, &Verdict::refused(RejectReason::Stopped));
                }
            }
        }
        is_within
    }

    fn append_intent(&mut self, strategy: StrategyIx, cause: Seq, intent: Intent) {
        match intent {
            Intent::Submit(package) => {
                self.core.append_order(strategy, package, cause);
            }
            Intent::Cancel(order) => {
                // Another strategy's order is none of its business.
                if self.core.orders.get(order.index()).is_some_and(|order| order.strategy == strategy) {
                    self.core.request_cancel(order, StateReason::CancelRequested, cause);
                }
            }
            Intent::Timer(due, id) => {
                self.core.schedule.push(due.max(self.core.now), cause, Due::Timer(strategy, id));
            }
            Intent::Note(text) => {
                self.core.emit(cause, Event::Note { strategy, text });
            }
            Intent::Exercise(account, instrument, quantity) => {
                let quantity = quantity.max(Qty::ZERO);
                if instrument.index() < self.core.instruments.len() {
                    self.core.advice.insert((account.0, instrument), quantity);
                    self.core.emit(cause, Event::ExerciseAdvised { strategy, account, instrument, quantity });
                }
            }
        }
    }

    /// Stops a strategy and asks to cancel its open orders.
    pub(super) fn stop(&mut self, n: usize, reason: StopReason, cause: Seq) {
        let slot = &mut self.slots[n];
        slot.is_called = false;
        if !std::mem::replace(&mut slot.is_active, false) {
            return;
        }
        let strategy = StrategyIx::from(n);
        let seq = self.core.emit(cause, Event::StrategyStopped { strategy, reason });
        self.core.stop_reasons.insert(strategy, reason);
        self.cancel_own_orders(strategy, seq);
    }

    /// Asks to cancel a stopped strategy's open orders, as many as one input may; the rest at the next one.
    pub(super) fn cancel_own_orders(&mut self, strategy: StrategyIx, cause: Seq) {
        let is_kill = self.core.stop_reasons.get(&strategy) == Some(&StopReason::Kill);
        let why = if is_kill { StateReason::Kill } else { StateReason::StrategyStopped };
        let most = (DERIVED_PER_INPUT_MAX - RESERVE / 2).saturating_sub(self.core.spent()) / 2;
        let is_own = |order: &crate::order::Order| {
            order.strategy == strategy && order.state != OrderState::PendingCancel
        };
        let open = self.core.open_orders.iter().filter(|ix| is_own(&self.core.orders[ix.index()]));
        let own: Vec<OrderIx> = open.take(most + 1).copied().collect();
        for order in own.iter().take(most) {
            self.core.request_cancel(*order, why, cause);
        }
        if own.len() > most {
            self.core.schedule.push(self.core.now, cause, Due::CancelRest(strategy));
        }
    }
}
