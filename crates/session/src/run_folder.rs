//! Run folders: `runs/<run-id>/` with `session.toml`, `journal/`, `metrics.json`, `trades.csv`.
//!
//! A replay writes `<id>.partial`. Then: no folder of that id → rename; one with the same head →
//! the old one stays and the run was "reproduced"; one with another head → both stay, and the
//! caller reports the first divergence.

use crate::collect::{Collector, reason_name};
use crate::error::RunError;
use crate::replay::RunSummary;
use crate::settings::{JournalMode, Settings};
use onetape_engine::config::RunConfig;
use onetape_engine::ids::Seq;
use onetape_engine::input::Command;
use onetape_engine::instrument::InstrumentDef;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// How a run's folder came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// First run of this id.
    New,
    /// A run of this id was there with the same head.
    Reproduced,
    /// A run of this id was there with another head: something is not deterministic, or was altered.
    Diverged,
}

/// Hash of a run's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunId(pub [u8; 32]);

impl RunId {
    /// First 16 hex digits: the folder's name.
    pub fn short(&self) -> String {
        hex(&self.0[..8])
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Run id of a replay: BLAKE3 of the resolved configuration and the journal mode.
pub fn run_id(config: &RunConfig, mode: JournalMode) -> RunId {
    hash_of(&(config, mode.name()))
}

/// Run id of a fork: the parent's id, the place and the commands decide it as well.
pub(crate) fn fork_id(config: &RunConfig, parent: &str, seq: Seq, commands: &[Command]) -> RunId {
    hash_of(&(config, JournalMode::Full.name(), "fork", parent, seq, commands))
}

fn hash_of<T: Serialize>(value: &T) -> RunId {
    let encoding = bincode::config::standard().with_fixed_int_encoding();
    let bytes = bincode::serde::encode_to_vec(value, encoding)
        .expect("a configuration is plain data and memory takes every byte");
    RunId(*blake3::hash(&bytes).as_bytes())
}

/// Run id of a paper run: as a replay's, with the wall time of its start.
pub(crate) fn paper_run_id(config: &RunConfig, started_ns: u64) -> RunId {
    let replay = run_id(config, JournalMode::Full);
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"onetape paper run\n").update(&replay.0).update(&started_ns.to_le_bytes());
    RunId(*hasher.finalize().as_bytes())
}

/// A run folder under construction.
#[derive(Debug)]
pub struct RunFolder {
    runs: PathBuf,
    id: String,
    partial: PathBuf,
}

/// What a finished run leaves in its folder.
pub(crate) struct Finished<'a> {
    pub(crate) summary: &'a mut RunSummary,
    pub(crate) settings: &'a Settings,
    pub(crate) collector: &'a Collector,
    pub(crate) instruments: &'a [InstrumentDef],
}

#[derive(Deserialize)]
struct OldHead {
    head_hash: String,
    derived_hash: String,
}

