//! How a live run is run: its source, pace and durability, kept in the run folder's `paper.toml`.

use super::clock::{RunClock, Speed};
use crate::error::RunError;
use crate::replay::FeedError;
use onetape_engine::num::Nanos;
use onetape_journal::Commits;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// Longest time between commits at the levels `interval` and `order`.
const COMMIT_EVERY: Duration = Duration::from_millis(50);
/// The plan's file in the run folder.
const PLAN_FILE: &str = "paper.toml";

/// When a live run's journal is durable, and whether orders wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// When the run ends; an order leaves at the hand-over of its block, and a crash may lose the whole run.
    Buffered,
    /// Every 50 ms; an order leaves at the hand-over of its block, and a crash may lose what is younger.
    #[default]
    Interval,
    /// An order leaves only after its block and all before it are durable.
    Order,
}

impl Durability {
    pub(crate) fn commits(self) -> Commits {
        match self {
            Durability::Buffered => Commits::AtEnd,
            Durability::Interval => Commits::Every(COMMIT_EVERY),
            Durability::Order => Commits::BeforeOrders(COMMIT_EVERY),
        }
    }

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Durability::Buffered => "buffered",
            Durability::Interval => "interval",
            Durability::Order => "order",
        }
    }
}

/// How a live run is run; none of it enters a hashed byte but the start time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperPlan {
    /// Wall time of the start, UTC nanoseconds: part of the run id.
    pub started_ns: u64,
    /// `demo`, `session:PATH` or `stdin`.
    pub source: String,
    /// `max` or how many times real time.
    pub speed: String,
    /// Durability level.
    pub durability: Durability,
    /// Whether the run's inputs become a session when it ends.
    pub record: bool,
}

impl PaperPlan {
    /// Reads the plan of a run folder.
    ///
    /// # Errors
    /// When the folder holds no live run.
    pub fn read(run: &Path) -> Result<PaperPlan, RunError> {
        let path = run.join(PLAN_FILE);
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(&path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => RunError::Text {
                path: shown.clone(),
                problem: "not there: only runs that `onetape paper` began can be resumed".to_string(),
            },
            _ => RunError::io(&path, e),
        })?;
        toml::from_str(&text).map_err(|e| RunError::Text { path: shown, problem: e.to_string() })
    }

    pub(super) fn write(&self, run: &Path) -> Result<(), RunError> {
        let path = run.join(PLAN_FILE);
        let text = toml::to_string(self)
            .map_err(|e| RunError::Text { path: path.display().to_string(), problem: e.to_string() })?;
        std::fs::write(&path, text).map_err(|e| RunError::io(&path, e))
    }

    pub(super) fn clock(&self, from: Nanos) -> Result<RunClock, RunError> {
        if self.source == "stdin" {
            return Ok(RunClock::feed(from));
        }
        let speed = Speed::parse(&self.speed).map_err(|problem| RunError::Source { problem })?;
        Ok(RunClock::recorded(from, speed))
    }
}

impl PaperPlan {
    /// An error with the source's name.
    pub(super) fn failed(&self, error: impl Into<FeedError>) -> RunError {
        match error.into() {
            FeedError::Run(error) => error,
            FeedError::Kernel(source) => RunError::Input { path: self.source.clone(), source },
        }
    }
}
