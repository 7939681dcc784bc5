//! What an instrument is, by the texts of a row that name it.

use super::cell::{Cell, Cells};
use super::plan::{Fault, Plan};
use super::spec::{Form, PlainKind, Profile};
use super::time::date_of_cell;
use crate::import::terms::{OccParts, is_index, number_of, occ_parts};
use onetape_engine::instrument::{Right, osi_symbol};
use onetape_engine::num::Price;

/// What an instrument is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Contract {
    Share,
    Index,
    Crypto,
    Future,
    Listed(OccParts),
    /// European, cash, on the index or future named by its underlying.
    Deribit(OccParts),
}

impl Contract {
    /// The parts of an option.
    pub(super) fn option(&self) -> Option<&OccParts> {
        match self {
            Contract::Listed(parts) | Contract::Deribit(parts) => Some(parts),
            _ => None,
        }
    }
}

/// Place of the column with the symbol of a leg.
pub(super) fn symbol_place(plan: &Plan, leg: usize) -> Option<usize> {
    if leg == 1 { plan.symbol.put_column } else { plan.symbol.column }
}

/// Name, contract and raw text of one leg of a row.
pub(super) fn identify<C: Cells>(
    profile: &Profile,
    plan: &Plan,
    cells: &C,
    leg: usize,
) -> Result<(String, Contract, String), Fault> {
    let spec = &profile.symbol;
    if spec.root.is_some() {
        let parts = parts_of_columns(profile, plan, cells, leg)?;
        let name = listed_name(&parts);
        return Ok((name.clone(), Contract::Listed(parts), name));
    }
    let (raw, place) = match (&spec.name, symbol_place(plan, leg)) {
        (Some(name), _) => (name.clone(), None),
        (None, Some(place)) => (String::from_utf8_lossy(&cells.get(place).text()).into_owned(), Some(place)),
        (None, None) => return Err(Fault("the file has no symbol column".to_string())),
    };
    let found = spec.forms.iter().find_map(|form| match form {
        Form::Occ => occ_parts(&raw).map(|parts| (listed_name(&parts), Contract::Listed(parts))),
        Form::Deribit => deribit(&raw),
        Form::Future => is_future(&raw).then(|| (raw.clone(), Contract::Future)),
        Form::Plain => is_plain(&raw).then(|| plain(&raw, spec.plain)),
    });
    match (found, place) {
        (Some((name, contract)), _) => Ok((name, contract, raw)),
        (None, Some(place)) => {
            let forms = format!("a symbol of the forms {:?}", spec.forms).to_ascii_lowercase();
            Err(plan.fault(place, cells.get(place), &forms))
        }
        (None, None) => Err(Fault(format!("symbol.name '{raw}' has none of the forms {:?}", spec.forms))),
    }
}

fn listed_name(parts: &OccParts) -> String {
    osi_symbol(&parts.root, number_of(parts.expiry), parts.right, parts.strike)
}

fn parts_of_columns<C: Cells>(
    profile: &Profile,
    plan: &Plan,
    cells: &C,
    leg: usize,
) -> Result<OccParts, Fault> {
    let places = &plan.symbol;
    let at = |place: Option<usize>, name: &str| {
        place.ok_or_else(|| Fault(format!("the file has no column of the option's {name}")))
    };
    let (root, expiry, strike) =
        (at(places.root, "root")?, at(places.expiry, "expiry")?, at(places.strike, "strike")?);
    let fault = |place: usize, expected: &str| plan.fault(place, cells.get(place), expected);
    let text = String::from_utf8_lossy(&cells.get(root).text()).to_ascii_uppercase();
    let name = text.trim_start_matches('^').split_whitespace().next().unwrap_or_default().to_string();
    if name.is_empty() || name.len() > 6 || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') {
        return Err(fault(root, "an option root of 1 to 6 letters and digits"));
    }
    let date = date_of_cell(cells.get(expiry)).ok_or_else(|| fault(expiry, "an expiry date"))?;
    let price = cells.get(strike).scaled(9, profile.symbol.strike_unit.0, false);
    let price = price.ok().filter(|strike| *strike > 0 && *strike < 100_000_000_000_000_000);
    let price = price.ok_or_else(|| fault(strike, "a strike above zero"))?;
    let right = match (places.right, leg) {
        (None, 0) => Right::Call,
        (None, _) => Right::Put,
        (Some(place), _) => match cells.get(place).text().to_ascii_lowercase().as_slice() {
            b"c" | b"call" => Right::Call,
            b"p" | b"put" => Right::Put,
            _ => return Err(fault(place, "C, P, call or put")),
        },
    };
    let is_pm = places.am_pm.is_some_and(|place| cells.get(place).text().eq_ignore_ascii_case(b"pm"));
    // The a.m. and p.m. series of these indices trade under two roots, which some sources fold into one.
    let root = match (name.as_str(), is_pm) {
        ("SPX", true) => "SPXW".to_string(),
        ("NDX", true) => "NDXP".to_string(),
        ("RUT", true) => "RUTW".to_string(),
        _ => name,
    };
    Ok(OccParts { root, expiry: date, right, strike: Price(price) })
}

