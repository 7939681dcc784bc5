//! `onetape audit tail`.

use super::RunArg;
use super::show::check_kind;
use crate::Session;
use crate::failure::{Failure, INPUT};
use crate::report;
use clap::Args;
use onetape_engine::block::Block;
use onetape_journal::{Filter, JournalReader, Names, Rendered, TailClient, Tailed};
use onetape_tape::codec::Decoder;
use std::collections::VecDeque;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape audit tail 3f2a\n  onetape audit tail 3f2a --kind fill --kind risk --last 50"
)]
pub(crate) struct TailArgs {
    #[command(flatten)]
    run: RunArg,
    /// Record kind or event name, repeatable.
    #[arg(long)]
    kind: Vec<String>,
    /// Symbol.
    #[arg(long)]
    instrument: Option<String>,
    /// Entries of the past to begin with.
    #[arg(long, default_value_t = 10)]
    last: usize,
}

pub(crate) fn run(args: &TailArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let run = args.run.find()?;
    let filter = Filter {
        kinds: args.kind.iter().map(|kind| check_kind(kind)).collect::<Result<_, _>>()?,
        instrument: args.instrument.clone(),
        ..Filter::default()
    };
    match TailClient::connect(&run, true)? {
        Some(owner) => follow(owner, &filter, args.last, session),
        None => past(&args.run.open()?, filter, args.last, session),
    }
}

fn print(entry: &Rendered, session: &Session<'_>) {
    report::line(&if session.json { entry.json().to_string() } else { entry.to_string() });
}

/// Nobody writes the run: its last entries, from the file.
fn past(reader: &JournalReader, filter: Filter, last: usize, session: &Session<'_>) -> Result<u8, Failure> {
    let mut kept = VecDeque::new();
    for entry in reader.show(filter) {
        keep(&mut kept, entry?, last);
    }
    kept.iter().for_each(|entry| print(entry, session));
    report::note(session.quiet, "nobody writes this run: these were its last entries");
    Ok(0)
}

fn keep(kept: &mut VecDeque<Rendered>, entry: Rendered, last: usize) {
    kept.push_back(entry);
    if kept.len() > last {
        kept.pop_front();
    }
}

/// The past up to now, of which the last entries are printed, then every block as it seals.
fn follow(mut owner: TailClient, filter: &Filter, last: usize, session: &Session<'_>) -> Result<u8, Failure> {
    let (mut names, mut decoder) = (Names::default(), Decoder::new());
    let (mut block, mut frame) = (Block::default(), Vec::new());
    let mut kept = VecDeque::new();
    let now = owner.sealed();
    let mut is_past = now > 0;
    loop {
        match owner.read(&mut frame)? {
            Tailed::End(why) => {
                kept.iter().for_each(|entry| print(entry, session));
                report::note(session.quiet, &why);
                return Ok(0);
            }
            Tailed::Frame(header) => {
                decoder.decode(&frame, &mut block).map_err(|error| Failure {
                    code: INPUT,
                    message: format!("the block at seq {} is damaged: {error}", header.first_seq),
                })?;
                for (seq, entry) in block.entries() {
                    names.learn(&entry);
                    if !filter.admits(&names, seq, &entry) {
                        continue;
                    }
                    let rendered = names.render(seq, &entry);
                    if is_past {
                        keep(&mut kept, rendered, last);
                    } else {
                        print(&rendered, session);
                    }
                }
                if is_past && header.first_seq + header.len() >= now {
                    is_past = false;
                    kept.drain(..).for_each(|entry| print(&entry, session));
                }
            }
        }
    }
}
