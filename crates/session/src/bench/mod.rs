//! What loop and journal cost on this machine, beside the budgets.
//!
//! Rates are per second of thread CPU time unless a row says otherwise, so a busy neighbour costs little;
//! a rate over several threads divides by the busiest. Latencies are wall time against the instant at which
//! the event was *planned* to be sent, beside a calibration of the machine's own hiccups.
//! Each figure is the median of its samples, which stay in the report for [`compare()`].

mod compare;
mod curve;
mod journal;
mod latency;
mod loopback;
mod machine;
mod memory;
mod paced;
mod path;
mod refs;
mod stages;
mod strategy;
mod tape;
mod throughput;
mod ticks;

pub use compare::{Comparison, Verdict, compare};
pub use curve::svg;
pub use latency::{LatencyPlan, latency};
pub use machine::{Machine, process_cpu, thread_cpu};
pub use memory::{MemoryPlan, MemoryReport, memory};
pub use stages::{Curve, LatencyReport, Stage};
pub use throughput::{Part, ThroughputPlan, throughput};

use serde::{Deserialize, Serialize};

/// Which way a figure improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Rates.
    Higher,
    /// Costs.
    Lower,
    /// Neither: context for other rows.
    Context,
}

/// One figure beside its bar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Stable name, by which reports are compared.
    pub name: String,
    /// What was measured, for a person.
    pub what: String,
    /// Median of the samples.
    pub figure: f64,
    /// Unit.
    pub unit: String,
    /// Which way it improves.
    pub better: Better,
    /// Bar of the design, in `unit`.
    pub bar: Option<f64>,
    /// One figure per repetition.
    pub samples: Vec<f64>,
}

impl Row {
    fn new(name: &str, what: &str, figure: f64, unit: &str, better: Better, bar: Option<f64>) -> Row {
        let (name, what, unit) = (name.to_string(), what.to_string(), unit.to_string());
        Row { name, what, figure, unit, better, bar, samples: vec![figure] }
    }

    fn rate(name: &str, what: &str, figure: f64, unit: &str, bar: Option<f64>) -> Row {
        Row::new(name, what, figure, unit, Better::Higher, bar)
    }

    fn cost(name: &str, what: &str, figure: f64, unit: &str, bar: Option<f64>) -> Row {
        Row::new(name, what, figure, unit, Better::Lower, bar)
    }

    fn context(name: &str, what: &str, figure: f64, unit: &str) -> Row {
        Row::new(name, what, figure, unit, Better::Context, None)
    }

    /// Whether the figure meets its bar; `None` without one.
    pub fn meets(&self) -> Option<bool> {
        let bar = self.bar?;
        Some(if self.better == Better::Lower { self.figure <= bar } else { self.figure >= bar })
    }

    /// The bar as text, `-` without one.
    pub fn bar_text(&self) -> String {
        let sign = if self.better == Better::Lower { "≤" } else { "≥" };
        self.bar.map_or("-".to_string(), |bar| format!("{sign} {bar}"))
    }
}

/// Figures of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// `throughput` or `latency`: only equals are compared.
    pub kind: String,
    /// Version of the program.
    pub version: String,
    /// Where it ran.
    pub machine: Machine,
    /// What was timed.
    pub tape: String,
    /// Figures.
    pub rows: Vec<Row>,
}

impl Report {
    fn new(kind: &str, tape: String, rows: Vec<Row>) -> Report {
        let version = env!("CARGO_PKG_VERSION").to_string();
        Report { kind: kind.to_string(), version, machine: Machine::here(), tape, rows }
    }
}

/// The middle of `samples`, the mean of the two middles of an even number; 0 of none.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// Joins repetitions of the same measurement, row by row.
fn join(repetitions: Vec<Vec<Row>>) -> Vec<Row> {
    let mut repetitions = repetitions.into_iter();
    let mut rows = repetitions.next().unwrap_or_default();
    for repetition in repetitions {
        for (row, again) in rows.iter_mut().zip(repetition) {
            assert_eq!(row.name, again.name, "a measurement has the same rows each time");
            row.samples.push(again.figure);
        }
    }
    for row in &mut rows {
        row.figure = median(&row.samples);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_become_medians_with_their_samples() {
        let rows = |figure| vec![Row::rate("a", "a rate", figure, "M/s", Some(2.0))];
        let joined = join(vec![rows(3.0), rows(1.0), rows(2.0)]);
        assert_eq!(joined[0].samples, [3.0, 1.0, 2.0]);
        assert!((joined[0].figure - 2.0).abs() < 1e-12);
        assert_eq!(joined[0].meets(), Some(true));
        assert!((median(&[4.0, 1.0]) - 2.5).abs() < 1e-12);
    }

    #[test]
    fn a_cost_meets_its_bar_from_below() {
        let row = Row::cost("a", "a cost", 3.0, "ns", Some(2.0));
        assert_eq!((row.meets(), row.bar_text().as_str()), (Some(false), "≤ 2"));
        assert_eq!(Row::context("b", "context", 1.0, "ns").meets(), None);
    }
}
