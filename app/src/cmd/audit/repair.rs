//! `onetape audit repair`.

use super::RunArg;
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report::{self, count};
use clap::Args;
use onetape_journal::repair;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape audit repair 3f2a")]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    run: RunArg,
}

pub(crate) fn run(args: &RepairArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let run = args.run.find()?;
    let repaired = repair(&run.join("journal"))?;
    if session.json {
        report::json(&repaired)?;
    } else if repaired.changed {
        report::line(&format!("repaired {}: {}", run.display(), repaired.problem));
        report::line(&format!(
            "kept     {} events in {} blocks, head {}",
            count(repaired.events),
            count(repaired.blocks),
            repaired.head
        ));
        if let Some(place) = &repaired.kept_at {
            report::line(&format!("as found {}", place.display()));
        }
    } else {
        report::line("sound and sealed: nothing was touched");
    }
    // Committed events that no block holds any more are a failed check, however well the rest was kept.
    Ok(if repaired.lost == 0 { 0 } else { CHECK })
}
