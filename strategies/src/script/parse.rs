//! Reading a script: TOML with line numbers and the nearest valid key in every refusal.

use super::plan::{Action, Deed, Moment, Name, NamedLeg, parse_moment};
use crate::clock;
use onetape_engine::instrument::Right;
use onetape_engine::order::TimeInForce;
use onetape_engine::strategy::ParamError;
use onetape_engine::{Price, Qty};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong at a place of the text.
pub(super) struct Fault {
    at: Range<usize>,
    expected: String,
}

type Parsed<T> = Result<T, Fault>;

fn fault<T>(at: Range<usize>, expected: impl Into<String>) -> Parsed<T> {
    Err(Fault { at, expected: expected.into() })
}

/// Reads a script.
pub(super) fn parse(text: &str) -> Result<Vec<Action>, ParamError> {
    let plan = if is_csv(text) { super::csv::parse(text) } else { parse_toml(text) };
    plan.map_err(|fault| {
        let line = line_of(text, fault.at.start);
        let source = text.lines().nth(line - 1).unwrap_or("").trim();
        ParamError::Invalid {
            key: "script".to_string(),
            value: format!("line {line}: {source}"),
            expected: fault.expected,
        }
    })
}

fn is_csv(text: &str) -> bool {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    first.is_some_and(|line| line.starts_with("at,"))
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

pub(super) fn fault_at_line<T>(text: &str, line: usize, expected: impl Into<String>) -> Parsed<T> {
    let at = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    fault(at..at, expected)
}

fn parse_toml(text: &str) -> Parsed<Vec<Action>> {
    let root = match DeTable::parse(text) {
        Ok(root) => root.into_inner(),
        Err(error) => return fault(error.span().unwrap_or(0..0), format!("TOML: {}", error.message())),
    };
    check_keys(&root, "a script", &["order", "exercise", "liquidate_at"])?;
    let mut actions = Vec::new();
    for (table, at) in tables(&root, "order")? {
        actions.push(order(text, table, at)?);
    }
    for (table, at) in tables(&root, "exercise")? {
        actions.push(exercise(text, table, at)?);
    }
    if let Some(value) = root.get("liquidate_at") {
        let at = moment(value)?;
        let line = line_of(text, value.span().start);
        actions.push(Action { line, at, waits_for_quotes: false, deed: Deed::Liquidate });
    }
    Ok(actions)
}

type Entry<'a, 'i> = (&'a DeTable<'i>, Range<usize>);

/// The tables of an array of tables; none when the key is absent.
fn tables<'a, 'i>(root: &'a DeTable<'i>, key: &str) -> Parsed<Vec<Entry<'a, 'i>>> {
    let Some(value) = root.get(key) else { return Ok(Vec::new()) };
    let Some(array) = value.get_ref().as_array() else {
        return fault(value.span(), format!("an array of tables, written [[{key}]]"));
    };
    let table = |entry: &'a Spanned<DeValue<'i>>| match entry.get_ref().as_table() {
        Some(table) => Ok((table, entry.span())),
        None => fault(entry.span(), "a table"),
    };
    array.iter().map(table).collect()
}

fn check_keys(table: &DeTable<'_>, of: &str, known: &[&str]) -> Parsed<()> {
    for key in table.keys() {
        let name = key.get_ref().as_ref();
        if !known.contains(&name) {
            let nearest = known.iter().min_by_key(|known| distance(name, known)).copied().unwrap_or("");
            let known = known.join(", ");
            return fault(key.span(), format!("a key of {of}; nearest: '{nearest}' (known: {known})"));
        }
    }
    Ok(())
}

/// Edits between two words (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

const SERIES_KEYS: [&str; 6] = ["symbol", "root", "expiry", "strike", "right", "quantity"];

fn order(text: &str, table: &DeTable<'_>, at: Range<usize>) -> Parsed<Action> {
    let mut known = vec!["at", "when", "legs", "type", "limit", "stop", "tif", "until"];
    known.extend(SERIES_KEYS);
    check_keys(table, "[[order]]", &known)?;
    let waits_for_quotes = match table.get("when") {
        None => false,
        Some(value) if value.get_ref().as_str() == Some("quoted") => true,
        Some(value) => return fault(value.span(), "\"quoted\""),
    };
    let due = match table.get("at") {
        Some(value) => moment(value)?,
        None if waits_for_quotes => Moment::Start,
        None => return fault(at, "an order with a time: at = \"2015-12-24 09:31:00\" or when = \"quoted\""),
    };
    let mut legs = match table.get("legs") {
        None => vec![leg(table, at.clone())?],
        Some(_) => {
            if let Some(key) = SERIES_KEYS.iter().find_map(|key| table.get(*key)) {
                return fault(key.span(), "part of an order with legs: the legs name the instruments");
            }
            tables(table, "legs")?
                .into_iter()
                .map(|(table, at)| inner_leg(table, at))
                .collect::<Parsed<_>>()?
        }
    };
    if legs.is_empty() || legs.len() > onetape_engine::order::LEGS_MAX {
        return fault(at, "an order of one to eight legs");
    }
    price_legs(table, &mut legs, at.clone())?;
    if let Some(value) = table.get("stop") {
        let stop = Some(decimal(value, "a price, for example 12.05")?);
        match legs.as_mut_slice() {
            [only] => only.stop = stop,
            _ => return fault(value.span(), "for one leg only; give each leg its own stop"),
        }
    }
    let tif = time_in_force(table)?;
    let line = line_of(text, at.start);
    Ok(Action { line, at: due, waits_for_quotes, deed: Deed::Order { legs, tif } })
}

fn time_in_force(table: &DeTable<'_>) -> Parsed<TimeInForce> {
    let until = match table.get("until") {
        None => None,
        Some(value) => match parse_moment(&scalar(value)) {
            Some(Moment::Utc(until)) => Some(TimeInForce::Gtd(until)),
            _ => return fault(value.span(), "an instant in UTC, for example \"2015-12-24T17:00:00Z\""),
        },
    };
    let Some(value) = table.get("tif") else { return Ok(until.unwrap_or(TimeInForce::Day)) };
    let plain = match value.get_ref().as_str() {
        Some("day") => TimeInForce::Day,
        Some("gtc") => TimeInForce::Gtc,
        Some("ioc") => TimeInForce::Ioc,
        Some("fok") => TimeInForce::Fok,
        Some("gtd") => match until {
            Some(until) => return Ok(until),
            None => return fault(value.span(), "given an end: until = \"2015-12-24T17:00:00Z\""),
        },
        _ => return fault(value.span(), "\"day\", \"gtc\", \"ioc\", \"fok\" or \"gtd\""),
    };
    match until {
        None => Ok(plain),
        Some(_) => fault(value.span(), "\"gtd\" (or no tif) beside until"),
    }
}

/// Applies the order's `type` and `limit` to its legs.
fn price_legs(table: &DeTable<'_>, legs: &mut [NamedLeg], at: Range<usize>) -> Parsed<()> {
    let is_limit = match table.get("type").map(|value| (value.get_ref().as_str(), value.span())) {
        None => table.get("limit").is_some() || legs.iter().any(|leg| leg.limit.is_some()),
        Some((Some("market"), _)) => false,
        Some((Some("limit"), _)) => true,
        Some((_, span)) => return fault(span, "\"market\" or \"limit\""),
    };
    if let Some(value) = table.get("limit") {
        let limit = Some(decimal(value, "a price, for example 12.05")?);
        match legs {
            [only] => only.limit = limit,
            _ => return fault(value.span(), "for one leg only; give each leg its own limit"),
        }
    }
    let limits = legs.iter().filter(|leg| leg.limit.is_some()).count();
    if is_limit && limits < legs.len() {
        return fault(at, "a limit order with a limit for every leg");
    }
    if !is_limit && limits > 0 {
        return fault(at, "a market order without limits (or type = \"limit\")");
    }
    Ok(())
}

fn inner_leg(table: &DeTable<'_>, at: Range<usize>) -> Parsed<NamedLeg> {
    let mut known = SERIES_KEYS.to_vec();
    known.extend(["limit", "stop"]);
    check_keys(table, "a leg", &known)?;
    let mut leg = leg(table, at)?;
    if let Some(value) = table.get("limit") {
        leg.limit = Some(decimal(value, "a price, for example 12.05")?);
    }
    if let Some(value) = table.get("stop") {
        leg.stop = Some(decimal(value, "a price, for example 12.05")?);
    }
    Ok(leg)
}

fn leg(table: &DeTable<'_>, at: Range<usize>) -> Parsed<NamedLeg> {
    let name = name(table, at.clone())?;
    let Some(value) = table.get("quantity") else {
        return fault(at, "complete without quantity = 10 (buys) or -10 (sells)");
    };
    let quantity: Qty = decimal(value, "a signed quantity, for example -10")?;
    if quantity == Qty::ZERO {
        return fault(value.span(), "a quantity other than zero");
    }
    Ok(NamedLeg { name, quantity, limit: None, stop: None })
}

fn exercise(text: &str, table: &DeTable<'_>, at: Range<usize>) -> Parsed<Action> {
    check_keys(table, "[[exercise]]", &["at", "symbol", "root", "expiry", "strike", "right", "contracts"])?;
    let name = name(table, at.clone())?;
    let due = table.get("at").map_or(Ok(Moment::Start), moment)?;
    let contracts: Qty = match table.get("contracts") {
        Some(value) => decimal(value, "a number of contracts, 0 not to exercise")?,
        None => return fault(at, "complete without contracts = 5 (0: do not exercise)"),
    };
    let line = line_of(text, at.start);
    Ok(Action { line, at: due, waits_for_quotes: false, deed: Deed::Exercise { name, contracts } })
}

fn name(table: &DeTable<'_>, at: Range<usize>) -> Parsed<Name> {
    if let Some(value) = table.get("symbol") {
        if let Some(key) = ["root", "expiry", "strike", "right"].iter().find_map(|key| table.get(*key)) {
            return fault(key.span(), "needed beside a symbol");
        }
        return match value.get_ref().as_str() {
            Some(symbol) if !symbol.is_empty() => Ok(Name::Symbol(symbol.to_string())),
            _ => fault(value.span(), "a symbol, for example \"GOOG\""),
        };
    }
    let (Some(root), Some(expiry), Some(strike), Some(right)) =
        (table.get("root"), table.get("expiry"), table.get("strike"), table.get("right"))
    else {
        return fault(at, "complete without symbol = \"GOOG\" or root, expiry, strike and right");
    };
    let Some(root_name) = root.get_ref().as_str() else {
        return fault(root.span(), "a class root, for example \"SPXW\"");
    };
    let Some(expiry) = clock::parse_date(&scalar(expiry)) else {
        return fault(expiry.span(), "a date, for example \"2016-01-15\"");
    };
    let strike: Price = decimal(strike, "a strike, for example 747.5")?;
    let right = match right.get_ref().as_str() {
        Some("C" | "c" | "call") => Right::Call,
        Some("P" | "p" | "put") => Right::Put,
        _ => return fault(right.span(), "\"C\" or \"P\""),
    };
    Ok(Name::Series { root: root_name.to_string(), expiry, strike, right })
}

/// A scalar's text as written, so that decimals stay exact.
fn scalar(value: &Spanned<DeValue<'_>>) -> String {
    match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_string(),
        DeValue::Float(number) => number.as_str().to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        _ => String::new(),
    }
}

fn decimal<T: std::str::FromStr>(value: &Spanned<DeValue<'_>>, expected: &str) -> Parsed<T> {
    scalar(value).parse().or_else(|_| fault(value.span(), expected))
}

fn moment(value: &Spanned<DeValue<'_>>) -> Parsed<Moment> {
    let expected = "a time: \"2015-12-24 09:31:00\" (exchange time) or \"2015-12-24T14:31:00Z\"";
    parse_moment(&scalar(value)).map_or_else(|| fault(value.span(), expected), Ok)
}
