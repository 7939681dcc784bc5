//! The threads of a live run, and what it leaves in its folder.

use super::clock::Clock;
use super::follower::{Followed, Follower};
use super::plan::{Durability, PaperPlan};
use super::recover::recover;
use super::release::{Found, ReleaseLog};
use super::sequencer::{Added, LiveSink, Next, Sequencer};
use super::source::{Delivered, Source, SourceThread};
use super::wait::Came;
use crate::collect::Collector;
use crate::driver::DriveError;
use crate::error::RunError;
use crate::rederive::build_strategies;
use crate::replay::{FeedError, Progress, RunSummary, Watched, summarize};
use crate::run_folder::{Finished, RunFolder, paper_run_id};
use crate::settings::Settings;
use crate::sink::Sink;
use onetape_engine::block::Block;
use onetape_engine::config::RunConfig;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Kind, Record};
use onetape_engine::{Kernel, Strategy};
use onetape_journal::{Issued, JournalReader, JournalThread, JournalWriter, TailServer};
use onetape_strategies::Registry;
use onetape_tape::session::{SessionMeta, SessionWriter};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Longest sleep before the stop flag is looked at again.
const STOP_CHECK: Duration = Duration::from_millis(20);
/// Records between looks at the stop flag when none waits.
const STOP_EVERY: u32 = 256;
/// The recorded session's folder in the run folder.
const RECORDED: &str = "session";

/// When a run is asked to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Set by a signal.
    pub flag: Arc<AtomicBool>,
    /// Wall time at which the run ends by itself.
    pub deadline: Option<Instant>,
}

impl Stop {
    fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// A new live run.
pub struct PaperRequest<'a> {
    /// Where records come from.
    pub source: Box<dyn Source>,
    /// Resolved settings, as written to the run folder.
    pub settings: &'a Settings,
    /// What decides the result.
    pub config: RunConfig,
    /// The strategy, with its parameters set.
    pub strategy: Box<dyn Strategy>,
    /// Folder that holds run folders.
    pub out: &'a Path,
    /// Where the follower finds the strategy again.
    pub registry: &'a Registry,
    /// How to run.
    pub plan: PaperPlan,
    /// When to stop.
    pub stop: Stop,
}

/// A live run to go on with.
pub struct ResumeRequest<'a> {
    /// Where records come from, from its beginning.
    pub source: Box<dyn Source>,
    /// The run's folder.
    pub run: &'a Path,
    /// How to run on.
    pub plan: PaperPlan,
    /// Strategies the journal may name.
    pub registry: &'a Registry,
    /// When to stop.
    pub stop: Stop,
}

/// Result of a live run: `metrics.json`, and what `paper --json` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PaperSummary {
    /// As of a replay.
    #[serde(flatten)]
    pub run: RunSummary,
    /// `demo`, `session:PATH` or `stdin`.
    pub source: String,
    /// Speed of a recorded source.
    pub speed: String,
    /// Durability level.
    pub durability: Durability,
    /// `source` when the source ended, else `stopped`.
    pub ended_by: &'static str,
    /// What the sequencer added since the process began.
    pub added: Added,
    /// What the follower derived again, and the snapshots it took.
    pub followed: Followed,
    /// Seq of the snapshot that a resumed run began with.
    pub snapshot: Option<u64>,
    /// Records of earlier processes of this run, when it was resumed.
    pub resumed_after: Option<u64>,
    /// Orders released before a crash and in no journal.
    pub lost_releases: u64,
    /// The recorded session's folder.
    pub recorded: Option<String>,
}

impl LiveSink for Watched<'_> {
    fn lag(&self) -> u32 {
        self.sink.lag()
    }
}

/// Everything of a run that its end needs.
struct Live<'a> {
    folder: RunFolder,
    settings: &'a Settings,
    config: RunConfig,
    plan: PaperPlan,
    sink: Sink,
    beside: Beside,
    collector: Collector,
    first: Nanos,
    snapshot: Option<u64>,
    resumed_after: Option<u64>,
    lost_releases: u64,
    began: Instant,
}

/// What reads the journal beside its writer.
struct Beside {
    follower: Option<Follower>,
    tail: TailServer,
}

impl Beside {
    /// Ends both, so that the journal can close.
    fn finish(self) -> Result<Followed, RunError> {
        self.tail.finish();
        self.follower.map_or(Ok(Followed::default()), Follower::finish)
    }
}

