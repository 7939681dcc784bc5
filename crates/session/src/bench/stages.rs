//! What a latency run found: distributions by stage, their curves, an HdrHistogram log, rows beside their bars.

use super::curve::duration_text;
use super::{Report, Row, median};
use crate::error::RunError;
use crate::live::Durability;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use onetape_journal::Commits;
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Longest latency that is told apart: one minute.
const LONGEST_NS: u64 = 60_000_000_000;
/// One stage's distribution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// Name: the tag in the `.hlog` file.
    pub name: &'static str,
    /// What lies between its two instants.
    pub what: &'static str,
    /// Events.
    pub count: u64,
    /// Nanoseconds at 50, 90, 99, 99.9 and 99.99 %, and the longest.
    pub percentiles: [u64; 6],
    #[serde(skip)]
    pub(super) histogram: Histogram<u64>,
}

/// What a path took, as multiples of its calibration in the same turn: p50 and p99.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratios {
    /// In process, of the bare hand-over.
    pub(super) order: [f64; 2],
    /// Over loopback, of the bare echo.
    pub(super) wire: [f64; 2],
}

impl Ratios {
    pub(super) fn of(path: &Histogram<u64>, calibration: &Histogram<u64>) -> [f64; 2] {
        let at = |found: &Histogram<u64>, share| found.value_at_quantile(share) as f64;
        [0.5, 0.99].map(|share| at(path, share) / at(calibration, share).max(1.0))
    }
}

/// A percentile curve: share of events, nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it shows.
    pub name: String,
    /// Points, shares ascending.
    pub points: Vec<(f64, u64)>,
}

/// Figures of a run.
#[derive(Debug, Clone, Serialize)]
pub struct LatencyReport {
    /// Rows with bars.
    #[serde(flatten)]
    pub report: Report,
    /// Every stage.
    pub stages: Vec<Stage>,
    #[serde(skip)]
    pub(super) started: SystemTime,
    #[serde(skip)]
    pub(super) lasted: Duration,
}

pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3)
        .expect("the bounds are legal: 1 ≤ low, 2·low ≤ high, digits ≤ 5")
}

impl Stage {
    pub(super) fn new(name: &'static str, what: &'static str, histogram: Histogram<u64>) -> Stage {
        let at = |share: f64| histogram.value_at_quantile(share);
        let percentiles = [at(0.5), at(0.9), at(0.99), at(0.999), at(0.9999), histogram.max()];
        Stage { name, what, count: histogram.len(), percentiles, histogram }
    }

    /// The stage as a line of a table.
    pub fn cells(&self) -> Vec<String> {
        self.percentiles.iter().map(|ns| duration_text(*ns as f64)).collect()
    }

    fn curve(&self) -> Curve {
        // Ten points per decade of what is left above.
        let shares = (0..=50).map(|n| 1.0 - 10f64.powf(-f64::from(n) / 10.0));
        let points = shares.map(|share| (share, self.histogram.value_at_quantile(share))).collect();
        Curve { name: format!("{}: {}", self.name, self.what), points }
    }
}

impl LatencyReport {
    /// The curves worth a picture: whole paths and both calibrations.
    pub fn curves(&self) -> Vec<Curve> {
        let whole =
            |stage: &&Stage| ["order", "event", "bare", "hiccup", "echo", "wire"].contains(&stage.name);
        self.stages.iter().filter(whole).map(Stage::curve).collect()
    }

    /// Writes every stage as a tagged histogram of an HdrHistogram interval log.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_hlog(&self, path: &Path) -> Result<(), RunError> {
        let mut bytes = Vec::new();
        let failed = |problem: String| RunError::Text { path: path.display().to_string(), problem };
        let mut serializer = V2DeflateSerializer::new();
        let mut log = IntervalLogWriterBuilder::new()
            .add_comment(&format!("onetape bench latency, {}; nanoseconds", self.report.tape))
            .with_start_time(self.started)
            .begin_log_with(&mut bytes, &mut serializer)
            .map_err(|e| failed(e.to_string()))?;
        for stage in &self.stages {
            // Times are offsets from the log's start.
            log.write_histogram(&stage.histogram, Duration::ZERO, self.lasted, Tag::new(stage.name))
                .map_err(|e| failed(format!("{e:?}")))?;
        }
        drop(log);
        std::fs::write(path, bytes).map_err(|e| RunError::io(path, e))
    }
}

/// The rows of a report. With orders that wait for the disk their bar is the disk's own cost.
pub(super) fn rows(stages: &[Stage], ratios: &[Ratios], durability: Durability) -> Vec<Row> {
    let us = |name: &str, index: usize| {
        let stage = stages.iter().find(|stage| stage.name == name);
        stage.map_or(0.0, |stage| stage.percentiles[index] as f64 / 1e3)
    };
    let disk = Some((1.5 * us("sync", 0)).round());
    let waits = matches!(durability.commits(), Commits::BeforeOrders(_));
    let (p50, p99) =
        if waits { (disk, None) } else { (Some(5.0), Some(f64::max(25.0, (2.0 * us("hiccup", 2)).round()))) };
    // An echo waits for no disk.
    let times = |bar: f64| Some(bar).filter(|_| !waits);
    let middle = |ratio: &dyn Fn(&Ratios) -> f64| median(&ratios.iter().map(ratio).collect::<Vec<_>>());
    let order = |index: usize| middle(&|turn| turn.order[index]);
    let wire = |index: usize| middle(&|turn| turn.wire[index]);
    vec![
        Row::context("hiccup.p99", "the machine's own hiccups, p99", us("hiccup", 2), "µs"),
        Row::context("bare.p50", "bare hand-over, p50", us("bare", 0), "µs"),
        Row::context("bare.p99", "bare hand-over, p99", us("bare", 2), "µs"),
        Row::cost("order.p50", "in process: market bytes → order bytes, p50", us("order", 0), "µs", p50),
        Row::cost("order.p99", "in process: market bytes → order bytes, p99", us("order", 2), "µs", p99),
        Row::cost("order.p50.bare", "  p50 ÷ that of the bare hand-over", order(0), "×", None),
        Row::cost("order.p99.bare", "  p99 ÷ that of the bare hand-over", order(1), "×", None),
        Row::cost("event.p50", "  market bytes → applied, p50", us("event", 0), "µs", None),
        Row::cost("event.p99", "  market bytes → applied, p99", us("event", 2), "µs", None),
        Row::cost("loop.p50", "  decode, loop, risk and order, p50", us("loop", 0), "µs", None),
        Row::context("echo.p50", "bare echo over loopback, p50", us("echo", 0), "µs"),
        Row::context("echo.p99", "bare echo over loopback, p99", us("echo", 2), "µs"),
        Row::cost("wire.p50", "over loopback: market bytes → order bytes, p50", us("wire", 0), "µs", None),
        Row::cost("wire.p99", "over loopback: market bytes → order bytes, p99", us("wire", 2), "µs", None),
        Row::cost("wire.p50.echo", "  p50 ÷ that of the bare echo", wire(0), "×", times(2.0)),
        Row::cost("wire.p99.echo", "  p99 ÷ that of the bare echo", wire(1), "×", times(3.0)),
        Row::context("sync.p50", "two bare syncs, as often as orders come, p50", us("sync", 0), "µs"),
        Row::context("busy.p50", "two bare syncs, one pair after the other, p50", us("busy", 0), "µs"),
        Row::cost("durable.p50", "over loopback, durability order, p50", us("durable", 0), "µs", disk),
        Row::cost("durable.p99", "over loopback, durability order, p99", us("durable", 2), "µs", None),
    ]
}
