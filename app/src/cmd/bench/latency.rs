//! `onetape bench latency`.

use crate::Session;
use crate::cmd::paper::Level;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_session::bench::{LatencyPlan, latency, svg};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape bench latency\n  onetape bench latency --rate 100000 --events 1000000 --hlog latency.hlog --svg latency.svg"
)]
pub(crate) struct LatencyArgs {
    /// Quotes a second, sent at planned instants.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=5_000_000))]
    rate: u64,
    /// Quotes that count.
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1_000..=100_000_000))]
    events: u64,
    /// Quotes before them that do not count.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(..=10_000_000))]
    warmup: u64,
    /// An order on each so many-th quote.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    order_every: u64,
    /// `order`: an order leaves only after its block is durable; else once its block is handed over.
    #[arg(long, value_enum, default_value_t = Level::Buffered)]
    durability: Level,
    /// Write every stage's histogram as an HdrHistogram interval log.
    #[arg(long, value_name = "FILE")]
    hlog: Option<PathBuf>,
    /// Write the percentile curves as a picture.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// Whoever waits for a measurement wants to know first that it cannot be kept.
fn check_folder(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| std::fs::read_dir(folder).map(|_| ()).map_err(|e| Failure::io(path, &e)))
}

pub(crate) fn run(args: &LatencyArgs, session: &Session<'_>) -> Result<u8, Failure> {
    args.hlog.iter().chain(&args.svg).try_for_each(|path| check_folder(path))?;
    let plan = LatencyPlan {
        rate: args.rate,
        events: args.events,
        warmup: args.warmup,
        order_every: args.order_every,
        durability: args.durability.into(),
    };
    let found = latency(&plan, &mut |what| report::note(session.quiet, what))?;
    if let Some(path) = &args.hlog {
        found.write_hlog(path)?;
    }
    if let Some(path) = &args.svg {
        let title = format!("Latency against the planned send time: {}", found.report.tape);
        std::fs::write(path, svg(&title, &found.curves())).map_err(|e| Failure::io(path, &e))?;
    }
    if session.json {
        report::json(&found)?;
        return Ok(0);
    }
    super::table(&found.report);
    let cells = |cells: &[String]| cells.iter().map(|cell| format!("{cell:>10}")).collect::<String>();
    let head = ["p50", "p90", "p99", "p99.9", "p99.99", "max"].map(str::to_string);
    report::line(&format!("\n{:<9}{:>10}{}", "stage", "events", cells(&head)));
    for stage in &found.stages {
        report::line(&format!(
            "{:<9}{:>10}{}",
            stage.name,
            report::count(stage.count),
            cells(&stage.cells())
        ));
    }
    report::line("");
    for stage in &found.stages {
        report::line(&format!("{:<9} {}", stage.name, stage.what));
    }
    Ok(0)
}
