//! Fee schedules: what one leg of one order costs, cumulatively.
//!
//! Fees are computed for everything an order's leg has filled so far and charged by difference,
//! so that a minimum is charged once however many fills it took.

use crate::config::FeeSchedule;
use crate::event::Execution;
use crate::instrument::{InstrumentDef, InstrumentKind};
use crate::num::{Money, Price, Qty};

const CENT: i128 = 10_000_000;
const MINIMUM: Money = Money(100 * CENT);

/// Sum of what a leg has filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct FilledSoFar {
    /// Absolute quantity.
    pub quantity: Qty,
    /// Absolute value, price × quantity × multiplier.
    pub value: Money,
    /// Premium that LEAN's tiers look at: the last quote of the side traded against.
    pub premium: Price,
}

impl FilledSoFar {
    /// Adds an execution in an instrument.
    pub fn add(&mut self, execution: &Execution, def: &InstrumentDef) {
        let quantity = execution.quantity.abs();
        self.quantity = Qty(self.quantity.0 + quantity.0);
        self.value += execution.price.notional(quantity, def.multiplier);
        // LEAN's tiers look at the last quote of the order's own side of the market: a buy's bid, a sell's
        // ask, zero when there is none (published: 1.25 for five GOOG 745 calls bought without a bid).
        self.premium = if execution.quantity.0 > 0 { execution.bid } else { execution.ask };
    }
}

fn per_unit(amount: Money, quantity: Qty) -> Money {
    Money(crate::num::div_half_even(amount.0 * i128::from(quantity.0), i128::from(crate::num::SCALE)))
}

/// The most a leg of this size can cost, whatever its price.
pub fn most(schedule: FeeSchedule, def: &InstrumentDef, quantity: Qty) -> Money {
    total(schedule, def, FilledSoFar { quantity, value: Money(i128::MAX / 1_000), premium: Price(i64::MAX) })
}

/// How a fee came about: which rule, at what rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct FeeRow {
    /// The rule that applies.
    pub rule: &'static str,
    /// Charge per contract or share.
    pub rate: Money,
    /// Absolute quantity charged.
    pub quantity: Qty,
    /// Least an order's leg is charged, when there is such a rule.
    pub minimum: Option<Money>,
    /// Most it is charged, when there is such a rule.
    pub maximum: Option<Money>,
    /// Charge for the quantity, rounded to the cent.
    pub total: Money,
}

impl FeeRow {
    fn new(rule: &'static str, rate: Money, quantity: Qty, bounds: (Option<Money>, Option<Money>)) -> FeeRow {
        let (minimum, maximum) = bounds;
        let fee = per_unit(rate, quantity);
        let fee = minimum.map_or(fee, |least| fee.max(least));
        let fee = maximum.map_or(fee, |most| fee.min(most));
        FeeRow { rule, rate, quantity, minimum, maximum, total: fee.round_to_cent() }
    }

    fn free(rule: &'static str, quantity: Qty) -> FeeRow {
        FeeRow::new(rule, Money::ZERO, quantity, (None, None))
    }
}

/// Total fee of a leg for all its fills, rounded to the cent.
pub fn total(schedule: FeeSchedule, def: &InstrumentDef, filled: FilledSoFar) -> Money {
    row(schedule, def, filled).total
}

/// The fee of a leg for all its fills, with the rule behind it.
pub fn row(schedule: FeeSchedule, def: &InstrumentDef, filled: FilledSoFar) -> FeeRow {
    let quantity = filled.quantity;
    let least = (Some(MINIMUM), None);
    if quantity.0 == 0 || schedule == FeeSchedule::Free {
        return FeeRow::free("free of charge", quantity);
    }
    match (schedule, def.kind) {
        // LEAN caps equity fees at 0.5 % of the trade's value.
        (FeeSchedule::Lean, InstrumentKind::Equity) => {
            let most = filled.value.scaled(5, 1000);
            FeeRow::new(
                "share, at most 0.5 % of the value",
                Money(CENT / 2),
                quantity,
                (Some(MINIMUM), Some(most)),
            )
        }
        (_, InstrumentKind::Equity) => FeeRow::new("share", Money(CENT / 2), quantity, least),
        (FeeSchedule::Lean, InstrumentKind::Option) if is_european_cash(def) => {
            FeeRow::free("cash-settled option: none", quantity)
        }
        (FeeSchedule::Lean, InstrumentKind::Option) => {
            let (rule, rate) = if filled.premium.0 >= 100_000_000 {
                ("contract, premium 0.10 or more", 65)
            } else if filled.premium.0 >= 50_000_000 {
                ("contract, premium 0.05 to 0.10", 50)
            } else {
                ("contract, premium below 0.05", 25)
            };
            FeeRow::new(rule, Money(rate * CENT), quantity, least)
        }
        (_, InstrumentKind::Option | InstrumentKind::Future) => {
            FeeRow::new("contract", Money(65 * CENT), quantity, least)
        }
        (_, InstrumentKind::Index) => FeeRow::free("index: none", quantity),
    }
}

// LEAN charges nothing for index options.
fn is_european_cash(def: &InstrumentDef) -> bool {
    def.option.as_ref().is_some_and(|terms| terms.settlement == crate::instrument::Settlement::Cash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option() -> InstrumentDef {
        InstrumentDef { kind: InstrumentKind::Option, multiplier: 100, ..InstrumentDef::equity("X") }
    }

    #[test]
    fn published_fees() {
        // Quantities, premiums and fees of the LEAN regression cases (GOOG 2015-12-24).
        let qty = |n| Qty::from_whole(n).unwrap();
        for (schedule, def, quantity, premium, value, fee) in [
            (FeeSchedule::Lean, option(), 5, "54.0", "27000", "3.25"),
            (FeeSchedule::Lean, option(), 1, "12.2", "1220", "1"),
            (FeeSchedule::Lean, option(), 10, "0.07", "70", "5"),
            (FeeSchedule::Lean, option(), 10, "0.02", "20", "2.5"),
            (FeeSchedule::Lean, InstrumentDef::equity("GOOG"), 500, "749.68", "374840", "2.50"),
            (FeeSchedule::Lean, InstrumentDef::equity("PENNY"), 100, "0.10", "10", "0.05"),
            (FeeSchedule::Retail, option(), 10, "0.02", "20", "6.5"),
            (FeeSchedule::Retail, InstrumentDef::equity("GOOG"), 100, "749.68", "74968", "1"),
            (FeeSchedule::Free, option(), 10, "1", "1000", "0"),
        ] {
            let filled = FilledSoFar {
                quantity: qty(quantity),
                value: value.parse().unwrap(),
                premium: premium.parse().unwrap(),
            };
            assert_eq!(
                total(schedule, &def, filled),
                fee.parse().unwrap(),
                "{schedule:?} {} {quantity}",
                def.symbol
            );
        }
    }
}
