//! The command line's grammar.

use clap::{Args, Parser, Subcommand, ValueEnum};
use onetape_engine::config::FillProfile;
use onetape_engine::num::Money;
use onetape_journal::Point;
use onetape_session::settings::JournalMode;
use std::path::PathBuf;

/// Event-sourced options trading engine: one tape, one loop, one journal.
#[derive(Debug, Parser)]
#[command(
    name = "onetape",
    version,
    about = "Event-sourced options trading engine: one tape, one loop, one journal.",
    after_help = "Examples:\n  onetape replay                              run the demo session\n  onetape audit verify RUN --rederive         prove its journal\n  onetape data info replay-data/one-2d        what a session holds",
    propagate_version = true,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    /// Print JSON on stdout instead of text.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print no progress and no notes on stderr.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replay a recorded session through strategy, risk, OMS and the simulated venue.
    Replay(Box<ReplayArgs>),
    /// Verify, compare and read journals.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Import, generate and inspect sessions.
    #[command(subcommand)]
    Data(DataCommand),
    /// Write a strategy crate of your own.
    New(NewArgs),
    /// Measure this machine against the engine's budgets.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// List the strategies this program holds, with their parameters.
    Strategies,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape replay\n  onetape replay --set profit_target=0.25\n  onetape replay --session sessions/goog --strategy short-strangle --cash 200000\n  onetape replay --session sessions/goog --fills lean --strategy script --script orders.toml"
)]
pub(crate) struct ReplayArgs {
    /// Session folder [default: the demo session].
    #[arg(long, env = "ONETAPE_SESSION")]
    pub(crate) session: Option<PathBuf>,
    /// Strategy by name; `onetape strategies` lists them [default: demo].
    #[arg(long, env = "ONETAPE_STRATEGY")]
    pub(crate) strategy: Option<String>,
    /// Strategy parameter, repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Order script for the `script` strategy (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Configuration file; flags win over it.
    #[arg(long, value_name = "FILE", env = "ONETAPE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// How the simulated venue fills [default: realistic].
    #[arg(long, value_enum, env = "ONETAPE_FILLS")]
    pub(crate) fills: Option<Fills>,
    /// Order latencies to and from the venue, for example `1ms,1ms` or `250us,250us`.
    #[arg(long, value_name = "ENTRY,RESPONSE", env = "ONETAPE_LATENCY")]
    pub(crate) latency: Option<String>,
    /// Cash at the start [default: 100000].
    #[arg(long, env = "ONETAPE_CASH")]
    pub(crate) cash: Option<Money>,
    /// Seed of every random stream [default: 1].
    #[arg(long, env = "ONETAPE_SEED")]
    pub(crate) seed: Option<u64>,
    /// `full` keeps a self-contained journal, `off` only its hashes [default: full].
    #[arg(long, value_enum, env = "ONETAPE_JOURNAL")]
    pub(crate) journal: Option<Journal>,
    /// Folder for run folders [default: runs].
    #[arg(long, value_name = "DIR", env = "ONETAPE_OUT")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Fills {
    Realistic,
    Mid,
    Natural,
    Lean,
}