/// `BTC-27JUN25-100000-C`, `XRP_USDC-30AUG24-0d625-P`, `BTC-27JUN25`, `BTC-PERPETUAL`.
pub(super) fn deribit(raw: &str) -> Option<(String, Contract)> {
    let name = raw.to_ascii_uppercase();
    let pieces: Vec<&str> = name.split('-').collect();
    let is_base = |base: &str| {
        (1..=20).contains(&base.len())
            && base.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b))
    };
    let day = |text: &str| date_of_cell(Cell::Text(text.as_bytes()));
    match pieces.as_slice() {
        [base, "PERPETUAL"] if is_base(base) => Some((name.clone(), Contract::Future)),
        [base, expiry] if is_base(base) => day(expiry).map(|_| (name.clone(), Contract::Future)),
        [base, expiry, strike, right] if is_base(base) => {
            let right = match *right {
                "C" => Right::Call,
                "P" => Right::Put,
                _ => return None,
            };
            let strike = strike.replace('D', ".").parse().ok().filter(|strike: &Price| strike.0 > 0)?;
            let parts = OccParts { root: (*base).to_string(), expiry: day(expiry)?, right, strike };
            Some((name.clone(), Contract::Deribit(parts)))
        }
        _ => None,
    }
}

/// The underlying that a Deribit name means.
pub(super) fn deribit_underlying(name: &str) -> (String, Contract) {
    deribit(name)
        .filter(|(name, _)| !name.starts_with("SYN."))
        .unwrap_or_else(|| (name.to_ascii_uppercase(), Contract::Index))
}

/// Root, month letter, one or two digits of the year.
fn is_future(raw: &str) -> bool {
    let head = raw.trim_end_matches(|c: char| c.is_ascii_digit());
    let years = raw.len() - head.len();
    let is_month = head.ends_with(['F', 'G', 'H', 'J', 'K', 'M', 'N', 'Q', 'U', 'V', 'X', 'Z']);
    let is_root =
        (2..=5).contains(&head.len()) && head.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    matches!(years, 1 | 2) && is_month && is_root
}

fn is_plain(raw: &str) -> bool {
    (1..=40).contains(&raw.len()) && raw.bytes().all(|b| b.is_ascii_graphic())
}

/// A share, index or pair; `^SPX` and `I:SPX` are indices.
pub(super) fn plain(raw: &str, kind: PlainKind) -> (String, Contract) {
    if let Some(name) = raw.strip_prefix('^').or_else(|| raw.strip_prefix("I:")) {
        let contract =
            if is_index(name) || raw.starts_with("I:") { Contract::Index } else { Contract::Share };
        return (name.to_string(), contract);
    }
    let contract = match kind {
        _ if is_index(raw) => Contract::Index,
        PlainKind::Equity => Contract::Share,
        PlainKind::Index => Contract::Index,
        PlainKind::Crypto => Contract::Crypto,
    };
    (raw.to_string(), contract)
}

/// The underlying's symbol; a cell that only says which kind of price it is names none.
pub(super) fn underlying_text(cell: Cell<'_>) -> Option<String> {
    let text = String::from_utf8_lossy(&cell.text()).into_owned();
    (is_plain(&text) && !text.eq_ignore_ascii_case("index_price")).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;

    #[test]
    fn symbols_of_crypto_and_futures_say_what_they_are() {
        let (name, contract) = deribit("BTC-27JUN25-100000-C").unwrap();
        let parts = contract.option().unwrap();
        assert_eq!((name.as_str(), parts.root.as_str()), ("BTC-27JUN25-100000-C", "BTC"));
        assert_eq!((parts.expiry, parts.strike), (date(2025, 6, 27), "100000".parse().unwrap()));
        let (_, contract) = deribit("XRP_USDC-30AUG24-0d625-P").unwrap();
        assert_eq!(contract.option().unwrap().strike, "0.625".parse().unwrap());
        for future in ["BTC-PERPETUAL", "BTC-9JUN20"] {
            assert_eq!(deribit(future).unwrap().1, Contract::Future, "{future}");
        }
        for other in ["BTC", "BTC-27JUN25-100000", "BTC-27JUN25-x-C", "BTC-27JUN25-1-X", "", "---"] {
            assert_eq!(deribit(other), None, "{other}");
        }
        for (symbol, expected) in
            [("ESH6", true), ("MNQZ24", true), ("6EM5", true), ("AAPL", false), ("H6", false)]
        {
            assert_eq!(is_future(symbol), expected, "{symbol}");
        }
        assert_eq!(plain("^SPX", PlainKind::Equity), ("SPX".to_string(), Contract::Index));
        assert_eq!(plain("^SPY", PlainKind::Equity), ("SPY".to_string(), Contract::Share));
        assert_eq!(plain("BTCUSDT", PlainKind::Crypto).1, Contract::Crypto);
    }
}
