//! Throughput of loop and journal on this machine, beside the budgets.
//!
//! The tape is workload W1 (one instrument, integer random walk, 1 ms apart) made in memory.
//! Rates are inputs per second of thread CPU time, so a busy neighbour costs little; a rate over
//! several threads divides by the busiest one. Calibration: summing the same 64-byte records.

use crate::driver::{BlockSink, DriveError, Driver};
use crate::error::RunError;
use crate::sink::Sink;
use onetape_engine::block::{Block, INPUTS_MAX};
use onetape_engine::config::{RunConfig, StrategyConfig};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Nanos, Price, Qty, SCALE};
use onetape_engine::order::{Package, TimeInForce};
use onetape_engine::record::{Body, Head, Quote, Record, flags};
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_journal::{JournalThread, JournalWriter};
use serde::Serialize;
use std::convert::Infallible;
use std::time::{Duration, Instant};

/// One figure beside its bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Figure.
    pub figure: f64,
    /// Unit.
    pub unit: &'static str,
    /// Bar of the design.
    pub bar: String,
}

/// Figures of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Processor and cores.
    pub machine: String,
    /// Quotes on the tape.
    pub events: u64,
    /// Figures.
    pub rows: Vec<Row>,
}

/// W1's quotes.
fn w1_quotes(count: u64) -> Vec<Record> {
    let (mut state, mut mid) = (42u64, 100_000i64);
    let cent = SCALE / 100;
    (0..count)
        .map(|n| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let r = (state >> 33) as i64;
            mid = (mid + r % 3 - 1).clamp(50_000, 150_000);
            let quote = Quote {
                bid: (mid - 1) * cent,
                ask: (mid + 1) * cent,
                bid_size: (10 + (r / 3) % 90) * SCALE,
                ask_size: (10 + (r / 270) % 90) * SCALE,
                ..Quote::default()
            };
            let mut head = Head::at(Nanos(1_700_000_000_000_000_000 + n * 1_000_000), InstrumentIx(0));
            head.flags |= flags::BID | flags::ASK;
            Record::new(head, Body::Quote(quote))
        })
        .collect()
}

/// Folds the best bid and ask of every quote; keeps one order resting far from the market.
#[derive(Debug, Default)]
struct Checksum {
    sum: u64,
    /// Rounds of extra arithmetic per quote, to stand for a working strategy.
    work: u32,
    has_order: bool,
}

impl Strategy for Checksum {
    fn name(&self) -> &'static str {
        "checksum"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn save(&self, out: &mut Vec<u8>) {
        out.extend(self.sum.to_le_bytes());
    }
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        if let Some(top) = ctx.top(instrument) {
            let fold = |sum: u64, raw: i64| sum.wrapping_mul(31).wrapping_add(raw as u64);
            self.sum = fold(fold(self.sum, top.bid.price.0), top.ask.price.0);
        }
        for _ in 0..self.work {
            // A dependent multiply-rotate chain: about four cycles a round, nothing to skip.
            self.sum = self.sum.rotate_left(7).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
        if !self.has_order {
            self.has_order = true;
            let package = Package::limit(instrument, Qty::ONE, Price(SCALE)).with_tif(TimeInForce::Gtc);
            ctx.submit(package);
        }
        Flow::Continue
    }
}

struct Discard;

impl BlockSink for Discard {
    type Error = Infallible;
    fn put(&mut self, mut block: Block) -> Result<Block, Infallible> {
        block.inputs.clear();
        block.cold.clear();
        block.derived.clear();
        Ok(block)
    }
}

fn config() -> RunConfig {
    let mut config = RunConfig::default();
    config.strategies.push(StrategyConfig {
        name: "checksum".into(),
        version: "1".into(),
        params: Vec::new(),
    });
    // The resting order is far from the market on purpose.
    config.risk.collar_fraction = None;
    config
}

fn definition(at: Nanos) -> Block {
    let record = Record::new(Head::at(at, InstrumentIx::NONE), Body::Cold(0));
    let cold = vec![Cold::Definition(Box::new(InstrumentDef::equity("TEST")))];
    Block { inputs: vec![record], cold, ..Block::default() }
}

/// CPU time of the calling thread, from the kernel's accounting; wall time where there is none.
fn cpu_now(epoch: Instant) -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split_whitespace().next().and_then(|ns| ns.parse().ok());
    ns.map_or_else(|| epoch.elapsed(), Duration::from_nanos)
}