/// Runs a strategy against a source with simulated fills.
///
/// # Errors
/// When the source cannot be read, the loop refuses an input, or the journal or folder fails; what was
/// committed stays and can be resumed.
pub fn paper(
    request: PaperRequest<'_>,
    started: &mut dyn FnMut(&Path),
    progress: &mut dyn FnMut(Progress),
) -> Result<PaperSummary, RunError> {
    let PaperRequest { source, settings, config, strategy, out, registry, plan, stop } = request;
    let id = paper_run_id(&config, plan.started_ns);
    let folder = RunFolder::begin_live(out, &id, settings)?;
    plan.write(folder.place())?;
    let writer = JournalWriter::create(&folder.journal(), id.0)?;
    let log = ReleaseLog::open(folder.place())?;
    let kernel = Kernel::new(config.clone(), build_strategies(&config, registry)?);
    let (sink, beside) = open_sink(writer, log, plan.durability, folder.place(), Some(kernel))?;
    started(folder.place());
    let mut live = Live {
        folder,
        settings,
        config,
        plan,
        sink,
        beside,
        collector: Collector::default(),
        first: Nanos(0),
        snapshot: None,
        resumed_after: None,
        lost_releases: 0,
        began: Instant::now(),
    };
    let total = source.total();
    let thread = SourceThread::start(source)?;
    // The log begins at the time of the first record, as a replay's does.
    let mut queue = Queue::new(thread);
    let is_there = queue.wait(&stop)?;
    live.first = queue.next().map_or(Nanos(0), Record::ts);
    let clock = live.plan.clock(live.first)?;
    let mut watched = Watched { sink: &mut live.sink, collector: &mut live.collector };
    let begun = Sequencer::start(&live.config, vec![strategy], clock, live.first, &mut watched);
    let mut sequencer = begun.map_err(|e| live.plan.failed(e))?;
    let ended = if is_there {
        pump(&mut sequencer, &mut queue, &stop, &mut watched, &mut Track { total, inputs: 0, progress })
    } else {
        Ok(queue.ended())
    };
    queue.thread.finish();
    live.end(sequencer, ended)
}

/// Goes on with a run whose process died.
///
/// # Errors
/// As [`paper`], and when the run cannot be resumed: it ended, or its journal is not this program's to go on with.
pub fn resume(
    request: ResumeRequest<'_>,
    started: &mut dyn FnMut(&Path),
    progress: &mut dyn FnMut(Progress),
) -> Result<PaperSummary, RunError> {
    let ResumeRequest { mut source, run, plan, registry, stop } = request;
    let settings = Settings::read(&run.join("session.toml"))
        .map_err(|e| RunError::Text { path: run.display().to_string(), problem: e.to_string() })?;
    let journal = run.join("journal");
    let gap_ns = silent_for(&journal);
    // What the process that died promised, not what this one will.
    let waited = PaperPlan::read(run)?.durability == Durability::Order;
    let recovered = recover(&journal, registry)?;
    let next_seq = recovered.writer.next_seq();
    let (mut log, Found { released, lost }) = ReleaseLog::recover(run, next_seq, waited)?;
    source.resume(recovered.taken, recovered.driver.kernel().instruments());
    let folder = RunFolder::resume_live(run);
    plan.write(run)?;
    // Durable since before the crash, and nobody was told.
    let unreleased: Vec<Issued> =
        recovered.issued.iter().filter(|issued| !released.contains(&issued.seq)).copied().collect();
    log.release(&unreleased)?;
    // A state that no snapshot holds is followed by nobody: the run is proven when it ended.
    let strategies = build_strategies(&recovered.config, registry)?;
    let state = recovered.driver.kernel().save();
    let kernel = state.and_then(|state| Kernel::restore(recovered.config.clone(), strategies, &state)).ok();
    let (sink, beside) = open_sink(recovered.writer, log, plan.durability, run, kernel)?;
    started(run);
    let mut live = Live {
        folder,
        settings: &settings,
        config: recovered.config,
        plan,
        sink,
        beside,
        collector: recovered.collector,
        first: recovered.first,
        snapshot: recovered.snapshot,
        resumed_after: Some(recovered.taken),
        lost_releases: lost,
        began: Instant::now(),
    };
    let clock = live.plan.clock(recovered.last)?;
    let mut sequencer = Sequencer::over(recovered.driver, clock, recovered.last, recovered.promised);
    let mut watched = Watched { sink: &mut live.sink, collector: &mut live.collector };
    let total = source.total();
    let mut queue = Queue::new(SourceThread::start(source)?);
    let mut track = Track { total, inputs: recovered.taken, progress };
    let ended = sequencer
        .resumed(gap_ns, &mut watched)
        .map_err(FeedError::from)
        .and_then(|()| pump(&mut sequencer, &mut queue, &stop, &mut watched, &mut track));
    queue.thread.finish();
    live.end(sequencer, ended)
}

