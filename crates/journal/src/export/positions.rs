//! One row for each instrument that an account ever held: what it holds at the end and what it made.

use super::sink::{Cell, Rows};
use crate::error::JournalError;
use crate::render::Names;
use onetape_engine::block::Entry;
use onetape_engine::event::Event;
use onetape_engine::ids::{AccountIx, InstrumentIx, Seq};
use onetape_engine::input::Cold;
use onetape_engine::num::{Money, Nanos, Qty, div_half_even};
use std::collections::BTreeMap;

#[derive(Default)]
struct Row {
    seq: Seq,
    ts: Nanos,
    quantity: Qty,
    cost: Money,
    realized: Money,
    fees: Money,
}

/// The positions so far.
#[derive(Default)]
pub(super) struct Positions {
    /// Shares a contract delivers, by instrument.
    multipliers: Vec<i64>,
    rows: BTreeMap<(AccountIx, InstrumentIx), Row>,
}

/// Cost of one unit of what is held; `None` of nothing, and where it cannot be stated.
fn average(row: &Row, multiplier: i64) -> Option<i128> {
    let units = i128::from(row.quantity.0).checked_mul(i128::from(multiplier))?;
    let cost = row.cost.0.checked_mul(1_000_000_000)?.checked_mul(units.signum())?;
    (units != 0).then(|| div_half_even(cost, units.abs()))
}

impl Positions {
    pub(super) fn observe(&mut self, seq: Seq, entry: &Entry<'_>) {
        let derived = match entry {
            Entry::Input(_, Some(Cold::Definition(def))) => return self.multipliers.push(def.multiplier),
            Entry::Input(..) => return,
            Entry::Derived(derived) => derived,
        };
        match &derived.event {
            Event::Position { account, instrument, quantity, cost, realized } => {
                let row = self.rows.entry((*account, *instrument)).or_default();
                (row.seq, row.ts, row.quantity, row.cost) = (seq, derived.ts, *quantity, *cost);
                row.realized += *realized;
            }
            Event::Fill { execution, account, fee } => {
                self.rows.entry((*account, execution.instrument)).or_default().fees += *fee;
            }
            _ => {}
        }
    }

    pub(super) fn write(self, names: &Names, sink: &mut impl Rows) -> Result<(), JournalError> {
        for ((account, instrument), row) in &self.rows {
            let multiplier = self.multipliers.get(instrument.index()).copied().unwrap_or(1);
            sink.row(&[
                Cell::Count(row.seq),
                Cell::Count(row.ts.0),
                Cell::Count(u64::from(account.0)),
                Cell::Text(&names.symbol(*instrument)),
                Cell::Decimal(i128::from(row.quantity.0)),
                average(row, multiplier).map_or(Cell::Null, Cell::Decimal),
                Cell::Decimal(row.cost.0),
                Cell::Decimal(row.realized.0),
                Cell::Decimal(row.fees.0),
            ])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_price_is_per_unit_whichever_way_the_position_lies() {
        let unit = 1_000_000_000;
        for (quantity, cost, multiplier, price) in [
            (2, 300, 100, Some(1_500_000_000)),
            (-2, -300, 100, Some(1_500_000_000)),
            (3, 100, 1, Some(33_333_333_333)),
            (-3, -100, 1, Some(33_333_333_333)),
            (0, 0, 100, None),
            (1, i128::MAX / unit, 1, None),
        ] {
            let row =
                Row { quantity: Qty(quantity * unit as i64), cost: Money(cost * unit), ..Row::default() };
            assert_eq!(average(&row, multiplier), price, "{quantity} for {cost}");
        }
    }
}
