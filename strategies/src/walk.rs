//! Working several legs as single-leg limit orders, from the midpoint to the natural price.
//!
//! All legs start together as one group, bought legs first, so that buying power sees the position
//! as a whole. Step k of n is priced (k − 1)/(n − 1) of the way from mid to natural (one step:
//! natural), rounded to a legal tick on the passive side. At each advance an order whose price
//! would change is cancelled, and what is left of it is sent again once the venue confirmed; at the
//! last step orders follow the natural price. Nothing advances while an order has not been
//! acknowledged, so a slow feed slows the walk.
//!
//! A leg without a live opposite side is not sent until it has one. Limits: legs fill one by one,
//! and between two fills the position is not the intended one.

use onetape_engine::ids::{InstrumentIx, OrderIx};
use onetape_engine::instrument::TickRule;
use onetape_engine::order::{OrderState, Package};
use onetape_engine::strategy::{Ctx, FillReport, OrderUpdate};
use onetape_engine::{Money, Price, Qty};
use serde::{Deserialize, Serialize};

/// A leg and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkedLeg {
    pub(crate) instrument: InstrumentIx,
    /// Signed quantity wanted.
    pub(crate) wanted: Qty,
    /// Signed quantity filled.
    pub(crate) filled: Qty,
    /// Cash of the fills before fees; received is positive.
    pub(crate) cash: Money,
    order: Option<OrderIx>,
    is_given_up: bool,
}

impl WorkedLeg {
    fn left(&self) -> Qty {
        self.wanted - self.filled
    }

    fn is_settled(&self) -> bool {
        self.order.is_none() && (self.left() == Qty::ZERO || self.is_given_up)
    }
}

/// Legs under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Walk {
    pub(crate) legs: Vec<WorkedLeg>,
    /// Fees so far.
    pub(crate) fees: Money,
    /// Whether risk or venue refused an order.
    pub(crate) is_refused: bool,
    group: u32,
    step: u32,
    steps: u32,
    /// Advances made at the last step.
    waited: u32,
    is_stopping: bool,
}

/// The limit of step `step` of `steps` for a buy or sell; `None` while the opposite side is missing or the market crossed.
fn limit(ctx: &Ctx<'_>, instrument: InstrumentIx, is_buy: bool, step: u32, steps: u32) -> Option<Price> {
    let top = ctx.top(instrument)?;
    let tick = ctx.instrument(instrument)?.tick;
    let now = ctx.now();
    let (bid, ask) = (top.live_bid(now), top.live_ask(now));
    let natural = if is_buy { ask } else { bid }?.price;
    let is_last = step >= steps;
    let (Some(bid), Some(ask)) = (bid, ask) else { return Some(natural) };
    if bid.price > ask.price {
        return None;
    }
    if is_last {
        return Some(natural);
    }
    let mid = Price::mid(bid.price, ask.price);
    let way = (i128::from(natural.0) - i128::from(mid.0)) * i128::from(step - 1) / i128::from(steps - 1);
    let price = Price(mid.0 + i64::try_from(way).unwrap_or(0));
    Some(passive(tick, price, is_buy))
}

/// The legal price nearest to `price` that asks for no less.
fn passive(tick: TickRule, price: Price, is_buy: bool) -> Price {
    if !is_buy {
        return tick.ceil(price);
    }
    let below = tick.floor(price);
    if below.0 > 0 { below } else { tick.ceil(Price(1)) }
}

impl Walk {
    /// Starts working legs (signed quantities) as group `group`.
    pub(crate) fn start(
        ctx: &mut Ctx<'_>,
        legs: &[(InstrumentIx, Qty)],
        group: u32,
        first_step: u32,
        steps: u32,
    ) -> Walk {
        let leg = |&(instrument, wanted): &(InstrumentIx, Qty)| WorkedLeg {
            instrument,
            wanted,
            filled: Qty::ZERO,
            cash: Money::ZERO,
            order: None,
            is_given_up: false,
        };
        let mut legs: Vec<WorkedLeg> = legs.iter().map(leg).collect();
        // Stable: bought legs first, each side in its given order.
        legs.sort_by_key(|leg| leg.wanted.0 < 0);
        let steps = steps.max(1);
        let step = first_step.clamp(1, steps);
        let mut walk = Walk {
            legs,
            fees: Money::ZERO,
            is_refused: false,
            group,
            step,
            steps,
            waited: 0,
            is_stopping: false,
        };
        walk.send(ctx);
        walk
    }

    /// Sends an order for every leg that is neither filled nor under way.
    fn send(&mut self, ctx: &mut Ctx<'_>) {
        if self.is_stopping {
            return;
        }
        let (step, steps, group) = (self.step, self.steps, self.group);
        for leg in self.legs.iter_mut().filter(|leg| leg.order.is_none() && !leg.is_given_up) {
            let left = leg.left();
            if left == Qty::ZERO {
                continue;
            }
            if let Some(price) = limit(ctx, leg.instrument, left.0 > 0, step, steps) {
                leg.order = Some(ctx.submit(Package::limit(leg.instrument, left, price).in_group(group)));
            }
        }
    }