impl From<Fills> for FillProfile {
    fn from(fills: Fills) -> FillProfile {
        match fills {
            Fills::Realistic => FillProfile::Realistic,
            Fills::Mid => FillProfile::Mid,
            Fills::Natural => FillProfile::Natural,
            Fills::Lean => FillProfile::Lean,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Journal {
    Full,
    Off,
}

impl From<Journal> for JournalMode {
    fn from(mode: Journal) -> JournalMode {
        match mode {
            Journal::Full => JournalMode::Full,
            Journal::Off => JournalMode::Off,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check a run's journal: chain, counts, hashes; with --rederive every derived event.
    #[command(after_help = "Example:\n  onetape audit verify 3f2a --rederive")]
    Verify {
        /// Run folder or id (a unique prefix will do).
        run: String,
        /// Run the inputs through the loop again and compare every derived event.
        #[arg(long)]
        rederive: bool,
        /// Head hash that the journal must have.
        #[arg(long, value_name = "HEAD")]
        expect: Option<String>,
        /// Folder that holds run folders.
        #[arg(long, value_name = "DIR", default_value = "runs", env = "ONETAPE_OUT")]
        out: PathBuf,
    },
    /// Cut a damaged journal back to its intact blocks; what it cuts is kept beside it.
    #[command(after_help = "Example:\n  onetape audit repair 3f2a")]
    Repair {
        /// Run folder or id.
        run: String,
        /// Folder that holds run folders.
        #[arg(long, value_name = "DIR", default_value = "runs", env = "ONETAPE_OUT")]
        out: PathBuf,
    },
    /// Compare two runs to their first divergent event.
    #[command(after_help = "Example:\n  onetape audit diff 3f2a 77c1")]
    Diff {
        /// First run.
        run_a: String,
        /// Second run.
        run_b: String,
        /// Folder that holds run folders.
        #[arg(long, value_name = "DIR", default_value = "runs", env = "ONETAPE_OUT")]
        out: PathBuf,
    },
    /// Print a run's log, filtered.
    #[command(
        after_help = "Examples:\n  onetape audit show 3f2a --kind fill\n  onetape audit show 3f2a --from 2025-05-16T13:45:00Z --to 2025-05-16T13:46:00Z"
    )]
    Show {
        /// Run folder or id.
        run: String,
        /// Record kind or event name, for example `quote`, `fill`, `risk`, `mark`.
        #[arg(long)]
        kind: Option<String>,
        /// Symbol.
        #[arg(long)]
        instrument: Option<String>,
        /// First seq, or UTC time (2025-05-16T13:45:00Z).
        #[arg(long, value_name = "SEQ|TIME")]
        from: Option<Point>,
        /// Last seq, or UTC time.
        #[arg(long, value_name = "SEQ|TIME")]
        to: Option<Point>,
        /// Folder that holds run folders.
        #[arg(long, value_name = "DIR", default_value = "runs", env = "ONETAPE_OUT")]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Import recorded data into a session folder.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Generate a session of the fictional ETF ONE and its option chain.
    #[command(after_help = "Example:\n  onetape data generate --seed 7 --out sessions/one-7")]
    Generate {
        /// Seed; the same seed gives the same bytes everywhere.
        #[arg(long, default_value_t = onetape_tape::generate::DEMO_SEED)]
        seed: u64,
        /// Trading days.
        #[arg(long)]
        days: Option<u32>,
        /// Target number of inputs.
        #[arg(long)]
        events: Option<u64>,
        /// Session folder to write.
        #[arg(long, value_name = "SESSION")]
        out: PathBuf,
    },
    /// Measure a generated session against the figures that real markets show.
    #[command(after_help = "Example:\n  onetape data check replay-data/one-2d --stylised")]
    Check {
        /// Session folder.
        path: PathBuf,
        /// Compare the session's stylised facts with their bands.
        #[arg(long, required = true)]
        stylised: bool,
    },
    /// What a session or a DBN file holds.
    #[command(after_help = "Example:\n  onetape data info replay-data/one-2d --json")]
    Info {
        /// Session folder, or a DBN file.
        path: PathBuf,
        /// DBN version of a fragment, which has no header.
        #[arg(long, value_name = "1|2|3", value_parser = clap::value_parser!(u8).range(1..=3))]
        dbn_version: Option<u8>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// A LEAN data folder; an option import brings its underlying.
    #[command(
        after_help = "Example:\n  onetape data import lean --root Data --symbol GOOG --from 2015-12-24 --to 2015-12-24 --out sessions/goog"
    )]
    Lean {
        /// LEAN's `Data` folder, or the folder that holds it.
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        /// Symbol, repeatable.
        #[arg(long, required = true, num_args = 1..)]
        symbol: Vec<String>,
        /// What the symbols are.
        #[arg(long, value_enum, default_value = "option")]
        kind: LeanKindArg,
        /// Resolution of the files.
        #[arg(long, default_value = "minute")]
        resolution: String,
        /// First date (yyyy-mm-dd).
        #[arg(long, value_name = "DATE")]
        from: Option<String>,
        /// Last date (yyyy-mm-dd).
        #[arg(long, value_name = "DATE")]
        to: Option<String>,
        /// Session folder to write.
        #[arg(long, value_name = "SESSION")]
        out: PathBuf,
    },
    /// Databento DBN files (plain or zstd), merged by the time they were knowable.
    #[command(after_help = "Example:\n  onetape data import dbn es.mbp-1.dbn.zst --out sessions/es")]
    Dbn {
        /// Files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// DBN version of fragments, which have no header.
        #[arg(long, value_name = "1|2|3", value_parser = clap::value_parser!(u8).range(1..=3))]
        dbn_version: Option<u8>,
        /// Session folder to write.
        #[arg(long, value_name = "SESSION")]
        out: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeanKindArg {
    Option,
    Indexoption,
    Equity,
    Index,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Loop and full-journal rates beside their bars.
    #[command(after_help = "Example:\n  onetape bench throughput --events 5000000")]
    Throughput {
        /// Quotes of the generated tape.
        #[arg(long, default_value_t = 5_000_000)]
        events: u64,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  onetape new my-strategy && cd my-strategy && cargo run --release -- replay --strategy my-strategy"
)]
pub(crate) struct NewArgs {
    /// Name of the crate and its strategy.
    pub(crate) name: String,
    /// Folder of the onetape repository to depend on; otherwise the one this program was built from.
    #[arg(long, value_name = "DIR")]
    pub(crate) engine_path: Option<PathBuf>,
}
