//! Fee schedules: what one leg of one order costs, cumulatively.
//!
//! Fees are computed for everything an order's leg has filled so far and charged by difference,
//! so that a minimum is charged once however many fills it took.

use crate::config::FeeSchedule;
use crate::instrument::{InstrumentDef, InstrumentKind};
use crate::num::{Money, Price, Qty};

const CENT: i128 = 10_000_000;
const MINIMUM: Money = Money(100 * CENT);

/// Sum of what a leg has filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct FilledSoFar {
    /// Absolute quantity.
    pub quantity: Qty,
    /// Absolute value, price × quantity × multiplier.
    pub value: Money,
    /// Premium that LEAN's tiers look at: the last quote of the side traded against.
    pub premium: Price,
}

fn per_unit(amount: Money, quantity: Qty) -> Money {
    Money(crate::num::div_half_even(amount.0 * i128::from(quantity.0), i128::from(crate::num::SCALE)))
}

/// The most a leg of this size can cost, whatever its price.
pub fn most(schedule: FeeSchedule, def: &InstrumentDef, quantity: Qty) -> Money {
    total(schedule, def, FilledSoFar { quantity, value: Money(i128::MAX / 1_000), premium: Price(i64::MAX) })
}

/// Total fee of a leg for all its fills, rounded to the cent.
pub fn total(schedule: FeeSchedule, def: &InstrumentDef, filled: FilledSoFar) -> Money {
    if filled.quantity.0 == 0 || schedule == FeeSchedule::Free {
        return Money::ZERO;
    }
    let fee = match (schedule, def.kind) {
        (_, InstrumentKind::Equity) => {
            let by_share = per_unit(Money(CENT / 2), filled.quantity).max(MINIMUM);
            // LEAN caps equity fees at 0.5 % of the trade's value.
            if schedule == FeeSchedule::Lean { by_share.min(filled.value.scaled(5, 1000)) } else { by_share }
        }
        (FeeSchedule::Lean, InstrumentKind::Option) if is_european_cash(def) => Money::ZERO,
        (FeeSchedule::Lean, InstrumentKind::Option) => {
            let tier = if filled.premium.0 >= 100_000_000 {
                65
            } else if filled.premium.0 >= 50_000_000 {
                50
            } else {
                25
            };
            per_unit(Money(tier * CENT), filled.quantity).max(MINIMUM)
        }
        (_, InstrumentKind::Option | InstrumentKind::Future) => {
            per_unit(Money(65 * CENT), filled.quantity).max(MINIMUM)
        }
        (_, InstrumentKind::Index) => Money::ZERO,
    };
    fee.round_to_cent()
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
