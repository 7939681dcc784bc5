//! The sessions before the tape: daily archives of underlyings, and volatilities from universes.
//!
//! A universe dated D holds implied volatilities at the close before D and is known at 06:30 New York on D.
//! Of an expiry the volatility at the money lies between the out-of-the-money options next to the close, by
//! strike; in 30 and 60 days by total variance between the expiries around it, and empty outside them.

use super::archive::Archive;
use super::days::{price_scale, row_error};
use super::files::{self, DataType};
use super::reference::{
    CorporateAction, UniverseContract, factor_file, read_corporate_actions, read_universe,
};
use super::rows::{Columns, Fault, lines};
use super::universe::{KNOWN_MINUTE, listed};
use super::{LeanKind, LeanRequest, Plan, Resolution, SymbolPlan};
use crate::import::ImportError;
use crate::import::history::{DayVols, HistoryDay};
use crate::import::terms::{date_of, hours_ns};
use onetape_calendar::{Date, DayClock, Market, Zone, previous_session};
use onetape_engine::instrument::Right;
use onetape_engine::num::{MINUTE, SCALE, div_half_even};
use onetape_pricing::vol::term::{TermPoint, constant_maturity};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Expiries nearer than this say nothing about a month.
const YEARS_MIN: f64 = 2.0 / 365.0;
/// Strikes next to the money lie within this share of the close.
const NEAR: f64 = 0.1;

/// The daily archives of a symbol, with the ticker of each.
pub(super) fn archives(
    request: &LeanRequest,
    known: &SymbolPlan,
) -> Result<Vec<(usize, PathBuf)>, ImportError> {
    let root = files::data_root(&request.root);
    let mut found = Vec::new();
    for (place, ticker) in known.security.tickers.iter().enumerate() {
        let of = files::find(&root, &request.market, known.kind, Resolution::Daily, &ticker.name)?;
        found.extend(
            of.into_iter().filter(|file| file.data == DataType::Trade).map(|file| (place, file.path)),
        );
    }
    Ok(found)
}

/// The sessions before `first` of every underlying and share of a plan.
pub(super) fn days(plan: &Plan, request: &LeanRequest, first: Date) -> Result<Vec<HistoryDay>, ImportError> {
    let mut days = Vec::new();
    for (place, known) in plan.symbols.iter().enumerate() {
        if !matches!(known.kind, LeanKind::Equity | LeanKind::Index) {
            continue;
        }
        let mut of = bars(known, request, first)?;
        let roots: Vec<&SymbolPlan> =
            plan.symbols.iter().filter(|option| option.underlying == Some(place)).collect();
        let mut vols = volatilities(&roots, request, first)?;
        for day in &mut of {
            if let Some((vols, known_ns)) = vols.remove(&day.date) {
                day.vols = vols;
                day.known_ns = day.known_ns.max(known_ns);
            }
        }
        days.extend(of);
    }
    Ok(days)
}

fn bars(known: &SymbolPlan, request: &LeanRequest, first: Date) -> Result<Vec<HistoryDay>, ImportError> {
    let root = files::data_root(&request.root);
    let factors = factor_file(&root, &request.market, &known.security.stem);
    let splits: Vec<(Date, i64)> = match known.kind == LeanKind::Equity && factors.is_file() {
        true => read_corporate_actions(&factors)?
            .into_iter()
            .filter_map(|(ex, action)| match action {
                CorporateAction::Split(ratio) if ex <= first => Some((ex, ratio)),
                _ => None,
            })
            .collect(),
        false => Vec::new(),
    };
    let delay_ns = request.delays.of(known.kind.folder());
    let mut days = Vec::new();
    for (ticker, path) in archives(request, known)? {
        let ticker = &known.security.tickers[ticker];
        let mut archive = Archive::open(&path)?;
        let mut buffer = Vec::new();
        for index in 0..archive.names().len() {
            archive.read(index, &mut buffer)?;
            for (line, row) in lines(&buffer) {
                let fail = |fault| row_error(&path, &archive.names()[index], line, row, fault);
                let mut columns = Columns::new(row);
                let (date, _) = columns.date_minute().map_err(fail)?;
                let date = date_of(u64::from(date))
                    .ok_or_else(|| fail(Fault { field: "time", expected: "YYYYMMDD HH:MM" }))?;
                if date >= first || !ticker.covers(date) {
                    continue;
                }
                let none = Fault { field: "price", expected: "four prices" };
                let prices = columns.ohlc("price", price_scale(known.kind)).map_err(fail)?;
                let prices = prices.ok_or_else(|| fail(none))?;
                let volume = columns.quantity("volume").map_err(fail)?;
                let Some((_, close_ns)) = hours_ns(Market::UsEquity, date) else { continue };
                let mut day = HistoryDay {
                    symbol: known.symbol.clone(),
                    date,
                    known_ns: close_ns + delay_ns,
                    prices,
                    volume,
                    vols: DayVols::default(),
                };
                splits.iter().filter(|(ex, _)| *ex > date).for_each(|(_, ratio)| split(&mut day, *ratio));
                days.push(day);
            }
        }
    }
    Ok(days)
}

