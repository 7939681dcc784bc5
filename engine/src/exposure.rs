//! What open orders may still do to an account, summed per instrument.
//!
//! Risk reads these sums, so judging an order costs the same with ten open orders as with a million.
//! An order is *pending* from the moment its terms passed until buying power was judged, *on order*
//! from its approval until it is final.

use crate::fees;
use crate::ids::{AccountIx, InstrumentIx, OrderIx, StrategyIx};
use crate::num::{Money, Price, Qty};
use crate::order::{Order, OrderState};
use crate::state::Core;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Open orders of one account in one instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct OnOrder {
    orders: u32,
    /// Quantity on order with a limit, and what it costs at the limits.
    limit_buys: i128,
    limit_buys_value: Money,
    /// Quantity on order without a limit.
    market_buys: i128,
    /// Absolute.
    sells: i128,
    /// Pending, absolute.
    pending_buys: i128,
    pending_sells: i128,
    /// Upper bound of the fees these orders cost.
    pub(crate) fees: Money,
}

impl OnOrder {
    /// Absolute quantity on order or pending in one direction.
    pub(crate) fn quantity(&self, is_buy: bool) -> i128 {
        if is_buy {
            self.limit_buys + self.market_buys + self.pending_buys
        } else {
            self.sells + self.pending_sells
        }
    }

    /// What the buys cost when market orders pay `touch`.
    pub(crate) fn buys_cost(&self, touch: Price, multiplier: i64) -> Money {
        self.limit_buys_value + cost_of(touch, self.market_buys, multiplier)
    }

    /// Absolute quantity of approved sells.
    pub(crate) fn approved_sells(&self) -> i128 {
        self.sells
    }

    /// What the sells bring at `touch`.
    pub(crate) fn sells_value(&self, touch: Price, multiplier: i64) -> Money {
        cost_of(touch, self.sells, multiplier)
    }
}

fn cost_of(price: Price, quantity: i128, multiplier: i64) -> Money {
    let product = quantity.saturating_mul(i128::from(price.0)).saturating_mul(i128::from(multiplier));
    Money(crate::num::div_half_even(product, i128::from(crate::num::SCALE)))
}

/// All open orders by account and instrument, and the open members of each group.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Exposure {
    /// Boxed: a node of the map stays small enough to come and go cheaply.
    by_instrument: BTreeMap<(AccountIx, InstrumentIx), Box<OnOrder>>,
    groups: BTreeMap<(StrategyIx, u32), Vec<OrderIx>>,
}

impl Exposure {
    /// Open orders of an account, by instrument.
    pub(crate) fn of(&self, account: AccountIx) -> impl Iterator<Item = (InstrumentIx, &OnOrder)> {
        let all = (account, InstrumentIx(0))..=(account, InstrumentIx(u32::MAX));
        self.by_instrument.range(all).map(|((_, ix), on_order)| (*ix, &**on_order))
    }

    pub(crate) fn in_instrument(&self, account: AccountIx, ix: InstrumentIx) -> OnOrder {
        self.by_instrument.get(&(account, ix)).map(|on_order| **on_order).unwrap_or_default()
    }

    /// Open members of an order's group, the order itself among them; empty without a group.
    pub(crate) fn group_of(&self, order: &Order) -> &[OrderIx] {
        let group = order.package.group.and_then(|group| self.groups.get(&(order.strategy, group)));
        group.map_or(&[], Vec::as_slice)
    }
}

impl Core {
    pub(crate) fn join_group(&mut self, ix: OrderIx) {
        let order = &self.orders[ix.index()];
        if let Some(group) = order.package.group {
            self.exposure.groups.entry((order.strategy, group)).or_default().push(ix);
        }
    }

    /// The order's terms passed: its quantity counts against position limits.
    pub(crate) fn count_pending(&mut self, ix: OrderIx) {
        self.adjust_pending(ix, 1);
    }

