//! Loop, orders and journal, one row per budget.

use super::journal::{self, Journaled};
use super::strategy::{Checksum, Discard, Settings, WORK_ROUNDS};
use super::tape::{Tape, Walk};
use super::ticks;
use super::{Report, Row, join, thread_cpu};
use crate::driver::{BlockSink, DriveError, Driver};
use crate::error::RunError;
use onetape_engine::Strategy;
use onetape_engine::block::Block;
use onetape_engine::config::RunConfig;
use onetape_engine::num::Nanos;
use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The loop alone, with one and with many instruments.
    Loop,
    /// The order round trip, and the loop it is measured against.
    Orders,
    /// Journals of quotes, of levels and trades, and of the session.
    Journal,
    /// The market maker.
    MarketMaking,
}

/// What to measure.
#[derive(Debug, Clone)]
pub struct ThroughputPlan {
    /// Parts to measure; all when there are none.
    pub only: Vec<Part>,
    /// Quotes of the generated tape.
    pub events: u64,
    /// Orders of the longest order run.
    pub orders: u64,
    /// A recorded session to put through the journal too.
    pub session: Option<PathBuf>,
    /// Samples of each figure.
    pub repeat: u32,
}

/// What a drive cost and came to.
pub(super) struct Driven {
    /// CPU of the loop thread inside the loop.
    pub(super) cpu: Duration,
    /// The strategy at the end.
    pub(super) strategy: Checksum,
}

/// Drives blocks through the loop into a sink; `blocks` is asked for the next outside the clock.
pub(super) fn drive<K: BlockSink>(
    settings: Settings,
    (first, last): (Nanos, Nanos),
    blocks: impl Iterator<Item = Block>,
    sink: &mut K,
) -> Result<Driven, RunError>
where
    RunError: From<DriveError<K::Error>>,
{
    let (cpu, driver) = drive_strategy(&settings.config(), settings.strategy(), (first, last), blocks, sink)?;
    let strategy = driver.kernel().strategies().next().cloned().unwrap_or_default();
    Ok(Driven { cpu, strategy })
}

/// As [`drive`] with any strategy; CPU of the loop thread inside the loop, and the driver at the end.
pub(super) fn drive_strategy<S: Strategy, K: BlockSink>(
    config: &RunConfig,
    strategy: S,
    (first, last): (Nanos, Nanos),
    blocks: impl Iterator<Item = Block>,
    sink: &mut K,
) -> Result<(Duration, Driver<S>), RunError>
where
    RunError: From<DriveError<K::Error>>,
{
    let mut driver = Driver::new(config.clone(), vec![strategy]);
    driver.start(config, first, sink)?;
    let mut cpu = Duration::ZERO;
    for block in blocks {
        let started = thread_cpu();
        driver.drive(block, sink)?;
        cpu += thread_cpu() - started;
    }
    driver.end(last, sink)?;
    Ok((cpu, driver))
}

impl From<DriveError<Infallible>> for RunError {
    fn from(error: DriveError<Infallible>) -> RunError {
        match error {
            DriveError::Kernel(source) => RunError::Input { path: "the measured tape".to_string(), source },
            DriveError::Sink(never) => match never {},
        }
    }
}

impl From<DriveError<RunError>> for RunError {
    fn from(error: DriveError<RunError>) -> RunError {
        match error {
            DriveError::Kernel(source) => RunError::Input { path: "the measured tape".to_string(), source },
            DriveError::Sink(error) => error,
        }
    }
}

pub(super) fn each(time: Duration, events: u64) -> f64 {
    time.as_nanos() as f64 / events.max(1) as f64
}

/// Millions a second of something that takes `ns` nanoseconds.
pub(super) fn rate(ns: f64) -> f64 {
    1e3 / ns.max(1e-9)
}

/// Drives a tape that lies in memory; it is copied first, because the log takes its blocks.
pub(super) fn drive_tape<K: BlockSink>(tape: &Tape, work: u32, sink: &mut K) -> Result<Driven, RunError>
where
    RunError: From<DriveError<K::Error>>,
{
    let blocks = tape.blocks.clone();
    drive(Settings { work, every: 0 }, (tape.first_ts(), tape.last_ts()), blocks.into_iter(), sink)
}

