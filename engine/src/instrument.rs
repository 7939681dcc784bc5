//! Instruments as the log defines them. An instrument's index is the order of its definition.

use crate::ids::InstrumentIx;
use crate::num::{Nanos, Price, Qty};
use serde::{Deserialize, Serialize};

pub use onetape_pricing::Right;

/// What an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstrumentKind {
    /// Shares of a company or fund.
    Equity,
    /// An index: quoted, never traded.
    Index,
    /// A futures contract.
    Future,
    /// An option; `InstrumentDef::option` holds its terms.
    Option,
}

/// When the holder may exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExerciseStyle {
    /// Any trading day.
    American,
    /// At expiry only.
    European,
}

/// What exercise delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The deliverable against the strike.
    Physical,
    /// Intrinsic value in cash.
    Cash,
}

/// Time of day of the settlement value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettlementTime {
    /// From opening prices of the expiry day; trading ends the business day before.
    Am,
    /// From the close of the expiry day.
    Pm,
}

/// Minimum price increments of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TickRule {
    /// One increment at every price, in 1e-9.
    Fixed(i64),
    /// Penny interval class: 0.01 below 3.00, else 0.05.
    Penny,
    /// Other listed options: 0.05 below 3.00, else 0.10.
    Nickel,
    /// No constraint (indices, recorded data of unknown class).
    Free,
}

const CENT: i64 = 10_000_000;
const THREE: i64 = 3_000_000_000;

impl TickRule {
    /// The increment that applies at a price, in 1e-9; `None` when any price is legal.
    pub fn increment(self, price: Price) -> Option<i64> {
        match self {
            TickRule::Fixed(increment) => Some(increment),
            TickRule::Penny => Some(if price.0 < THREE { CENT } else { 5 * CENT }),
            TickRule::Nickel => Some(if price.0 < THREE { 5 * CENT } else { 10 * CENT }),
            TickRule::Free => None,
        }
    }

    /// Whether the price is a multiple of its increment.
    pub fn is_legal(self, price: Price) -> bool {
        self.increment(price).is_none_or(|increment| increment > 0 && price.0 % increment == 0)
    }

    /// The nearest legal price at or below.
    pub fn floor(self, price: Price) -> Price {
        self.increment(price).map_or(price, |increment| Price(price.0.div_euclid(increment) * increment))
    }

    /// The nearest legal price at or above.
    pub fn ceil(self, price: Price) -> Price {
        let below = self.floor(price);
        if below == price {
            return price;
        }
        // The step up uses the increment at the price below: 2.97 under Penny goes to 2.98, 3.01 to 3.05.
        self.increment(below).map_or(price, |increment| Price(below.0 + increment))
    }
}

/// Terms of an option. Instants are absolute: calendars live outside the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionTerms {
    /// The underlying, defined earlier in the session.
    pub underlying: InstrumentIx,
    /// Class root, for example `SPXW`.
    pub root: String,
    /// Expiry date as yyyymmdd.
    pub expiry_date: u32,
    /// Strike.
    pub strike: Price,
    /// Call or put.
    pub right: Right,
    /// Exercise style.
    pub style: ExerciseStyle,
    /// What exercise delivers.
    pub settlement: Settlement,
    /// AM or PM settlement.
    pub settlement_time: SettlementTime,
    /// Last instant of trading.
    pub last_trade: Nanos,
    /// Settlement instant: time to expiry runs to here.
    pub expiry: Nanos,
    /// Exercise decisions are made here.
    pub exercise_cutoff: Nanos,
    /// Short positions learn of assignment here.
    pub notice: Nanos,
}

