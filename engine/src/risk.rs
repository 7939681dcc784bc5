//! Pre-trade risk: every order passes here before the venue may see it.
//!
//! [`Approved`] has no public constructor: what the OMS sends was judged in this module.

use crate::block::JOURNAL_LAG_MAX;
use crate::config::{BuyingPower, FillProfile};
use crate::event::RejectReason;
use crate::ids::{AccountIx, InstrumentIx, OrderIx};
use crate::instrument::{InstrumentKind, Settlement};
use crate::margin::{OptionLine, UnderlyingHoldings, requirement};
use crate::num::{Money, Price, Qty, SCALE, SECOND};
use crate::order::{LEGS_MAX, Leg, Order, OrderState};
use crate::record::TradingState;
use crate::state::Core;
use crate::view::{CheckUnit, LimitCheck};
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

impl Verdict {
    fn refuse(refusal: Refusal) -> Verdict {
        Verdict { outcome: Err(refusal.reason), value: refusal.value, limit: refusal.limit }
    }

    /// Refused without figures.
    pub(crate) fn refused(reason: RejectReason) -> Verdict {
        Verdict::refuse(reason.into())
    }
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

/// One check's figures.
#[derive(Debug, Clone, Copy)]
struct Figure {
    reason: RejectReason,
    value: Money,
    limit: Money,
    headroom: Money,
    is_within: bool,
}

impl Figure {
    fn at_most(reason: RejectReason, value: Money, limit: Money) -> Figure {
        Figure { reason, value, limit, headroom: limit - value, is_within: value <= limit }
    }

    fn review(&self, leg: Option<usize>, unit: CheckUnit) -> LimitCheck {
        // The verdict states a count as it is, an auditor reads whole units.
        let scale = if matches!(unit, CheckUnit::Orders | CheckUnit::Blocks) { i128::from(SCALE) } else { 1 };
        let figure = |money: Money| Some(Money(money.0.saturating_mul(scale)));
        LimitCheck {
            check: self.reason,
            leg,
            is_within: self.is_within,
            unit,
            value: figure(self.value),
            limit: figure(self.limit),
            headroom: figure(self.headroom),
        }
    }
}

/// A figure beyond its limit refuses; a check that is switched off has none.
fn judge(figure: Option<Figure>) -> Result<(), Refusal> {
    match figure {
        Some(Figure { reason, value, limit, is_within: false, .. }) => Err(Refusal { reason, value, limit }),
        _ => Ok(()),
    }
}

/// A price or quantity as the verdict's figure, 1e-9.
fn raw(raw: i64) -> Money {
    Money(i128::from(raw))
}

/// Most units one leg may have, and most an account may hold of one instrument: sums stay far
/// from the integers' ends whatever the configured limits.
const LEG_MAX: Qty = Qty(1_000_000_000 * SCALE);
const HOLDING_MAX: i128 = 4 * LEG_MAX.0 as i128;

impl Core {
    /// Judges everything but buying power.
    pub(crate) fn judge_terms(&self, ix: OrderIx) -> Result<(), Verdict> {
        self.note_checks(ix, Core::review_terms);
        self.check_terms(&self.orders[ix.index()]).map_err(Verdict::refuse)
    }

    /// Judges buying power, once the terms of every order of the same callback are known.
    pub(crate) fn judge_funds(&self, ix: OrderIx) -> Verdict {
        self.note_checks(ix, |core, ix| core.review_funds(ix).into_iter().collect());
        match self.check_buying_power(&self.orders[ix.index()]) {
            Ok((value, limit)) => Verdict { outcome: Ok(Approved(ix)), value, limit },
            Err(refusal) => Verdict::refuse(refusal),
        }
    }

    fn check_terms(&self, order: &Order) -> Result<(), Refusal> {
        let package = &order.package;
        if self.is_tape_ended {
            return Err(RejectReason::Stopped.into());
        }
        judge(self.lag_figure())?;
        if package.legs.is_empty() || package.legs.len() > LEGS_MAX {
            return Err(RejectReason::BadLegs.into());
        }
        if package.legs.len() > 1 {
            return Err(RejectReason::MultiLegUnsupported.into());
        }
        if package.account.index() >= self.accounts.len() || package.venue.0 != 0 {
            return Err(RejectReason::UnknownId.into());
        }
        judge(self.rate_figure(order))?;
        package.legs.iter().try_for_each(|leg| self.check_leg(order, *leg))
    }