/// Measures loop, orders and journal; `progress` is told what is next.
///
/// # Errors
/// When the session cannot be read or the journal's temporary folder cannot be written.
pub fn throughput(plan: &ThroughputPlan, progress: &mut dyn FnMut(&str)) -> Result<Report, RunError> {
    let session = plan.session.as_deref().map(|path| Tape::session(path, plan.events)).transpose()?;
    let mut repetitions = Vec::new();
    let wants = |part| plan.only.is_empty() || plan.only.contains(&part);
    for n in 1..=plan.repeat.max(1) {
        let mut say = |what: &str| progress(&format!("{what} ({n} of {})", plan.repeat.max(1)));
        let mut rows = Vec::new();
        if wants(Part::Loop) || wants(Part::Orders) || wants(Part::Journal) {
            quote_rows(plan, &wants, &mut say, &mut rows)?;
        }
        if wants(Part::Journal) || wants(Part::MarketMaking) {
            let tape = ticks::tape(plan.events);
            if wants(Part::Journal) {
                say("journal of levels and trades");
                journal_rows("t1", &tape, &mut rows)?;
            }
            if wants(Part::MarketMaking) {
                say("market making");
                ticks::rows(&tape, &mut rows)?;
            }
        }
        if let Some(tape) = session.as_ref().filter(|_| wants(Part::Journal)) {
            say("journal of the session");
            journal_rows("session", tape, &mut rows)?;
        }
        repetitions.push(rows);
    }
    let mut tape = format!("{} quotes of W1, {} records of T1, in memory", plan.events, plan.events);
    if let Some(session) = &session {
        tape.push_str(&format!("; {} inputs of session {}", session.inputs, session.name));
    }
    Ok(Report::new("throughput", tape, join(repetitions)))
}

/// What is measured on quotes.
fn quote_rows(
    plan: &ThroughputPlan,
    wants: &impl Fn(Part) -> bool,
    say: &mut impl FnMut(&str),
    rows: &mut Vec<Row>,
) -> Result<(), RunError> {
    let tape = Tape::walk(1, plan.events);
    if wants(Part::Loop) || wants(Part::Orders) {
        say("loop");
        let one = loop_rows(&tape, rows)?;
        if wants(Part::Loop) {
            say("many instruments");
            many_rows(plan.events, one, rows)?;
        }
        if wants(Part::Orders) {
            say("orders");
            order_rows(plan.orders, one, rows)?;
        }
    }
    if wants(Part::Journal) {
        say("journal");
        journal_rows("w1", &tape, rows)?;
        say("paced journal");
        journal::paced_rows(plan.events, rows)?;
        say("journal that refers");
        super::refs::rows(&tape, rows)?;
    }
    Ok(())
}

/// Calibration and the loop alone; returns nanoseconds per quote.
fn loop_rows(tape: &Tape, rows: &mut Vec<Row>) -> Result<f64, RunError> {
    let started = thread_cpu();
    let sum = tape.blocks.iter().flat_map(|block| &block.inputs).fold(0u64, |sum, record| {
        record.body.iter().fold(sum ^ record.ts, |sum, word| sum.wrapping_add(*word))
    });
    std::hint::black_box(sum);
    let scan = each(thread_cpu() - started, tape.inputs);
    let driven = drive_tape(tape, 0, &mut Discard)?;
    let ns = each(driven.cpu, tape.inputs);
    rows.extend([
        Row::context("scan", "calibration: sum of the same records", rate(scan), "M records/s"),
        Row::rate("loop", "loop, journal off, one resting order", rate(ns), "M events/s", Some(25.0)),
        Row::cost("loop.ns", "  per event", ns, "ns", Some(40.0)),
        Row::rate("loop.scan", "  ratio to the calibration", scan / ns, "×", None),
    ]);
    Ok(ns)
}

fn many_rows(events: u64, one: f64, rows: &mut Vec<Row>) -> Result<(), RunError> {
    for instruments in [1_000, 5_000] {
        let tape = Tape::walk(instruments, events);
        let ns = each(drive_tape(&tape, 0, &mut Discard)?.cpu, tape.inputs);
        let name = format!("loop.{instruments}");
        let what = format!("  {instruments} instruments ÷ one instrument");
        rows.push(Row::rate(&name, &what, one / ns, "×", Some(0.8)));
    }
    Ok(())
}

