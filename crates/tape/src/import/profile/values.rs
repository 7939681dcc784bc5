//! Values of a profile that are written as text: units, zones, durations, times of day, classes.

use onetape_calendar::Zone;
use onetape_engine::record::TradeClass;
use serde::{Deserialize, Deserializer, de};

/// Unit of numeric times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    S,
    Ms,
    Us,
    Ns,
}

impl Unit {
    /// Decimal digits between the unit and a nanosecond.
    pub(super) fn digits(self) -> i32 {
        match self {
            Unit::S => 9,
            Unit::Ms => 6,
            Unit::Us => 3,
            Unit::Ns => 0,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ZoneName {
    #[default]
    Utc,
    NewYork,
    Chicago,
}

impl ZoneName {
    pub(super) fn zone(self) -> Zone {
        match self {
            ZoneName::Utc => Zone::Utc,
            ZoneName::NewYork => Zone::NewYork,
            ZoneName::Chicago => Zone::Chicago,
        }
    }
}

/// What the source's time marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stamp {
    #[default]
    Instant,
    /// Start of the interval: the row is known at its end.
    Start,
    /// End of the interval.
    End,
}

/// A duration such as `15m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span(pub(super) u64);

impl Span {
    fn parse(text: &str) -> Option<Span> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let unit: u64 = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let ns = number.parse::<u64>().ok()?.checked_mul(unit)?;
        // A year: longer delays and intervals are slips.
        (ns <= 366 * 86_400_000_000_000).then_some(Span(ns))
    }
}

/// Width of a row's interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interval {
    Fixed(Span),
    /// A trading day: it ends at the close of the instrument's session.
    Day,
}

/// Time of day of a dated row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// So long before the close of the instrument's session.
    Close(Span),
    /// Wall time of the profile's zone.
    Wall(Span),
}

impl At {
    fn parse(text: &str) -> Option<At> {
        if let Some(before) = text.strip_prefix("close") {
            let span = if before.is_empty() { Some(Span(0)) } else { Span::parse(before.strip_prefix('-')?) };
            return span.map(At::Close);
        }
        let ns = super::time::clock_ns(text.as_bytes())?;
        Some(At::Wall(Span(ns)))
    }
}

/// Reads a text value through a parser that says no more than "not valid".
fn parsed<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl Fn(&str) -> Option<T>,
    expected: &str,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| de::Error::custom(format!("'{text}' is not {expected}")))
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        parsed(deserializer, Span::parse, "a duration such as 250ms or 15m (units ns, us, ms, s, m, h)")
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Interval, D::Error> {
        let parse = |text: &str| match text {
            "day" => Some(Interval::Day),
            text => Span::parse(text).filter(|span| span.0 > 0).map(Interval::Fixed),
        };
        parsed(deserializer, parse, "an interval such as 1m or day (units s, m, h)")
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        parsed(deserializer, At::parse, "a time of day such as close, close-14m or 15:45")
    }
}

/// A power of ten from `1` to `1e-9`, as its number of decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DecimalUnit(pub(super) i32);

impl<'de> Deserialize<'de> for DecimalUnit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DecimalUnit, D::Error> {
        let parse = |text: &str| match text {
            "1" => Some(DecimalUnit(0)),
            _ => text.strip_prefix("1e-")?.parse().ok().filter(|n| (1..=9).contains(n)).map(DecimalUnit),
        };
        parsed(deserializer, parse, "a unit from \"1\" to \"1e-9\"")
    }
}

/// [`TradeClass`] by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ClassName {
    #[default]
    Regular,
    Auto,
    Iso,
    Auction,
    Cross,
    Floor,
    MultiLeg,
    StockTied,
    Late,
    OutOfSequence,
    Cancel,
    Open,
    Reopen,
    OddLot,
    Other,
}

impl ClassName {
    pub(super) fn class(self) -> TradeClass {
        TradeClass::from_wire(self as u8)
    }
}
