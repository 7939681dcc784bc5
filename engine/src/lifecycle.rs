//! The life cycle of option series: last trade, exercise decision, assignment notice, settlement.
//!
//! Exercise by exception: a long position at least 0.01 in the money at the cut-off is exercised
//! unless advised otherwise; shorts learn at the notice instant. Every holder exercises what is in
//! the money at expiry, so a short in the money is assigned whole.
//!
//! The price that decides is, in this order: the settlement value published for the series or its
//! underlying at or after the expiry instant; for PM series the underlying's official closing price
//! of that instant or later; the underlying's last price at the expiry instant. An AM series on the
//! last of these is flagged `estimated`. What the cut-off used, the notice uses.
//!
//! Limits: no early exercise or assignment; futures do not settle, they only stop trading.

use crate::config::FillProfile;
use crate::event::{CashReason, Event, ExpiryOutcome, StateReason};
use crate::ids::{AccountIx, InstrumentIx, OrderIx, Seq};
use crate::instrument::{Right, SettlementTime};
use crate::num::{Nanos, Price, Qty};
use crate::schedule::Due;
use crate::state::{Core, Notice};

const THRESHOLD: Price = Price(10_000_000);

/// The underlying price a series settles on; `None` when the tape never stated one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Settled {
    price: Option<Price>,
    estimated: bool,
    /// Whether the exercise decision was made on it.
    is_decided: bool,
}

impl Core {
    /// Puts the life cycle of an order's series on the schedule, once each.
    pub(crate) fn track_series(&mut self, order: OrderIx) {
        let legs: Vec<InstrumentIx> =
            self.orders[order.index()].package.legs.iter().map(|leg| leg.instrument).collect();
        let cause = self.orders[order.index()].submit_seq;
        for ix in legs {
            let Some(terms) = self.def(ix).option.as_ref() else { continue };
            let (last_trade, expiry) = (terms.last_trade, terms.expiry);
            let (cutoff, notice) = (terms.exercise_cutoff, terms.notice);
            if self.tracked_series.insert(ix) {
                self.schedule.push(last_trade, cause, Due::LastTrade(ix));
                self.schedule.push(expiry, cause, Due::Settle(ix));
                self.schedule.push(cutoff, cause, Due::Cutoff(ix));
                self.schedule.push(notice, cause, Due::Notice(ix));
            }
        }
    }

    pub(crate) fn stop_trading(&mut self, ix: InstrumentIx, cause: Seq) {
        self.end_resting(cause, StateReason::SeriesExpired, |held| held.instrument == ix);
    }

    /// Takes down the underlying's price at the settlement instant: what trades after it decides nothing.
    pub(crate) fn settle(&mut self, ix: InstrumentIx) {
        let settled = self.settled(ix);
        self.settlements.insert(ix, settled);
    }

    /// The settlement as known at this moment.
    fn settled(&self, ix: InstrumentIx) -> Settled {
        let Some(terms) = self.def(ix).option.as_ref() else {
            return Settled { price: None, estimated: true, is_decided: false };
        };
        // A value stated before the settlement instant is another expiry's, or yesterday's close.
        let of_expiry = |value: Option<&(Price, Nanos)>| value.filter(|(_, ts)| *ts >= terms.expiry).copied();
        let is_pm = terms.settlement_time == SettlementTime::Pm;
        let close = self.closing_prices.get(&terms.underlying).filter(|_| is_pm);
        let published = of_expiry(self.settlement_values.get(&ix))
            .or_else(|| of_expiry(self.settlement_values.get(&terms.underlying)))
            .or_else(|| of_expiry(close));
        if let Some((price, _)) = published {
            return Settled { price: Some(price), estimated: false, is_decided: false };
        }
        if let Some(known) = self.settlements.get(&ix) {
            return *known;
        }
        let top = &self.tops[terms.underlying.index()];
        let last = (top.last.0 > 0).then_some(top.last);
        let price = last.or_else(|| top.mid(self.now)).or((top.bid.price.0 > 0).then_some(top.bid.price));
        Settled { price, estimated: !is_pm || price.is_none(), is_decided: false }
    }

    /// Exercise decisions; under LEAN's conventions assignment as well.
    pub(crate) fn decide_exercise(&mut self, ix: InstrumentIx, cause: Seq) {
        let settled = Settled { is_decided: true, ..self.settled(ix) };
        self.settlements.insert(ix, settled);
        let Some(terms) = self.def(ix).option.as_ref() else { return };
        let is_itm = settled.price.is_some_and(|price| terms.intrinsic(price) >= THRESHOLD);
        let assigns_now = self.config.profile == FillProfile::Lean;
        for n in 0..self.accounts.len() {
            let (account, held) = (AccountIx::from(n), self.accounts[n].quantity(ix));
            if held.0 < 0 && !is_itm {
                self.end_position(account, ix, held, ExpiryOutcome::Worthless, cause);
            } else if held.0 < 0 && assigns_now {
                self.end_position(account, ix, held, ExpiryOutcome::Assigned, cause);
            } else if held.0 > 0 {
                let by_exception = if is_itm { held } else { Qty::ZERO };
                let advised = self.advice.remove(&(account.0, ix)).map(|quantity| quantity.min(held));
                let exercised = advised.unwrap_or(by_exception);
                self.end_position(account, ix, exercised, ExpiryOutcome::Exercised, cause);
                self.end_position(account, ix, held - exercised, ExpiryOutcome::Worthless, cause);
            }
        }
    }

    /// Shorts in the money learn that they were assigned.
    pub(crate) fn notify_assignment(&mut self, ix: InstrumentIx, cause: Seq) {
        if !self.settlements.get(&ix).is_some_and(|settled| settled.is_decided) {
            self.settle(ix);
        }
        for n in 0..self.accounts.len() {
            let held = self.accounts[n].quantity(ix);
            if held.0 < 0 {
                self.end_position(AccountIx::from(n), ix, held, ExpiryOutcome::Assigned, cause);
            }
        }
    }

    /// Ends `quantity` (signed) of a series and delivers what it is worth.
    fn end_position(
        &mut self,
        account: AccountIx,
        ix: InstrumentIx,
        quantity: Qty,
        outcome: ExpiryOutcome,
        cause: Seq,
    ) {
        let Some(settled) = self.settlements.get(&ix).copied().filter(|_| quantity.0 != 0) else { return };
        let underlying_price = settled.price.unwrap_or(Price::ZERO);
        let event = Event::Expired {
            account,
            instrument: ix,
            quantity,
            outcome,
            underlying: underlying_price,
            estimated: settled.estimated,
        };
        let seq = self.emit(cause, event);
        let Some(terms) = self.def(ix).option.clone() else { return };
        let is_physical = self.is_physical(ix);
        let is_delivering = outcome != ExpiryOutcome::Worthless;
        let value = settled
            .price
            .filter(|_| is_delivering && !is_physical)
            .map_or(Price::ZERO, |p| terms.intrinsic(p));
        self.book_trade(account, ix, quantity.neg(), value, CashReason::Settlement, seq);
        if is_delivering && is_physical {
            let each = self.def(ix).units_delivered(self.def(terms.underlying));
            let units = Qty(quantity.0.saturating_mul(each));
            let units = if terms.right == Right::Call { units } else { units.neg() };
            self.book_trade(account, terms.underlying, units, terms.strike, CashReason::Settlement, seq);
        }
        self.notices.push_back(Notice::Expiry(ix, seq));
    }
}
