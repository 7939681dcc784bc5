//! Futures and options on them: names, sizes, ends and sessions.
//!
//! The source states of a contract its month and its last date, of an option on a future the last date of
//! the future that it delivers. Sizes and ticks stand in `symbol-properties-database.csv`.
//!
//! # Decisions
//! - A future and an option on it stop trading at the close of the electronic session of their last date
//!   (16:00 Chicago): the source states the date alone.
//! - Sessions are those of CME's equity-index futures for market `cme`; tapes of other markets have none.
//!   Nothing is marked as outside the regular session.
//! - Prices are plain decimals, strikes × 10,000 as of all options.
//!
//! # Limits
//! Whole multipliers; folders of options named by their future's month (`202003`, an older layout) are not
//! read; universes of options on futures are not read; the tick of an option on a future is not enforced.

use super::files::Contract;
use super::{LeanKind, files};
use crate::import::ImportError;
use crate::import::dbn::{FutureContract, FutureOption, future_of_contract, future_option};
use crate::import::terms::{number_of, phases};
use onetape_calendar::{Date, DayClock, Market, Zone, session};
use onetape_engine::ids::InstrumentIx;
use onetape_engine::instrument::{InstrumentDef, Right, Settlement};
use onetape_engine::num::SCALE;
use onetape_engine::record::Record;
use std::path::{Path, PathBuf};

/// The future that options of a root deliver: CME Group's product codes.
pub(super) fn future_of(root: &str) -> &str {
    match root {
        "LO" => "CL",
        "ON" => "NG",
        "OB" => "RB",
        "OH" => "HO",
        "OG" => "GC",
        "SO" => "SI",
        "HXE" => "HG",
        "PO" => "PL",
        "PAO" => "PA",
        "OZB" => "ZB",
        "OZN" => "ZN",
        "OZF" => "ZF",
        "OZT" => "ZT",
        "OZC" => "ZC",
        "OZS" => "ZS",
        "OZW" => "ZW",
        "OZL" => "ZL",
        "OZM" => "ZM",
        "OZO" => "ZO",
        _ => root,
    }
}

/// Size and tick of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) multiplier: i64,
    /// Smallest price increment, 1e-9.
    pub(super) increment: i64,
}

/// The file with sizes and ticks.
pub(super) fn properties_file(root: &Path) -> PathBuf {
    root.join("symbol-properties").join("symbol-properties-database.csv")
}

/// Size and tick of a future; `root` is a future's.
pub(super) fn product(data: &Path, market: &str, root: &str) -> Result<Product, ImportError> {
    const MARKET: usize = 0;
    const SYMBOL: usize = 1;
    const TYPE: usize = 2;
    const MULTIPLIER: usize = 5;
    const INCREMENT: usize = 6;
    let path = properties_file(data);
    let text = std::fs::read_to_string(&path).map_err(ImportError::io("read", &path))?;
    let fail = |problem: &str| ImportError::Request {
        what: format!("{}: {problem} for {market},{root},future", path.display()),
    };
    let row = text.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>()).find(|row| {
        row.len() > INCREMENT
            && row[MARKET].eq_ignore_ascii_case(market)
            && row[SYMBOL].eq_ignore_ascii_case(root)
            && row[TYPE] == "future"
    });
    let row = row.ok_or_else(|| fail("no row; add one, or check the symbol and --market"))?;
    let decimal = |column: usize| {
        row[column]
            .parse::<onetape_engine::num::Price>()
            .ok()
            .filter(|value| value.0 > 0)
            .map(|value| value.0)
    };
    let multiplier = decimal(MULTIPLIER).ok_or_else(|| fail("the multiplier is not a number above zero"))?;
    if multiplier % SCALE != 0 {
        return Err(fail("the multiplier is not whole, which this program needs"));
    }
    let increment =
        decimal(INCREMENT).ok_or_else(|| fail("the price variation is not a number above zero"))?;
    Ok(Product { multiplier: multiplier / SCALE, increment })
}

/// Exchange symbol of a contract: product, letter of the month, two digits of the year.
pub(super) fn symbol_of(root: &str, month: u32) -> String {
    const LETTERS: [char; 12] = ['F', 'G', 'H', 'J', 'K', 'M', 'N', 'Q', 'U', 'V', 'X', 'Z'];
    let letter = LETTERS[(month % 100).clamp(1, 12) as usize - 1];
    format!("{root}{letter}{:02}", month / 100 % 100)
}

/// When a contract stops trading.
pub(super) fn end_ns(on: Date) -> Result<u64, ImportError> {
    if let Some(session) = session(Market::CmeEquityIndex, on) {
        return Ok(session.close_ns);
    }
    DayClock::new(Zone::Chicago, on)
        .map(|clock| clock.utc_ns_at(16, 0))
        .map_err(|source| ImportError::Calendar { what: format!("expiry {on}"), source })
}

