//! `onetape audit show`.

use super::RunArg;
use crate::Session;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_journal::{Filter, JournalReader, Point};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape audit show 3f2a --kind fill\n  onetape audit show 3f2a --from 2025-05-16T13:45:00Z --to 2025-05-16T13:46:00Z"
)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    run: RunArg,
    /// Record kind or event name, for example `quote`, `fill`, `risk`, `mark`.
    #[arg(long)]
    kind: Option<String>,
    /// Symbol.
    #[arg(long)]
    instrument: Option<String>,
    /// First seq, UTC time (2025-05-16T13:45:00Z) or New York time ('2025-05-16 09:45').
    #[arg(long, value_name = "SEQ|TIME")]
    from: Option<Point>,
    /// Last seq or time.
    #[arg(long, value_name = "SEQ|TIME")]
    to: Option<Point>,
}

pub(crate) fn run(args: &ShowArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let filter = Filter {
        kinds: args.kind.iter().map(|kind| check_kind(kind)).collect::<Result<_, _>>()?,
        instrument: args.instrument.clone(),
        from: args.from,
        to: args.to,
    };
    show(&args.run.open()?, filter, session)
}

/// Refuses a kind that no entry can have.
pub(super) fn check_kind(kind: &str) -> Result<String, Failure> {
    let known: Vec<&str> = ["input", "derived", "start", "definition", "command", "journal_lag", "resumed"]
        .into_iter()
        .chain(onetape_engine::record::Kind::ALL.iter().map(|kind| kind.name()))
        .chain(onetape_engine::event::Event::NAMES)
        .collect();
    if known.contains(&kind) {
        return Ok(kind.to_string());
    }
    let near = onetape_session::settings::nearest(kind, known.iter().copied());
    let hint = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
    Err(Failure::usage(format!("--kind: unknown '{kind}'{hint} Known: {}", known.join(", "))))
}

fn show(reader: &JournalReader, filter: Filter, session: &Session<'_>) -> Result<u8, Failure> {
    let wanted = filter.instrument.clone();
    let mut entries = reader.show(filter);
    let mut shown = 0u64;
    for entry in &mut entries {
        let entry = entry?;
        shown += 1;
        report::line(&if session.json { entry.json().to_string() } else { entry.to_string() });
    }
    if shown == 0 {
        let unknown = wanted.filter(|symbol| !entries.names().knows(symbol));
        match unknown {
            Some(symbol) => return Err(Failure::input(format!("no instrument '{symbol}' in this run"))),
            None => report::note(session.quiet, "no entry matches"),
        }
    }
    Ok(0)
}
