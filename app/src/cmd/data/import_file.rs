//! `onetape data import file` and `onetape data import profiles`.

use super::done;
use super::import::{QualityArgs, delays, show};
use crate::Session;
use crate::failure::Failure;
use crate::report::{self, count};
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use onetape_tape::import::profile::{
    BUILTIN, Profile, ProfileRequest, ProfileSource, builtin_text, import_profiles,
};
use onetape_tape::import::{Delays, Progress};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape data import file --profile cboe-option-eod spx.csv --out sessions/spx\n  onetape data import file --profile polygon-option-quotes q.csv.gz --profile polygon-option-trades t.csv.gz \\\n      --symbol SPY --delay 5ms --out sessions/spy\n  onetape data import profiles --show generic-quotes > mine.toml\n  onetape data import file --profile mine.toml quotes.parquet --out sessions/mine"
)]
pub(crate) struct FileArgs {
    #[command(flatten)]
    sources: Sources,
    /// Keep only this symbol, option root or underlying; repeatable.
    #[arg(long)]
    symbol: Vec<String>,
    /// Feed delay: how much later than the files say a row was known here (5ms, 15m …), instead of the
    /// profiles'; of one profile alone PROFILE=DURATION, repeatable.
    #[arg(long, value_name = "[PROFILE=]DURATION")]
    delay: Vec<String>,
    #[command(flatten)]
    quality: QualityArgs,
    /// Session folder to write.
    #[arg(long, value_name = "SESSION")]
    out: PathBuf,
}

/// `--profile PROFILE FILE…` and `--history PROFILE FILE…`, repeatable: which files belong to which profile.
#[derive(Debug, Default)]
struct Sources {
    tape: Vec<(String, Vec<PathBuf>)>,
    history: Vec<(String, Vec<PathBuf>)>,
}

impl Args for Sources {
    fn augment_args(command: clap::Command) -> clap::Command {
        let sources = |name: &'static str, help: &'static str| {
            Arg::new(name)
                .long(name)
                .action(ArgAction::Append)
                .num_args(2..)
                .value_names(["PROFILE", "FILE"])
                .value_parser(clap::value_parser!(PathBuf))
                .help(help)
        };
        let profile = sources(
            "profile",
            "A built-in profile or a .toml file, then its files (CSV or Parquet, plain or gzip, zstd, zip); repeatable",
        );
        let history = sources(
            "history",
            "A profile of daily bars and its files: those known before the tape begins become history.csv",
        );
        command.arg(profile.required(true)).arg(history)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Sources::augment_args(command)
    }
}

impl FromArgMatches for Sources {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Sources, clap::Error> {
        let mut sources = Sources::default();
        sources.update_from_arg_matches(matches)?;
        Ok(sources)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for (name, sources) in [("profile", &mut self.tape), ("history", &mut self.history)] {
            for mut group in matches.get_occurrences::<PathBuf>(name).into_iter().flatten() {
                if let Some(profile) = group.next() {
                    sources.push((profile.display().to_string(), group.cloned().collect()));
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape data import profiles\n  onetape data import profiles --show generic-quotes > mine.toml"
)]
pub(crate) struct ProfilesArgs {
    /// Print this profile as TOML.
    #[arg(long, value_name = "NAME")]
    show: Option<String>,
}

pub(crate) fn run(args: &FileArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let delays = delays(&args.delay)?;
    let mut request = ProfileRequest {
        symbols: args.symbol.clone(),
        policies: args.quality.policies()?,
        ..ProfileRequest::default()
    };
    for (name, files) in &args.sources.tape {
        request.sources.push(source(name, files, &delays)?);
    }
    for (name, files) in &args.sources.history {
        request.history.push(source(name, files, &delays)?);
    }
    check_delays(&delays, &request)?;
    let (started, mut rows) = (Instant::now(), 0);
    let finished = import_profiles(&request, &args.out, &mut |progress| {
        if let Progress::File { rows: read, .. } = &progress {
            rows += read;
        }
        show(progress, session);
    })?;
    if finished.unchanged {
        return done(&finished, &args.out, session);
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = rows as f64 / seconds.max(1e-9) / 1e6;
    report::note(session.quiet, &format!("{} rows in {seconds:.2} s, {rate:.2} M rows/s", count(rows)));
    done(&finished, &args.out, session)
}

/// A profile with its delay and files.
fn source(name: &str, files: &[PathBuf], delays: &Delays) -> Result<ProfileSource, Failure> {
    let profile = profile(name)?;
    let delay = delays.stated(profile.name());
    let profile = match delay {
        Some(delay) => profile.with_delay(delay),
        None => profile,
    };
    Ok(ProfileSource { profile, files: files.to_vec() })
}

/// Refuses delays of profiles that the import does not use.
fn check_delays(delays: &Delays, request: &ProfileRequest) -> Result<(), Failure> {
    let profiles = request.sources.iter().chain(&request.history).map(|source| source.profile.name());
    delays.check(&profiles.collect::<Vec<_>>()).map_err(|error| Failure::usage(format!("--delay: {error}")))
}

/// A `.toml` file, or a built-in profile by name.
fn profile(name: &str) -> Result<Profile, Failure> {
    if name.ends_with(".toml") {
        return Ok(Profile::read(name.as_ref())?);
    }
    let text = builtin_text(name).map_err(|error| Failure::usage(format!("--profile: {error}")))?;
    Ok(Profile::parse(name, text)?)
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    record: &'static str,
    about: String,
}

pub(crate) fn profiles(args: &ProfilesArgs, session: &Session<'_>) -> Result<u8, Failure> {
    if let Some(name) = &args.show {
        let text = builtin_text(name).map_err(|error| Failure::usage(format!("--show: {error}")))?;
        if session.json {
            report::json(&serde_json::json!({ "name": name, "toml": text }))?;
        } else {
            report::line(text.trim_end());
        }
        return Ok(0);
    }
    let mut listed = Vec::new();
    for (name, text) in BUILTIN {
        let profile = Profile::parse(name, text)?;
        listed.push(Listed { name, record: profile.record(), about: profile.about().to_string() });
    }
    if session.json {
        report::json(&listed)?;
    } else {
        for Listed { name, record, about } in &listed {
            report::line(&format!("{name:<22} {record:<13} {about}"));
        }
    }
    Ok(0)
}
