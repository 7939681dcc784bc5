//! `onetape bench throughput`.

use crate::Session;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_session::bench;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape bench throughput --events 5000000")]
pub(crate) struct ThroughputArgs {
    /// Quotes of the generated tape.
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,
}

pub(crate) fn run(args: &ThroughputArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let report = bench::throughput(args.events)?;
    if session.json {
        report::json(&report)?;
        return Ok(0);
    }
    report::line(&format!("machine  {}", report.machine));
    report::line(&format!("tape     {} quotes, W1 rules, in memory", report::count(report.events)));
    for row in &report.rows {
        report::line(&format!("{:<44} {:>9.2} {:<12} bar {}", row.what, row.figure, row.unit, row.bar));
    }
    Ok(0)
}
