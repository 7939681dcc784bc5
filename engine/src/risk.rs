//! Pre-trade risk: every order passes here before the venue may see it.
//!
//! [`Approved`] has no public constructor: what the OMS sends was judged in this module.

use crate::config::{BuyingPower, FillProfile};
use crate::event::RejectReason;
use crate::ids::{AccountIx, InstrumentIx, OrderIx};
use crate::instrument::{InstrumentKind, Settlement};
use crate::margin::{OptionLine, UnderlyingHoldings, requirement};
use crate::num::{Money, Price, Qty};
use crate::order::{LEGS_MAX, Leg, Order, OrderState, OrderType};
use crate::state::Core;
use std::collections::BTreeMap;

/// Proof that risk approved an order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Approved(OrderIx);

impl Approved {
    pub(crate) fn order(&self) -> OrderIx {
        self.0
    }
}

/// Risk's verdict with the figures of the deciding check.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Result<Approved, RejectReason>,
    pub(crate) value: Money,
    pub(crate) limit: Money,
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    reason: RejectReason,
    value: Money,
    limit: Money,
}

impl From<RejectReason> for Refusal {
    fn from(reason: RejectReason) -> Refusal {
        Refusal { reason, value: Money::ZERO, limit: Money::ZERO }
    }
}

fn as_money(raw: i64) -> Money {
    Money(i128::from(raw))
}

impl Core {
    /// Judges a submitted order.
    pub(crate) fn judge(&self, ix: OrderIx) -> Verdict {
        let order = &self.orders[ix.index()];
        match self.check_terms(order).and_then(|()| self.check_buying_power(order)) {
            Ok((value, limit)) => Verdict { outcome: Ok(Approved(ix)), value, limit },
            Err(refusal) => {
                Verdict { outcome: Err(refusal.reason), value: refusal.value, limit: refusal.limit }
            }
        }
    }

    /// Everything but buying power.
    fn check_terms(&self, order: &Order) -> Result<(), Refusal> {
        let package = &order.package;
        if package.legs.is_empty() || package.legs.len() > LEGS_MAX {
            return Err(RejectReason::BadLegs.into());
        }
        if package.legs.len() > 1 {
            return Err(RejectReason::MultiLegUnsupported.into());
        }
        if package.account.index() >= self.accounts.len() || package.venue.0 != 0 {
            return Err(RejectReason::UnknownId.into());
        }
        package.legs.iter().try_for_each(|leg| self.check_leg(order, *leg))
    }

    fn check_leg(&self, order: &Order, leg: Leg) -> Result<(), Refusal> {
        let def = self.instruments.get(leg.instrument.index()).ok_or(RejectReason::UnknownId)?;
        if def.kind == InstrumentKind::Index {
            return Err(RejectReason::NotTradable.into());
        }
        if leg.quantity.0 == 0 || leg.quantity.0 == i64::MIN || leg.quantity.0 % def.lot.0.max(1) != 0 {
            return Err(RejectReason::BadQuantity.into());
        }
        let is_expired = def.option.as_ref().is_some_and(|terms| self.now > terms.last_trade);
        // LEAN fills orders whenever data is there; its profile does the same.
        let is_closed = self.is_open == Some(false) && self.config.profile != FillProfile::Lean;
        if is_expired || is_closed {
            return Err(RejectReason::MarketClosed.into());
        }
        self.check_limits(order, leg)?;
        if let OrderType::Limit(limit) = order.package.order_type {
            self.check_price(leg, limit)?;
        }
        Ok(())
    }

    fn check_limits(&self, order: &Order, leg: Leg) -> Result<(), Refusal> {
        let (limits, def) = (&self.config.risk, self.def(leg.instrument));
        let size = leg.quantity.abs();
        let is_equity = def.kind == InstrumentKind::Equity;
        if let Some(most) = limits.order_quantity_max
            && !is_equity
            && size > most
        {
            return Err(Refusal {
                reason: RejectReason::OrderQuantity,
                value: as_money(size.0),
                limit: as_money(most.0),
            });
        }
        if let Some(most) = if is_equity { limits.shares_max } else { limits.position_max } {
            let held = self.accounts[order.package.account.index()].quantity(leg.instrument);
            let on_order: i128 = self
                .open_orders
                .iter()
                .map(|ix| &self.orders[ix.index()])
                .filter(|other| other.ix != order.ix && other.package.account == order.package.account)
                .flat_map(|other| {
                    (0..other.package.legs.len()).map(move |n| (other.package.legs[n], other.remaining(n)))
                })
                .filter(|(other, left)| {
                    other.instrument == leg.instrument && (left.0 > 0) == (leg.quantity.0 > 0)
                })
                .map(|(_, left)| i128::from(left.0))
                .sum();
            let after = (i128::from(held.0) + i128::from(leg.quantity.0) + on_order).abs();
            if after > i128::from(most.0) && after > i128::from(held.0).abs() {
                return Err(Refusal {
                    reason: RejectReason::Position,
                    value: Money(after),
                    limit: as_money(most.0),
                });
            }
        }
        Ok(())
    }