    /// Buying power was refused to a pending order.
    pub(crate) fn uncount_pending(&mut self, ix: OrderIx) {
        self.adjust_pending(ix, -1);
    }

    fn adjust_pending(&mut self, ix: OrderIx, sign: i128) {
        let order = &self.orders[ix.index()];
        for leg in &order.package.legs {
            let key = (order.package.account, leg.instrument);
            let entry = self.exposure.by_instrument.entry(key).or_default();
            let quantity = sign * i128::from(leg.quantity.0.unsigned_abs());
            if leg.quantity.0 > 0 {
                entry.pending_buys += quantity;
            } else {
                entry.pending_sells += quantity;
            }
            if sign > 0 {
                entry.orders += 1;
            } else {
                entry.orders -= 1;
                if entry.orders == 0 {
                    self.exposure.by_instrument.remove(&key);
                }
            }
        }
    }

    /// Pending becomes on order.
    pub(crate) fn count_approved(&mut self, ix: OrderIx) {
        for leg in 0..self.orders[ix.index()].package.legs.len() {
            let quantity = self.orders[ix.index()].package.legs[leg].quantity;
            self.adjust_on_order(ix, leg, quantity, 1);
            self.adjust_fees(ix, leg, 1);
        }
        self.adjust_pending(ix, -1);
    }

    /// A fill of `quantity` took part of the order off the books.
    pub(crate) fn count_fill(&mut self, ix: OrderIx, leg: usize, quantity: Qty) {
        if !self.orders[ix.index()].state.is_final() {
            self.adjust_on_order(ix, leg, quantity, -1);
        }
    }

    /// The order is about to leave `from` for a final state.
    pub(crate) fn uncount(&mut self, ix: OrderIx, from: OrderState) {
        if from != OrderState::Submitted {
            for leg in 0..self.orders[ix.index()].package.legs.len() {
                let remaining = self.orders[ix.index()].remaining(leg);
                self.adjust_on_order(ix, leg, remaining, -1);
                self.adjust_fees(ix, leg, -1);
            }
        }
        let order = &self.orders[ix.index()];
        let key = order.package.group.map(|group| (order.strategy, group));
        if let Some(members) = key.and_then(|key| self.exposure.groups.get_mut(&key)) {
            members.retain(|member| *member != ix);
            if members.is_empty() {
                self.exposure.groups.remove(&key.expect("the key found the members"));
            }
        }
    }

    fn adjust_on_order(&mut self, ix: OrderIx, leg: usize, quantity: Qty, sign: i128) {
        let order = &self.orders[ix.index()];
        let instrument = order.package.legs[leg].instrument;
        let multiplier = self.instruments[instrument.index()].multiplier;
        let entry = self.exposure.by_instrument.entry((order.package.account, instrument)).or_default();
        let signed = sign * i128::from(quantity.0.unsigned_abs());
        match order.package.order_type.limit() {
            _ if quantity.0 < 0 => entry.sells += signed,
            Some(limit) => {
                entry.limit_buys += signed;
                let value = limit.notional(quantity, multiplier);
                entry.limit_buys_value += if sign > 0 { value } else { value.neg() };
            }
            None => entry.market_buys += signed,
        }
    }

    /// Counts or uncounts an order leg and the most its fee can be.
    fn adjust_fees(&mut self, ix: OrderIx, leg: usize, sign: i32) {
        let order = &self.orders[ix.index()];
        let leg = order.package.legs[leg];
        let def = &self.instruments[leg.instrument.index()];
        let fee = fees::most(self.config.fees, def, leg.quantity.abs());
        let key = (order.package.account, leg.instrument);
        let entry = self.exposure.by_instrument.entry(key).or_default();
        if sign > 0 {
            entry.fees += fee;
            entry.orders += 1;
        } else {
            entry.fees -= fee;
            entry.orders -= 1;
        }
        if entry.orders == 0 {
            self.exposure.by_instrument.remove(&key);
        }
    }
}
