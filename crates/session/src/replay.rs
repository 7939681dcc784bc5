//! A replay: session → loop → journal → run folder.
//!
//! Three threads: a reader decodes the session's blocks, the caller's thread runs the loop, a
//! writer hashes and stores what seals. Bounded channels recycle the blocks, so memory does not
//! grow with the tape; the writer never drops, it makes the loop wait.

use crate::collect::{Collector, FillBand, StoryLine};
use crate::driver::{BlockSink, DriveError, Driver};
use crate::error::RunError;
use crate::fork::ForkOf;
use crate::run_folder::{Finished, Outcome, RunFolder, run_id};
use crate::settings::{JournalMode, Settings};
use crate::sink::{Sink, SinkSummary};
use crossbeam::channel::{Receiver, Sender, bounded};
use onetape_engine::block::Block;
use onetape_engine::config::RunConfig;
use onetape_engine::num::{Money, Nanos, Price, Qty};
use onetape_engine::{Kernel, Strategy};
use onetape_tape::session::{SessionError, SessionReader};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// Blocks decoded ahead of the loop.
const READ_AHEAD: usize = 16;

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Session inputs applied.
    pub inputs: u64,
    /// Session inputs in all.
    pub total: u64,
}

/// What to replay.
pub struct ReplayRequest<'a> {
    /// The session.
    pub reader: SessionReader,
    /// Resolved settings, as written to the run folder.
    pub settings: &'a Settings,
    /// What decides the result; made from the settings.
    pub config: RunConfig,
    /// The strategy, with its parameters set.
    pub strategy: Box<dyn Strategy>,
    /// Folder that holds run folders.
    pub out: &'a Path,
}

/// A position at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PositionLine {
    /// Symbol.
    pub symbol: String,
    /// Signed quantity.
    pub quantity: Qty,
    /// Price of the last mark.
    pub mark: Price,
    /// Value at that mark.
    pub value: Money,
    /// Value minus cost.
    pub unrealized: Money,
}

/// Result of a run: `metrics.json`, and what `replay --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct RunSummary {
    pub run_id: String,
    pub outcome: Outcome,
    pub head_hash: String,
    pub derived_hash: String,
    pub state_hash: String,
    pub strategy: String,
    pub strategy_version: String,
    pub session: String,
    pub session_hash: String,
    pub first_ts: u64,
    pub last_ts: u64,
    pub inputs: u64,
    pub events: u64,
    pub derived: u64,
    pub orders: u64,
    pub refused_orders: u64,
    pub fills: u64,
    pub cash_initial: Money,
    pub cash: Money,
    pub equity: Money,
    pub profit: Money,
    pub fees: Money,
    pub realized_pnl: Money,
    pub unrealized_pnl: Money,
    pub margin_peak: Money,
    pub fill_band: FillBand,
    pub positions: Vec<PositionLine>,
    pub story: Vec<StoryLine>,
    pub stopped: Vec<(u16, String)>,
    pub settlements_estimated: u64,
    pub seed: u64,
    pub fill_profile: String,
    pub mark_policy: String,
    pub fee_schedule: String,
    pub journal_mode: String,
    pub version: String,
    pub events_per_second: f64,
    pub wall_seconds: f64,
    pub journal_bytes: u64,
    pub run_dir: String,
    /// Where a fork began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fork: Option<ForkOf>,
}

/// Runs a session through the loop into a run folder.
///
/// # Errors
/// When the session cannot be read, the loop refuses an input, or the journal or folder fails;
/// a `.partial` folder is all that such a run leaves.
pub fn replay(
    request: ReplayRequest<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<RunSummary, RunError> {
    let ReplayRequest { reader, settings, config, strategy, out } = request;
    let mode = settings.run.journal;
    let id = run_id(&config, mode);
    let folder = RunFolder::begin(out, &id)?;
    let session_name = reader.manifest().name.clone();
    let session_path = settings.run.session.display().to_string();
    let started = Instant::now();
    let mut sink = Sink::open(mode, reader.manifest().content_hash, &folder, &id)?;
    let mut collector = Collector::default();
    let mut driver = Driver::new(config.clone(), vec![strategy]);
    let span =
        feed(reader, &config, &mut driver, &mut sink, &mut collector, progress).map_err(|e| match e {
            FeedError::Run(error) => error,
            FeedError::Kernel(source) => RunError::Input { path: session_path, source },
        })?;
    let stored = sink.finish()?;
    let wall_seconds = started.elapsed().as_secs_f64();
    let mut summary = summarize(driver.kernel(), &config, &collector, &stored);
    summary.session = session_name;
    summary.run_id = id.short();
    summary.journal_mode = mode.name().to_string();
    (summary.first_ts, summary.last_ts) = (span.0.0, span.1.0);
    summary.wall_seconds = wall_seconds;
    summary.events_per_second = summary.events as f64 / wall_seconds.max(1e-9);
    let instruments = driver.kernel().instruments();
    folder.finish(Finished { summary: &mut summary, settings, collector: &collector, instruments })?;
    Ok(summary)
}

/// Why feeding a loop ended early.
pub(crate) enum FeedError {
    Run(RunError),
    Kernel(onetape_engine::KernelError),
}

impl From<RunError> for FeedError {
    fn from(error: RunError) -> FeedError {
        FeedError::Run(error)
    }
}

impl From<DriveError<RunError>> for FeedError {
    fn from(error: DriveError<RunError>) -> FeedError {
        match error {
            DriveError::Kernel(source) => FeedError::Kernel(source),
            DriveError::Sink(error) => FeedError::Run(error),
        }
    }
}

/// Watches sealed blocks on their way to the sink.
pub(crate) struct Watched<'a> {
    pub(crate) sink: &'a mut Sink,
    pub(crate) collector: &'a mut Collector,
}

