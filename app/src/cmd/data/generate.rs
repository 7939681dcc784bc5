//! `onetape data generate`.

use super::done;
use crate::Session;
use crate::failure::Failure;
use crate::report::ProgressLine;
use clap::Args;
use onetape_tape::generate::{self, GenerateRequest};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape data generate --seed 7 --out sessions/one-7")]
pub(crate) struct GenerateArgs {
    /// Seed; the same seed gives the same bytes everywhere.
    #[arg(long, default_value_t = generate::DEMO_SEED)]
    seed: u64,
    /// Trading days.
    #[arg(long)]
    days: Option<u32>,
    /// Target number of inputs.
    #[arg(long)]
    events: Option<u64>,
    /// Session folder to write.
    #[arg(long, value_name = "SESSION")]
    out: PathBuf,
}

pub(crate) fn run(args: &GenerateArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let mut request = GenerateRequest::new(args.seed);
    request.days = args.days.unwrap_or(request.days);
    request.events = args.events;
    let mut line = ProgressLine::new(session.quiet || session.json);
    let total = request.events.unwrap_or(generate::INPUTS_PER_DAY * u64::from(request.days));
    let finished =
        generate::generate(&request, &args.out, &mut |inputs| line.update("generating", inputs, total))
            .map_err(|error| Failure::input(error.to_string()))?;
    line.done();
    done(&finished, &args.out, session)
}