impl RunFolder {
    /// Begins `<runs>/<id>.partial`, removing what an interrupted run of the same id left.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn begin(runs: &Path, id: &RunId) -> Result<RunFolder, RunError> {
        let partial = runs.join(format!("{}.partial", id.short()));
        if partial.exists() {
            fs::remove_dir_all(&partial).map_err(|e| RunError::io(&partial, e))?;
        }
        fs::create_dir_all(&partial).map_err(|e| RunError::io(&partial, e))?;
        Ok(RunFolder { runs: runs.to_path_buf(), id: id.short(), partial })
    }

    /// Begins `<runs>/<id>`, where a live run can be watched and resumed while it lasts.
    ///
    /// # Errors
    /// When the folder exists or cannot be made.
    pub fn begin_live(runs: &Path, id: &RunId, settings: &Settings) -> Result<RunFolder, RunError> {
        let place = runs.join(id.short());
        fs::create_dir_all(runs).map_err(|e| RunError::io(runs, e))?;
        fs::create_dir(&place).map_err(|e| RunError::io(&place, e))?;
        let folder = RunFolder { runs: runs.to_path_buf(), id: id.short(), partial: place };
        folder.write_settings(settings, &format!("# Resolved settings of run {}\n", id.short()))?;
        Ok(folder)
    }

    /// The folder of a live run that goes on.
    pub fn resume_live(run: &Path) -> RunFolder {
        let id = run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        RunFolder { runs: PathBuf::new(), id, partial: run.to_path_buf() }
    }

    /// The folder while the run lasts.
    pub fn place(&self) -> &Path {
        &self.partial
    }

    /// The run's short id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Writes the text files of a live run, whose folder has its name from the start.
    pub(crate) fn finish_live(self, finished: Finished<'_>) -> Result<(), RunError> {
        let Finished { summary, settings, collector, instruments } = finished;
        self.write_text(summary, settings, collector, instruments)
    }

    /// Where the journal goes.
    pub fn journal(&self) -> PathBuf {
        self.partial.join("journal")
    }

    /// Writes the text files and gives the folder its final name.
    pub(crate) fn finish(self, finished: Finished<'_>) -> Result<(), RunError> {
        let Finished { summary, settings, collector, instruments } = finished;
        let (outcome, place) = self.outcome(summary)?;
        summary.outcome = outcome;
        summary.run_dir = place.display().to_string();
        if outcome == Outcome::Reproduced {
            return fs::remove_dir_all(&self.partial).map_err(|e| RunError::io(&self.partial, e));
        }
        self.write_text(summary, settings, collector, instruments)?;
        fs::rename(&self.partial, &place).map_err(|e| RunError::io(&place, e))
    }

    fn outcome(&self, summary: &RunSummary) -> Result<(Outcome, PathBuf), RunError> {
        let place = self.runs.join(&self.id);
        if !place.exists() {
            return Ok((Outcome::New, place));
        }
        let metrics = place.join("metrics.json");
        let old = fs::read(&metrics).ok().and_then(|bytes| serde_json::from_slice::<OldHead>(&bytes).ok());
        let is_equal = old.is_some_and(|old| {
            old.head_hash == summary.head_hash && old.derived_hash == summary.derived_hash
        });
        if is_equal {
            return Ok((Outcome::Reproduced, place));
        }
        let other = (2..).map(|n| self.runs.join(format!("{}.{n}", self.id))).find(|path| !path.exists());
        Ok((Outcome::Diverged, other.unwrap_or(place)))
    }

    fn write_text(
        &self,
        summary: &RunSummary,
        settings: &Settings,
        collector: &Collector,
        instruments: &[InstrumentDef],
    ) -> Result<(), RunError> {
        let fork = summary.fork.as_ref().map_or(String::new(), |of| {
            let at = format!("# forked from run {} after seq {}", of.run, of.seq);
            format!("{at}; what follows is that run's, at seq {} enter {:?}\n", of.first_seq, of.commands)
        });
        let head = format!(
            "# Resolved settings of run {}\n# session {} (content hash {})\n# strategy {} version {}, onetape {}\n{fork}",
            summary.run_id,
            summary.session,
            summary.session_hash,
            summary.strategy,
            summary.strategy_version,
            summary.version,
        );
        self.write_settings(settings, &head)?;
        let path = self.partial.join("metrics.json");
        let json = serde_json::to_vec_pretty(summary)
            .map_err(|e| RunError::Text { path: path.display().to_string(), problem: e.to_string() })?;
        write(&path, &json)?;
        self.write_trades(collector, instruments)
    }

    fn write_settings(&self, settings: &Settings, head: &str) -> Result<(), RunError> {
        let path = self.partial.join("session.toml");
        let body = toml::to_string(settings)
            .map_err(|e| RunError::Text { path: path.display().to_string(), problem: e.to_string() })?;
        write(&path, format!("{head}{body}").as_bytes())
    }

    fn write_trades(&self, collector: &Collector, instruments: &[InstrumentDef]) -> Result<(), RunError> {
        let path = self.partial.join("trades.csv");
        let text_error =
            |e: csv::Error| RunError::Text { path: path.display().to_string(), problem: e.to_string() };
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record([
            "seq",
            "ts_ns",
            "venue_ts_ns",
            "order",
            "symbol",
            "quantity",
            "price",
            "fee",
            "bid",
            "ask",
            "reason",
            "justification_seq",
        ])
        .map_err(text_error)?;
        for fill in &collector.fills {
            let e = &fill.execution;
            let symbol = instruments.get(e.instrument.index()).map_or("?", |def| def.symbol.as_str());
            out.write_record([
                fill.seq.to_string(),
                fill.ts.0.to_string(),
                e.at.0.to_string(),
                e.order.0.to_string(),
                symbol.to_string(),
                e.quantity.to_string(),
                e.price.to_string(),
                fill.fee.to_string(),
                e.bid.to_string(),
                e.ask.to_string(),
                reason_name(e.reason).to_string(),
                e.justification.to_string(),
            ])
            .map_err(text_error)?;
        }
        let bytes = out
            .into_inner()
            .map_err(|e| RunError::Text { path: path.display().to_string(), problem: e.to_string() })?;
        write(&path, &bytes)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    fs::write(path, bytes).map_err(|e| RunError::io(path, e))
}