/// Wall time since the journal was last written.
fn silent_for(journal: &Path) -> u64 {
    let written = std::fs::metadata(journal.join("anchor")).and_then(|metadata| metadata.modified());
    let silent = written.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    silent.and_then(|silent| u64::try_from(silent.as_nanos()).ok()).unwrap_or(0)
}

/// Starts the journal's thread, and beside it the follower (from `kernel`'s seq on) and the tail.
fn open_sink(
    writer: JournalWriter,
    mut log: ReleaseLog,
    durability: Durability,
    run: &Path,
    kernel: Option<Kernel<Box<dyn Strategy>>>,
) -> Result<(Sink, Beside), RunError> {
    let sealed = writer.live_log()?;
    let on_release = Box::new(move |issued: &[Issued]| log.release(issued));
    let thread = JournalThread::start_live(writer, durability.commits(), on_release)?;
    let follow = |kernel| Follower::start(sealed.share(), kernel, thread.snapshots());
    let follower = kernel.map(follow).transpose()?;
    let tail = TailServer::start(run, sealed)?;
    Ok((Sink::Journal(Box::new(thread)), Beside { follower, tail }))
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Source,
    Stopped,
}

/// What the source thread delivered and the sequencer has not taken.
struct Queue {
    thread: SourceThread,
    batch: Block,
    taken: usize,
    cold: usize,
    is_over: bool,
}

impl Queue {
    fn new(thread: SourceThread) -> Queue {
        Queue { thread, batch: Block::default(), taken: 0, cold: 0, is_over: false }
    }

    fn next(&self) -> Option<&Record> {
        self.batch.inputs.get(self.taken)
    }

    fn ended(&self) -> Ended {
        if self.is_over { Ended::Source } else { Ended::Stopped }
    }

    fn put(&mut self, delivered: Delivered) -> Result<(), RunError> {
        let empty = std::mem::replace(&mut self.batch, delivered?);
        (self.taken, self.cold) = (0, 0);
        // The source may be gone already; then nobody needs it.
        self.thread.emptied.try_send(empty).ok();
        Ok(())
    }

    fn came(&mut self, came: Came<Delivered>) -> Result<(), RunError> {
        match came {
            Came::Item(delivered) => self.put(delivered)?,
            Came::Nothing => {}
            Came::Over => self.is_over = true,
        }
        Ok(())
    }

    /// Looks for a batch when the last one is used up.
    fn refill(&mut self) -> Result<(), RunError> {
        if self.next().is_some() || self.is_over {
            return Ok(());
        }
        let came = self.thread.batches.look();
        self.came(came)
    }

    /// Waits for a batch at most so long.
    fn wait_for(&mut self, wait: Duration) -> Result<(), RunError> {
        let came = self.thread.batches.wait(wait);
        self.came(came)
    }

    /// Waits for the first record; false when none will come.
    fn wait(&mut self, stop: &Stop) -> Result<bool, RunError> {
        while self.next().is_none() && !self.is_over && !stop.is_set() {
            self.wait_for(STOP_CHECK)?;
        }
        Ok(self.next().is_some())
    }

    fn take(&mut self) -> Option<(Record, Option<onetape_engine::input::Cold>)> {
        let record = *self.next()?;
        self.taken += 1;
        let cold = (record.kind == Kind::Cold as u8).then(|| {
            self.cold += 1;
            self.batch.cold.get(self.cold - 1).cloned()
        });
        Some((record, cold.flatten()))
    }
}

/// Who is told how far the run has come.
struct Track<'a> {
    total: Option<u64>,
    inputs: u64,
    progress: &'a mut dyn FnMut(Progress),
}

