//! The schedule: one heap keyed (due, phase, seq).
//!
//! Entries due at T run when the first input with `ts` > T arrives, before it, or on the input
//! `Tick{T}`. At one due time phases order them: reports, timers, order ends, life cycle, marks.

use crate::event::{Execution, StateReason};
use crate::ids::{InstrumentIx, OrderIx, Seq, StrategyIx};
use crate::num::Nanos;
use crate::order::OrderState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a venue tells about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The order is working.
    Ack(OrderIx),
    /// It executed.
    Executed(Execution),
    /// It ended without (further) execution.
    Done(OrderIx, OrderState, StateReason),
}

/// A due entry. Variant order is the order of phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Due {
    /// A venue's report reaches us.
    Report(Report),
    /// A strategy's timer.
    Timer(StrategyIx, u64),
    /// The lifetime of an order resting at the venue ends.
    OrderEnd(OrderIx),
    /// A strategy was stopped with more open orders than one input may cancel.
    CancelRest(StrategyIx),
    /// A series stops trading.
    LastTrade(InstrumentIx),
    /// The settlement instant of a series: its underlying's price is taken down.
    Settle(InstrumentIx),
    /// Exercise decisions of a series.
    Cutoff(InstrumentIx),
    /// Assignment notices of a series.
    Notice(InstrumentIx),
    /// Accounts are marked.
    Mark,
}

impl Due {
    fn phase(&self) -> u8 {
        match self {
            Due::Report(_) => 0,
            Due::Timer(..) => 1,
            Due::OrderEnd(_) | Due::CancelRest(_) => 2,
            Due::LastTrade(_) => 3,
            Due::Settle(_) => 4,
            Due::Cutoff(_) => 5,
            Due::Notice(_) => 6,
            Due::Mark => 7,
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Scheduled {
    pub(crate) due: Nanos,
    phase: u8,
    order: u64,
    /// Seq that led to the entry.
    pub(crate) cause: Seq,
    pub(crate) what: Due,
}

impl Scheduled {
    fn key(&self) -> (Nanos, u8, u64) {
        (self.due, self.phase, self.order)
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Schedule {
    heap: BinaryHeap<Reverse<Scheduled>>,
    entries: u64,
    next: Option<Nanos>,
}

/// In the order of the schedule: the heap's own order depends on its history.
impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.sorted(), self.entries).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Schedule, D::Error> {
        let (sorted, entries) = <(Vec<Scheduled>, u64)>::deserialize(deserializer)?;
        let heap = sorted.into_iter().map(Reverse).collect();
        let mut schedule = Schedule { heap, entries, next: None };
        schedule.refresh();
        Ok(schedule)
    }
}

impl Schedule {
    pub(crate) fn push(&mut self, due: Nanos, cause: Seq, what: Due) {
        let entry = Scheduled { due, phase: what.phase(), order: self.entries, cause, what };
        self.entries += 1;
        self.heap.push(Reverse(entry));
        self.refresh();
    }

    fn refresh(&mut self) {
        self.next = self.heap.peek().map(|Reverse(entry)| entry.due);
    }

    /// Whether something is due strictly before `ts`.
    #[inline]
    pub(crate) fn is_due_before(&self, ts: Nanos) -> bool {
        self.next.is_some_and(|due| due < ts)
    }

    /// When the first entry is due.
    pub(crate) fn next_due(&self) -> Option<Nanos> {
        self.next
    }

    /// Takes the first entry due at or before `ts`.
    pub(crate) fn pop_until(&mut self, ts: Nanos) -> Option<Scheduled> {
        if self.next? > ts {
            return None;
        }
        let entry = self.heap.pop().map(|Reverse(entry)| entry);
        self.refresh();
        entry
    }

    /// The entries in order, for the state hash.
    pub(crate) fn sorted(&self) -> Vec<Scheduled> {
        let mut entries: Vec<_> = self.heap.iter().map(|Reverse(entry)| *entry).collect();
        entries.sort_unstable();
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_by_due_time_then_phase_then_insertion() {
        let mut schedule = Schedule::default();
        let timer = |id| Due::Timer(StrategyIx(0), id);
        schedule.push(Nanos(5), 0, Due::Mark);
        schedule.push(Nanos(5), 0, timer(1));
        schedule.push(Nanos(5), 0, Due::Report(Report::Ack(OrderIx(0))));
        schedule.push(Nanos(5), 0, timer(2));
        schedule.push(Nanos(4), 0, Due::Mark);
        assert!(!schedule.is_due_before(Nanos(4)));
        assert!(schedule.is_due_before(Nanos(5)));
        let order: Vec<Due> =
            std::iter::from_fn(|| schedule.pop_until(Nanos(5))).map(|entry| entry.what).collect();
        assert_eq!(order, [Due::Mark, Due::Report(Report::Ack(OrderIx(0))), timer(1), timer(2), Due::Mark]);
    }
}
