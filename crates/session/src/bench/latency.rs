//! Latency of the live path within one process: market bytes in, order bytes out.
//!
//! ```text
//!  source thread ── bytes, paced ──> queue ──> loop thread: decode, loop, risk, order ── block ──> journal thread
//!    planned t0, sent t1                t2 ......................... t3      sealed t4, order bytes t5
//! ```
//! Every stage is taken against a clock, and the whole against the instant at which the event was *planned* to
//! be sent: an event that had to wait because the one before it was slow counts its wait (no coordinated
//! omission). Two calibrations run first, paced alike: the machine's hiccups (one thread that only reads the
//! clock), and the bare hand-over (the same two threads and queue, nothing in between).

use super::curve::duration_text;
use super::journal::{Folder, open};
use super::strategy::{Checksum, Settings};
use super::tape::Walk;
use super::{Report, Row};
use crate::driver::Driver;
use crate::error::RunError;
use crate::sink::Sink;
use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use onetape_engine::block::Block;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::order::Order;
use onetape_engine::record::{Body, Head, Record};
use serde::Serialize;
use std::hint::{black_box, spin_loop};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use zerocopy::{FromBytes, IntoBytes};

/// Longest latency that is told apart: one minute.
const LONGEST_NS: u64 = 60_000_000_000;
/// Events that wait in the queue at most; then the source waits, and its events are late.
const QUEUE: usize = 1 << 16;
/// Between seals when no order asks for one.
const SEAL_EVERY_NS: u64 = 10_000_000;

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
}

/// One stage's distribution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// Name: the tag in the `.hlog` file.
    pub name: &'static str,
    /// What lies between its two instants.
    pub what: &'static str,
    /// Events.
    pub count: u64,
    /// Nanoseconds at 50, 90, 99, 99.9 and 99.99 %, and the longest.
    pub percentiles: [u64; 6],
    #[serde(skip)]
    histogram: Histogram<u64>,
}

/// A percentile curve: share of events, nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it shows.
    pub name: String,
    /// Points, shares ascending.
    pub points: Vec<(f64, u64)>,
}

/// Figures of a run.
#[derive(Debug, Clone, Serialize)]
pub struct LatencyReport {
    /// Rows with bars.
    #[serde(flatten)]
    pub report: Report,
    /// Every stage.
    pub stages: Vec<Stage>,
    #[serde(skip)]
    started: SystemTime,
    #[serde(skip)]
    lasted: Duration,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3)
        .expect("the bounds are legal: 1 ≤ low, 2·low ≤ high, digits ≤ 5")
}

impl Stage {
    fn new(name: &'static str, what: &'static str, histogram: Histogram<u64>) -> Stage {
        let at = |share: f64| histogram.value_at_quantile(share);
        let percentiles = [at(0.5), at(0.9), at(0.99), at(0.999), at(0.9999), histogram.max()];
        Stage { name, what, count: histogram.len(), percentiles, histogram }
    }

    /// The stage as a line of a table.
    pub fn cells(&self) -> Vec<String> {
        self.percentiles.iter().map(|ns| duration_text(*ns as f64)).collect()
    }

    fn curve(&self) -> Curve {
        // Ten points per decade of what is left above.
        let shares = (0..=50).map(|n| 1.0 - 10f64.powf(-f64::from(n) / 10.0));
        let points = shares.map(|share| (share, self.histogram.value_at_quantile(share))).collect();
        Curve { name: format!("{}: {}", self.name, self.what), points }
    }
}

impl LatencyReport {
    /// The curves worth a picture: whole paths and both calibrations.
    pub fn curves(&self) -> Vec<Curve> {
        let whole = |stage: &&Stage| ["order", "event", "bare", "hiccup"].contains(&stage.name);
        self.stages.iter().filter(whole).map(Stage::curve).collect()
    }

