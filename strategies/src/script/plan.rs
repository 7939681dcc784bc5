//! What a script asks for, as values.

use crate::clock::{self, TimeOfDay};
use onetape_engine::instrument::Right;
use onetape_engine::num::{Nanos, SECOND};
use onetape_engine::order::{OrderType, TimeInForce, Trigger};
use onetape_engine::{Price, Qty};
use serde::{Deserialize, Serialize};

/// When an action is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Moment {
    /// From the start of the tape.
    Start,
    /// Exchange time of a date; its UTC offset is the session's.
    Local { date: u32, time: TimeOfDay },
    /// An instant.
    Utc(Nanos),
}

/// An instrument, by symbol or by terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Name {
    Symbol(String),
    Series { root: String, expiry: u32, strike: Price, right: Right },
}

/// A leg of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedLeg {
    pub(crate) name: Name,
    pub(crate) quantity: Qty,
    /// This leg's own limit, when the order is one.
    pub(crate) limit: Option<Price>,
    /// The price that sets the leg's order off, when it is a stop.
    pub(crate) stop: Option<Price>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Deed {
    /// Single-leg orders, together.
    Order { legs: Vec<NamedLeg>, tif: TimeInForce },
    /// Advice to exercise so many contracts of a long series at its cut-off.
    Exercise { name: Name, contracts: Qty },
    /// Cancel every order of the script and close every position.
    Liquidate,
}

/// A deed with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Action {
    /// Line of the script, for remarks.
    pub(crate) line: usize,
    pub(crate) at: Moment,
    /// Whether it waits until every leg has a live opposite side.
    pub(crate) waits_for_quotes: bool,
    pub(crate) deed: Deed,
}

impl NamedLeg {
    /// How the leg's order is priced.
    pub(crate) fn order_type(&self) -> OrderType {
        match (self.stop.map(Trigger::at), self.limit) {
            (None, None) => OrderType::Market,
            (None, Some(limit)) => OrderType::Limit(limit),
            (Some(trigger), None) => OrderType::Stop(trigger),
            (Some(trigger), Some(limit)) => OrderType::StopLimit(trigger, limit),
        }
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::Symbol(symbol) => f.write_str(symbol),
            Name::Series { root, expiry, strike, right } => {
                let right = if *right == Right::Call { 'C' } else { 'P' };
                write!(f, "{root} {expiry} {strike}{right}")
            }
        }
    }
}

/// Reads `2015-12-24 09:31[:00]` (local; `T` may stand for the space) or RFC 3339 with `Z` or an offset.
pub(crate) fn parse_moment(text: &str) -> Option<Moment> {
    let date = clock::parse_date(text.get(..10)?)?;
    let rest = text.get(10..)?.strip_prefix([' ', 'T', 't'])?;
    let zone_at = rest.find(['Z', 'z', '+', '-']);
    let (time, zone) = rest.split_at(zone_at.unwrap_or(rest.len()));
    let time: TimeOfDay = time.parse().ok()?;
    if zone.is_empty() {
        return Some(Moment::Local { date, time });
    }
    let offset_s = match zone {
        "Z" | "z" => 0,
        _ => {
            let offset: TimeOfDay = zone.get(1..)?.parse().ok()?;
            let seconds = i32::try_from(offset.0 / SECOND).ok()?;
            if zone.starts_with('-') { -seconds } else { seconds }
        }
    };
    clock::instant(date, time, offset_s).map(Moment::Utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let local = Moment::Local { date: 20151224, time: TimeOfDay::at(9, 31) };
        let utc = Moment::Utc(Nanos(1_450_967_460_000_000_000));
        for (text, expected) in [
            ("2015-12-24 09:31", local),
            ("2015-12-24T09:31:00", local),
            ("2015-12-24T14:31:00Z", utc),
            ("2015-12-24T09:31:00-05:00", utc),
            ("2015-12-24 15:31:00+01:00", utc),
        ] {
            assert_eq!(parse_moment(text), Some(expected), "{text}");
        }
        for text in ["", "09:31", "2015-12-24", "2015-13-24 09:31", "2015-12-24 9:31", "2015-12-24 09:31+1"] {
            assert_eq!(parse_moment(text), None, "{text}");
        }
    }
}