    /// How far the journal may be behind, in blocks; nothing in a replay.
    fn lag_figure(&self) -> Option<Figure> {
        let (value, limit) = (raw(i64::from(self.journal_lag)), raw(i64::from(JOURNAL_LAG_MAX)));
        (self.journal_lag > 0).then(|| Figure::at_most(RejectReason::JournalLag, value, limit))
    }

    /// At most so many submissions of the strategy in the second that ends here.
    fn rate_figure(&self, order: &Order) -> Option<Figure> {
        let most = self.config.risk.orders_per_second_max?;
        let since = self.now.0.saturating_sub(SECOND - 1);
        let recent = self
            .submissions
            .get(&order.strategy)
            .map_or(0, |times| times.iter().filter(|(ts, ix)| ts.0 >= since && *ix <= order.ix).count());
        Some(Figure::at_most(RejectReason::OrderRate, raw(recent as i64), raw(i64::from(most))))
    }

    fn check_leg(&self, order: &Order, leg: Leg) -> Result<(), Refusal> {
        let def = self.instruments.get(leg.instrument.index()).ok_or(RejectReason::UnknownId)?;
        if def.kind == InstrumentKind::Index {
            return Err(RejectReason::NotTradable.into());
        }
        if leg.quantity.0 == 0 || leg.quantity.abs() > LEG_MAX || leg.quantity.0 % def.lot.0.max(1) != 0 {
            return Err(RejectReason::BadQuantity.into());
        }
        if self.is_closed_to(leg.instrument) {
            return Err(RejectReason::MarketClosed.into());
        }
        if self.is_halted(leg.instrument) {
            return Err(RejectReason::Halted.into());
        }
        judge(self.quantity_figure(leg))?;
        judge(Some(self.position_figure(order, leg)))?;
        if let Some(trigger) = order.package.order_type.trigger()
            && (trigger.price.0 <= 0 || self.config.profile == FillProfile::Lean)
        {
            return Err(RejectReason::BadTrigger.into());
        }
        if let Some(limit) = order.package.order_type.limit() {
            self.check_tick(leg, limit)?;
            judge(self.collar_figure(order, leg, limit))?;
        }
        judge(self.value_figure(order, leg))
    }

    /// Whether the session is closed or the series stopped trading. LEAN fills orders whenever data is
    /// there; its profile does the same.
    fn is_closed_to(&self, ix: InstrumentIx) -> bool {
        let is_closed = self.is_open == Some(false) && self.config.profile != FillProfile::Lean;
        is_closed || self.def(ix).last_trade().is_some_and(|last| self.now > last)
    }

    /// An option is halted with its underlying; LEAN's profile knows no halts.
    pub(crate) fn is_halted(&self, ix: InstrumentIx) -> bool {
        let is_halted = |ix: InstrumentIx| self.tops[ix.index()].state == TradingState::Halted;
        self.config.profile != FillProfile::Lean
            && (is_halted(ix) || self.def(ix).underlying().is_some_and(is_halted))
    }

    fn quantity_figure(&self, leg: Leg) -> Option<Figure> {
        let most = self.config.risk.order_quantity_max?;
        let is_equity = self.def(leg.instrument).kind == InstrumentKind::Equity;
        let figure = Figure::at_most(RejectReason::OrderQuantity, raw(leg.quantity.abs().0), raw(most.0));
        (!is_equity).then_some(figure)
    }

    /// Holding after the order, open orders counted; what reduces a holding always may.
    fn position_figure(&self, order: &Order, leg: Leg) -> Figure {
        let (limits, def) = (&self.config.risk, self.def(leg.instrument));
        let is_equity = def.kind == InstrumentKind::Equity;
        let configured = if is_equity { limits.shares_max } else { limits.position_max };
        let most = configured.map_or(HOLDING_MAX, |most| i128::from(most.0).min(HOLDING_MAX));
        let account = order.package.account;
        let held = i128::from(self.accounts[account.index()].quantity(leg.instrument).0);
        let is_buy = leg.quantity.0 > 0;
        let on_order = self.exposure.in_instrument(account, leg.instrument).quantity(is_buy);
        let moved = on_order + i128::from(leg.quantity.abs().0);
        let after = (held + if is_buy { moved } else { -moved }).abs();
        let figure = Figure::at_most(RejectReason::Position, Money(after), Money(most));
        Figure { is_within: after <= most || after <= held.abs(), ..figure }
    }

