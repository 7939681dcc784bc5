//! The journal's rows: writing, pacing, verifying, re-deriving.

use super::strategy::{Checksum, Discard, Settings, WORK_ROUNDS};
use super::tape::{Tape, Walk};
use super::throughput::{Driven, drive, drive_tape, each, rate};
use super::{Row, median, process_cpu};
use crate::driver::{BlockSink, DriveError};
use crate::error::RunError;
use crate::rederive::Rederivation;
use crate::sink::Sink;
use onetape_engine::block::Block;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Record};
use onetape_journal::{JournalThread, JournalWriter, verify, verify_with};
use onetape_strategies::Registry;
use onetape_tape::codec::{Decoder, Encoder, Hash};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A folder for one journal, removed with it.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(name: &str) -> Folder {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        Folder(std::env::temp_dir().join(format!("onetape-{name}-{}-{n}", std::process::id())))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // The system clears its temporary folder anyway.
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A tape in a journal, and what it cost.
pub(super) struct Journaled {
    pub(super) driven: Driven,
    pub(super) writer_ns: f64,
    pub(super) read_ns: f64,
    /// Frame bytes per input.
    pub(super) bytes: f64,
    pub(super) head: String,
}

pub(super) fn open(folder: &Folder) -> Result<Sink, RunError> {
    let writer = JournalWriter::create(folder.path(), [0; 32])?;
    Ok(Sink::Journal(Box::new(JournalThread::start(writer)?)))
}

/// Writes a tape's run into a full journal.
pub(super) fn write(tape: &Tape, folder: &Folder) -> Result<Journaled, RunError> {
    let mut sink = open(folder)?;
    let driven = drive_tape(tape, WORK_ROUNDS, &mut sink)?;
    let done = sink.finish()?;
    let writer_ns = each(done.cpu.unwrap_or_default(), tape.inputs);
    let bytes = done.frame_bytes as f64 / tape.inputs.max(1) as f64;
    let read_ns = tape.read_ns.map_or_else(|| decode_ns(tape), Ok)?;
    Ok(Journaled { driven, writer_ns, read_ns, bytes, head: done.head_hash })
}

/// What decoding a generated tape's blocks would cost a reader, per input.
fn decode_ns(tape: &Tape) -> Result<f64, RunError> {
    let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
    let (mut frame, mut block, mut spent, mut inputs) = (Vec::new(), Block::default(), Duration::ZERO, 0);
    for source in tape.blocks.iter().take(256) {
        let failed = |source| {
            RunError::Journal(onetape_journal::JournalError::Block {
                path: tape.name.clone(),
                seq: 0,
                source,
            })
        };
        encoder.encode(source, &Hash::ZERO, &Hash::ZERO, &mut frame).map_err(failed)?;
        let started = super::thread_cpu();
        decoder.decode(&frame, &mut block).map_err(failed)?;
        spent += super::thread_cpu() - started;
        inputs += block.inputs.len() as u64;
    }
    Ok(each(spent, inputs))
}

/// Verification and re-derivation of a journal whose head is known.
pub(super) fn check_rows(
    name: &str,
    folder: &Folder,
    head: &str,
    rows: &mut Vec<Row>,
) -> Result<(), RunError> {
    let (wall, cpu) = (Instant::now(), process_cpu());
    let report = verify(folder.path())?;
    let (wall, cpu) = (wall.elapsed(), process_cpu() - cpu);
    assert!(report.ok && report.head == head, "the journal verifies: {}", report.message);
    let verify = (rate(each(cpu, report.events)), rate(each(wall, report.events)));

    let mut registry = Registry::empty();
    registry.register_type::<Checksum>("the bench's own");
    let (wall, cpu) = (Instant::now(), process_cpu());
    let (mut again, mut failure) = (None, None);
    let report = verify_with(folder.path(), &|_| Ok(None), |block| {
        if failure.is_none() {
            failure = rederive(&mut again, block, &registry, name).err();
        }
    })?;
    let (wall, cpu) = (wall.elapsed(), process_cpu() - cpu);
    failure.map_or(Ok(()), Err)?;
    let mismatches = again.map_or(u64::MAX, |again| again.result().mismatches);
    assert!(report.ok && mismatches == 0, "the journal re-derives: {mismatches} mismatches");
    let rederive = (rate(each(cpu, report.events)), rate(each(wall, report.events)));
    let row = |suffix: &str| format!("{name}.{suffix}");
    rows.extend([
        Row::rate(&row("verify"), "  verify, per CPU second", verify.0, "M events/s", Some(15.0)),
        Row::rate(&row("verify.wall"), "    per second", verify.1, "M events/s", None),
        Row::rate(
            &row("rederive"),
            "  verify and re-derive, per CPU second",
            rederive.0,
            "M events/s",
            Some(5.0),
        ),
        Row::rate(&row("rederive.wall"), "    per second", rederive.1, "M events/s", None),
    ]);
    Ok(())
}

/// Demands that a journal verifies and ends in `head`.
pub(super) fn verify_again(folder: &Folder, head: &str) -> Result<(), RunError> {
    let report = verify(folder.path())?;
    assert!(report.ok && report.head == head, "the journal verifies: {}", report.message);
    Ok(())
}

fn rederive(
    again: &mut Option<Rederivation>,
    block: &Block,
    registry: &Registry,
    name: &str,
) -> Result<(), RunError> {
    let again = match again {
        Some(again) => again,
        None => again.insert(Rederivation::begin(block, registry, name)?),
    };
    again.block(block)
}

/// Quotes a second of the paced row.
const PACE: u64 = 5_000_000;
/// Event and wall time between seals of the paced row.
const SEAL_EVERY: Duration = Duration::from_millis(10);

/// The loop thread's CPU with the journal on and off, both paced as a busy feed is, a seal every 10 ms. The machine
/// drifts by more than what is looked for: pairs side by side, each the other way round, and the middle of their ratios.
pub(super) fn paced_rows(events: u64, rows: &mut Vec<Row>) -> Result<(), RunError> {
    let some = events / PAIRS;
    let off = || Ok(each(paced(some, &mut Discard)?.cpu, some));
    let on = || {
        let folder = Folder::new("paced");
        let mut sink = open(&folder)?;
        let on = each(paced(some, &mut sink)?.cpu, some);
        sink.finish()?;
        Ok(on)
    };
    let (off, ratio) = pairs(off, on)?;
    let hashes = hash_only(events)?;
    rows.extend([
        Row::context("paced.off", "paced 5 M quotes/s, seals each 10 ms: loop thread", off, "ns"),
        Row::cost("paced.on", "  with the full journal ÷ without", ratio, "×", Some(1.05)),
        Row::context("paced.hashes", "  hashes only, unpaced (search): loop thread", hashes, "ns"),
    ]);
    Ok(())
}

/// Pairs of a figure without and with something.
pub(super) const PAIRS: u64 = 5;

/// Medians of `off`, and of the ratios of pairs measured one after the other.
pub(super) fn pairs(
    mut off: impl FnMut() -> Result<f64, RunError>,
    mut on: impl FnMut() -> Result<f64, RunError>,
) -> Result<(f64, f64), RunError> {
    let (mut offs, mut ratios) = (Vec::new(), Vec::new());
    for n in 0..PAIRS {
        let (without, with) = if n % 2 == 0 {
            let without = off()?;
            (without, on()?)
        } else {
            let with = on()?;
            (off()?, with)
        };
        offs.push(without);
        ratios.push(with / without.max(1e-9));
    }
    Ok((median(&offs), median(&ratios)))
}

fn hash_only(events: u64) -> Result<f64, RunError> {
    let mut sink = Sink::Hashes(Box::default());
    Ok(each(drive(worked(), ends(events), Walk::new(1, events), &mut sink)?.cpu, events))
}

fn worked() -> Settings {
    Settings { work: WORK_ROUNDS, every: 0 }
}

fn ends(events: u64) -> (Nanos, Nanos) {
    let tape = Tape::walk(1, 1);
    (tape.first_ts(), Nanos(tape.last_ts().0 + events * 1_000_000))
}

fn paced<K: BlockSink>(events: u64, sink: &mut K) -> Result<Driven, RunError>
where
    RunError: From<DriveError<K::Error>>,
{
    let started = Instant::now();
    let (mut sent, mut sealed) = (0u64, SEAL_EVERY);
    let blocks = Walk::new(1, events).map(move |mut block| {
        sent += block.inputs.len() as u64;
        let due = Duration::from_nanos(sent * (1_000_000_000 / PACE));
        if due >= sealed {
            sealed += SEAL_EVERY;
            let at = block.inputs.last().map_or(Nanos(0), Record::ts);
            // In the place of a quote: the block keeps its length.
            block.inputs.pop();
            block.inputs.push(Record::new(Head::at(at, InstrumentIx::NONE), Body::Seal));
        }
        std::thread::sleep(due.saturating_sub(started.elapsed()));
        block
    });
    drive(worked(), ends(events), blocks, sink)
}
