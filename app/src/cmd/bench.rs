//! `onetape bench`.

use crate::Session;
use crate::cli::BenchCommand;
use crate::failure::Failure;
use crate::report;
use onetape_session::bench;

pub(crate) fn run(command: &BenchCommand, session: &Session<'_>) -> Result<u8, Failure> {
    let BenchCommand::Throughput { events } = command;
    let report = bench::throughput(*events)?;
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
