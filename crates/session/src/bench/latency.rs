//! Latency of the live path: market bytes in, order bytes out.
//!
//! ```text
//!  source thread ── bytes, paced ──> queue ──> Sequencer: decode, loop, risk ─> block handed over ─> order bytes
//!    planned t0, sent t1             taken t2 ............... applied t3          └─> journal thread
//! ```
//! The sequencer, the journal thread, the way the loop thread waits and the release of orders are those of a live
//! run. Every stage is taken against a clock, and the whole against the instant at which the event was *planned* to
//! be sent: an event that had to wait because the one before it was slow counts its wait (no coordinated
//! omission). Calibrations run beside it, paced alike: the machine's hiccups (one thread that only waits for the
//! same instants), the bare hand-over (the same two threads and queue, nothing in between), a bare echo
//! ([`loopback`](super::loopback)), and pairs of bare syncs. What the machine does to a thread changes from second to
//! second, so a run takes turns: each of its turns has every calibration beside what it calibrates, and a
//! ratio is the middle one of the turns' ratios.

use super::Report;
use super::journal::Folder;
use super::loopback::{self, Over};
use super::paced::{Watch, hiccups, run, syncs};
use super::path::{LivePath, Released, Stages};
use super::stages::{LatencyReport, Ratios, Stage, histogram, rows};
use super::tape::Walk;
use crate::error::RunError;
use crate::live::Durability;
use hdrhistogram::Histogram;
use onetape_engine::block::Block;
use onetape_engine::record::Record;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

/// Quotes a second at most, and quotes at most, of the part in which orders wait for the disk.
const DURABLE: (u64, u64) = (1_000, 5_000);

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

impl LatencyPlan {
    /// One turn of the run.
    fn turn(&self) -> LatencyPlan {
        LatencyPlan { events: self.events / TURNS, warmup: self.warmup / TURNS, ..self.clone() }
    }

    /// The same with orders that wait for the disk, slow enough for one.
    fn durable(&self) -> LatencyPlan {
        let (rate, events) = DURABLE;
        LatencyPlan {
            rate: self.rate.min(rate),
            events: self.events.min(events),
            warmup: self.warmup.min(events / 10),
            order_every: self.order_every,
            durability: Durability::Order,
        }
    }
}

/// Turns of calibrations and paths.
const TURNS: u64 = 5;

/// The tape: the definition, and the quotes that are paced.
#[derive(Clone)]
pub(super) struct Paced {
    pub(super) first: Block,
    pub(super) records: Vec<Record>,
}

impl Paced {
    fn of(plan: &LatencyPlan) -> Paced {
        let mut blocks = Walk::new(1, plan.warmup + plan.events);
        let mut first = blocks.next().unwrap_or_default();
        let mut records = first.inputs.split_off(1);
        records.extend(blocks.flat_map(|block| block.inputs));
        Paced { first, records }
    }
}

/// Drives the live path within the process.
fn in_process(plan: &LatencyPlan, tape: &Paced, folder: &Path) -> Result<(Stages, Released), RunError> {
    let watch = Watch(Instant::now());
    let send = Box::new(|bytes: &_| {
        black_box(bytes);
        Ok(())
    });
    let mut path = LivePath::begin(plan, tape.first.clone(), folder, watch, send)?;
    run(plan, &tape.records, watch, |parcel| {
        let Some((n, parcel)) = parcel else { return path.idle() };
        path.take(n, parcel).map(|()| Duration::ZERO)
    })?;
    path.finish()
}

/// What all turns found, and the ratios of each.
struct Turns {
    hiccup: Histogram<u64>,
    bare: Histogram<u64>,
    stages: Stages,
    released: Released,
    echo: Histogram<u64>,
    wire: Histogram<u64>,
    ratios: Vec<Ratios>,
}

