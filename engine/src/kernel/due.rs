//! Due entries, and what still runs when the tape ends.

use super::Kernel;
use crate::block::{DERIVED_PAUSE, STRATEGY_EVENTS_MAX};
use crate::event::{Event, StopReason};
use crate::ids::{InstrumentIx, Seq};
use crate::num::{DAY, Nanos};
use crate::schedule::{Due, Scheduled};
use crate::strategy::Strategy;

impl<S: Strategy> Kernel<S> {
    /// Runs what is due at or before `until`, each entry with its full drain, in the order of the schedule.
    pub(super) fn run_due(&mut self, until: Nanos) {
        while self.core.spent() < DERIVED_PAUSE {
            let Some(entry) = self.core.schedule.pop_until(until) else { return };
            self.run_entry(&entry);
        }
    }

    fn run_entry(&mut self, entry: &Scheduled) {
        self.core.now = self.core.now.max(entry.due);
        match entry.what {
            Due::Report(report) => self.core.book_report(report, entry.cause),
            Due::Timer(strategy, id) => self.ring(strategy.index(), id, entry.cause),
            Due::OrderEnd(order) => self.core.end_order(order, entry.cause),
            Due::CancelRest(strategy) => self.cancel_own_orders(strategy, entry.cause),
            Due::LastTrade(ix) => self.core.stop_trading(ix, entry.cause),
            Due::Settle(ix) => self.core.settle(ix),
            Due::Cutoff(ix) => self.core.decide_exercise(ix, entry.cause),
            Due::Notice(ix) => self.core.notify_assignment(ix, entry.cause),
            Due::Mark => {
                self.core.mark_is_scheduled = false;
                self.core.mark_accounts(entry.cause);
            }
        }
        self.drain();
    }

    /// A timer rings; a paused strategy misses it.
    fn ring(&mut self, n: usize, id: u64, cause: Seq) {
        if !self.slots[n].is_called {
            return;
        }
        let strategy = crate::ids::StrategyIx::from(n);
        let seq = self.core.emit(cause, Event::Timer { strategy, id });
        if self.charge(n, 1) > STRATEGY_EVENTS_MAX {
            return self.stop(n, StopReason::EventBudget, seq);
        }
        self.call(n, seq, |strategy, ctx| strategy.on_timer(ctx, id));
    }

    /// The tape ends: reports under way are booked, series that expired on the tape settle, accounts are marked.
    pub(super) fn finish(&mut self, seq: Seq) {
        let tape_end = self.core.now;
        self.core.is_tape_ended = true;
        self.drain();
        while self.core.spent() < DERIVED_PAUSE {
            let Some(entry) = self.core.schedule.pop_until(Nanos::MAX) else { break };
            let runs = match entry.what {
                Due::Report(_) | Due::CancelRest(_) => true,
                Due::LastTrade(ix) | Due::Settle(ix) | Due::Cutoff(ix) | Due::Notice(ix) => {
                    self.settles_on_tape(ix, tape_end)
                }
                Due::Timer(..) | Due::OrderEnd(_) | Due::Mark => entry.due <= tape_end,
            };
            if runs {
                self.run_entry(&entry);
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
}