/// Definition of an instrument: an input of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstrumentDef {
    /// Unique symbol within the session; options use the 21-character OSI form or the source's own.
    pub symbol: String,
    /// Kind.
    pub kind: InstrumentKind,
    /// Currency units per 1.00 of price and one unit of quantity (100 for a listed equity option).
    pub multiplier: i64,
    /// Legal price increments.
    pub tick: TickRule,
    /// Smallest tradable quantity.
    pub lot: Qty,
    /// Terms, when an option.
    pub option: Option<OptionTerms>,
    /// Expiry instant of a future; `None` otherwise.
    pub expiry: Option<Nanos>,
    /// How long a stated quote side holds: `None` until replaced, else nanoseconds (interval feeds).
    pub quote_hold_ns: Option<u64>,
    /// The source's own identity (dataset, publisher, raw id), for audit.
    pub source: String,
}

impl InstrumentDef {
    /// A share with 0.01 ticks.
    pub fn equity(symbol: &str) -> InstrumentDef {
        InstrumentDef {
            symbol: symbol.to_string(),
            kind: InstrumentKind::Equity,
            multiplier: 1,
            tick: TickRule::Fixed(CENT),
            lot: Qty::ONE,
            option: None,
            expiry: None,
            quote_hold_ns: None,
            source: String::new(),
        }
    }

    /// Last instant of trading of an option or future; `None` for what does not expire.
    pub fn last_trade(&self) -> Option<Nanos> {
        self.option.as_ref().map_or(self.expiry, |terms| Some(terms.last_trade))
    }

    /// Units of the underlying that one contract of this option delivers: as many shares as its multiplier
    /// says, but one future, whose size the multiplier is.
    pub fn units_delivered(&self, underlying: &InstrumentDef) -> i64 {
        match underlying.kind {
            InstrumentKind::Future => (self.multiplier / underlying.multiplier.max(1)).max(1),
            _ => self.multiplier,
        }
    }

    /// The underlying of an option; `None` otherwise.
    pub fn underlying(&self) -> Option<InstrumentIx> {
        self.option.as_ref().map(|terms| terms.underlying)
    }
}

impl OptionTerms {
    /// Intrinsic value at an underlying price, never negative.
    pub fn intrinsic(&self, underlying: Price) -> Price {
        let value = match self.right {
            Right::Call => underlying - self.strike,
            Right::Put => self.strike - underlying,
        };
        value.max(Price::ZERO)
    }

    /// ACT/365F year fraction from `now` to the settlement instant, 0 when past.
    pub fn years_to_expiry(&self, now: Nanos) -> f64 {
        self.expiry.0.saturating_sub(now.0) as f64 / (365.0 * 86_400.0 * 1e9)
    }
}

/// The 21-character OSI symbol: root padded to 6, yymmdd, right, strike × 1000 in 8 digits.
pub fn osi_symbol(root: &str, expiry_date: u32, right: Right, strike: Price) -> String {
    let letter = match right {
        Right::Call => 'C',
        Right::Put => 'P',
    };
    format!("{root:<6}{:06}{letter}{:08}", expiry_date % 1_000_000, strike.0 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_round_to_legal_prices() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        for (rule, at, floor, ceil) in [
            (TickRule::Penny, "2.995", "2.99", "3.00"),
            (TickRule::Penny, "3.01", "3.00", "3.05"),
            (TickRule::Nickel, "2.97", "2.95", "3.00"),
            (TickRule::Nickel, "3.15", "3.10", "3.20"),
            (TickRule::Fixed(CENT), "54.10", "54.10", "54.10"),
            (TickRule::Free, "1.23456", "1.23456", "1.23456"),
        ] {
            assert_eq!(rule.floor(price(at)), price(floor), "{rule:?} {at}");
            assert_eq!(rule.ceil(price(at)), price(ceil), "{rule:?} {at}");
        }
        assert!(!TickRule::Penny.is_legal(price("3.01")));
        assert!(TickRule::Penny.is_legal(price("2.99")));
    }

    #[test]
    fn osi_symbols_have_21_characters() {
        let symbol = osi_symbol("GOOG", 20160115, Right::Call, "747.5".parse().unwrap());
        assert_eq!(symbol, "GOOG  160115C00747500");
    }
}
