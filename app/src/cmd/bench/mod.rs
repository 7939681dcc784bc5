//! `onetape bench`.

mod compare;
mod latency;
mod memory;
mod throughput;

use crate::Session;
use crate::failure::Failure;
use crate::report;
use clap::Subcommand;
use onetape_session::bench::{Report, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Loop, orders, full journal, verify and re-derive: rates and costs beside their bars.
    Throughput(throughput::ThroughputArgs),
    /// Latency from market bytes to order bytes, stage by stage, against the planned send time.
    Latency(latency::LatencyArgs),
    /// Resident memory of a long run with a full journal.
    Memory(memory::MemoryArgs),
    /// Two saved reports: which figures changed by more than chance.
    Compare(compare::CompareArgs),
}

pub(crate) fn run(command: &BenchCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        BenchCommand::Throughput(args) => throughput::run(args, session),
        BenchCommand::Latency(args) => latency::run(args, session),
        BenchCommand::Memory(args) => memory::run(args, session),
        BenchCommand::Compare(args) => compare::run(args, session),
    }
}

/// Four digits that matter.
fn figure(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.digits$}")
}

/// Prints where and what, then the rows beside their bars.
fn table(found: &Report) {
    report::line(&format!("machine  {}", found.machine));
    report::line(&format!("tape     {}", found.tape));
    for row in &found.rows {
        let Row { what, unit, samples, .. } = row;
        let verdict = match row.meets() {
            Some(true) => "ok",
            Some(false) => "SHORT",
            None => "",
        };
        let spread = if samples.len() > 1 {
            let (low, high) = samples.iter().fold((f64::MAX, 0.0), |(l, h), s| (s.min(l), s.max(h)));
            format!("{}…{}", figure(low), figure(high))
        } else {
            String::new()
        };
        let value = figure(row.figure);
        let line = format!("{what:<52} {value:>8} {unit:<11} {:<7} {verdict:<5} {spread}", row.bar_text());
        report::line(line.trim_end());
    }
}