impl BlockSink for Watched<'_> {
    type Error = RunError;
    fn put(&mut self, block: Block) -> Result<Block, RunError> {
        self.collector.observe(&block);
        self.sink.put(block)
    }
}

type Decoded = Result<Block, SessionError>;

/// Drives the whole session; returns its first and last time.
fn feed(
    reader: SessionReader,
    config: &RunConfig,
    driver: &mut Driver<Box<dyn Strategy>>,
    sink: &mut Sink,
    collector: &mut Collector,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Nanos, Nanos), FeedError> {
    let total = reader.manifest().inputs;
    let (filled, blocks) = bounded::<Decoded>(READ_AHEAD);
    let (emptied, recycled) = bounded::<Block>(READ_AHEAD * 2);
    let thread = std::thread::Builder::new()
        .name("reader".to_string())
        .spawn(move || read(reader, &filled, &recycled));
    let thread = thread.map_err(|source| RunError::Io { path: "reader thread".to_string(), source })?;
    let mut sink = Watched { sink, collector };
    let (mut first, mut last) = (None, Nanos(0));
    let mut inputs = 0;
    for block in &blocks {
        let block = block.map_err(RunError::from)?;
        let at = block.inputs.first().map_or(last, onetape_engine::record::Record::ts);
        if first.is_none() {
            first = Some(at);
            driver.start(config, at, &mut sink)?;
        }
        last = block.inputs.last().map_or(last, onetape_engine::record::Record::ts);
        inputs += block.inputs.len() as u64;
        let empty = driver.drive(block, &mut sink)?;
        // The reader may be gone already; then nobody needs the block.
        emptied.try_send(empty).ok();
        progress(Progress { inputs, total });
    }
    thread.join().map_err(|_| RunError::Thread { thread: "reader" })?;
    let first = match first {
        Some(first) => first,
        None => {
            driver.start(config, Nanos(0), &mut sink)?;
            Nanos(0)
        }
    };
    driver.end(last, &mut sink)?;
    Ok((first, last))
}

fn read(mut reader: SessionReader, filled: &Sender<Decoded>, recycled: &Receiver<Block>) {
    loop {
        let mut block = recycled.try_recv().unwrap_or_default();
        let next = match reader.next_block(&mut block) {
            Ok(true) => Ok(block),
            Ok(false) => return,
            Err(error) => Err(error),
        };
        let is_last = next.is_err();
        // A closed channel means that the loop ended with its own error.
        if filled.send(next).is_err() || is_last {
            return;
        }
    }
}

/// What a finished run's state and totals say.
pub(crate) fn summarize<S: Strategy>(
    kernel: &Kernel<S>,
    config: &RunConfig,
    collector: &Collector,
    stored: &SinkSummary,
) -> RunSummary {
    let accounts = kernel.accounts();
    let total = |of: fn(&onetape_engine::account::Account) -> Money| {
        accounts.iter().fold(Money::ZERO, |sum, account| sum + of(account))
    };
    let (equity, cash_initial) = (kernel.equity(), total(|account| account.cash_initial));
    let profit = equity - cash_initial;
    let positions =
        accounts.iter().flat_map(|account| account.positions()).map(|(ix, position)| PositionLine {
            symbol: kernel.instruments()[ix.index()].symbol.clone(),
            quantity: position.quantity,
            mark: position.mark,
            value: position.value,
            unrealized: position.unrealized(),
        });
    let strategy = config.strategies.first();
    RunSummary {
        run_id: String::new(),
        outcome: Outcome::New,
        head_hash: stored.head_hash.clone(),
        derived_hash: stored.derived_hash.clone(),
        state_hash: kernel.last_state_hash().map(|hash| crate::run_folder::hex(&hash)).unwrap_or_default(),
        strategy: strategy.map(|s| s.name.clone()).unwrap_or_default(),
        strategy_version: strategy.map(|s| s.version.clone()).unwrap_or_default(),
        session: String::new(),
        session_hash: config.session.clone(),
        first_ts: 0,
        last_ts: 0,
        inputs: collector.inputs,
        events: collector.inputs + collector.derived,
        derived: collector.derived,
        orders: collector.orders,
        refused_orders: collector.refused,
        fills: collector.fills.len() as u64,
        cash_initial,
        cash: total(|account| account.cash),
        equity,
        profit,
        fees: total(|account| account.fees),
        realized_pnl: total(|account| account.realized),
        unrealized_pnl: total(onetape_engine::account::Account::unrealized),
        margin_peak: collector.requirement_peak,
        fill_band: collector.fill_band(profit, kernel.instruments()),
        positions: positions.collect(),
        story: collector.story.clone(),
        stopped: collector.stopped.clone(),
        settlements_estimated: collector.settlements_estimated,
        seed: config.seed,
        fill_profile: config.profile.name().to_string(),
        mark_policy: format!("{:?}", config.marks).to_lowercase(),
        fee_schedule: config.fees.name().to_string(),
        journal_mode: JournalMode::Full.name().to_string(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        events_per_second: 0.0,
        wall_seconds: 0.0,
        journal_bytes: stored.bytes,
        run_dir: String::new(),
        fork: None,
    }
}
