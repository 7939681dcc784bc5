//! The life cycle of option series: last trade, exercise decision, assignment notice, settlement.
//!
//! Exercise by exception: a long position at least 0.01 in the money at the cut-off is exercised
//! unless advised otherwise; shorts learn at the notice instant. Every holder exercises what is in
//! the money at expiry, so a short in the money is assigned whole. Limits: no early exercise or
//! assignment; an AM-settled series whose published value is missing settles on the underlying's
//! last price, flagged `estimated`.

use crate::config::FillProfile;
use crate::event::{CashReason, Event, ExpiryOutcome, StateReason};
use crate::ids::{AccountIx, InstrumentIx, OrderIx, Seq};
use crate::instrument::{Right, SettlementTime};
use crate::num::{DAY, Nanos, Price, Qty};
use crate::schedule::Due;
use crate::state::{Core, Notice};

const THRESHOLD: Price = Price(10_000_000);

impl Core {
    /// Puts the life cycle of an order's series on the schedule, once each.
    pub(crate) fn track_series(&mut self, order: OrderIx) {
        let legs: Vec<InstrumentIx> =
            self.orders[order.index()].package.legs.iter().map(|leg| leg.instrument).collect();
        let cause = self.orders[order.index()].submit_seq;
        for ix in legs {
            let Some(terms) = self.def(ix).option.as_ref() else { continue };
            let (last_trade, cutoff, notice) = (terms.last_trade, terms.exercise_cutoff, terms.notice);
            if self.tracked_series.insert(ix) {
                self.schedule.push(last_trade, cause, Due::LastTrade(ix));
                self.schedule.push(cutoff, cause, Due::Cutoff(ix));
                self.schedule.push(notice, cause, Due::Notice(ix));
            }
        }
    }

    pub(crate) fn stop_trading(&mut self, ix: InstrumentIx, cause: Seq) {
        self.end_resting(cause, StateReason::SeriesExpired, |held| held.instrument == ix);
    }

    /// The underlying price that decides exercise, and whether it stands in for a missing published value.
    fn settlement_price(&self, ix: InstrumentIx) -> (Price, bool) {
        let Some(terms) = self.def(ix).option.as_ref() else { return (Price::ZERO, true) };
        let published = [ix, terms.underlying].into_iter().find_map(|of| {
            let (price, ts) = self.settlement_values.get(&of)?;
            // A value of an earlier day is not this expiry's.
            (ts.0 + DAY > terms.expiry.0).then_some(*price)
        });
        let top = &self.tops[terms.underlying.index()];
        let last = if top.last.0 > 0 { top.last } else { top.mid(self.now).unwrap_or(top.bid.price) };
        match published {
            Some(price) => (price, false),
            None => (last, terms.settlement_time == SettlementTime::Am || last.0 <= 0),
        }
    }

    /// Exercise decisions; under LEAN's conventions assignment as well.
    pub(crate) fn decide_exercise(&mut self, ix: InstrumentIx, cause: Seq) {
        let (price, estimated) = self.settlement_price(ix);
        let Some(terms) = self.def(ix).option.as_ref() else { return };
        let is_itm = terms.intrinsic(price) >= THRESHOLD;
        let assigns_now = self.config.profile == FillProfile::Lean;
        for n in 0..self.accounts.len() {
            let (account, held) = (AccountIx::from(n), self.accounts[n].quantity(ix));
            if held.0 > 0 {
                let by_exception = if is_itm { held } else { Qty::ZERO };
                let advised = self.advice.remove(&(account.0, ix)).map(|quantity| quantity.min(held));
                let exercised = advised.unwrap_or(by_exception);
                self.end_position(
                    account,
                    ix,
                    exercised,
                    ExpiryOutcome::Exercised,
                    (price, estimated),
                    cause,
                );
                self.end_position(
                    account,
                    ix,
                    held - exercised,
                    ExpiryOutcome::Worthless,
                    (price, estimated),
                    cause,
                );
            } else if held.0 < 0 && !is_itm {
                self.end_position(account, ix, held, ExpiryOutcome::Worthless, (price, estimated), cause);
            } else if held.0 < 0 && assigns_now {
                self.end_position(account, ix, held, ExpiryOutcome::Assigned, (price, estimated), cause);
            }
        }
    }

    /// Shorts in the money learn that they were assigned.
    pub(crate) fn notify_assignment(&mut self, ix: InstrumentIx, cause: Seq) {
        let settlement = self.settlement_price(ix);
        for n in 0..self.accounts.len() {
            let held = self.accounts[n].quantity(ix);
            if held.0 < 0 {
                let account = AccountIx::from(n);
                self.end_position(account, ix, held, ExpiryOutcome::Assigned, settlement, cause);
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
        (underlying_price, estimated): (Price, bool),
        cause: Seq,
    ) {
        if quantity.0 == 0 {
            return;
        }
        let event = Event::Expired {
            account,
            instrument: ix,
            quantity,
            outcome,
            underlying: underlying_price,
            estimated,
        };
        let seq = self.emit(cause, event);
        let Some(terms) = self.def(ix).option.clone() else { return };
        let (multiplier, is_physical) = (self.def(ix).multiplier, self.is_physical(ix));
        let is_delivering = outcome != ExpiryOutcome::Worthless;
        let value =
            if is_delivering && !is_physical { terms.intrinsic(underlying_price) } else { Price::ZERO };
        self.book_trade(account, ix, quantity.neg(), value, CashReason::Settlement, seq);
        if is_delivering && is_physical {
            let shares = Qty(quantity.0.saturating_mul(multiplier));
            let shares = if terms.right == Right::Call { shares } else { shares.neg() };
            self.book_trade(account, terms.underlying, shares, terms.strike, CashReason::Settlement, seq);
        }
        self.notices.push_back(Notice::Expiry(ix, seq));
    }
}