    /// Writes every stage as a tagged histogram of an HdrHistogram interval log.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_hlog(&self, path: &Path) -> Result<(), RunError> {
        let mut bytes = Vec::new();
        let failed = |problem: String| RunError::Text { path: path.display().to_string(), problem };
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment(&format!("onetape bench latency, {}; nanoseconds", self.report.tape))
            .with_start_time(self.started)
            .begin_log_with(&mut bytes, &mut serializer)
            .map_err(|e| failed(e.to_string()))?;
        for stage in &self.stages {
            let start = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
            log.write_histogram(&stage.histogram, start, self.lasted, Tag::new(stage.name))
                .map_err(|e| failed(format!("{e:?}")))?;
        }
        drop(log);
        std::fs::write(path, bytes).map_err(|e| RunError::io(path, e))
    }
}

/// An event on its way, and when.
struct Parcel {
    planned_ns: u64,
    sent_ns: u64,
    bytes: [u8; size_of::<Record>()],
}

/// Nanoseconds since the run's beginning.
#[derive(Clone, Copy)]
struct Watch(Instant);

impl Watch {
    fn ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Spins, or sleeps while there is time for it, until `ns`; returns the time.
    fn wait(self, ns: u64) -> u64 {
        const SLEEP_FROM_NS: u64 = 2_000_000;
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
fn planned(n: u64, rate: u64) -> u64 {
    // A beginning in the future lets both threads start.
    20_000_000 + (u128::from(n) * 1_000_000_000 / u128::from(rate.max(1))) as u64
}

fn source(watch: Watch, rate: u64, records: &[Record], queue: &Sender<Parcel>) {
    for (n, record) in (0u64..).zip(records) {
        let planned_ns = planned(n, rate);
        watch.wait(planned_ns);
        let mut bytes = [0; size_of::<Record>()];
        bytes.copy_from_slice(record.as_bytes());
        let parcel = Parcel { planned_ns, sent_ns: watch.ns(), bytes };
        if queue.send(parcel).is_err() {
            return;
        }
    }
}

fn receive(queue: &Receiver<Parcel>) -> Option<Parcel> {
    loop {
        match queue.try_recv() {
            Ok(parcel) => return Some(parcel),
            Err(TryRecvError::Empty) => spin_loop(),
            Err(TryRecvError::Disconnected) => return None,
        }
    }
}

/// Runs a source beside `consume`, which takes every parcel with its number.
fn run<E>(
    plan: &LatencyPlan,
    records: &[Record],
    mut consume: impl FnMut(Watch, u64, &Parcel) -> Result<(), E>,
) -> Result<(), E> {
    let (sender, receiver) = bounded(QUEUE);
    let watch = Watch(Instant::now());
    std::thread::scope(|scope| {
        scope.spawn(move || source(watch, plan.rate, records, &sender));
        let mut n = 0;
        while let Some(parcel) = receive(&receiver) {
            consume(watch, n, &parcel)?;
            n += 1;
        }
        Ok(())
    })
}

/// One thread that only waits for planned instants.
fn hiccups(plan: &LatencyPlan) -> Histogram<u64> {
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

fn bare(plan: &LatencyPlan, records: &[Record]) -> Histogram<u64> {
    let mut late = histogram();
    let done: Result<(), std::convert::Infallible> = run(plan, records, |watch, n, parcel| {
        let record = black_box(Record::read_from_bytes(&parcel.bytes).ok());
        if n >= plan.warmup && record.is_some() {
            late.saturating_record(watch.ns().saturating_sub(parcel.planned_ns));
        }
        Ok(())
    });
    match done {
        Ok(()) => late,
    }
}

/// The loop thread: a driver over a journal, and what it measures.
struct LoopThread {
    driver: Driver<Checksum>,
    sink: Sink,
    spare: Block,
    order_bytes: Vec<u8>,
    sealed_ns: u64,
    epoch: Nanos,
    stages: Stages,
}

#[derive(Default)]
struct Stages {
    late: Option<Histogram<u64>>,
    queue: Option<Histogram<u64>>,
    inside: Option<Histogram<u64>>,
    handover: Option<Histogram<u64>>,
    bytes: Option<Histogram<u64>>,
    event: Option<Histogram<u64>>,
    order: Option<Histogram<u64>>,
}

fn note(stage: &mut Option<Histogram<u64>>, from: u64, to: u64) {
    stage.get_or_insert_with(histogram).saturating_record(to.saturating_sub(from));
}

impl LoopThread {
    fn drive(&mut self, record: Record) -> Result<(), RunError> {
        let mut block = std::mem::take(&mut self.spare);
        block.inputs.push(record);
        self.spare = self.driver.drive(block, &mut self.sink)?;
        Ok(())
    }

    fn orders(&self) -> u64 {
        self.driver.kernel().strategies().next().map_or(0, |strategy| strategy.orders)
    }

    fn seal(&mut self, at_ns: u64) -> Result<(), RunError> {
        let head = Head::at(Nanos(self.epoch.0 + at_ns), InstrumentIx::NONE);
        self.sealed_ns = at_ns;
        self.drive(Record::new(head, Body::Seal))
    }

    fn take(&mut self, watch: Watch, parcel: &Parcel, counts: bool) -> Result<(), RunError> {
        let taken_ns = watch.ns();
        let orders = self.orders();
        if let Ok(mut record) = Record::read_from_bytes(&parcel.bytes) {
            // Receipt is stamped once, here.
            record.ts = self.epoch.0 + taken_ns;
            record.ts_src = self.epoch.0 + parcel.planned_ns.min(taken_ns);
            self.drive(record)?;
        }
        let applied_ns = watch.ns();
        let is_order = self.orders() > orders;
        let mut done_ns = applied_ns;
        if is_order || taken_ns - self.sealed_ns >= SEAL_EVERY_NS {
            self.seal(taken_ns)?;
            done_ns = watch.ns();
            if counts {
                note(&mut self.stages.handover, applied_ns, done_ns);
            }
        }
        if is_order {
            encode(self.driver.kernel().orders().last(), &mut self.order_bytes);
            let sent_ns = watch.ns();
            if counts {
                note(&mut self.stages.bytes, done_ns, sent_ns);
                note(&mut self.stages.order, parcel.planned_ns, sent_ns);
            }
        }
        if counts {
            note(&mut self.stages.late, parcel.planned_ns, parcel.sent_ns);
            note(&mut self.stages.queue, parcel.sent_ns, taken_ns);
            note(&mut self.stages.inside, taken_ns, applied_ns);
            note(&mut self.stages.event, parcel.planned_ns, applied_ns);
        }
        Ok(())
    }
}

/// The order as a gateway would hand it to its socket.
fn encode(order: Option<&Order>, bytes: &mut Vec<u8>) {
    bytes.clear();
    if let Some(order) = order {
        let encoding = bincode::config::standard().with_fixed_int_encoding();
        bincode::serde::encode_into_std_write(&order.package, &mut *bytes, encoding)
            .expect("a package is plain data and memory takes every byte");
    }
    black_box(&bytes);
}

/// Measures the stages; `progress` is told what is next.
///
/// # Errors
/// When the journal's temporary folder cannot be written.
pub fn latency(plan: &LatencyPlan, progress: &mut dyn FnMut(&str)) -> Result<LatencyReport, RunError> {
    let started = SystemTime::now();
    let all = plan.warmup + plan.events;
    let mut blocks = Walk::new(1, all);
    // The definition goes ahead; what is paced is quotes.
    let mut first = blocks.next().unwrap_or_default();
    let mut records = first.inputs.split_off(1);
    records.extend(blocks.flat_map(|block| block.inputs));
    progress("hiccup calibration");
    let hiccup = hiccups(plan);
    progress("bare hand-over");
    let bare = bare(plan, &records);
    progress("live path");
    let settings = Settings { work: 0, every: plan.order_every };
    let folder = Folder::new("latency");
    let epoch = first.inputs.first().map_or(Nanos(0), Record::ts);
    let mut thread = LoopThread {
        driver: Driver::new(settings.config(), vec![settings.strategy()]),
        sink: open(&folder)?,
        spare: Block::default(),
        order_bytes: Vec::new(),
        sealed_ns: 0,
        epoch,
        stages: Stages::default(),
    };
    thread.driver.start(&settings.config(), epoch, &mut thread.sink)?;
    thread.driver.drive(first, &mut thread.sink)?;
    let began = Instant::now();
    run(plan, &records, |watch, n, parcel| thread.take(watch, parcel, n >= plan.warmup))?;
    let lasted = began.elapsed();
    let orders = thread.orders();
    thread.driver.end(Nanos(u64::MAX / 4), &mut thread.sink)?;
    thread.sink.finish()?;
    assert_eq!(orders, all / plan.order_every.max(1), "every order was sent");
    let stages = stages(thread.stages, hiccup, bare);
    let rows = rows(&stages);
    let tape = format!(
        "{} quotes at {}/s, an order on each {}th, full journal",
        plan.events, plan.rate, plan.order_every
    );
    let report = Report::new("latency", tape, rows);
    Ok(LatencyReport { report, stages, started, lasted })
}

fn stages(found: Stages, hiccup: Histogram<u64>, bare: Histogram<u64>) -> Vec<Stage> {
    let stage =
        |name, what, found: Option<Histogram<u64>>| Stage::new(name, what, found.unwrap_or_else(histogram));
    vec![
        stage("hiccup", "calibration: a thread that only waits", Some(hiccup)),
        stage("bare", "calibration: planned → taken, nothing done", Some(bare)),
        stage("late", "planned → sent", found.late),
        stage("queue", "sent → taken", found.queue),
        stage("loop", "decode, books, strategy, risk, order", found.inside),
        stage("journal", "seal, block handed to the journal thread", found.handover),
        stage("bytes", "order as bytes", found.bytes),
        stage("event", "planned → applied, every event", found.event),
        stage("order", "planned → order bytes, journal on", found.order),
    ]
}

fn rows(stages: &[Stage]) -> Vec<Row> {
    let us = |name: &str, index: usize| {
        stages
            .iter()
            .find(|stage| stage.name == name)
            .map_or(0.0, |stage| stage.percentiles[index] as f64 / 1e3)
    };
    let p99 = f64::max(25.0, 2.0 * us("hiccup", 2));
    vec![
        Row::context("hiccup.p99", "machine's own hiccups, p99", us("hiccup", 2), "µs"),
        Row::context("bare.p50", "bare hand-over, p50", us("bare", 0), "µs"),
        Row::context("bare.p99", "bare hand-over, p99", us("bare", 2), "µs"),
        Row::cost("order.p50", "market bytes → order bytes, p50", us("order", 0), "µs", Some(5.0)),
        Row::cost(
            "order.p99",
            "market bytes → order bytes, p99 (25, or 2 × hiccups)",
            us("order", 2),
            "µs",
            Some(p99),
        ),
        Row::cost("event.p50", "market bytes → applied, p50", us("event", 0), "µs", None),
        Row::cost("event.p99", "market bytes → applied, p99", us("event", 2), "µs", None),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_is_measured_and_logged() {
        let plan = LatencyPlan { rate: 50_000, events: 2_000, warmup: 100, order_every: 50 };
        let report = latency(&plan, &mut |_| {}).unwrap();
        for stage in &report.stages {
            let events = match stage.name {
                "bytes" | "order" => 40,
                "journal" => stage.count.max(40),
                _ => 2_000,
            };
            assert_eq!(stage.count, events, "{}", stage.name);
            assert!(stage.percentiles.is_sorted(), "{}: {:?}", stage.name, stage.percentiles);
        }
        let path = std::env::temp_dir().join(format!("onetape-{}.hlog", std::process::id()));
        report.write_hlog(&path).unwrap();
        let log = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(log.matches("Tag=").count(), report.stages.len());
        assert_eq!(report.curves().len(), 4);
    }

    #[test]
    fn events_are_planned_evenly() {
        assert_eq!(planned(1_000, 1_000) - planned(0, 1_000), 1_000_000_000);
    }
}
