//! Accounts: cash, positions with first-in-first-out lots, equity by deltas.
//!
//! Invariant (conservation): `equity = cash + Σ position value`, checked at every cash and
//! position change from running totals, and recomputed in full by [`Account::is_conserved`].
//! Realised profit is before fees; `equity − initial cash = realised + unrealised − fees`.

use crate::ids::InstrumentIx;
use crate::num::{Money, Price, Qty};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Quantity bought or sold at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// Signed quantity.
    pub quantity: Qty,
    /// Price.
    pub price: Price,
    /// What it cost, signed: debit positive. Summing these never drifts from the cash that was paid.
    pub cost: Money,
}

/// A position after a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) quantity: Qty,
    pub(crate) cost: Money,
    pub(crate) realized: Money,
}

/// A position in one instrument.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Signed quantity.
    pub quantity: Qty,
    /// Open lots, oldest first.
    pub lots: VecDeque<Lot>,
    /// Cost of the open lots, signed: debit positive.
    pub cost: Money,
    /// Price of the last mark.
    pub mark: Price,
    /// Value at the last mark.
    pub value: Money,
    /// Realised so far, before fees.
    pub realized: Money,
    /// A future: nothing is paid for it, and its value is its open profit.
    pub is_margined: bool,
}

impl Position {
    /// What the open lots cost in cash: nothing for a future.
    fn paid(&self) -> Money {
        if self.is_margined { Money::ZERO } else { self.cost }
    }

    /// Value minus what was paid.
    pub fn unrealized(&self) -> Money {
        self.value - self.paid()
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Name.
    pub name: String,
    /// Cash at the start.
    pub cash_initial: Money,
    /// Cash.
    pub cash: Money,
    /// Fees paid.
    pub fees: Money,
    /// Realised over all positions, before fees.
    pub realized: Money,
    value: Money,
    /// Boxed: a node of the map stays small enough to come and go cheaply.
    positions: BTreeMap<InstrumentIx, Box<Position>>,
}

impl Account {
    pub(crate) fn new(name: &str, cash: Money) -> Account {
        Account {
            name: name.to_string(),
            cash_initial: cash,
            cash,
            fees: Money::ZERO,
            realized: Money::ZERO,
            value: Money::ZERO,
            positions: BTreeMap::new(),
        }
    }

    /// Cash plus the value of all positions at their last marks.
    pub fn equity(&self) -> Money {
        self.cash + self.value
    }

    /// Value of the open positions minus what they cost.
    pub fn unrealized(&self) -> Money {
        self.positions.values().fold(Money::ZERO, |sum, position| sum + position.unrealized())
    }

    /// Open positions in order of instrument.
    pub fn positions(&self) -> impl Iterator<Item = (InstrumentIx, &Position)> {
        self.positions.iter().map(|(ix, position)| (*ix, &**position))
    }

    /// Signed quantity held.
    pub fn quantity(&self, ix: InstrumentIx) -> Qty {
        self.positions.get(&ix).map_or(Qty::ZERO, |position| position.quantity)
    }

    /// The open position in an instrument.
    pub fn position(&self, ix: InstrumentIx) -> Option<&Position> {
        self.positions.get(&ix).map(|position| &**position)
    }

    /// Books `quantity` at `price`, closing the oldest opposite lots first.
    pub(crate) fn trade(
        &mut self,
        ix: InstrumentIx,
        quantity: Qty,
        price: Price,
        multiplier: i64,
        is_margined: bool,
    ) -> Booked {
        let position = self.positions.entry(ix).or_default();
        position.is_margined = is_margined;
        let mut left = quantity;
        // Rounded once for the whole trade and then split, so that fractional pieces sum exactly.
        let mut value_left = price.notional(quantity, multiplier);
        let mut realized = Money::ZERO;
        while left.0 != 0 {
            let Some(oldest) = position.lots.front_mut() else { break };
            if (oldest.quantity.0 > 0) == (left.0 > 0) {
                break;
            }
            let size = oldest.quantity.0.abs().min(left.0.abs());
            let closed = Qty(if oldest.quantity.0 > 0 { size } else { -size });
            let is_whole_lot = closed == oldest.quantity;
            let cost = if is_whole_lot { oldest.cost } else { oldest.price.notional(closed, multiplier) };
            let is_rest = size == left.0.abs();
            let value = if is_rest { value_left } else { price.notional(closed.neg(), multiplier) };
            realized = realized - value - cost;
            value_left -= value;
            position.cost -= cost;
            oldest.cost -= cost;
            oldest.quantity = oldest.quantity - closed;
            left = left + closed;
            if is_whole_lot {
                position.lots.pop_front();
            }
        }
        if left.0 != 0 {
            position.lots.push_back(Lot { quantity: left, price, cost: value_left });
            position.cost += value_left;
        }
        position.quantity = position.quantity + quantity;
        position.realized += realized;
        self.realized += realized;
        let booked = Booked { quantity: position.quantity, cost: position.cost, realized };
        if booked.quantity.0 == 0 {
            self.value -= position.value;
            self.positions.remove(&ix);
        }
        booked
    }

