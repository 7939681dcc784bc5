//! `onetape audit`: one file per command.

mod books;
mod diff;
mod explain;
mod export;
mod parity;
mod repair;
mod show;
mod sign;
mod sql;
mod state;
mod tail;
mod verify;

use crate::Session;
use crate::failure::{Failure, INPUT};
use clap::{Args, Subcommand};
use onetape_journal::{JournalError, JournalReader};
use onetape_session::Sessions;
use onetape_tape::session::Embedded;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check a run's journal: chain, counts, hashes; with --rederive every derived event.
    Verify(verify::VerifyArgs),
    /// Cut a damaged journal back to its intact blocks; what it cuts is kept beside it.
    Repair(repair::RepairArgs),
    /// Compare two runs: settings, first divergent event, and the result order by order.
    Diff(diff::DiffArgs),
    /// Run the inputs again and prove that they write the identical journal.
    Parity(parity::ParityArgs),
    /// Tell why an order came about and what became of it.
    Explain(explain::ExplainArgs),
    /// Print positions, orders, cash and books as they were at a place of the log.
    State(state::StateArgs),
    /// Write a run as tables (Parquet, CSV, JSON lines) or as one sealed file.
    Export(export::ExportArgs),
    /// Restore a run from a sealed file; it must come to the same head.
    Import(export::ImportArgs),
    /// Sign a run's head with an Ed25519 key.
    Sign(sign::SignArgs),
    /// Ask a run's tables a question in SQL.
    Sql(sql::SqlArgs),
    /// Print a run's log, filtered.
    Show(show::ShowArgs),
    /// Follow a live run: print what its owner seals.
    Tail(tail::TailArgs),
}

pub(crate) fn run(command: &AuditCommand, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        AuditCommand::Verify(args) => verify::run(args, session),
        AuditCommand::Repair(args) => repair::run(args, session),
        AuditCommand::Diff(args) => diff::run(args, session),
        AuditCommand::Parity(args) => parity::run(args, session),
        AuditCommand::Explain(args) => explain::run(args, session),
        AuditCommand::State(args) => state::run(args, session),
        AuditCommand::Export(args) => export::run(args, session),
        AuditCommand::Import(args) => export::import(args, session),
        AuditCommand::Sign(args) => sign::run(args, session),
        AuditCommand::Sql(args) => sql::run(args, session),
        AuditCommand::Show(args) => show::run(args, session),
        AuditCommand::Tail(args) => tail::run(args, session),
    }
}

/// The run that an audit command reads.
#[derive(Debug, Args)]
pub(crate) struct RunArg {
    /// Run folder or id (a unique prefix will do).
    run: String,
    #[command(flatten)]
    runs: RunsArg,
    #[command(flatten)]
    session: SessionArg,
}

impl RunArg {
    /// The run's folder.
    pub(crate) fn find(&self) -> Result<PathBuf, Failure> {
        self.runs.find(&self.run)
    }

    /// The run's journal with the inputs it may refer to.
    pub(crate) fn open(&self) -> Result<JournalReader, Failure> {
        let reader = self.sessions().open(&self.find()?)?;
        self.session.check_use(reader.header().session.is_some())?;
        Ok(reader)
    }

    /// Where the inputs of runs in journal mode `refs` are looked for.
    pub(crate) fn sessions(&self) -> Sessions<'_> {
        self.session.sessions()
    }

    /// Refuses a session that the run has no use for.
    pub(crate) fn check_session(&self, refers: bool) -> Result<(), Failure> {
        self.session.check_use(refers)
    }
}

/// The session that a run in journal mode `refs` refers to.
#[derive(Debug, Args)]
pub(crate) struct SessionArg {
    /// Session of a run made with --journal refs, when it is not found beside the run.
    #[arg(long, value_name = "FOLDER")]
    session: Vec<PathBuf>,
}

impl SessionArg {
    /// Where such sessions are looked for.
    pub(crate) fn sessions(&self) -> Sessions<'_> {
        sessions(&self.session)
    }

    pub(crate) fn check_use(&self, is_of_use: bool) -> Result<(), Failure> {
        if is_of_use || self.session.is_empty() {
            return Ok(());
        }
        Err(Failure::usage("--session: the run holds its inputs itself; leave the flag out"))
    }
}

/// The named sessions, else what lies beside a run or is built in.
pub(crate) fn sessions(given: &[PathBuf]) -> Sessions<'_> {
    static BUILT_IN: [&Embedded; 1] = [&crate::demo::BUILT_IN];
    Sessions { given, built_in: &BUILT_IN }
}

/// Where runs are looked for.
#[derive(Debug, Args)]
pub(crate) struct RunsArg {
    /// Folder that holds run folders.
    #[arg(long, value_name = "DIR", default_value = "runs", env = "ONETAPE_OUT")]
    out: PathBuf,
}

impl RunsArg {
    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.out
    }

    /// A run folder by path, id, or unique prefix of an id.
    pub(crate) fn find(&self, run: &str) -> Result<PathBuf, Failure> {
        find_run(run, &self.out)
    }
}

/// A run folder by path, id, or unique prefix of an id.
pub(crate) fn find_run(run: &str, out: &Path) -> Result<PathBuf, Failure> {
    let direct = Path::new(run);
    if direct.join("journal").is_dir() {
        return Ok(direct.to_path_buf());
    }
    let mut found: Vec<PathBuf> = std::fs::read_dir(out)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    found.retain(|path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with(run) && !name.ends_with(".partial") && path.is_dir()
    });
    // An exact id wins over longer names that begin with it.
    if let Some(exact) = found.iter().find(|path| path.file_name().is_some_and(|name| name == run)) {
        found = vec![exact.clone()];
    }
    match found.as_slice() {
        [one] if one.join("journal").is_dir() => Ok(one.clone()),
        [one] => Err(Failure::input(format!(
            "{}: the run keeps no journal (it ran with --journal off); replay it with --journal full or refs",
            one.display()
        ))),
        [] => Err(Failure::input(format!("no run '{run}' in {}; `onetape replay` makes one", out.display()))),
        several => Err(Failure::usage(format!(
            "'{run}' may mean {}; give more digits",
            several.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
        ))),
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        let code = match error {
            JournalError::Failed { .. } | JournalError::Output { .. } | JournalError::Thread => {
                crate::failure::IO
            }
            _ => INPUT,
        };
        Failure { code, message: error.to_string() }
    }
}
