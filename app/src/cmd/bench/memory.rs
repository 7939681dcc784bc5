//! `onetape bench memory`.

use crate::Session;
use crate::failure::Failure;
use crate::report::{self, ProgressLine, count};
use clap::Args;
use onetape_session::bench::{MemoryPlan, memory};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  onetape bench memory --events 100000000\n\nThe journal goes to the temporary folder (TMPDIR): about 12 bytes per event."
)]
pub(crate) struct MemoryArgs {
    /// Generated quotes to put through loop and full journal.
    #[arg(long, default_value_t = 100_000_000, value_parser = clap::value_parser!(u64).range(100_000..))]
    events: u64,
}

pub(crate) fn run(args: &MemoryArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let mut progress = ProgressLine::new(session.quiet);
    let plan = MemoryPlan { events: args.events, samples: 20 };
    let found = memory(&plan, &mut |done| progress.update("journaled", done, args.events))?;
    progress.done();
    if session.json {
        report::json(&found)?;
        return Ok(0);
    }
    super::table(&found.report);
    report::line("");
    for (events, mib) in &found.along {
        report::line(&format!("after {:>14} inputs {mib:>8.1} MiB anonymous", count(*events)));
    }
    Ok(0)
}