impl Turns {
    fn run(plan: &LatencyPlan, folder: &Path, progress: &mut dyn FnMut(&str)) -> Result<Turns, RunError> {
        let [hiccup, bare, echo, wire] = [(); 4].map(|()| histogram());
        let (stages, released) = (Stages::empty(), Released::empty());
        let mut all = Turns { hiccup, bare, stages, released, echo, wire, ratios: Vec::new() };
        let (turn, tape) = (plan.turn(), Paced::of(&plan.turn()));
        for n in 1..=TURNS {
            progress(&format!("hand-over and live path, in process and over loopback ({n} of {TURNS})"));
            all.hiccup.add(hiccups(&turn)).expect(BOUNDS);
            let bare = super::paced::bare(&turn, &tape.records);
            let (stages, released) = in_process(&turn, &tape, &folder.join(format!("process-{n}")))?;
            let (echo, _) = loopback::run(&turn, &tape, Over::Echo)?;
            let (wire, _) = loopback::run(&turn, &tape, Over::Live(&folder.join(format!("loopback-{n}"))))?;
            all.ratios
                .push(Ratios { order: Ratios::of(&released.order, &bare), wire: Ratios::of(&wire, &echo) });
            all.stages.add(stages);
            all.released.add(released);
            for (all, turn) in [(&mut all.bare, bare), (&mut all.echo, echo), (&mut all.wire, wire)] {
                all.add(turn).expect(BOUNDS);
            }
        }
        Ok(all)
    }
}

/// Why histograms can be added.
const BOUNDS: &str = "all histograms have the same bounds";

/// Measures the stages; `progress` is told what is next.
///
/// # Errors
/// When the journal's temporary folder cannot be written, or the loopback interface refuses a connection.
pub fn latency(plan: &LatencyPlan, progress: &mut dyn FnMut(&str)) -> Result<LatencyReport, RunError> {
    let (started, began) = (SystemTime::now(), Instant::now());
    let durable = plan.durable();
    let folder = Folder::new("latency");
    std::fs::create_dir_all(folder.path()).map_err(|e| RunError::io(folder.path(), e))?;
    let turns = Turns::run(plan, folder.path(), progress)?;
    let Turns { hiccup, bare, stages: found, released, echo, wire, ratios } = turns;
    progress("orders that wait for the disk, over loopback, between bare syncs");
    // The disk's own cost drifts: it is taken before and after.
    let between = Duration::from_secs(1).mul_f64(durable.order_every as f64 / durable.rate.max(1) as f64);
    let mut sync = syncs(folder.path(), between)?;
    let mut busy = syncs(folder.path(), Duration::ZERO)?;
    let (waited, at_gate) =
        loopback::run(&durable, &Paced::of(&durable), Over::Live(&folder.path().join("durable")))?;
    sync.add(syncs(folder.path(), between)?).expect(BOUNDS);
    busy.add(syncs(folder.path(), Duration::ZERO)?).expect(BOUNDS);
    let disk = at_gate.map_or_else(histogram, |released| released.gate);
    let stages = vec![
        Stage::new("sync", "calibration: two bare syncs of a file, as often as orders come", sync),
        Stage::new("busy", "calibration: two bare syncs of a file, one pair after the other", busy),
        Stage::new("hiccup", "calibration: a thread that only waits", hiccup),
        Stage::new("bare", "calibration: planned → taken, nothing done", bare),
        Stage::new("late", "planned → sent", found.late),
        Stage::new("queue", "sent → taken", found.queue),
        Stage::new("loop", "decode, books, strategy, risk, order, sealing, hand-over", found.inside),
        Stage::new("journal", "a sealed block handed to the journal thread, its orders out", found.handover),
        Stage::new("gate", "block to be handed over → its order free to leave", released.gate),
        Stage::new("bytes", "order as bytes", released.bytes),
        Stage::new("decide", "of quotes with an order: taken → block to be handed over", released.decide),
        Stage::new("came", "of quotes with an order: planned → taken", released.came),
        Stage::new("event", "planned → applied, every event", found.event),
        Stage::new("order", "planned → order bytes, in process", released.order),
        Stage::new("echo", "calibration: planned → echoed over loopback, the same threads", echo),
        Stage::new("wire", "planned → order bytes received over loopback", wire),
        Stage::new("durable", "the same, orders waiting for the disk", waited),
        Stage::new("disk", "of it: block to be handed over → durable, its order free to leave", disk),
    ];
    let rows = rows(&stages, &ratios, plan.durability);
    let tape = format!(
        "{} quotes in {TURNS} turns at {}/s, an order on each {}th, full journal, durability {}; durable: {} at {}/s",
        plan.turn().events * TURNS,
        plan.rate,
        plan.order_every,
        plan.durability.name(),
        durable.events,
        durable.rate,
    );
    Ok(LatencyReport { report: Report::new("latency", tape, rows), stages, started, lasted: began.elapsed() })
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
                "gate" | "bytes" | "decide" | "came" | "order" | "echo" | "wire" | "durable" | "disk" => 40,
                "journal" => stage.count.max(40),
                "sync" | "busy" => 2 * super::super::paced::SYNC_PAIRS as u64,
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
        assert_eq!(report.curves().len(), 6);
    }
}
