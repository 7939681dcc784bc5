//! A session's daily history: `onetape vol iv-rank` and `onetape vol realised`.

use crate::Session;
use crate::cmd::market::MarketArgs;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_analytics::history::{Day, read};
use onetape_pricing::vol::rank::{IvStanding, Lookback, iv_standing};
use onetape_pricing::vol::realised::{Bar, Estimator, realised_vol};
use onetape_pricing::vol::term::{TermPoint, constant_maturity};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Sessions of a trading year.
const SESSIONS_PER_YEAR: f64 = 252.0;
const FILE: &str = "history.csv";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape vol iv-rank\n  onetape vol iv-rank sessions/one-7 --at 10:00 --json"
)]
pub(crate) struct RankArgs {
    #[command(flatten)]
    market: MarketArgs,
    /// Sessions looked back on.
    #[arg(long, default_value_t = 252)]
    sessions: usize,
    /// Fewest sessions for an answer.
    #[arg(long, default_value_t = 200)]
    sessions_min: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  onetape vol realised --window 20 --window 60")]
pub(crate) struct RealisedArgs {
    /// Session folder [default: the demo session].
    session: Option<PathBuf>,
    /// Underlying [default: the only one with a history].
    #[arg(long)]
    symbol: Option<String>,
    /// Sessions of a window, repeatable; as many returns, the first from the close before [default: 10 20 60
    /// 120 252].
    #[arg(long, value_name = "N")]
    window: Vec<usize>,
}

pub(super) fn history(
    reader: &onetape_tape::session::SessionReader,
    symbol: Option<&str>,
) -> Result<Vec<Day>, Failure> {
    let name = &reader.manifest().name;
    let bytes = reader.file(FILE)?.ok_or_else(|| {
        Failure::input(format!("{name} has no {FILE}; imports write one from daily bars of before the tape"))
    })?;
    read(FILE, &bytes, symbol).map_err(|error| Failure::input(format!("{name}: {error}")))
}

/// The chain's volatility of 30 days: total variance between the expiries around it.
fn iv30(market: &MarketArgs) -> Result<(f64, String, String), Failure> {
    let at = market.take()?;
    let points: Vec<TermPoint> = at
        .slices()
        .iter()
        // Volatilities of the last hours say nothing about a month.
        .filter(|slice| slice.years > 1.0 / 365.0)
        .filter_map(|slice| Some(TermPoint { years: slice.years, vol: slice.atm_vol()? }))
        .collect();
    let vol = constant_maturity(&points, 30.0 / 365.0)
        .map_err(|error| Failure::input(format!("no 30-day volatility at this time: {error}")))?;
    Ok((vol, at.caption(), at.symbol))
}

pub(crate) fn rank(args: &RankArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let (today, caption, symbol) = iv30(&args.market)?;
    let days = history(&args.market.open()?, Some(&symbol))?;
    let lookback = Lookback { sessions: args.sessions, sessions_min: args.sessions_min };
    let previous: Vec<f64> = days.iter().filter_map(|day| day.iv30).collect();
    let found = iv_standing(&previous, today, lookback).map_err(|error| Failure::input(error.to_string()))?;
    if session.json {
        report::json(&standing_json(today, &found))?;
        return Ok(0);
    }
    report::line(&format!("{caption}; IV30 from the chain, history of {} sessions", found.sessions));
    report::line(&format!("IV30           {:>8.2} %", 100.0 * today));
    report::line(&format!("IV rank        {:>8.1}    100 (IV − low)/(high − low)", found.rank));
    report::line(&format!("IV percentile  {:>8.1} %  share of sessions below today", found.percentile));
    report::line(&format!("low, high      {:>8.2} % {:.2} %", 100.0 * found.low, 100.0 * found.high));
    Ok(0)
}

fn standing_json(today: f64, found: &IvStanding) -> Value {
    json!({
        "iv30": today,
        "rank": found.rank,
        "percentile": found.percentile,
        "low": found.low,
        "high": found.high,
        "sessions": found.sessions,
    })
}

fn estimator(estimator: Estimator) -> &'static str {
    match estimator {
        Estimator::CloseToClose => "close to close",
        Estimator::Parkinson => "Parkinson",
        Estimator::GarmanKlass => "Garman-Klass",
        Estimator::RogersSatchell => "Rogers-Satchell",
        Estimator::YangZhang => "Yang-Zhang",
    }
}

pub(crate) fn realised(args: &RealisedArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let reader = match &args.session {
        Some(path) => onetape_tape::session::SessionReader::open(path)?,
        None => crate::demo::open()?,
    };
    let days = history(&reader, args.symbol.as_deref())?;
    let windows = if args.window.is_empty() { vec![10, 20, 60, 120, 252] } else { args.window.clone() };
    let bars: Vec<Bar> = days.iter().map(|day| day.bar).collect();
    let mut table = Vec::new();
    for window in &windows {
        // One more, whose close begins the first of the window's returns.
        let from = bars.len().checked_sub(window.saturating_add(1)).ok_or_else(|| {
            let found = bars.len();
            Failure::input(format!(
                "--window {window} needs the session before it too: the history has {found} sessions"
            ))
        })?;
        let vols = Estimator::ALL.map(|e| {
            let first = if e.needs_previous_close() { from } else { from + 1 };
            realised_vol(&bars[first..], e, SESSIONS_PER_YEAR)
        });
        let vols = vols.into_iter().collect::<Result<Vec<f64>, _>>();
        table.push((*window, vols.map_err(|error| Failure::input(format!("--window {window}: {error}")))?));
    }
    if session.json {
        let rows: Vec<Value> = table
            .iter()
            .map(|(window, vols)| {
                let named =
                    Estimator::ALL.iter().zip(vols).map(|(e, vol)| (estimator(*e).to_string(), json!(vol)));
                json!({ "window": window, "vols": named.collect::<serde_json::Map<_, _>>() })
            })
            .collect();
        report::json(&rows)?;
        return Ok(0);
    }
    let last = days.last().map_or(String::new(), |day| day.date.clone());
    report::line(&format!("{}, sessions up to {last}; % per year of 252 sessions", reader.manifest().name));
    let heads: Vec<String> = Estimator::ALL.iter().map(|e| format!("{:>16}", estimator(*e))).collect();
    report::line(&format!("window{}", heads.concat()));
    for (window, vols) in &table {
        let cells: Vec<String> = vols.iter().map(|vol| format!("{:>16.2}", 100.0 * vol)).collect();
        report::line(&format!("{window:>6}{}", cells.concat()));
    }
    Ok(0)
}
