//! `onetape data import file` and `onetape data import profiles`.

use super::done;
use super::import::show;
use crate::Session;
use crate::failure::Failure;
use crate::report::{self, count};
use crate::times::parse_duration;
use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use onetape_tape::import::Progress;
use onetape_tape::import::profile::{
    BUILTIN, Profile, ProfileRequest, ProfileSource, builtin_text, import_profiles,
};
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
    /// Time from the file's stamps until a row was knowable here (5ms, 15s …); replaces the profiles'.
    #[arg(long, value_name = "DURATION")]
    delay: Option<String>,
    /// Session folder to write.
    #[arg(long, value_name = "SESSION")]
    out: PathBuf,
}

/// `--profile PROFILE FILE…`, repeatable: which files belong to which profile.
#[derive(Debug, Default)]
struct Sources(Vec<(String, Vec<PathBuf>)>);

impl Args for Sources {
    fn augment_args(command: clap::Command) -> clap::Command {
        command.arg(
            Arg::new("profile")
                .long("profile")
                .action(ArgAction::Append)
                .num_args(2..)
                .required(true)
                .value_names(["PROFILE", "FILE"])
                .value_parser(clap::value_parser!(PathBuf))
                .help("A built-in profile or a .toml file, then its files (CSV or Parquet, plain or gzip, zstd, zip); repeatable"),
        )
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
        for mut group in matches.get_occurrences::<PathBuf>("profile").into_iter().flatten() {
            if let Some(profile) = group.next() {
                self.0.push((profile.display().to_string(), group.cloned().collect()));
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
    let delay = match &args.delay {
        None => None,
        Some(text) => Some(parse_duration(text).ok_or_else(|| {
            Failure::usage(format!("--delay: '{text}' is not a duration such as 5ms (units ns, us, ms, s)"))
        })?),
    };
    let mut request = ProfileRequest { sources: Vec::new(), symbols: args.symbol.clone() };
    for (name, files) in &args.sources.0 {
        let mut profile = profile(name)?;
        if let Some(delay) = delay {
            profile = profile.with_delay(delay);
        }
        request.sources.push(ProfileSource { profile, files: files.clone() });
    }
    let (started, mut rows) = (Instant::now(), 0);
    let finished = import_profiles(&request, &args.out, &mut |progress| {
        if let Progress::File { rows: read, .. } = &progress {
            rows += read;
        }
        show(progress, session);
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let rate = rows as f64 / seconds.max(1e-9) / 1e6;
    report::note(session.quiet, &format!("{} rows in {seconds:.2} s, {rate:.2} M rows/s", count(rows)));
    done(&finished, &args.out, session)
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
            report::line(&format!("{name:<22} {record:<10} {about}"));
        }
    }
    Ok(0)
}