/// Restates a day of before a split of `ratio` (1e-9) new shares for one.
fn split(day: &mut HistoryDay, ratio: i64) {
    let (scale, ratio) = (i128::from(SCALE), i128::from(ratio));
    let fit = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
    for price in &mut day.prices {
        *price = fit(div_half_even(i128::from(*price) * scale, ratio));
    }
    day.volume = fit(div_half_even(i128::from(day.volume) * ratio, scale));
}

/// Volatilities by the session they are of, with the time they were known.
fn volatilities(
    roots: &[&SymbolPlan],
    request: &LeanRequest,
    first: Date,
) -> Result<BTreeMap<Date, (DayVols, u64)>, ImportError> {
    let mut by_date: BTreeMap<Date, Vec<PathBuf>> = BTreeMap::new();
    for known in roots {
        for (date, path) in listed(request, known)?.into_iter().filter(|(date, _)| *date < first) {
            by_date.entry(date).or_default().push(path);
        }
    }
    let delay_ns = roots.first().map_or(0, |known| request.delays.of(known.kind.folder()));
    let mut found = BTreeMap::new();
    for (date, paths) in by_date {
        let Some(session) = previous_session(Market::UsEquity, date) else { continue };
        let clock = DayClock::new(Zone::NewYork, date)
            .map_err(|source| ImportError::Calendar { what: format!("universe of {date}"), source })?;
        let (mut close, mut contracts) = (None, Vec::new());
        for path in paths {
            let (of, rows) = read_universe(&path)?;
            close = close.or(of);
            contracts.extend(rows);
        }
        if let Some(close) = close {
            let vols = vols_of(&contracts, close.to_f64(), session.trade_date);
            let known_ns = clock.utc_ns(KNOWN_MINUTE * MINUTE) + delay_ns;
            found.insert(session.trade_date, (vols, known_ns));
        }
    }
    Ok(found)
}

/// One expiry's figures.
#[derive(Debug, Clone, Copy)]
struct Slice {
    years: f64,
    atm: f64,
    skew25: Option<f64>,
}

fn vols_of(contracts: &[UniverseContract], close: f64, on: Date) -> DayVols {
    let mut expiries: BTreeMap<Date, Vec<&UniverseContract>> = BTreeMap::new();
    for contract in contracts.iter().filter(|contract| contract.implied_volatility > 0.0) {
        expiries.entry(contract.expiry).or_default().push(contract);
    }
    let mut slices: Vec<Slice> = Vec::new();
    for (expiry, of) in expiries {
        let days = on.until(expiry).map_or(0, |span| span.get_days());
        let years = f64::from(days) / 365.0;
        if let Some(atm) = at_the_money(&of, close).filter(|_| years >= YEARS_MIN) {
            slices.push(Slice { years, atm, skew25: skew(&of) });
        }
    }
    let in_years = |years: f64| {
        let is_around = slices.first()?.years <= years && years <= slices.last()?.years;
        let points: Vec<TermPoint> =
            slices.iter().map(|slice| TermPoint { years: slice.years, vol: slice.atm }).collect();
        constant_maturity(&points, years).ok().filter(|_| is_around)
    };
    let skews: Vec<(f64, f64)> =
        slices.iter().filter_map(|slice| Some((slice.years, slice.skew25?))).collect();
    DayVols {
        iv30: in_years(30.0 / 365.0),
        iv60: in_years(60.0 / 365.0),
        skew25: interpolate(&skews, 30.0 / 365.0),
    }
}

