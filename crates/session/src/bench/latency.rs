//! Latency of the live path within one process: market bytes in, order bytes out.
//!
//! ```text
//!  source thread ── bytes, paced ──> queue ──> Sequencer: decode, loop, risk ── block ──> journal thread
//!    planned t0, sent t1             taken t2 ............... applied t3, handed over t4     order bytes t5
//! ```
//! The sequencer, the journal thread and the release of orders are those of a live run. Every stage is taken
//! against a clock, and the whole against the instant at which the event was *planned* to be sent: an event that
//! had to wait because the one before it was slow counts its wait (no coordinated omission). Calibrations run
//! first, paced alike: the machine's hiccups (one thread that only waits for the same instants), and the bare
//! hand-over (the same two threads and queue, nothing in between); and pairs of bare syncs.

use super::Report;
use super::journal::Folder;
use super::paced::{Parcel, Watch, bare, hiccups, run, syncs};
use super::stages::{LatencyReport, Stage, histogram, rows};
use super::strategy::{Checksum, Settings};
use super::tape::Walk;
use crate::driver::{BlockSink, DriveError, Driver};
use crate::error::RunError;
use crate::live::{Clock, Durability, LiveSink, Next, Sequencer};
use hdrhistogram::Histogram;
use onetape_engine::block::Block;
use onetape_engine::config::RunConfig;
use onetape_engine::ids::OrderIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::Record;
use onetape_journal::{Issued, JournalError, JournalThread, JournalWriter, OnRelease};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use zerocopy::FromBytes;

/// What to run.
#[derive(Debug, Clone)]
pub struct LatencyPlan {
    /// Quotes a second.
    pub rate: u64,
    /// Quotes that count.
    pub events: u64,
    /// Quotes before them that do not.
    pub warmup: u64,
    /// An order on each so many-th quote.
    pub order_every: u64,
    /// Whether orders wait for the disk.
    pub durability: Durability,
}

/// The live clock on the run's watch: event time is the tape's epoch plus what passed.
#[derive(Clone, Copy)]
struct WatchClock {
    watch: Watch,
    epoch: Nanos,
}

impl WatchClock {
    fn at(self, ns: u64) -> Nanos {
        Nanos(self.epoch.0 + ns)
    }
}

impl Clock for WatchClock {
    fn now(&mut self) -> Option<Nanos> {
        Some(self.at(self.watch.ns()))
    }
    fn until(&mut self, ts: Nanos) -> Duration {
        Duration::from_nanos(ts.0.saturating_sub(self.at(self.watch.ns()).0))
    }
    fn elapsed(&self) -> Duration {
        self.watch.0.elapsed()
    }
    fn observe(&mut self, _: Nanos) {}
}

/// When each order was planned and handed over; both threads know an order by its index.
struct Instants {
    planned: Vec<AtomicU64>,
    handed: Vec<AtomicU64>,
}

impl Instants {
    fn new(orders: usize) -> Instants {
        let zeros = || (0..orders).map(|_| AtomicU64::new(0)).collect();
        Instants { planned: zeros(), handed: zeros() }
    }

    fn note(list: &[AtomicU64], order: OrderIx, ns: u64) {
        if let Some(place) = list.get(order.0 as usize) {
            place.store(ns, Ordering::Release);
        }
    }

    /// Zero of an order that does not count.
    fn of(list: &[AtomicU64], order: OrderIx) -> u64 {
        list.get(order.0 as usize).map_or(0, |place| place.load(Ordering::Acquire))
    }
}

/// What the journal thread measures as it releases orders.
#[derive(Debug)]
struct Released {
    writer: Histogram<u64>,
    bytes: Histogram<u64>,
    order: Histogram<u64>,
}

/// The journal thread as a live sink that notes when blocks with orders were handed over.
struct JournalSink {
    thread: JournalThread,
    watch: Watch,
    instants: Arc<Instants>,
    handover: Histogram<u64>,
    counts: bool,
}

impl BlockSink for JournalSink {
    type Error = RunError;
    fn put(&mut self, block: Block) -> Result<Block, RunError> {
        let before_ns = self.watch.ns();
        for issued in Issued::of(&block) {
            Instants::note(&self.instants.handed, issued.order, before_ns);
        }
        let empty = self.thread.put(block)?;
        if self.counts {
            self.handover.saturating_record(self.watch.ns() - before_ns);
        }
        Ok(empty)
    }
}

