//! `onetape data generate`.

use super::done;
use crate::Session;
use crate::failure::Failure;
use crate::report::ProgressLine;
use clap::Args;
use onetape_calendar::Date;
use onetape_session::settings::nearest;
use onetape_tape::generate::{self, GenerateError, GenerateRequest, Scenario};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape data generate --seed 7 --out sessions/one-7\n  onetape data generate --seed 7 --scenario crash --from 2025-03-20 --out sessions/one-7-crash"
)]
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
    /// First trade date (yyyy-mm-dd); a day without a session moves to the next [default: 2025-05-15].
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// What happens on the second day: plain, halt, gap, dirty, crash, fomc or pin.
    #[arg(long, value_name = "NAME", default_value = "plain", value_parser = parse_scenario)]
    scenario: Scenario,
    /// Long-run implied volatility per 1.00 [default: 0.22].
    #[arg(long, value_name = "VOL")]
    vol: Option<f64>,
    /// Session folder to write.
    #[arg(long, value_name = "SESSION")]
    out: PathBuf,
}

pub(crate) fn run(args: &GenerateArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let mut request = GenerateRequest::new(args.seed);
    request.days = args.days.unwrap_or(request.days);
    request.events = args.events;
    request.first_date = args.from.map_or(request.first_date, yyyymmdd);
    request.scenario = args.scenario;
    request.parameters.base_vol = args.vol.unwrap_or(request.parameters.base_vol);
    let mut line = ProgressLine::new(session.quiet || session.json);
    let total = request.events.unwrap_or(generate::INPUTS_PER_DAY * u64::from(request.days));
    let finished =
        generate::generate(&request, &args.out, &mut |inputs| line.update("generating", inputs, total))
            .map_err(|error| match error {
                GenerateError::Session(error) => Failure::from(error),
                refused => Failure::usage(refused.to_string()),
            })?;
    line.done();
    done(&finished, &args.out, session)
}

fn yyyymmdd(date: Date) -> u32 {
    // A calendar date has four digits of year at most, checked where it is parsed.
    (date.year().unsigned_abs() as u32) * 10_000 + date.month() as u32 * 100 + date.day() as u32
}

fn parse_scenario(text: &str) -> Result<Scenario, String> {
    Scenario::from_name(text).ok_or_else(|| {
        let names = Scenario::ALL.map(Scenario::name);
        let near = nearest(text, names.into_iter()).map(|near| format!("did you mean '{near}'? "));
        format!("{}Known: {}", near.unwrap_or_default(), names.join(", "))
    })
}
