//! `onetape paper`.

use crate::Session;
use crate::cmd::audit::find_run;
use crate::cmd::replay;
use crate::cmd::run_flags::{RunFlags, prepare_strategy};
use crate::demo;
use crate::failure::{Failure, IO};
use crate::report::{self, ProgressLine, count};
use clap::{Args, ValueEnum};
use onetape_session::live::{
    DbnSource, Durability, PaperPlan, PaperRequest, PaperSummary, ResumeRequest, SessionSource, Source,
    Speed, Stop, paper, resume,
};
use onetape_session::settings::JournalMode;
use onetape_tape::session::SessionReader;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape paper --speed 600\n  onetape paper --source session:sessions/goog --speed max --strategy short-strangle --cash 200000\n  onetape paper --source session:sessions/goog --durability order --for 3600 --record\n  cat es.dbn.zst | onetape paper --source stdin --strategy ema-cross\n  onetape paper --resume 3f2a"
)]
pub(crate) struct PaperArgs {
    /// Where records come from: `session:PATH`, or `stdin` for DBN (plain or zstd) [default: the demo session].
    #[arg(long, value_name = "SOURCE", env = "ONETAPE_SOURCE")]
    source: Option<String>,
    /// `max`, or how many times as fast as it was recorded [default: 1].
    #[arg(long, value_name = "X|max", env = "ONETAPE_SPEED")]
    speed: Option<String>,
    /// When the journal is durable: at the end, every 50 ms, or before each order leaves [default: interval].
    #[arg(long, value_enum, env = "ONETAPE_DURABILITY")]
    durability: Option<Level>,
    /// Leave the run's inputs as a session that replays, in the run folder.
    #[arg(long)]
    record: bool,
    /// End after so many seconds of wall time.
    #[arg(long = "for", value_name = "SECONDS", allow_negative_numbers = true)]
    seconds: Option<f64>,
    /// Go on with a run whose process died (folder, id, or unique prefix of one).
    #[arg(long, value_name = "RUN", conflicts_with_all = ["source", "strategy", "set", "script", "config", "fills", "latency", "cash", "seed"])]
    resume: Option<String>,
    #[command(flatten)]
    run: RunFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Level {
    Buffered,
    Interval,
    Order,
}

impl From<Level> for Durability {
    fn from(level: Level) -> Durability {
        match level {
            Level::Buffered => Durability::Buffered,
            Level::Interval => Durability::Interval,
            Level::Order => Durability::Order,
        }
    }
}

pub(crate) fn run(args: &PaperArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let stop = stop(args)?;
    let mut line = ProgressLine::new(session.quiet || session.json);
    let mut started = |run: &Path| {
        let text = format!("run {} began; Ctrl-C ends it and closes its journal", run.display());
        report::note(session.quiet || session.json, &text);
    };
    let mut progress = |at: onetape_session::Progress| line.update("paper", at.inputs, at.total);
    let (summary, settings) = match &args.resume {
        Some(run) => {
            let run = find_run(run, &args.run.out())?;
            let plan = resumed_plan(args, &run)?;
            let source = open(&plan.source)?.source;
            let request = ResumeRequest { source, run: &run, plan, registry: session.registry, stop };
            (resume(request, &mut started, &mut progress)?, None)
        }
        None => {
            let mut settings = args.run.resolve()?;
            if settings.run.journal != JournalMode::Full {
                return Err(Failure::usage(
                    "a live run keeps a full journal: its inputs are in no session; leave run.journal out",
                ));
            }
            let Opened { source, name, path } = open(args.source.as_deref().unwrap_or("demo"))?;
            settings.run.session = path;
            let (strategy, strategy_config) = prepare_strategy(&settings, session.registry)?;
            let config = settings.to_config("", strategy_config);
            let out = args.run.out();
            let plan = new_plan(args, name)?;
            let (settings, out) = (&settings, &out);
            let registry = session.registry;
            let request = PaperRequest { source, settings, config, strategy, out, registry, plan, stop };
            (paper(request, &mut started, &mut progress)?, Some(settings.clone()))
        }
    };
    line.done();
    if session.json {
        report::json(&summary)?;
    } else {
        replay::print(&summary.run, &settings.unwrap_or_default());
        print(&summary);
    }
    Ok(0)
}

/// A source by its name.
struct Opened {
    source: Box<dyn Source>,
    /// As the plan keeps it: absolute, since a resume may stand elsewhere.
    name: String,
    path: PathBuf,
}

fn open(name: &str) -> Result<Opened, Failure> {
    if name == "demo" {
        let source = Box::new(SessionSource::new(demo::open()?));
        return Ok(Opened { source, name: name.to_string(), path: PathBuf::new() });
    }
    if name == "stdin" {
        let source = Box::new(DbnSource::open(Box::new(std::io::stdin()), name)?);
        return Ok(Opened { source, name: name.to_string(), path: PathBuf::new() });
    }
    let Some(path) = name.strip_prefix("session:") else {
        return Err(Failure::usage(format!(
            "--source: '{name}' is neither session:PATH (for example session:sessions/goog) nor stdin (DBN)"
        )));
    };
    let reader = SessionReader::open(Path::new(path))?;
    let path = std::path::absolute(path).map_err(|e| Failure::io(Path::new(path), &e))?;
    let name = format!("session:{}", path.display());
    Ok(Opened { source: Box::new(SessionSource::new(reader)), name, path })
}

fn new_plan(args: &PaperArgs, source: String) -> Result<PaperPlan, Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let started_ns = now.ok().and_then(|now| u64::try_from(now.as_nanos()).ok()).unwrap_or(0);
    let plan = PaperPlan {
        started_ns,
        source,
        speed: "1".to_string(),
        durability: Durability::default(),
        record: args.record,
    };
    with_flags(args, plan)
}