/// Feeds the sequencer until the source ends or the run is stopped.
fn pump<C: Clock>(
    sequencer: &mut Sequencer<Box<dyn Strategy>, C>,
    queue: &mut Queue,
    stop: &Stop,
    sink: &mut Watched<'_>,
    track: &mut Track<'_>,
) -> Result<Ended, FeedError> {
    let mut unwatched = 0;
    loop {
        if unwatched == 0 {
            if stop.is_set() {
                return Ok(Ended::Stopped);
            }
            (track.progress)(Progress { inputs: track.inputs, total: track.total.unwrap_or(0) });
        }
        queue.refill()?;
        let next = queue.next().map(Record::ts);
        if next.is_none() && queue.is_over {
            return Ok(Ended::Source);
        }
        unwatched = (unwatched + 1) % STOP_EVERY;
        match sequencer.poll(next, sink)? {
            Next::Apply => {
                if let Some((record, cold)) = queue.take() {
                    sequencer.apply(record, cold, sink)?;
                    track.inputs += 1;
                }
            }
            Next::Again => {}
            Next::Wait(wait) => {
                unwatched = 0;
                let wait = wait.min(STOP_CHECK);
                if next.is_some() {
                    std::thread::sleep(wait);
                } else {
                    queue.wait_for(wait)?;
                }
            }
        }
    }
}

impl Live<'_> {
    /// Ends the tape, closes the journal and writes the run folder; a run that failed is left as it is.
    fn end<C: Clock>(
        self,
        mut sequencer: Sequencer<Box<dyn Strategy>, C>,
        ended: Result<Ended, FeedError>,
    ) -> Result<PaperSummary, RunError> {
        let Live { folder, settings, config, plan, mut sink, beside, mut collector, .. } = self;
        // A source or input that fails ends the tape there; a journal that fails ends everything.
        let (ended, failure) = match ended {
            Ok(ended) => (ended, None),
            Err(FeedError::Run(error @ RunError::Journal(_))) => return Err(error),
            Err(error) => (Ended::Source, Some(plan.failed(error))),
        };
        let mut watched = Watched { sink: &mut sink, collector: &mut collector };
        sequencer.end(&mut watched).map_err(|e: DriveError<RunError>| plan.failed(e))?;
        let followed = beside.finish()?;
        let stored = sink.finish()?;
        let mut summary = summarize(sequencer.kernel(), &config, &collector, &stored);
        summary.session = plan.source.clone();
        summary.run_id = folder.id().to_string();
        (summary.first_ts, summary.last_ts) = (self.first.0, sequencer.last().0);
        summary.wall_seconds = self.began.elapsed().as_secs_f64();
        summary.events_per_second = summary.events as f64 / summary.wall_seconds.max(1e-9);
        summary.run_dir = folder.place().display().to_string();
        let recorded = if plan.record { Some(record(&folder, &summary)?) } else { None };
        let instruments = sequencer.kernel().instruments();
        let mut paper = PaperSummary {
            run: summary,
            source: plan.source.clone(),
            speed: plan.speed.clone(),
            durability: plan.durability,
            ended_by: if ended == Ended::Source { "source" } else { "stopped" },
            added: sequencer.added(),
            followed,
            snapshot: self.snapshot,
            resumed_after: self.resumed_after,
            lost_releases: self.lost_releases,
            recorded: recorded.map(|path| path.display().to_string()),
        };
        let finished = Finished { summary: &mut paper.run, settings, collector: &collector, instruments };
        folder.finish_live(finished)?;
        failure.map_or(Ok(paper), Err)
    }
}

/// Writes the run's inputs, without its start and end, as a session that replays.
fn record(folder: &RunFolder, summary: &RunSummary) -> Result<PathBuf, RunError> {
    let place = folder.place().join(RECORDED);
    let mut meta = SessionMeta::new(&format!("paper {}", summary.run_id), "paper", env!("CARGO_PKG_VERSION"));
    meta.importer.source = summary.session.clone();
    meta.importer.policies =
        vec!["the inputs of a paper run: ticks, seals and journal lag are the run's own".to_string()];
    let mut writer = SessionWriter::create(&place, meta)?;
    let reader = JournalReader::open(&folder.journal())?;
    let mut seen = 0u64;
    for block in reader.blocks() {
        let block = block?;
        let mut cold = block.cold.into_iter();
        for input in block.inputs {
            let payload = if input.kind == Kind::Cold as u8 { cold.next() } else { None };
            seen += 1;
            let is_end = input.kind == Kind::Seal as u8 && input.has(onetape_engine::record::flags::END);
            // The configuration and its seal are what every run begins with.
            if seen > 2 && !is_end {
                writer.push(input, payload)?;
            }
        }
    }
    writer.finish()?;
    Ok(place)
}