impl LiveSink for JournalSink {
    fn lag(&self) -> u32 {
        self.thread.lag()
    }
}

/// The order as a gateway would hand it to its socket: called when the journal lets it go.
fn release(watch: Watch, instants: Arc<Instants>, released: Arc<Mutex<Released>>) -> OnRelease {
    let mut bytes = Vec::new();
    Box::new(move |issued: &[Issued]| {
        let mut found = released.lock().unwrap_or_else(PoisonError::into_inner);
        for issued in issued {
            let free_ns = watch.ns();
            bytes.clear();
            for word in [issued.seq, issued.ts.0, issued.order.0.into(), u64::from(issued.is_cancel)] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            black_box(&bytes);
            let done_ns = watch.ns();
            let planned_ns = Instants::of(&instants.planned, issued.order);
            if planned_ns > 0 {
                let handed_ns = Instants::of(&instants.handed, issued.order);
                found.writer.saturating_record(free_ns.saturating_sub(handed_ns));
                found.bytes.saturating_record(done_ns - free_ns);
                found.order.saturating_record(done_ns.saturating_sub(planned_ns));
            }
        }
        Ok::<(), JournalError>(())
    })
}

/// What the loop thread measures.
struct Stages {
    late: Histogram<u64>,
    queue: Histogram<u64>,
    inside: Histogram<u64>,
    event: Histogram<u64>,
}

/// A parcel through the sequencer, as the live run's pump does it.
fn take(
    sequencer: &mut Sequencer<Checksum, WatchClock>,
    sink: &mut JournalSink,
    clock: WatchClock,
    parcel: &Parcel,
) -> Result<(u64, u64), DriveError<RunError>> {
    let taken_ns = clock.watch.ns();
    if let Ok(mut record) = Record::read_from_bytes(&parcel.bytes) {
        // Receipt is stamped once, here.
        record.ts = clock.at(taken_ns).0;
        record.ts_src = clock.at(parcel.planned_ns.min(taken_ns)).0;
        while sequencer.poll(Some(record.ts()), sink)? != Next::Apply {}
        sequencer.apply(record, None, sink)?;
    }
    Ok((taken_ns, clock.watch.ns()))
}