    fn check_price(&self, leg: Leg, limit: Price) -> Result<(), Refusal> {
        let def = self.def(leg.instrument);
        if limit.0 <= 0 || !def.tick.is_legal(limit) {
            return Err(Refusal {
                reason: RejectReason::BadPrice,
                value: as_money(limit.0),
                limit: as_money(def.tick.increment(limit).unwrap_or(0)),
            });
        }
        let Some(fraction) = self.config.risk.collar_fraction else { return Ok(()) };
        let top = &self.tops[leg.instrument.index()];
        let is_buy = leg.quantity.0 > 0;
        let opposite = if is_buy { top.live_ask(self.now) } else { top.live_bid(self.now) };
        let Some(reference) = opposite.map(|side| side.price).or((top.last.0 > 0).then_some(top.last)) else {
            return Ok(());
        };
        let wide = reference.notional(Qty(fraction.0), 1).0.max(i128::from(self.config.risk.collar_amount.0));
        let worst = i128::from(reference.0) + if is_buy { wide } else { -wide };
        let is_beyond = if is_buy { i128::from(limit.0) > worst } else { i128::from(limit.0) < worst };
        if is_beyond {
            return Err(Refusal {
                reason: RejectReason::PriceCollar,
                value: as_money(limit.0),
                limit: Money(worst),
            });
        }
        Ok(())
    }

    /// Requirement after the order against the funds after it; both are returned.
    fn check_buying_power(&self, order: &Order) -> Result<(Money, Money), Refusal> {
        if self.config.risk.buying_power == BuyingPower::Off {
            return Ok((Money::ZERO, Money::ZERO));
        }
        let account = order.package.account;
        let (need, funds) = self.requirement_after(account, Some(order));
        if need <= funds {
            return Ok((need, funds));
        }
        // An order that does not deepen a shortfall may always pass: positions must be closable.
        let (need_before, funds_before) = self.requirement_after(account, None);
        let is_relief = order.package.group.is_none() && need - funds <= need_before - funds_before;
        if is_relief {
            return Ok((need, funds));
        }
        Err(Refusal { reason: RejectReason::BuyingPower, value: need, limit: funds })
    }

    /// Requirement and funds (cash plus signed stock value) once `order`, its group and the risky part
    /// of other open orders are filled: their sells count in full, their buys cost but protect nothing.
    pub(crate) fn requirement_after(&self, account: AccountIx, order: Option<&Order>) -> (Money, Money) {
        let mut held: BTreeMap<InstrumentIx, Qty> = self.accounts[account.index()]
            .positions()
            .map(|(ix, position)| (ix, position.quantity))
            .collect();
        let mut cash = self.accounts[account.index()].cash;
        for other in self.open_orders.iter().map(|ix| &self.orders[ix.index()]) {
            let is_this = order.is_some_and(|order| order.ix == other.ix);
            let in_group = other.package.group.is_some()
                && order
                    .is_some_and(|o| o.package.group == other.package.group && o.strategy == other.strategy);
            let is_counted = is_this || in_group || other.state != OrderState::Submitted;
            if !is_counted || other.package.account != account {
                continue;
            }
            for (n, leg) in other.package.legs.iter().enumerate() {
                if leg.instrument.index() >= self.instruments.len() {
                    continue;
                }
                let left = other.remaining(n);
                cash -= self.expected_cost(other, leg.instrument, left);
                if is_this || in_group || left.0 < 0 {
                    let quantity = held.entry(leg.instrument).or_default();
                    *quantity = Qty(quantity.0.saturating_add(left.0));
                }
            }
        }
        let (need, stock_value) = self.requirement_of(&held);
        (need, cash + stock_value)
    }

    fn expected_cost(&self, order: &Order, ix: InstrumentIx, quantity: Qty) -> Money {
        let def = self.def(ix);
        if def.kind == InstrumentKind::Future {
            return Money::ZERO;
        }
        let top = &self.tops[ix.index()];
        let touch = if quantity.0 > 0 { top.live_ask(self.now) } else { top.live_bid(self.now) };
        let price = match order.package.order_type {
            OrderType::Limit(limit) => limit,
            OrderType::Market => touch.map_or_else(|| self.reference_price(ix), |side| side.price),
        };
        let filled = crate::fees::FilledSoFar {
            quantity: quantity.abs(),
            value: price.notional(quantity.abs(), def.multiplier),
            premium: price,
        };
        price.notional(quantity, def.multiplier) + crate::fees::total(self.config.fees, def, filled)
    }

    /// Requirement of holdings, and the signed value of their stock.
    fn requirement_of(&self, held: &BTreeMap<InstrumentIx, Qty>) -> (Money, Money) {
        let mut underlyings: BTreeMap<InstrumentIx, UnderlyingHoldings> = BTreeMap::new();
        let (mut stock_value, mut futures) = (Money::ZERO, Money::ZERO);
        for (ix, quantity) in held.iter().filter(|(_, quantity)| quantity.0 != 0) {
            let def = self.def(*ix);
            let price = self.reference_price(*ix);
            if def.kind == InstrumentKind::Future {
                // A stand-in for exchange margin: a tenth of the contract's value.
                futures += price.notional(quantity.abs(), def.multiplier).scaled(1, 10);
                continue;
            }
            let underlying = def.underlying().unwrap_or(*ix);
            let entry = underlyings.entry(underlying).or_default();
            match &def.option {
                None => {
                    entry.shares = *quantity;
                    stock_value += price.notional(*quantity, 1);
                }
                Some(terms) => entry.options.push(OptionLine {
                    right: terms.right,
                    strike: terms.strike,
                    expiry_date: terms.expiry_date,
                    quantity: *quantity,
                    premium: price,
                    multiplier: def.multiplier,
                }),
            }
        }
        let mut need = futures;
        for (ix, mut holdings) in underlyings {
            holdings.price = self.reference_price(ix);
            holdings.is_index = self.def(ix).kind == InstrumentKind::Index;
            need += requirement(&holdings);
        }
        (need, stock_value)
    }

    /// Whether exercise delivers shares rather than cash.
    pub(crate) fn is_physical(&self, series: InstrumentIx) -> bool {
        self.def(series).option.as_ref().is_some_and(|terms| {
            terms.settlement == Settlement::Physical
                && self.def(terms.underlying).kind != InstrumentKind::Index
        })
    }
}