    fn check_tick(&self, leg: Leg, limit: Price) -> Result<(), Refusal> {
        let tick = &self.def(leg.instrument).tick;
        if limit.0 > 0 && tick.is_legal(limit) {
            return Ok(());
        }
        let (value, limit) = (raw(limit.0), raw(tick.increment(limit).unwrap_or(0)));
        Err(Refusal { reason: RejectReason::BadPrice, value, limit })
    }

    /// How far beyond the opposite quote (a stop-limit: beyond its trigger) the limit may lie.
    fn collar_figure(&self, order: &Order, leg: Leg, limit: Price) -> Option<Figure> {
        let fraction = self.config.risk.collar_fraction?;
        let top = &self.tops[leg.instrument.index()];
        let is_buy = leg.quantity.0 > 0;
        let opposite = if is_buy { top.live_ask(self.now) } else { top.live_bid(self.now) };
        let opposite = opposite.map(|side| side.price).or((top.last.0 > 0).then_some(top.last));
        // A stop-limit meets the market at its trigger.
        let trigger = order.package.order_type.trigger().map(|trigger| trigger.price);
        let reference = trigger.or(opposite)?;
        let wide = reference.notional(Qty(fraction.0), 1).0.max(i128::from(self.config.risk.collar_amount.0));
        let worst = i128::from(reference.0) + if is_buy { wide } else { -wide };
        let headroom = if is_buy { worst - i128::from(limit.0) } else { i128::from(limit.0) - worst };
        Some(Figure {
            reason: RejectReason::PriceCollar,
            value: raw(limit.0),
            limit: Money(worst),
            headroom: Money(headroom),
            is_within: headroom >= 0,
        })
    }

    fn value_figure(&self, order: &Order, leg: Leg) -> Option<Figure> {
        let most = self.config.risk.order_value_max?;
        let price = order.package.order_type.limit().unwrap_or_else(|| self.touch(leg));
        let value = price.notional(leg.quantity.abs(), self.def(leg.instrument).multiplier);
        Some(Figure::at_most(RejectReason::OrderValue, value, most))
    }

    /// Every check of an order's terms with its figures, for an auditor: what the limits were and what
    /// was left of them.
    pub(crate) fn review_terms(&self, ix: OrderIx) -> Vec<LimitCheck> {
        let order = &self.orders[ix.index()];
        let mut checks = Vec::new();
        for (figure, unit) in
            [(self.lag_figure(), CheckUnit::Blocks), (self.rate_figure(order), CheckUnit::Orders)]
        {
            checks.extend(figure.map(|figure| figure.review(None, unit)));
        }
        if order.package.account.index() >= self.accounts.len() {
            return checks;
        }
        for (n, leg) in order.package.legs.iter().enumerate() {
            if leg.instrument.index() >= self.instruments.len() {
                continue;
            }
            let fact = |check, is_within| LimitCheck { leg: Some(n), ..LimitCheck::fact(check, is_within) };
            checks.push(fact(RejectReason::MarketClosed, !self.is_closed_to(leg.instrument)));
            checks.push(fact(RejectReason::Halted, !self.is_halted(leg.instrument)));
            let collar =
                order.package.order_type.limit().and_then(|limit| self.collar_figure(order, *leg, limit));
            for (figure, unit) in [
                (self.quantity_figure(*leg), CheckUnit::Quantity),
                (Some(self.position_figure(order, *leg)), CheckUnit::Quantity),
                (collar, CheckUnit::Price),
                (self.value_figure(order, *leg), CheckUnit::Money),
            ] {
                checks.extend(figure.map(|figure| figure.review(Some(n), unit)));
            }
        }
        checks
    }