/// What an order costs after so many came before it: intent, risk, OMS, venue, fill, account, events.
fn order_rows(orders: u64, one: f64, rows: &mut Vec<Row>) -> Result<(), RunError> {
    const EVERY: u64 = 4;
    let settings = Settings { work: 0, every: EVERY };
    // The first thousand orders are one block: code and allocator are warmed by others, so that it is not they
    // that are timed.
    let warm = Tape::walk(1, 10_000 * EVERY);
    drive(settings, (warm.first_ts(), warm.last_ts()), warm.blocks.into_iter(), &mut Discard)?;
    let config = settings.config();
    let mut driver = Driver::new(config.clone(), vec![settings.strategy()]);
    let mut walk = Walk::new(1, orders * EVERY);
    driver.start(&config, Nanos(0), &mut Discard)?;
    let (mut quotes, mut spent, mut counted, mut first) = (0u64, Duration::ZERO, 0u64, None);
    for mark in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|mark| *mark <= orders) {
        // The last quarter before a mark: what an order costs when so many came before it.
        while quotes < mark * EVERY {
            let Some(block) = walk.next() else { break };
            let inputs = block.inputs.len() as u64;
            let started = thread_cpu();
            walk.spare = driver.drive(block, &mut Discard)?;
            if quotes * 4 >= mark * EVERY * 3 || inputs * 4 >= mark * EVERY {
                spent += thread_cpu() - started;
                counted += inputs;
            }
            quotes += inputs;
        }
        let ns = (each(spent, counted) - one).max(0.0) * EVERY as f64;
        (spent, counted) = (Duration::ZERO, 0);
        let name = format!("order.{mark}");
        let what = format!("order round trip, after {mark} orders");
        rows.push(Row::cost(&name, &what, ns, "ns", Some(1500.0)));
        let first = *first.get_or_insert(ns);
        if mark == orders {
            let what = "  the last ÷ after 1000 orders";
            rows.push(Row::cost("order.flat", what, ns / first.max(1.0), "×", None));
        }
    }
    let sent = driver.kernel().strategies().next().map_or(0, |strategy| strategy.orders);
    let (known, filled) = (driver.kernel().orders().len() as u64, driver.kernel().orders());
    assert_eq!(known, sent + 1, "every order reached the OMS");
    let filled = filled.iter().filter(|order| order.is_filled()).count() as u64;
    assert!(filled * 100 >= sent * 99, "market orders fill: {filled} of {sent}");
    Ok(())
}

/// The full-journal path over one tape, its verification and its re-derivation.
fn journal_rows(name: &str, tape: &Tape, rows: &mut Vec<Row>) -> Result<(), RunError> {
    let worked = drive_tape(tape, WORK_ROUNDS, &mut Discard)?;
    let bare = drive_tape(tape, 0, &mut Discard)?;
    let (worked_ns, bare_ns) = (each(worked.cpu, tape.inputs), each(bare.cpu, tape.inputs));
    let folder = journal::Folder::new("throughput");
    let Journaled { driven, writer_ns, read_ns, bytes, head } = journal::write(tape, &folder)?;
    assert_eq!(
        driven.strategy.sum, worked.strategy.sum,
        "the same tape gives the same checksum with a journal"
    );
    let loop_ns = each(driven.cpu, tape.inputs);
    let busiest = loop_ns.max(writer_ns).max(read_ns);
    let row = |suffix: &str| format!("{name}.{suffix}");
    rows.extend([
        Row::context(
            &row("strategy"),
            &format!("{}: the strategy's own cost", tape.name),
            worked_ns - bare_ns,
            "ns",
        ),
        Row::rate(
            &row("journal"),
            "  → full journal, inputs / busiest thread",
            rate(busiest),
            "M inputs/s",
            Some(8.0),
        ),
        Row::cost(&row("loop"), "    loop thread per input", loop_ns, "ns", None),
        Row::cost(&row("writer"), "    journal thread per input", writer_ns, "ns", Some(110.0)),
        Row::cost(&row("reader"), "    reader thread per input", read_ns, "ns", None),
        Row::cost(
            &row("bytes"),
            "    journal bytes per input",
            bytes,
            "B",
            match name {
                "w1" => Some(13.0),
                "session" => Some(18.0),
                _ => None,
            },
        ),
    ]);
    journal::check_rows(name, &folder, &head, rows)
}
