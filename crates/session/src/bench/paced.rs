//! Events sent at planned instants, and what the machine does to them by itself.

use super::latency::LatencyPlan;
use super::machine::{Pinned, Place};
use super::stages::histogram;
use crate::error::RunError;
use crate::live::{Came, Intake};
use crossbeam::channel::{Receiver, Sender, bounded};
use hdrhistogram::Histogram;
use onetape_engine::record::Record;
use std::fs::File;
use std::hint::{black_box, spin_loop};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use zerocopy::{FromBytes, IntoBytes};

/// Events that wait in the queue at most; then the source waits, and its events are late.
pub(super) const QUEUE: usize = 1 << 16;
/// Wait of a thread that has nothing to do.
const IDLE: Duration = Duration::from_millis(50);
/// Pairs of bare syncs that are timed.
pub(super) const SYNC_PAIRS: usize = 50;

/// An event on its way, and when.
pub(super) struct Parcel {
    pub(super) planned_ns: u64,
    pub(super) sent_ns: u64,
    pub(super) bytes: [u8; size_of::<Record>()],
}

/// Nanoseconds since the run's beginning.
#[derive(Clone, Copy)]
pub(super) struct Watch(pub(super) Instant);

impl Watch {
    pub(super) fn ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Spins, or sleeps while there is time for it, until `ns`; returns the time.
    pub(super) fn wait(self, ns: u64) -> u64 {
        // A sleep overshoots by some 60 µs; what is left is spun away.
        const SLEEP_FROM_NS: u64 = 200_000;
        loop {
            let now = self.ns();
            if now >= ns {
                return now;
            }
            if ns - now > SLEEP_FROM_NS {
                std::thread::sleep(Duration::from_nanos(ns - now - SLEEP_FROM_NS / 2));
            }
            spin_loop();
        }
    }
}

/// When the n-th event is to be sent.
pub(super) fn planned(n: u64, rate: u64) -> u64 {
    // A beginning in the future lets both threads start.
    20_000_000 + (u128::from(n) * 1_000_000_000 / u128::from(rate.max(1))) as u64
}

fn source(watch: Watch, start_ns: u64, rate: u64, records: &[Record], queue: &Sender<Parcel>) {
    let _pinned = Pinned::to(Place::Market);
    for (n, record) in (0u64..).zip(records) {
        let planned_ns = start_ns + planned(n, rate);
        watch.wait(planned_ns);
        let mut bytes = [0; size_of::<Record>()];
        bytes.copy_from_slice(record.as_bytes());
        let parcel = Parcel { planned_ns, sent_ns: watch.ns(), bytes };
        if queue.send(parcel).is_err() {
            return;
        }
    }
}

/// Runs a source beside `consume`; see [`drain`].
pub(super) fn run<E>(
    plan: &LatencyPlan,
    records: &[Record],
    watch: Watch,
    consume: impl FnMut(Option<(u64, &Parcel)>) -> Result<Duration, E>,
) -> Result<(), E> {
    let (sender, queue) = bounded(QUEUE);
    let start_ns = watch.ns();
    std::thread::scope(|scope| {
        scope.spawn(move || source(watch, start_ns, plan.rate, records, &sender));
        drain(queue, consume)
    })
}

/// Gives `consume` every parcel with its number, and `None` while there is none; it says how long it can wait
/// then, and the thread waits as a live run's does.
pub(super) fn drain<E>(
    queue: Receiver<Parcel>,
    mut consume: impl FnMut(Option<(u64, &Parcel)>) -> Result<Duration, E>,
) -> Result<(), E> {
    // Made before the thread is pinned: what it may use of the machine decides how it waits.
    let (mut intake, mut n) = (Intake::new(queue), 0);
    let _pinned = Pinned::to(Place::Loop);
    loop {
        let mut came = intake.look();
        if matches!(came, Came::Nothing) {
            came = intake.wait(consume(None)?);
        }
        match came {
            Came::Item(parcel) => {
                consume(Some((n, &parcel)))?;
                n += 1;
            }
            Came::Nothing => {}
            Came::Over => return Ok(()),
        }
    }
}

/// One thread that only waits for planned instants.
pub(super) fn hiccups(plan: &LatencyPlan) -> Histogram<u64> {
    let _pinned = Pinned::to(Place::Loop);
    let (watch, mut late) = (Watch(Instant::now()), histogram());
    for n in 0..plan.warmup + plan.events {
        let due = planned(n, plan.rate);
        let now = watch.wait(due);
        if n >= plan.warmup {
            late.saturating_record(now - due);
        }
    }
    late
}

/// The bare hand-over: both threads and the queue, nothing done.
pub(super) fn bare(plan: &LatencyPlan, records: &[Record]) -> Histogram<u64> {
    let (mut late, watch) = (histogram(), Watch(Instant::now()));
    let done: Result<(), std::convert::Infallible> = run(plan, records, watch, |parcel| {
        let Some((n, parcel)) = parcel else { return Ok(IDLE) };
        let record = black_box(Record::read_from_bytes(&parcel.bytes).ok());
        if n >= plan.warmup && record.is_some() {
            late.saturating_record(watch.ns().saturating_sub(parcel.planned_ns));
        }
        Ok(IDLE)
    });
    match done {
        Ok(()) => late,
    }
}

/// Pairs of syncs of a file beside the journal, one begun every so often: what an order waits for at the least when it
/// waits for the disk. A device that has been idle as long as between two orders answers later than one that is busy.
pub(super) fn syncs(folder: &Path, every: Duration) -> Result<Histogram<u64>, RunError> {
    let path = folder.join("syncs");
    let failed = |e| RunError::io(&path, e);
    let (mut pairs, mut file) = (histogram(), File::create(&path).map_err(failed)?);
    for _ in 0..SYNC_PAIRS {
        std::thread::sleep(every);
        let started = Instant::now();
        for _ in 0..2 {
            file.write_all(&[0x5a; 512]).map_err(failed)?;
            file.sync_data().map_err(failed)?;
        }
        pairs.saturating_record(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_planned_evenly() {
        assert_eq!(planned(1_000, 1_000) - planned(0, 1_000), 1_000_000_000);
    }
}