    /// The buying-power check with its figures; `None` when it is switched off.
    pub(crate) fn review_funds(&self, ix: OrderIx) -> Option<LimitCheck> {
        let (value, limit, is_within) = match self.check_buying_power(&self.orders[ix.index()]) {
            _ if self.config.risk.buying_power == BuyingPower::Off => return None,
            Ok((value, limit)) => (value, limit, true),
            Err(refusal) => (refusal.value, refusal.limit, false),
        };
        let figure = Figure::at_most(RejectReason::BuyingPower, value, limit);
        Some(Figure { is_within, ..figure }.review(None, CheckUnit::Money))
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
    fn requirement_after(&self, account: AccountIx, order: Option<&Order>) -> (Money, Money) {
        let mut held = self.holdings(account);
        let mut cash = self.accounts[account.index()].cash;
        let mut add = |ix: InstrumentIx, quantity: i128| {
            let held = held.entry(ix).or_default();
            *held = Qty(i64::try_from(i128::from(held.0) + quantity).unwrap_or(if quantity > 0 {
                i64::MAX
            } else {
                -i64::MAX
            }));
        };
        for (ix, on_order) in self.exposure.of(account) {
            cash -= on_order.fees;
            let def = self.def(ix);
            if def.kind != InstrumentKind::Future {
                cash -= on_order.buys_cost(self.touch_of(ix, true), def.multiplier);
                cash += on_order.sells_value(self.touch_of(ix, false), def.multiplier);
            }
            add(ix, -on_order.approved_sells());
        }
        let group = order.map_or(&[][..], |order| self.exposure.group_of(order));
        let others = group.iter().filter(|ix| order.is_some_and(|order| order.ix != **ix));
        for member in order.into_iter().chain(others.map(|ix| &self.orders[ix.index()])) {
            if member.package.account != account {
                continue;
            }
            for (n, leg) in member.package.legs.iter().enumerate() {
                if leg.instrument.index() >= self.instruments.len() {
                    continue;
                }
                let left = member.remaining(n);
                if member.state == OrderState::Submitted {
                    cash -= self.expected_cost(member, Leg { quantity: left, ..*leg });
                    add(leg.instrument, i128::from(left.0));
                } else if left.0 > 0 {
                    // Its cost is in the sums already; as a member of the group it protects as well.
                    add(leg.instrument, i128::from(left.0));
                }
            }
        }
        let (need, stock_value) = self.requirement_of(&held);
        (need, cash + stock_value)
    }

    fn holdings(&self, account: AccountIx) -> BTreeMap<InstrumentIx, Qty> {
        let positions = self.accounts[account.index()].positions();
        positions.map(|(ix, position)| (ix, position.quantity)).collect()
    }

    /// Initial requirement of what an account holds, open orders aside.
    pub(crate) fn requirement_held(&self, account: AccountIx) -> Money {
        self.requirement_of(&self.holdings(account)).0
    }

    /// What a leg would trade at: the opposite quote, else the reference price.
    fn touch(&self, leg: Leg) -> Price {
        self.touch_of(leg.instrument, leg.quantity.0 > 0)
    }

    fn touch_of(&self, ix: InstrumentIx, is_buy: bool) -> Price {
        let top = &self.tops[ix.index()];
        let touch = if is_buy { top.live_ask(self.now) } else { top.live_bid(self.now) };
        touch.map_or_else(|| self.reference_price(ix), |side| side.price)
    }

    fn expected_cost(&self, order: &Order, leg: Leg) -> Money {
        let def = self.def(leg.instrument);
        let fee = crate::fees::most(self.config.fees, def, leg.quantity.abs());
        if def.kind == InstrumentKind::Future {
            return fee;
        }
        let touch = self.touch(leg);
        let price = match order.package.order_type.limit() {
            Some(limit) if leg.quantity.0 > 0 => limit,
            // A limit far above the market must not lend its price to other orders.
            Some(limit) => limit.min(touch),
            None => match order.package.order_type.trigger() {
                Some(trigger) if leg.quantity.0 > 0 => trigger.price.max(touch),
                Some(trigger) => trigger.price.min(touch),
                None => touch,
            },
        };
        price.notional(leg.quantity, def.multiplier) + fee
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
