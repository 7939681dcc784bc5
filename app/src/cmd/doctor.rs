//! `onetape doctor`.

use crate::Session;
use crate::cli::Cli;
use crate::failure::{CHECK, Failure};
use crate::report;
use clap::{Args, CommandFactory};
use onetape_session::bench::Machine;
use onetape_session::doctor::{Finding, Level, examine};
use serde::Serialize;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  onetape doctor --out /data/runs\n\nExits 1 when something will bite: no space, a clock that runs backwards, a journal that does not verify."
)]
pub(crate) struct DoctorArgs {
    /// Folder for run folders, whose file system is examined.
    #[arg(long, value_name = "DIR", default_value = "runs", env = "ONETAPE_OUT")]
    out: PathBuf,
    /// Configuration file to check.
    #[arg(long, value_name = "FILE", env = "ONETAPE_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Examined {
    ok: bool,
    version: &'static str,
    machine: Machine,
    findings: Vec<Finding>,
}

/// The environment variables that any command reads.
fn collect_variables(command: &clap::Command, out: &mut Vec<String>) {
    let names = command.get_arguments().filter_map(|arg| arg.get_env());
    out.extend(names.map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|sub| collect_variables(sub, out));
}

pub(crate) fn run(args: &DoctorArgs, session: &Session<'_>) -> Result<u8, Failure> {
    report::note(session.quiet, "examining: takes a few seconds");
    let mut variables = Vec::new();
    collect_variables(&Cli::command(), &mut variables);
    let findings = examine(&args.out, args.config.as_deref(), &variables);
    let ok = findings.iter().all(|finding| finding.level != Level::Problem);
    let examined = Examined { ok, version: env!("CARGO_PKG_VERSION"), machine: Machine::here(), findings };
    if session.json {
        report::json(&examined)?;
    } else {
        report::line(&format!("onetape  {}", examined.version));
        report::line(&format!("machine  {}", examined.machine));
        for finding in &examined.findings {
            let level = match finding.level {
                Level::Good => "ok",
                Level::Note => "note",
                Level::Problem => "PROBLEM",
            };
            report::line(&format!("{level:<8} {:<12} {}", finding.what, finding.found));
            if let Some(remedy) = &finding.remedy {
                report::line(&format!("{:<21} → {remedy}", ""));
            }
        }
    }
    Ok(if ok { 0 } else { CHECK })
}