    /// Marks a position; unknown instruments are ignored.
    pub(crate) fn mark(&mut self, ix: InstrumentIx, price: Price, multiplier: i64) {
        if let Some(position) = self.positions.get_mut(&ix) {
            let notional = price.notional(position.quantity, multiplier);
            let value = if position.is_margined { notional - position.cost } else { notional };
            self.value += value - position.value;
            position.mark = price;
            position.value = value;
        }
    }

    pub(crate) fn pay(&mut self, amount: Money) {
        self.cash += amount;
    }

    /// Recomputes cash + Σ value and the profit identity from the lots.
    pub fn is_conserved(&self) -> bool {
        let value = self.positions.values().fold(Money::ZERO, |sum, position| sum + position.value);
        let held = self.positions.values().all(|position| {
            position.lots.iter().fold(Qty::ZERO, |sum, lot| sum + lot.quantity) == position.quantity
                && position.lots.iter().fold(Money::ZERO, |sum, lot| sum + lot.cost) == position.cost
        });
        let profit = self.equity() - self.cash_initial;
        held && value == self.value && profit == self.realized + self.unrealized() - self.fees
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(quantity: i64, price: &str) -> (Qty, Price) {
        (Qty::from_whole(quantity).unwrap(), price.parse().unwrap())
    }

    #[test]
    fn lots_close_first_in_first_out_and_flip() {
        let mut account = Account::new("main", Money::ZERO);
        let ix = InstrumentIx(0);
        let money = |text: &str| text.parse::<Money>().unwrap();
        for ((traded, price), quantity, cost, realized) in [
            (lot(10, "2.00"), 10, "2000", "0"),
            (lot(5, "3.00"), 15, "3500", "0"),
            (lot(-12, "4.00"), 3, "900", "2200"),
            (lot(-5, "1.00"), -2, "-200", "-600"),
            (lot(2, "0.50"), 0, "0", "100"),
        ] {
            let booked = account.trade(ix, traded, price, 100, false);
            account.pay(price.notional(traded, 100).neg());
            account.mark(ix, price, 100);
            assert_eq!(booked.quantity, Qty::from_whole(quantity).unwrap());
            assert_eq!(booked.cost, money(cost));
            assert_eq!(booked.realized, money(realized));
            assert!(account.is_conserved());
        }
        assert_eq!(account.realized, money("1700"));
        assert_eq!(account.cash, money("1700"));
        assert_eq!(account.positions().count(), 0);
    }

    proptest::proptest! {
        #[test]
        fn any_sequence_of_trades_and_marks_conserves(
            steps in proptest::collection::vec((0u32..3, -20i64..20, 1i64..500, 1i64..500), 1..80),
            // Fractions of a unit and of a price unit: the rounding of the pieces must sum exactly.
            unit in proptest::sample::select(vec![crate::num::SCALE, 333_333_333, 7]),
            tick in proptest::sample::select(vec![10_000_000i64, 1, 123_456_789]),
            is_margined in proptest::bool::ANY,
        ) {
            let mut account = Account::new("main", Money(1_000));
            for (ix, quantity, price, mark) in steps {
                let ix = InstrumentIx(ix);
                let price = Price(price * tick);
                if quantity != 0 {
                    let quantity = Qty(quantity * unit);
                    let booked = account.trade(ix, quantity, price, 100, is_margined);
                    let paid = price.notional(quantity, 100).neg();
                    account.pay(if is_margined { booked.realized } else { paid });
                }
                account.mark(ix, Price(mark * tick), 100);
                proptest::prop_assert!(account.is_conserved());
            }
        }
    }
}