/// A contract of a product.
pub(super) fn define(symbol: &str, product: Product, expiry: Date) -> Result<InstrumentDef, ImportError> {
    Ok(future_of_contract(symbol, Some(&contract(product, expiry, product.increment)?)))
}

fn contract(product: Product, expiry: Date, increment: i64) -> Result<FutureContract, ImportError> {
    Ok(FutureContract { multiplier: product.multiplier, increment, expiration: end_ns(expiry)? })
}

/// An option on a contract, named as that contract, its own last date, right and strike.
pub(super) fn define_option(
    root: &str,
    future: &str,
    option: &Contract,
    product: Product,
    underlying: InstrumentIx,
) -> Result<InstrumentDef, ImportError> {
    let right = if option.right == Right::Call { 'C' } else { 'P' };
    let strike = option.strike.to_string();
    let strike = strike.strip_suffix(".00").unwrap_or(&strike);
    let symbol = format!("{future} {:06}{right}{strike}", number_of(option.expiry) % 1_000_000);
    let terms = FutureOption {
        root: root.to_string(),
        underlying: future.to_string(),
        strike: option.strike.0,
        right: option.right,
        style: option.style,
        settlement: Settlement::Physical,
    };
    Ok(future_option(&symbol, &contract(product, option.expiry, 0)?, &terms, underlying))
}

/// Openings and closings within a New York civil day.
pub(super) fn phases_on(day: &DayClock, date: Date) -> Vec<Record> {
    let from = day.midnight_utc_ns();
    let until = from + 86_400_000_000_000;
    // A session opens on the evening before its date.
    let dates = [Some(date), date.tomorrow().ok()];
    let sessions = dates.into_iter().flatten().filter_map(|date| session(Market::CmeEquityIndex, date));
    let mut found: Vec<Record> = sessions.flat_map(|session| phases(&session)).collect();
    found.retain(|phase| (from..until).contains(&phase.ts));
    found.sort_by_key(|phase| phase.ts);
    found
}

/// Sizes and ticks of a symbol's contracts; `None` of what is neither future nor option on one.
pub(super) fn product_of(
    data: &Path,
    market: &str,
    kind: LeanKind,
    symbol: &str,
) -> Result<Option<Product>, ImportError> {
    match kind {
        LeanKind::Future => product(data, market, symbol).map(Some),
        LeanKind::FutureOption => product(data, market, future_of(symbol)).map(Some),
        _ => Ok(None),
    }
}

/// Month and last date in the name of a future's entry, `…_<YYYYMM>_<YYYYMMDD>.csv`.
pub(super) fn contract_month(entry: &str) -> Option<(u32, Date)> {
    let stem = entry.rsplit('/').next()?.strip_suffix(".csv")?;
    let mut parts = stem.rsplit('_');
    let expiry = files::date_of_name(parts.next()?)?;
    let month = parts.next().filter(|month| month.len() == 6)?.parse::<u32>().ok()?;
    (1..=12).contains(&(month % 100)).then_some((month, expiry))
}

/// Form of the names of futures' entries, for errors.
pub(super) const FUTURE_NAME: &str = "…_<contract month YYYYMM>_<expiry YYYYMMDD>.csv";

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;

    #[test]
    fn names_state_month_and_end() {
        let expected = Some((201_312, date(2013, 12, 20)));
        assert_eq!(contract_month("20131007_es_minute_quote_201312_20131220.csv"), expected);
        assert_eq!(contract_month("es_trade_201312_20131220.csv"), expected);
        for name in ["es_trade.csv", "es_trade_201313_20131220.csv", "es_trade_201312_20131320.csv"] {
            assert_eq!(contract_month(name), None, "{name}");
        }
        assert_eq!(symbol_of("ES", 202_003), "ESH20");
        assert_eq!(symbol_of("CL", 200_912), "CLZ09");
        assert_eq!((future_of("OG"), future_of("ES")), ("GC", "ES"));
    }

    #[test]
    fn a_globex_session_opens_on_the_evening_before() {
        let sunday = date(2020, 1, 5);
        let clock = DayClock::new(Zone::NewYork, sunday).unwrap();
        // 18:00 New York on Sunday opens Monday's session.
        let opening: Vec<u64> = phases_on(&clock, sunday).iter().map(|phase| phase.ts).collect();
        assert_eq!(opening, [clock.utc_ns_at(18, 0)]);
        let monday = date(2020, 1, 6);
        let clock = DayClock::new(Zone::NewYork, monday).unwrap();
        let both: Vec<u64> = phases_on(&clock, monday).iter().map(|phase| phase.ts).collect();
        assert_eq!(both, [clock.utc_ns_at(17, 0), clock.utc_ns_at(18, 0)]);
        // Saturday has neither.
        let saturday = date(2020, 1, 4);
        let clock = DayClock::new(Zone::NewYork, saturday).unwrap();
        assert_eq!(phases_on(&clock, saturday).len(), 0);
        assert_eq!(end_ns(monday).unwrap(), DayClock::new(Zone::Chicago, monday).unwrap().utc_ns_at(16, 0));
    }
}
