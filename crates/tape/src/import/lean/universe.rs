//! Option universes: what was known of each contract in the morning, as statistics on the tape.
//!
//! The file dated D holds the values of the session before D. They enter at 06:30 New York on D, for
//! the contracts that the data files define; contracts without data stay off the tape, because the
//! files state strikes on a later split basis. Open interest enters where the date has no row of
//! its own for the contract; implied volatility and Greeks enter as [`StatisticKind::Other`] with the
//! codes below, in 1e-9, where the source has an implied volatility.
//!
//! | `raw` | value |
//! |---|---|
//! | [`IMPLIED_VOLATILITY`] | implied volatility per 1.00 a year |
//! | [`DELTA`], [`GAMMA`] | per 1.00 of the underlying |
//! | [`VEGA`] | per 0.01 of volatility, as the source states it |
//! | [`THETA`] | a calendar day, as the source states it |
//! | [`RHO`] | per 0.01 of the rate, as the source states it |

use super::define::{Day, Definer, Key};
use super::reference::{UniverseContract, read_universe};
use super::{LeanRequest, Plan, SymbolPlan, files};
use crate::import::order::Placed;
use crate::import::{ImportError, InputSink, OnProgress, Progress};
use onetape_calendar::{Date, Market, previous_session};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::num::{MINUTE, Nanos};
use onetape_engine::record::{Body, Head, Kind, Record, Statistic, StatisticKind};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Statistic code of the implied volatility.
pub const IMPLIED_VOLATILITY: u16 = 1;
/// Statistic code of delta.
pub const DELTA: u16 = 2;
/// Statistic code of gamma.
pub const GAMMA: u16 = 3;
/// Statistic code of vega.
pub const VEGA: u16 = 4;
/// Statistic code of theta.
pub const THETA: u16 = 5;
/// Statistic code of rho.
pub const RHO: u16 = 6;

/// When the values are known, minutes after New York midnight.
pub(super) const KNOWN_MINUTE: u64 = 6 * 60 + 30;
/// Name under which the rows are counted.
const RECORD_TYPE: &str = "option_universe_row";

/// The universe files of a plan's option symbols, with the symbol's place and the date.
pub(super) fn files_of(
    plan: &Plan,
    request: &LeanRequest,
) -> Result<Vec<(usize, Date, PathBuf)>, ImportError> {
    let mut found = Vec::new();
    for (place, known) in plan.symbols.iter().enumerate().filter(|(_, known)| known.underlying.is_some()) {
        let of = listed(request, known)?.into_iter().filter(|(date, _)| request.includes(*date));
        found.extend(of.map(|(date, path)| (place, date, path)));
    }
    found.sort();
    Ok(found)
}

/// All universe files of an option symbol by date.
pub(super) fn listed(request: &LeanRequest, known: &SymbolPlan) -> Result<Vec<(Date, PathBuf)>, ImportError> {
    let root = files::data_root(&request.root);
    let mut found = Vec::new();
    for ticker in &known.security.tickers {
        let folder = root.join(known.kind.folder()).join(&request.market).join("universes");
        let folder = folder.join(ticker.name.to_ascii_lowercase());
        let listing = match std::fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(ImportError::io("list", &folder)(error)),
        };
        for entry in listing {
            let path = entry.map_err(ImportError::io("list", &folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let date = name.strip_suffix(".csv").and_then(files::date_of_name);
            if let Some(date) = date.filter(|date| ticker.covers(*date)) {
                found.push((date, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Adds a date's universe to its records.
pub(super) fn add(
    files: &[(usize, Date, PathBuf)],
    day: &Day,
    definer: &Definer,
    records: &mut Vec<Placed>,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    let is_open_interest = |record: &Record| match record.body() {
        Some(Body::Statistic(statistic)) => statistic.stat == StatisticKind::OpenInterest as u16,
        _ => false,
    };
    let mut has_open_interest: Option<BTreeSet<u32>> = None;
    for (symbol, _, path) in files.iter().filter(|(_, date, _)| *date == day.date) {
        let known = has_open_interest.get_or_insert_with(|| {
            let statistics = records.iter().filter(|placed| placed.record.kind == Kind::Statistic as u8);
            statistics
                .filter(|placed| is_open_interest(&placed.record))
                .map(|placed| placed.record.instrument)
                .collect()
        });
        let (_, contracts) = read_universe(path)?;
        let ts = day.clock.utc_ns(KNOWN_MINUTE * MINUTE);
        let ts_ref = previous_session(Market::UsEquity, day.date).map_or(0, |session| session.close_ns);
        for contract in &contracts {
            let UniverseContract { expiry, strike, right, .. } = *contract;
            let key = Key::Contract { symbol: *symbol, expiry, strike, right, future: None };
            if let Some(instrument) = definer.index_of(key).filter(|_| expiry >= day.date) {
                let wants_open_interest = !known.contains(&instrument.0);
                push(contract, wants_open_interest, (instrument, ts, ts_ref), records);
            }
        }
        let rows = contracts.len() as u64;
        sink.count_source(RECORD_TYPE, rows);
        on_progress(Progress::File { path: path.clone(), rows });
    }
    Ok(())
}

fn push(
    contract: &UniverseContract,
    wants_open_interest: bool,
    (instrument, ts, ts_ref): (InstrumentIx, u64, u64),
    records: &mut Vec<Placed>,
) {
    let mut add = |kind: StatisticKind, raw: u16, value: i64| {
        let body = Statistic { value, stat: kind as u16, raw, ts_ref, ..Statistic::default() };
        let head = Head::at(Nanos(ts), instrument);
        records.push(Placed::nowhere(Record::new(head, Body::Statistic(body))));
    };
    if let Some(contracts) = contract.open_interest.filter(|_| wants_open_interest) {
        add(StatisticKind::OpenInterest, 0, contracts.saturating_mul(1_000_000_000));
    }
    if contract.implied_volatility > 0.0 {
        let [delta, gamma, vega, theta, rho] = contract.greeks;
        let values = [contract.implied_volatility, delta, gamma, vega, theta, rho];
        for (raw, value) in [IMPLIED_VOLATILITY, DELTA, GAMMA, VEGA, THETA, RHO].into_iter().zip(values) {
            let scaled = (value * 1e9).round();
            if scaled.abs() < 9e18 {
                add(StatisticKind::Other, raw, scaled as i64);
            }
        }
    }
}