fn resumed_plan(args: &PaperArgs, run: &Path) -> Result<PaperPlan, Failure> {
    let plan = PaperPlan::read(run)?;
    let record = plan.record || args.record;
    with_flags(args, PaperPlan { record, ..plan })
}

fn with_flags(args: &PaperArgs, mut plan: PaperPlan) -> Result<PaperPlan, Failure> {
    if let Some(speed) = &args.speed {
        Speed::parse(speed).map_err(|problem| Failure::usage(format!("--speed: {problem}")))?;
        plan.speed.clone_from(speed);
    }
    plan.durability = args.durability.map_or(plan.durability, Into::into);
    Ok(plan)
}

/// Ends the run at a signal or after `--for`.
fn stop(args: &PaperArgs) -> Result<Stop, Failure> {
    let mut stop = Stop::default();
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, std::sync::Arc::clone(&stop.flag)).map_err(|e| Failure {
            code: IO,
            message: format!("cannot listen for the signals that end a run: {e}"),
        })?;
    }
    if let Some(seconds) = args.seconds {
        let span = Duration::try_from_secs_f64(seconds).ok().filter(|span| !span.is_zero());
        let span = span.ok_or_else(|| {
            Failure::usage(format!("--for: '{seconds}' is not a number of seconds above 0"))
        })?;
        stop.deadline = Instant::now().checked_add(span);
    }
    Ok(stop)
}

fn print(summary: &PaperSummary) {
    let line = report::line;
    let added = &summary.added;
    line(&format!(
        "paper    source {}   speed {}   durability {}   ended by {}",
        summary.source,
        summary.speed,
        summary.durability.name(),
        summary.ended_by
    ));
    line(&format!(
        "         {} ticks, {} seals, {} records stamped later; journal at most {} blocks behind",
        count(added.ticks),
        count(added.seals),
        count(added.late),
        added.lag_peak
    ));
    line(&format!(
        "         derived again beside the run up to seq {}, {} snapshots",
        count(summary.followed.verified_to),
        summary.followed.snapshots
    ));
    if let Some(seq) = summary.followed.diverged_at {
        line(&format!("         DERIVED SOMETHING ELSE at seq {seq}: onetape audit verify --rederive"));
    }
    if let Some(before) = summary.resumed_after {
        let from = summary.snapshot.map_or("the whole journal".to_string(), |seq| {
            format!("the snapshot at seq {} and the journal after it", count(seq))
        });
        line(&format!("         resumed after {} records, from {from}", count(before)));
    }
    if summary.lost_releases > 0 {
        line(&format!(
            "         {} orders had left and were lost with the journal's end: use --durability order",
            count(summary.lost_releases)
        ));
    }
    if let Some(place) = &summary.recorded {
        line(&format!("next     onetape replay --session {place}"));
    }
    line(&format!("         onetape audit parity {}", summary.run.run_id));
}