/// Between the put below and the call above the close.
fn at_the_money(contracts: &[&UniverseContract], close: f64) -> Option<f64> {
    let of = |right: Right, is_near: &dyn Fn(f64) -> bool| {
        let near = contracts.iter().filter(|contract| contract.right == right);
        near.map(|contract| (contract.strike.to_f64(), contract.implied_volatility))
            .filter(|(strike, _)| is_near(*strike))
            .min_by(|a, b| (a.0 - close).abs().total_cmp(&(b.0 - close).abs()))
    };
    let put = of(Right::Put, &|strike| strike <= close && strike > close * (1.0 - NEAR))?;
    let call = of(Right::Call, &|strike| strike >= close && strike < close * (1.0 + NEAR))?;
    if call.0 - put.0 <= 0.0 {
        return Some((put.1 + call.1) / 2.0);
    }
    let share = (close - put.0) / (call.0 - put.0);
    Some((1.0 - share) * put.1 + share * call.1)
}

/// Volatility of the put less that of the call, both at a delta of a quarter.
fn skew(contracts: &[&UniverseContract]) -> Option<f64> {
    let wing = |right: Right| {
        let mut points: Vec<(f64, f64)> = contracts
            .iter()
            .filter(|contract| contract.right == right && contract.greeks[0] != 0.0)
            .map(|contract| (contract.greeks[0].abs(), contract.implied_volatility))
            .collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        interpolate(&points, 0.25)
    };
    Some(wing(Right::Put)? - wing(Right::Call)?)
}

/// Linear between the ascending points around `at`; `None` outside them.
fn interpolate(points: &[(f64, f64)], at: f64) -> Option<f64> {
    let after = points.partition_point(|(x, _)| *x < at);
    let far = points.get(after)?;
    if far.0 - at == 0.0 {
        return Some(far.1);
    }
    let near = points.get(after.checked_sub(1)?)?;
    let share = (at - near.0) / (far.0 - near.0);
    Some((1.0 - share) * near.1 + share * far.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;
    use onetape_engine::num::Price;

    fn contract(expiry: Date, strike: i64, right: Right, delta: f64, vol: f64) -> UniverseContract {
        UniverseContract {
            expiry,
            strike: Price(strike * SCALE),
            right,
            close: Price(0),
            open_interest: None,
            implied_volatility: vol,
            greeks: [delta, 0.0, 0.0, 0.0, 0.0],
        }
    }

    #[test]
    fn volatilities_lie_between_strikes_and_expiries() {
        let on = date(2025, 5, 1);
        let mut contracts = Vec::new();
        for (expiry, level) in [(date(2025, 5, 16), 0.20), (date(2025, 6, 20), 0.24)] {
            contracts.extend([
                contract(expiry, 90, Right::Put, -0.20, level + 0.06),
                contract(expiry, 95, Right::Put, -0.30, level + 0.04),
                contract(expiry, 99, Right::Put, -0.45, level),
                contract(expiry, 103, Right::Call, 0.35, level + 0.02),
                contract(expiry, 106, Right::Call, 0.15, level + 0.04),
            ]);
        }
        let vols = vols_of(&contracts, 100.0, on);
        // At the money a quarter of the way: level + 0.005; 30 days lie between 15 and 50.
        let total = |vol: f64, days: f64| vol * vol * days;
        let expected = ((total(0.205, 15.0) * 20.0 + total(0.245, 50.0) * 15.0) / 35.0 / 30.0).sqrt();
        assert!((vols.iv30.unwrap() - expected).abs() < 1e-12);
        assert_eq!(vols.iv60, None, "no expiry beyond");
        // Put at -0.25: level + 0.05; call at 0.25: level + 0.03.
        assert!((vols.skew25.unwrap() - 0.02).abs() < 1e-12);
        assert_eq!(vols_of(&contracts, 150.0, on), DayVols::default());
    }

    #[test]
    fn a_split_restates_prices_and_volume() {
        let mut day = HistoryDay {
            symbol: "AAPL".to_string(),
            date: date(2014, 6, 6),
            known_ns: 0,
            prices: [700 * SCALE; 4],
            volume: 10 * SCALE,
            vols: DayVols::default(),
        };
        split(&mut day, 7 * SCALE);
        assert_eq!((day.prices, day.volume), ([100 * SCALE; 4], 70 * SCALE));
    }
}
