//! Memory of a long run: it does not grow with the tape.

use super::journal::{Folder, open};
use super::strategy::{Settings, WORK_ROUNDS};
use super::tape::Walk;
use super::{Report, Row, thread_cpu};
use crate::driver::Driver;
use crate::error::RunError;
use onetape_engine::num::Nanos;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Inputs by whose half the database's 64 MiB of cache are full.
const SETTLED: u64 = 100_000_000;

/// What to run.
#[derive(Debug, Clone)]
pub struct MemoryPlan {
    /// Quotes to put through loop and full journal.
    pub events: u64,
    /// Resident memory is read so many times along the way.
    pub samples: u64,
}

/// Resident memory along a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryReport {
    /// Figures.
    #[serde(flatten)]
    pub report: Report,
    /// Events done and anonymous resident MiB then.
    pub along: Vec<(u64, f64)>,
}

/// Anonymous resident memory of this process in MiB; 0 where the system does not tell.
fn anonymous_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    kib.and_then(|text| text.trim().split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Replays generated quotes into a full journal and watches the memory; `progress` is told events done.
///
/// # Errors
/// When the journal's temporary folder cannot be written.
pub fn memory(plan: &MemoryPlan, progress: &mut dyn FnMut(u64)) -> Result<MemoryReport, RunError> {
    let settings = Settings { work: WORK_ROUNDS, every: 0 };
    let config = settings.config();
    let folder = Folder::new("memory");
    let mut sink = open(&folder)?;
    let mut driver = Driver::new(config.clone(), vec![settings.strategy()]);
    driver.start(&config, Nanos(0), &mut sink)?;
    let (wall, mut cpu, mut done, mut last) = (Instant::now(), Duration::ZERO, 0u64, Nanos(0));
    let step = (plan.events / plan.samples.max(1)).max(1);
    let mut along = Vec::new();
    let mut walk = Walk::new(1, plan.events);
    while let Some(block) = walk.next() {
        let inputs = block.inputs.len() as u64;
        last = block.inputs.last().map_or(last, onetape_engine::record::Record::ts);
        let started = thread_cpu();
        walk.spare = driver.drive(block, &mut sink)?;
        cpu += thread_cpu() - started;
        if (done + inputs) / step > done / step {
            along.push((done + inputs, anonymous_mib()));
            progress(done + inputs);
        }
        done += inputs;
    }
    driver.end(last, &mut sink)?;
    let summary = sink.finish()?;
    let peak = along.iter().map(|(_, mib)| *mib).fold(anonymous_mib(), f64::max);
    // The database's cache fills first; from the half on nothing may grow with the tape.
    let early = along.iter().take((along.len() / 2).max(1)).map(|(_, mib)| *mib).fold(0.0, f64::max);
    let flat = (done >= SETTLED).then_some(1.25);
    let ns = |time: Duration| time.as_nanos() as f64 / done.max(1) as f64;
    let rows = vec![
        Row::cost("memory.peak", "anonymous resident memory, peak", peak, "MiB", Some(512.0)),
        Row::cost("memory.flat", "  peak ÷ peak of the first half", peak / early.max(1e-9), "×", flat),
        Row::context("memory.loop", "loop thread per input", ns(cpu), "ns"),
        Row::context("memory.writer", "journal thread per input", ns(summary.cpu.unwrap_or_default()), "ns"),
        Row::context("memory.wall", "whole run, closing included", wall.elapsed().as_secs_f64(), "s"),
        Row::context(
            "memory.stored",
            "bytes on disk per input",
            summary.bytes as f64 / done.max(1) as f64,
            "B",
        ),
    ];
    let tape = format!("{done} inputs, W1 rules, generated on the way, full journal");
    Ok(MemoryReport { report: Report::new("memory", tape, rows), along })
}
