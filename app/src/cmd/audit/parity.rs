//! `onetape audit parity`.

use super::RunArg;
use crate::Session;
use crate::failure::{CHECK, Failure};
use crate::report::{self, count};
use clap::Args;
use onetape_session::parity;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape audit parity 3f2a")]
pub(crate) struct ParityArgs {
    #[command(flatten)]
    run: RunArg,
}

pub(crate) fn run(args: &ParityArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let run = args.run.find()?;
    let reader = args.run.open()?;
    let parity = parity(&reader, session.registry)?;
    if session.json {
        report::json(&parity)?;
    } else if parity.identical {
        report::line(&format!(
            "ok    the same inputs write the identical journal: {} inputs, {} derived, {} blocks",
            count(parity.inputs),
            count(parity.derived),
            count(parity.blocks)
        ));
        report::line(&format!("run {}   head {}", run.display(), parity.head));
    } else {
        report::line(&format!(
            "BAD   the journals differ in the block at seq {}: {}",
            parity.first_difference.unwrap_or(0),
            parity.difference.as_deref().unwrap_or("its hash")
        ));
        report::line(&format!("journal  {}\nagain    {}", parity.head, parity.head_again));
    }
    Ok(if parity.identical { 0 } else { CHECK })
}
