//! The command line of onetape as a library.
//!
//! A program of your own with your own strategies is two lines; it has every command,
//! re-derivation included:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     onetape::main_with(onetape::Registry::builtin())
//! }
//! ```
//!
//! `onetape new NAME` writes such a crate. Data goes to stdout, progress and notes to stderr.
//! Exit codes: 0 ok, 1 the check failed, 2 usage, 3 bad input, 4 I/O.
#![deny(missing_docs)]

mod cli;
mod cmd;
mod demo;
mod failure;
mod report;
mod times;

pub use onetape_engine as engine;
pub use onetape_strategies::{Registry, registry};

use clap::Parser;
use cli::{Cli, Command};
use failure::Failure;
use std::process::ExitCode;

/// What every command needs to know.
pub(crate) struct Session<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// Runs the command line with a registry of strategies.
#[allow(clippy::needless_pass_by_value)] // Reads best as `main_with(registry![…])`.
pub fn main_with(registry: Registry) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap knows which stream and code each takes.
            error.print().ok();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE));
        }
    };
    let session = Session { registry: &registry, json: cli.json, quiet: cli.quiet };
    match run(cli.command, &session) {
        Ok(code) => ExitCode::from(code),
        Err(Failure { code, message }) => {
            report::error(&message);
            ExitCode::from(code)
        }
    }
}

fn run(command: Command, session: &Session<'_>) -> Result<u8, Failure> {
    match command {
        Command::Replay(args) => cmd::replay::run(&args, session),
        Command::Paper(args) => cmd::paper::run(&args, session),
        Command::Audit(command) => cmd::audit::run(&command, session),
        Command::Data(command) => cmd::data::run(&command, session),
        Command::New(args) => cmd::new::run(&args),
        Command::Bench(command) => cmd::bench::run(&command, session),
        Command::Doctor(args) => cmd::doctor::run(&args, session),
        Command::Price(args) => cmd::price::run(&args, session),
        Command::Chain(args) => cmd::chain::run(&args, session),
        Command::Payoff(args) => cmd::payoff::run(&args, session),
        Command::Vol(command) => cmd::vol::run(&command, session),
        Command::Strategies => cmd::strategies::run(session),
    }
}