/// Drives the live path; returns what was measured and how many orders the strategy sent.
fn live(
    plan: &LatencyPlan,
    first: Block,
    records: &[Record],
    folder: &Folder,
) -> Result<(Stages, Histogram<u64>, Released), RunError> {
    let settings = Settings { work: 0, every: plan.order_every };
    let config: RunConfig = settings.config();
    let epoch = first.inputs.first().map_or(Nanos(0), Record::ts);
    let watch = Watch(Instant::now());
    let clock = WatchClock { watch, epoch };
    let orders = records.len() as u64 / plan.order_every.max(1) + 2;
    let instants = Arc::new(Instants::new(orders as usize));
    let empty = Released { writer: histogram(), bytes: histogram(), order: histogram() };
    let released = Arc::new(Mutex::new(empty));
    let on_release = release(watch, Arc::clone(&instants), Arc::clone(&released));
    let writer = JournalWriter::create(&folder.path().join("journal"), [0; 32])?;
    let thread = JournalThread::start_live(writer, plan.durability.commits(), on_release)?;
    let mut sink =
        JournalSink { thread, watch, instants: Arc::clone(&instants), handover: histogram(), counts: false };
    let mut driver = Driver::new(config.clone(), vec![settings.strategy()]);
    driver.start(&config, epoch, &mut sink)?;
    driver.drive(first, &mut sink)?;
    let mut sequencer = Sequencer::over(driver, clock, epoch, None);
    let mut stages =
        Stages { late: histogram(), queue: histogram(), inside: histogram(), event: histogram() };
    run(plan, records, watch, |parcel| {
        let Some((n, parcel)) = parcel else {
            return Ok(match sequencer.poll(None, &mut sink)? {
                Next::Wait(wait) => wait,
                Next::Apply | Next::Again => Duration::ZERO,
            });
        };
        sink.counts = n >= plan.warmup;
        // Order 0 rests from the first quote on; order k goes out on quote k · every.
        if sink.counts && (n + 1).is_multiple_of(plan.order_every) {
            let order = u32::try_from((n + 1) / plan.order_every).unwrap_or(u32::MAX);
            Instants::note(&instants.planned, OrderIx(order), parcel.planned_ns);
        }
        let (taken_ns, applied_ns) = take(&mut sequencer, &mut sink, clock, parcel)?;
        if sink.counts {
            stages.late.saturating_record(parcel.sent_ns - parcel.planned_ns);
            stages.queue.saturating_record(taken_ns.saturating_sub(parcel.sent_ns));
            stages.inside.saturating_record(applied_ns - taken_ns);
            stages.event.saturating_record(applied_ns - parcel.planned_ns);
        }
        Ok::<Duration, DriveError<RunError>>(Duration::ZERO)
    })?;
    let sent = sequencer.kernel().strategies().next().map_or(0, |strategy| strategy.orders);
    assert_eq!(sent, records.len() as u64 / plan.order_every.max(1), "every order was sent");
    sequencer.end(&mut sink)?;
    sink.thread.finish()?;
    let released = Arc::into_inner(released).expect("the journal thread is gone, and its handle with it");
    Ok((stages, sink.handover, released.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// Measures the stages; `progress` is told what is next.
///
/// # Errors
/// When the journal's temporary folder cannot be written.
pub fn latency(plan: &LatencyPlan, progress: &mut dyn FnMut(&str)) -> Result<LatencyReport, RunError> {
    let started = SystemTime::now();
    let mut blocks = Walk::new(1, plan.warmup + plan.events);
    // The definition goes ahead; what is paced is quotes.
    let mut first = blocks.next().unwrap_or_default();
    let mut records = first.inputs.split_off(1);
    records.extend(blocks.flat_map(|block| block.inputs));
    let folder = Folder::new("latency");
    std::fs::create_dir_all(folder.path()).map_err(|e| RunError::io(folder.path(), e))?;
    progress("calibration: syncs, hiccups, bare hand-over");
    let (sync, hiccup, bare) = (syncs(folder.path())?, hiccups(plan), bare(plan, &records));
    progress("live path");
    let began = Instant::now();
    let (found, handover, released) = live(plan, first, &records, &folder)?;
    let lasted = began.elapsed();
    let stages = vec![
        Stage::new("sync", "calibration: two bare syncs of a file", sync),
        Stage::new("hiccup", "calibration: a thread that only waits", hiccup),
        Stage::new("bare", "calibration: planned → taken, nothing done", bare),
        Stage::new("late", "planned → sent", found.late),
        Stage::new("queue", "sent → taken", found.queue),
        Stage::new("loop", "decode, books, strategy, risk, order, sealing", found.inside),
        Stage::new("journal", "a sealed block handed to the journal thread", handover),
        Stage::new("writer", "handed over → encoded, hashed, stored, order free", released.writer),
        Stage::new("bytes", "order as bytes", released.bytes),
        Stage::new("event", "planned → applied, every event", found.event),
        Stage::new("order", "planned → order bytes", released.order),
    ];
    let rows = rows(&stages, plan.durability);
    let tape = format!(
        "{} quotes at {}/s, an order on each {}th, full journal, durability {}",
        plan.events,
        plan.rate,
        plan.order_every,
        plan.durability.name()
    );
    Ok(LatencyReport { report: Report::new("latency", tape, rows), stages, started, lasted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_measured_and_logged() {
        let plan = LatencyPlan {
            rate: 50_000,
            events: 2_000,
            warmup: 100,
            order_every: 50,
            durability: Durability::Buffered,
        };
        let report = latency(&plan, &mut |_| {}).unwrap();
        for stage in &report.stages {
            let events = match stage.name {
                "writer" | "bytes" | "order" => 40,
                "journal" => stage.count.max(40),
                "sync" => super::super::paced::SYNC_PAIRS as u64,
                _ => 2_000,
            };
            assert_eq!(stage.count, events, "{}", stage.name);
            assert!(stage.percentiles.is_sorted(), "{}: {:?}", stage.name, stage.percentiles);
        }
        let path = std::env::temp_dir().join(format!("onetape-{}.hlog", std::process::id()));
        report.write_hlog(&path).unwrap();
        let log = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let tags = log.lines().filter(|line| line.starts_with("Tag=")).count();
        assert_eq!(tags, report.stages.len());
        assert_eq!(report.curves().len(), 4);
    }
}