/// Drives the tape; returns the loop thread's CPU time and the strategy's checksum.
fn drive<K: BlockSink>(tape: &[Record], work: u32, sink: &mut K) -> Result<(Duration, u64), RunError>
where
    RunError: From<DriveError<K::Error>>,
{
    let strategy = Checksum { work, ..Checksum::default() };
    let config = config();
    let mut driver = Driver::new(config.clone(), vec![strategy]);
    let first = tape.first().map_or(Nanos(0), Record::ts);
    let last = tape.last().map_or(Nanos(0), Record::ts);
    // The tape is cut into blocks beforehand: a session's reader hands over whole blocks.
    let mut first_block = definition(first);
    let (head, rest) = tape.split_at(tape.len().min(INPUTS_MAX - 1));
    first_block.inputs.extend_from_slice(head);
    let mut blocks = vec![first_block];
    blocks.extend(rest.chunks(INPUTS_MAX).map(|part| Block { inputs: part.to_vec(), ..Block::default() }));
    let epoch = Instant::now();
    let started = cpu_now(epoch);
    driver.start(&config, first, sink)?;
    for block in blocks {
        driver.drive(block, sink)?;
    }
    driver.end(last, sink)?;
    let spent = cpu_now(epoch).saturating_sub(started);
    let sum = driver.kernel().strategies().map(|strategy| strategy.sum).next().unwrap_or(0);
    Ok((spent, sum))
}

impl From<DriveError<Infallible>> for RunError {
    fn from(error: DriveError<Infallible>) -> RunError {
        match error {
            DriveError::Kernel(source) => RunError::Input { path: "the generated tape".to_string(), source },
            DriveError::Sink(never) => match never {},
        }
    }
}

impl From<DriveError<RunError>> for RunError {
    fn from(error: DriveError<RunError>) -> RunError {
        match error {
            DriveError::Kernel(source) => RunError::Input { path: "the generated tape".to_string(), source },
            DriveError::Sink(error) => error,
        }
    }
}

fn row(what: &str, figure: f64, unit: &'static str, bar: &str) -> Row {
    Row { what: what.to_string(), figure, unit, bar: bar.to_string() }
}

/// Measures the loop alone and with a full journal.
///
/// # Errors
/// When the journal's temporary folder cannot be written.
pub fn throughput(events: u64) -> Result<Report, RunError> {
    let tape = w1_quotes(events);
    let n = tape.len() as f64;
    let epoch = Instant::now();
    let started = cpu_now(epoch);
    let calibration =
        tape.iter().fold(0u64, |sum, r| r.body.iter().fold(sum ^ r.ts, |s, w| s.wrapping_add(*w)));
    std::hint::black_box(calibration);
    let scan = cpu_now(epoch).saturating_sub(started).as_secs_f64();
    let (bare, sum_bare) = drive(&tape, 0, &mut Discard)?;
    let (worked, sum_worked) = drive(&tape, WORK_ROUNDS, &mut Discard)?;
    let own = (worked.as_secs_f64() - bare.as_secs_f64()).max(0.0) * 1e9 / n;
    let folder = std::env::temp_dir().join(format!("onetape-bench-{}", std::process::id()));
    let journaled = journal_run(&tape, &folder);
    std::fs::remove_dir_all(&folder).ok();
    let (loop_cpu, writer_cpu, bytes, sum_journal) = journaled?;
    assert!(
        sum_worked == sum_journal && sum_bare != 0,
        "the same tape gives the same checksum with and without a journal"
    );
    let busiest = loop_cpu.max(writer_cpu).as_secs_f64();
    let rows = vec![
        row("calibration: sum of the same records", n / scan.max(1e-9) / 1e6, "M records/s", "-"),
        row("loop, journal off, one resting order", n / bare.as_secs_f64() / 1e6, "M events/s", "≥ 25"),
        row("  per event", bare.as_secs_f64() * 1e9 / n, "ns", "≤ 40"),
        row("  ratio to calibration", scan / bare.as_secs_f64().max(1e-9), "×", "-"),
        row("strategy's own work in the rows below", own, "ns", "≥ 35"),
        row("loop → full journal, inputs / busiest thread", n / busiest.max(1e-9) / 1e6, "M inputs/s", "≥ 8"),
        row("  loop thread per input", loop_cpu.as_secs_f64() * 1e9 / n, "ns", "-"),
        row("  journal thread per input", writer_cpu.as_secs_f64() * 1e9 / n, "ns", "≤ 110"),
        row("  journal bytes per input", bytes as f64 / n, "B", "≤ 13"),
    ];
    Ok(Report { machine: machine(), events, rows })
}

/// Rounds of [`Checksum`] that cost a little over 35 ns on current processors.
const WORK_ROUNDS: u32 = 50;

fn journal_run(
    tape: &[Record],
    folder: &std::path::Path,
) -> Result<(Duration, Duration, u64, u64), RunError> {
    let writer = JournalWriter::create(folder, [0; 32])?;
    let mut sink = Sink::Journal(Box::new(JournalThread::start(writer)?));
    let (loop_cpu, sum) = drive(tape, WORK_ROUNDS, &mut sink)?;
    let done = sink.finish()?;
    Ok((loop_cpu, done.cpu.unwrap_or_default(), done.frame_bytes, sum))
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}
