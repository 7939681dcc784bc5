//! `onetape replay --fork`.

use super::args::ReplayArgs;
use crate::Session;
use crate::cmd::audit::{find_run, sessions};
use crate::cmd::data::session_path;
use crate::cmd::run_flags::split_pair;
use crate::failure::Failure;
use crate::report::{self, ProgressLine};
use onetape_engine::config::FillProfile;
use onetape_engine::ids::{OrderIx, StrategyIx};
use onetape_engine::input::Command;
use onetape_session::settings::Settings;
use onetape_session::{ForkRequest, RunSummary, fork};

/// `RUN@SEQ`.
fn parse_place(text: &str) -> Result<(&str, u64), Failure> {
    let bad = || Failure::usage(format!("--fork: '{text}' is not RUN@SEQ, for example 3f2a@250000"));
    let (run, seq) = text.rsplit_once('@').ok_or_else(bad)?;
    Ok((run, seq.replace([',', '_'], "").parse().map_err(|_| bad())?))
}

/// Runs the fork that the flags ask for.
pub(super) fn run(
    place: &str,
    args: &ReplayArgs,
    session: &Session<'_>,
) -> Result<(RunSummary, Settings), Failure> {
    let (run, seq) = parse_place(place)?;
    refuse_other_flags(args)?;
    let commands = commands(args)?;
    let out = args.run.out();
    let dir = find_run(run, &out)?;
    let settings_path = dir.join("session.toml");
    let settings =
        if settings_path.is_file() { Settings::read(&settings_path)? } else { Settings::default() };
    let given: Vec<_> = args.session.iter().map(|path| session_path(path)).collect();
    let parent = sessions(&given).open(&dir)?;
    if parent.header().session.is_none() && !given.is_empty() {
        return Err(fixed("--session"));
    }
    let request = ForkRequest {
        parent: &parent,
        settings: &settings,
        registry: session.registry,
        seq,
        commands,
        out: &out,
    };
    let mut line = ProgressLine::new(session.quiet || session.json);
    let summary = fork(&request, &mut |at| line.update("forking", at.inputs, at.total))?;
    line.done();
    if let Some(of) = summary.fork.as_ref().filter(|_| !session.json) {
        report::note(
            session.quiet,
            &format!(
                "forked: everything before seq {} is run {}'s",
                of.first_seq,
                of.run.get(..16).unwrap_or(&of.run)
            ),
        );
    }
    Ok((summary, settings))
}

/// A fork runs under its parent's settings: a flag that would change another one has no meaning.
fn refuse_other_flags(args: &ReplayArgs) -> Result<(), Failure> {
    let run = &args.run;
    for (flag, is_given) in [
        ("--journal", args.journal.is_some()),
        ("--strategy", run.strategy.is_some()),
        ("--script", run.script.is_some()),
        ("--config", run.config.is_some()),
        ("--latency", run.latency.is_some()),
        ("--cash", run.cash.is_some()),
        ("--seed", run.seed.is_some()),
    ] {
        if is_given {
            return Err(fixed(flag));
        }
    }
    Ok(())
}

fn fixed(flag: &str) -> Failure {
    Failure::usage(format!(
        "{flag} (or its environment variable) cannot change within a run; a fork takes --set, --cancel and --fills"
    ))
}

fn commands(args: &ReplayArgs) -> Result<Vec<Command>, Failure> {
    let mut commands = Vec::new();
    for pair in &args.run.set {
        let (key, value) = split_pair(pair)?;
        let (key, value) = (key.to_string(), value.to_string());
        commands.push(Command::Set { strategy: StrategyIx(0), key, value });
    }
    commands.extend(args.cancel.iter().map(|order| Command::Cancel { order: OrderIx(*order) }));
    commands.extend(args.run.fills.map(|fills| Command::Fills { profile: FillProfile::from(fills) }));
    if commands.is_empty() {
        return Err(Failure::usage("--fork changes nothing without --set, --cancel or --fills"));
    }
    Ok(commands)
}