    /// Goes one step toward the natural price.
    pub(crate) fn advance(&mut self, ctx: &mut Ctx<'_>) {
        let is_unanswered = |order: OrderIx| {
            ctx.order(order).is_some_and(|order| {
                matches!(
                    order.state,
                    OrderState::Submitted | OrderState::Approved | OrderState::PendingCancel
                )
            })
        };
        if self.legs.iter().filter_map(|leg| leg.order).any(is_unanswered) {
            return;
        }
        if self.step < self.steps {
            self.step += 1;
        } else {
            self.waited += 1;
        }
        for leg in &self.legs {
            let Some(order) = leg.order else { continue };
            let price = limit(ctx, leg.instrument, leg.wanted.0 > 0, self.step, self.steps);
            let held = ctx.order(order).map(|order| order.package.order_type);
            if price.is_some_and(|price| held != Some(onetape_engine::order::OrderType::Limit(price))) {
                ctx.cancel(order);
            }
        }
        self.send(ctx);
    }

    /// Advances made since the last step was reached.
    pub(crate) fn waited(&self) -> u32 {
        self.waited
    }

    /// Gives up what is not filled; the walk is over when [`Walk::is_over`].
    pub(crate) fn stop(&mut self, ctx: &mut Ctx<'_>) {
        self.is_stopping = true;
        for leg in &mut self.legs {
            leg.is_given_up = leg.left() != Qty::ZERO;
            if let Some(order) = leg.order {
                ctx.cancel(order);
            }
        }
    }

    /// Gives up sales without an order for want of a bid; with `all` every sale not filled.
    pub(crate) fn give_up_sales(&mut self, ctx: &mut Ctx<'_>, all: bool) {
        let now = ctx.now();
        for leg in self.legs.iter_mut().filter(|leg| leg.wanted.0 < 0 && !leg.is_given_up) {
            let has_bid = ctx.top(leg.instrument).is_some_and(|top| top.live_bid(now).is_some());
            if leg.left() == Qty::ZERO || !(all || (leg.order.is_none() && !has_bid)) {
                continue;
            }
            leg.is_given_up = true;
            if let Some(order) = leg.order {
                ctx.cancel(order);
            }
        }
    }

    /// Whether every leg is filled or given up and no order is out.
    pub(crate) fn is_over(&self) -> bool {
        self.legs.iter().all(WorkedLeg::is_settled)
    }

    /// Whether every leg is filled.
    pub(crate) fn is_filled(&self) -> bool {
        self.legs.iter().all(|leg| leg.left() == Qty::ZERO)
    }

    /// What is not filled: instruments with signed quantities.
    pub(crate) fn left(&self) -> impl Iterator<Item = (InstrumentIx, Qty)> {
        self.legs.iter().map(|leg| (leg.instrument, leg.left())).filter(|(_, left)| *left != Qty::ZERO)
    }

    /// Cash of all fills before fees; received is positive.
    pub(crate) fn cash(&self) -> Money {
        self.legs.iter().fold(Money::ZERO, |sum, leg| sum + leg.cash)
    }

    fn leg_of(&mut self, order: OrderIx) -> Option<&mut WorkedLeg> {
        self.legs.iter_mut().find(|leg| leg.order == Some(order))
    }

    /// Takes news of an order; `true` when it was one of these legs'.
    pub(crate) fn on_order(&mut self, ctx: &mut Ctx<'_>, update: &OrderUpdate) -> bool {
        let Some(leg) = self.leg_of(update.order) else { return false };
        match update.state {
            OrderState::Cancelled => {
                leg.order = None;
                self.send(ctx);
            }
            OrderState::Rejected | OrderState::Expired => {
                leg.order = None;
                self.is_refused = true;
                self.stop(ctx);
            }
            _ => {}
        }
        true
    }

    /// Takes a fill; `true` when it was one of these legs'.
    pub(crate) fn on_fill(&mut self, ctx: &Ctx<'_>, fill: &FillReport) -> bool {
        let execution = &fill.execution;
        let multiplier = ctx.instrument(execution.instrument).map_or(1, |def| def.multiplier);
        let is_final = ctx.order(execution.order).is_none_or(|order| order.state.is_final());
        let Some(leg) = self.leg_of(execution.order) else { return false };
        leg.filled = leg.filled + execution.quantity;
        leg.cash -= execution.price.notional(execution.quantity, multiplier);
        if is_final {
            leg.order = None;
        }
        if leg.left() == Qty::ZERO {
            leg.is_given_up = false;
        }
        self.fees += fill.fee;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passive_prices_are_legal_and_above_zero() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        for (is_buy, at, expected) in [
            (true, "0.014", "0.01"),
            (true, "0.004", "0.01"),
            (false, "0.014", "0.02"),
            (true, "3.07", "3.05"),
            (false, "3.07", "3.10"),
            (false, "2.99", "2.99"),
        ] {
            assert_eq!(passive(TickRule::Penny, price(at), is_buy), price(expected), "{is_buy} {at}");
        }
    }
}
