//! `onetape replay`.

mod args;
mod fork;

pub(crate) use args::ReplayArgs;

use crate::Session;
use crate::cmd::data::session_path;
use crate::cmd::run_flags::prepare_strategy;
use crate::demo;
use crate::failure::{CHECK, Failure};
use crate::report::{self, ProgressLine, cents, count};
use crate::times;
use onetape_engine::num::Money;
use onetape_session::settings::Settings;
use onetape_session::{Outcome, ReplayRequest, RunSummary, replay};
use onetape_tape::session::SessionReader;

pub(crate) fn run(args: &ReplayArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let (summary, settings) = match &args.fork {
        Some(place) => fork::run(place, args, session)?,
        None => replay_session(args, session)?,
    };
    let out = args.run.out();
    if session.json {
        report::json(&summary)?;
    } else {
        print(&summary, &settings);
    }
    match summary.outcome {
        Outcome::Diverged => Err(Failure {
            code: CHECK,
            message: format!(
                "run {} exists with another head; this run is kept in {}: compare them with\n  onetape audit diff {} {}",
                summary.run_id,
                summary.run_dir,
                out.join(&summary.run_id).display(),
                summary.run_dir
            ),
        }),
        Outcome::New | Outcome::Reproduced => Ok(0),
    }
}

fn replay_session(args: &ReplayArgs, session: &Session<'_>) -> Result<(RunSummary, Settings), Failure> {
    let mut settings = args.run.resolve()?;
    if let Some(path) = &args.session {
        settings.run.session = session_path(path);
    }
    settings.run.journal = args.journal.map_or(settings.run.journal, Into::into);
    let out = args.run.out();
    let reader = if settings.run.session.as_os_str().is_empty() {
        demo::open()?
    } else {
        SessionReader::open(&settings.run.session)?
    };
    let (strategy, strategy_config) = prepare_strategy(&settings, session.registry)?;
    let config = settings.to_config(&reader.manifest().content_hash.to_string(), strategy_config);
    let mut line = ProgressLine::new(session.quiet || session.json);
    let request = ReplayRequest { reader, settings: &settings, config, strategy, out: &out };
    let summary = replay(request, &mut |at| line.update("replaying", at.inputs, at.total))?;
    line.done();
    Ok((summary, settings))
}

const STORY_MAX: usize = 14;
/// Remarks continue under their own text, past the time.
const STORY_INDENT: &str = "           ";
const POSITIONS_MAX: usize = 6;

/// Prints a run for a person.
pub(crate) fn print(summary: &RunSummary, settings: &Settings) {
    let line = report::line;
    line(&format!(
        "{} on {}   {} to {} UTC",
        summary.strategy,
        summary.session,
        times::utc(onetape_engine::Nanos(summary.first_ts)),
        times::utc(onetape_engine::Nanos(summary.last_ts)),
    ));
    for remark in summary.story.iter().take(STORY_MAX) {
        report::wrapped(" ", STORY_INDENT, &remark.text).iter().for_each(|part| line(part));
    }
    if summary.story.len() > STORY_MAX {
        line(&format!(
            "  … and {} more remarks: onetape audit show {} --kind note",
            summary.story.len() - STORY_MAX,
            summary.run_id
        ));
    }
    for (ix, reason) in &summary.stopped {
        line(&format!("  strategy {ix} was stopped: {reason}"));
    }
    print_positions(summary);
    print_result(summary);
    let state = match summary.outcome {
        Outcome::New => "new",
        Outcome::Reproduced => "reproduced",
        Outcome::Diverged => "DIVERGED",
    };
    line(&format!(
        "run      {} ({state})   head {}   seed {}",
        summary.run_id,
        short(if summary.head_hash.is_empty() { &summary.derived_hash } else { &summary.head_hash }),
        summary.seed
    ));
    line(&format!(
        "         onetape {}   fills {}   fees {}   marks {}   journal {} ({} B)",
        summary.version,
        summary.fill_profile,
        summary.fee_schedule,
        summary.mark_policy,
        summary.journal_mode,
        count(summary.journal_bytes)
    ));
    line(&format!(
        "         {} inputs, {} events in {:.2} s: {:.2} M events/s",
        count(summary.inputs),
        count(summary.events),
        summary.wall_seconds,
        summary.events_per_second / 1e6
    ));
    if summary.journal_mode != "off" {
        line(&format!("next     onetape audit verify {} --rederive", summary.run_id));
        line(&format!("         onetape audit explain {} 0", summary.run_id));
        if settings.strategy.name == "demo" {
            line("         onetape replay --set profit_target=0.25");
        }
    }
}

fn print_positions(summary: &RunSummary) {
    if summary.positions.is_empty() {
        report::line("positions none");
    }
    for position in summary.positions.iter().take(POSITIONS_MAX) {
        report::line(&format!(
            "position {:<22} {:>8} at {:>9}  value {:>13}  unrealised {:>11}",
            position.symbol,
            position.quantity.to_string(),
            position.mark.to_string(),
            cents(position.value),
            cents(position.unrealized)
        ));
    }
    if summary.positions.len() > POSITIONS_MAX {
        report::line(&format!(
            "         … and {} more in metrics.json",
            summary.positions.len() - POSITIONS_MAX
        ));
    }
}

fn print_result(summary: &RunSummary) {
    let line = report::line;
    let band = &summary.fill_band;
    let slippage = band.mid - band.actual;
    let rest = summary.profit + summary.fees + slippage;
    line(&format!(
        "result   {} = market {} − slippage {} − fees {}      equity {}  cash {}",
        cents(summary.profit),
        cents(rest),
        cents(slippage),
        cents(summary.fees),
        cents(summary.equity),
        cents(summary.cash)
    ));
    line(&format!(
        "         realised {}  unrealised {}   orders {} ({} refused)  fills {}   margin peak {}",
        cents(summary.realized_pnl),
        cents(summary.unrealized_pnl),
        summary.orders,
        summary.refused_orders,
        summary.fills,
        cents(summary.margin_peak)
    ));
    let break_even = match band.break_even {
        Some(share) => format!("break-even at {} % of width", percent(share.0)),
        None if band.width == Money::ZERO => "no width".to_string(),
        None => "no break-even within the width".to_string(),
    };
    let unpriced = if band.unpriced > 0 {
        format!("  ({} fills had no two-sided book)", band.unpriced)
    } else {
        String::new()
    };
    line(&format!(
        "band     mid {} · {} {} · natural {}   {break_even}{unpriced}",
        cents(band.mid),
        summary.fill_profile,
        cents(band.actual),
        cents(band.natural)
    ));
    if summary.settlements_estimated > 0 {
        line(&format!(
            "         {} settlements used a stand-in: the published value is not on the tape",
            summary.settlements_estimated
        ));
    }
}

/// A share in 1e-9 as whole percent and one decimal.
fn percent(share: i64) -> String {
    let tenths = onetape_engine::num::div_half_even(i128::from(share), 1_000_000);
    format!("{}{}.{}", if tenths < 0 { "-" } else { "" }, tenths.abs() / 10, tenths.abs() % 10)
}

fn short(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}
