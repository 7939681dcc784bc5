//! The schedule, keyed (due, phase, order of entry): a queue of reports beside a heap of everything else.
//!
//! Entries due at T run when the first input with `ts` > T arrives, before it, or on the input
//! `Tick{T}`. At one due time phases order them: reports, timers, order ends, life cycle, marks.

use crate::event::{Execution, StateReason};
use crate::ids::{InstrumentIx, OrderIx, Seq, StrategyIx};
use crate::num::Nanos;
use crate::order::OrderState;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

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

/// Due time, phase, order of entry.
type Key = (Nanos, u8, u64);

impl Scheduled {
    fn key(&self) -> Key {
        (self.due, self.phase, self.order)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// Reports leave the venue in one ordered stream: first in, first due.
    reports: VecDeque<Scheduled>,
    /// Keys of everything else, with the slot that each entry waits in: the heap moves little.
    heap: BinaryHeap<Reverse<(Key, u32)>>,
    slots: Vec<Scheduled>,
    free: Vec<u32>,
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
        // Only damaged bytes say otherwise; reports are taken in their order without looking again.
        let is_sound = sorted.is_sorted_by(|a, b| a.key() < b.key());
        if !is_sound || sorted.iter().any(|entry| entry.order >= entries) {
            return Err(serde::de::Error::custom("the schedule's entries are out of order"));
        }
        let mut schedule = Schedule { entries, ..Schedule::default() };
        sorted.into_iter().for_each(|entry| schedule.add(entry));
        schedule.refresh();
        Ok(schedule)
    }
}

impl Schedule {
    #[inline]
    pub(crate) fn push(&mut self, due: Nanos, cause: Seq, what: Due) {
        let entry = Scheduled { due, phase: what.phase(), order: self.entries, cause, what };
        self.entries += 1;
        self.add(entry);
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
    }

    #[inline]
    fn add(&mut self, entry: Scheduled) {
        if matches!(entry.what, Due::Report(_)) {
            debug_assert!(self.reports.back().is_none_or(|last| last.key() < entry.key()));
            return self.reports.push_back(entry);
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(entry);
            u32::try_from(self.slots.len() - 1).expect("entries that wait fit in memory")
        });
        self.slots[slot as usize] = entry;
        self.heap.push(Reverse((entry.key(), slot)));
    }

    fn refresh(&mut self) {
        let timed = self.heap.peek().map(|Reverse(((due, ..), _))| *due);
        self.next = self.reports.front().map(|report| report.due).into_iter().chain(timed).min();
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
    #[inline]
    pub(crate) fn pop_until(&mut self, ts: Nanos) -> Option<Scheduled> {
        let next = self.next.filter(|next| *next <= ts)?;
        // Reports are the first phase of an instant.
        let entry = if self.reports.front().is_some_and(|report| report.due == next) {
            self.reports.pop_front()
        } else {
            self.heap.pop().map(|Reverse((_, slot))| {
                self.free.push(slot);
                self.slots[slot as usize]
            })
        };
        self.refresh();
        entry
    }

    /// The entries in order, for the state hash.
    pub(crate) fn sorted(&self) -> Vec<Scheduled> {
        let timed = self.heap.iter().map(|Reverse((_, slot))| self.slots[*slot as usize]);
        let mut entries: Vec<Scheduled> = self.reports.iter().copied().chain(timed).collect();
        entries.sort_unstable_by_key(Scheduled::key);
        entries
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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

    /// Found by fuzzing: reports out of order in a damaged snapshot whose hash fits were taken as they stood.
    #[test]
    fn a_saved_schedule_that_is_out_of_order_is_refused() {
        let config = bincode::config::standard().with_fixed_int_encoding();
        let report = |order: u64| Scheduled {
            due: Nanos(9 + order),
            phase: 0,
            order,
            cause: 0,
            what: Due::Report(Report::Ack(OrderIx(0))),
        };
        let read = |entries: Vec<Scheduled>, count: u64| {
            let bytes = bincode::serde::encode_to_vec((entries, count), config).unwrap();
            bincode::serde::decode_from_slice::<Schedule, _>(&bytes, config).map(|(schedule, _)| schedule)
        };
        assert_eq!(read(vec![report(0), report(1)], 2).unwrap().sorted().len(), 2);
        for (entries, count) in
            [(vec![report(1), report(0)], 2), (vec![report(0), report(0)], 2), (vec![report(1)], 1)]
        {
            let error = read(entries, count).unwrap_err().to_string();
            assert!(error.contains("out of order"), "{error}");
        }
    }
}
