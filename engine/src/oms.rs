//! The order management system: submissions, state changes, booking of execution reports.

use crate::account::Account;
use crate::event::{CashReason, Event, Execution, StateReason};
use crate::fees;
use crate::ids::{AccountIx, InstrumentIx, OrderIx, Seq, StrategyIx};
use crate::instrument::InstrumentKind;
use crate::num::{Money, Nanos, Price, Qty, SECOND};
use crate::order::{Order, OrderState, Package};
use crate::risk::Verdict;
use crate::schedule::Report;
use crate::state::{Core, Notice};
use crate::strategy::FillReport;
use crate::venue::Action;
use smallvec::smallvec;

impl Core {
    /// Appends an order; risk judges it once all intents of the same callback are in.
    pub(crate) fn append_order(&mut self, strategy: StrategyIx, package: Package, cause: Seq) -> OrderIx {
        let ix = OrderIx::from(self.orders.len());
        let filled = smallvec![Qty::ZERO; package.legs.len()];
        let seq = self.emit(cause, Event::Submitted { order: ix, strategy, package: package.clone() });
        let state = OrderState::Submitted;
        self.orders.push(Order {
            ix,
            strategy,
            package,
            state,
            filled,
            submit_seq: seq,
            submit_ts: self.now,
        });
        self.open_orders.insert(ix);
        self.join_group(ix);
        if self.config.risk.orders_per_second_max.is_some() {
            let since = self.now.0.saturating_sub(SECOND);
            let times = self.submissions.entry(strategy).or_default();
            while times.front().is_some_and(|(ts, _)| ts.0 <= since) {
                times.pop_front();
            }
            times.push_back((self.now, ix));
        }
        ix
    }

    /// Judges the orders appended since `first`: the terms of all before the funds of any, so that no
    /// member of a group is let through on the strength of one that is refused.
    pub(crate) fn judge_and_send(&mut self, first: usize) {
        for ix in (first..self.orders.len()).map(OrderIx::from) {
            // A cancel in the same callback may have ended it already.
            if self.orders[ix.index()].state != OrderState::Submitted {
                continue;
            }
            match self.judge_terms(ix) {
                Ok(()) => self.count_pending(ix),
                Err(verdict) => self.refuse(ix, &verdict),
            }
        }
        for ix in (first..self.orders.len()).map(OrderIx::from) {
            if self.orders[ix.index()].state == OrderState::Submitted {
                self.judge_funds_and_send(ix);
            }
        }
    }

    fn judge_funds_and_send(&mut self, ix: OrderIx) {
        let verdict = self.judge_funds(ix);
        let Ok(approved) = &verdict.outcome else {
            // A group is one position: what its whole cannot pay for, none of its members may open.
            let group = self.exposure.group_of(&self.orders[ix.index()]).to_vec();
            for member in std::iter::once(ix).chain(group.into_iter().filter(|member| *member != ix)) {
                if self.orders[member.index()].state == OrderState::Submitted {
                    self.uncount_pending(member);
                    self.refuse(member, &verdict);
                }
            }
            return;
        };
        let order = approved.order();
        let seq = self.emit_verdict(order, &verdict);
        self.count_approved(order);
        self.track_series(order);
        self.change_state(order, OrderState::Approved, StateReason::RiskApproved, seq);
        self.send_to_venue(seq, Action::New(order));
    }

    /// Journals the refusal and rejects the order.
    pub(crate) fn refuse(&mut self, ix: OrderIx, verdict: &Verdict) {
        let seq = self.emit_verdict(ix, verdict);
        let seq = self.change_state(ix, OrderState::Rejected, StateReason::RiskRefused, seq);
        self.notice_order(ix, seq);
    }

    fn emit_verdict(&mut self, order: OrderIx, verdict: &Verdict) -> Seq {
        let cause = self.orders[order.index()].submit_seq;
        let refused = verdict.outcome.as_ref().err().copied();
        self.emit(cause, Event::Risk { order, refused, value: verdict.value, limit: verdict.limit })
    }

    /// Moves an order along its table; a transition outside it is journaled and refused.
    pub(crate) fn change_state(
        &mut self,
        ix: OrderIx,
        to: OrderState,
        reason: StateReason,
        cause: Seq,
    ) -> Seq {
        let from = self.orders[ix.index()].state;
        if !from.may_become(to) {
            return self.emit(cause, Event::IllegalTransition { order: ix, from, to });
        }
        if to.is_final() {
            self.uncount(ix, from);
            self.open_orders.remove(&ix);
            for leg in 0..self.orders[ix.index()].package.legs.len() {
                self.filled_so_far.remove(&(ix, leg as u8));
            }
        }
        self.orders[ix.index()].state = to;
        self.emit(cause, Event::State { order: ix, from, to, reason })
    }

    /// A strategy or operator asks to cancel.
    pub(crate) fn request_cancel(&mut self, ix: OrderIx, reason: StateReason, cause: Seq) {
        let Some(order) = self.orders.get(ix.index()) else { return };
        let state = order.state;
        let seq = self.emit(cause, Event::CancelRequested { order: ix });
        // A cancel of a finished or already cancelling order is a race lost, not an error.
        if state.is_final() || state == OrderState::PendingCancel {
            return;
        }
        if state == OrderState::Submitted {
            let seq = self.change_state(ix, OrderState::Cancelled, reason, seq);
            return self.notice_order(ix, seq);
        }
        let seq = self.change_state(ix, OrderState::PendingCancel, reason, seq);
        self.send_to_venue(seq, Action::Cancel(ix));
    }

    /// Books a venue's report.
    pub(crate) fn book_report(&mut self, report: Report, cause: Seq) {
        match report {
            Report::Ack(ix) => {
                if self.orders[ix.index()].state == OrderState::Approved {
                    let seq = self.change_state(ix, OrderState::Working, StateReason::VenueAck, cause);
                    self.notice_order(ix, seq);
                }
            }
            Report::Executed(execution) => self.book_fill(execution, cause),
            Report::Done(ix, to, reason) => {
                if !self.orders[ix.index()].state.is_final() {
                    let seq = self.change_state(ix, to, reason, cause);
                    self.notice_order(ix, seq);
                }
            }
        }
    }

    fn notice_order(&mut self, ix: OrderIx, seq: Seq) {
        let order = &self.orders[ix.index()];
        self.notices.push_back(Notice::Order(order.strategy, ix, order.state, seq));
    }

    fn book_fill(&mut self, execution: Execution, cause: Seq) {
        let (ix, leg) = (execution.order, execution.leg);
        let order = &self.orders[ix.index()];
        let (account, strategy) = (order.package.account, order.strategy);
        self.count_fill(ix, usize::from(leg), execution.quantity);
        let order = &mut self.orders[ix.index()];
        let filled = &mut order.filled[usize::from(leg)];
        *filled = *filled + execution.quantity;
        let is_filled = order.is_filled();
        let state = order.state;
        let fee = self.fee_of(&execution);
        let seq = self.emit(cause, Event::Fill { execution, account, fee });
        // A partial fill does not undo a cancel under way.
        if is_filled {
            self.change_state(ix, OrderState::Filled, StateReason::Fill, seq);
        } else if state != OrderState::PendingCancel {
            self.change_state(ix, OrderState::PartiallyFilled, StateReason::Fill, seq);
        }
        self.book_trade(
            account,
            execution.instrument,
            execution.quantity,
            execution.price,
            CashReason::Trade,
            seq,
        );
        if fee.0 != 0 {
            self.accounts[account.index()].fees += fee;
            self.move_cash(account, fee.neg(), CashReason::Fee, seq);
        }
        self.notices.push_back(Notice::Fill(strategy, FillReport { execution, fee }, seq));
    }

    /// The fee this execution adds to what its leg was charged before.
    fn fee_of(&mut self, execution: &Execution) -> Money {
        let def = &self.instruments[execution.instrument.index()];
        let entry = self.filled_so_far.entry((execution.order, execution.leg)).or_default();
        entry.0.add(execution, def);
        let total = fees::total(self.config.fees, def, entry.0);
        let fee = total - entry.1;
        entry.1 = total;
        fee
    }

    /// Books quantity at a price: position, realised profit, cash, mark.
    pub(crate) fn book_trade(
        &mut self,
        account: AccountIx,
        ix: InstrumentIx,
        quantity: Qty,
        price: Price,
        reason: CashReason,
        cause: Seq,
    ) {
        let (multiplier, kind) = (self.def(ix).multiplier, self.def(ix).kind);
        let is_margined = kind == InstrumentKind::Future;
        let booked = self.accounts[account.index()].trade(ix, quantity, price, multiplier, is_margined);
        let realized = booked.realized;
        self.emit(
            cause,
            Event::Position {
                account,
                instrument: ix,
                quantity: booked.quantity,
                cost: booked.cost,
                realized,
            },
        );
        let mark = self.mark_price(ix, booked.quantity).unwrap_or(price);
        self.accounts[account.index()].mark(ix, mark, multiplier);
        let amount = if is_margined { realized } else { price.notional(quantity, multiplier).neg() };
        self.move_cash(account, amount, reason, cause);
    }

    pub(crate) fn move_cash(&mut self, account: AccountIx, amount: Money, reason: CashReason, cause: Seq) {
        if amount.0 == 0 {
            return;
        }
        self.accounts[account.index()].pay(amount);
        let balance = self.accounts[account.index()].cash;
        self.emit(cause, Event::Cash { account, amount, reason, balance });
    }

    /// Price of a position under the run's mark policy; `None` when the tape says nothing.
    pub(crate) fn mark_price(&self, ix: InstrumentIx, quantity: Qty) -> Option<Price> {
        use crate::config::MarkPolicy;
        let top = &self.tops[ix.index()];
        let is_option = self.def(ix).option.is_some();
        if self.config.marks == MarkPolicy::LastTrade {
            // LEAN: an option's mid of the last quote however old; stock at its last trade.
            let quoted = match (top.bid.price.0 > 0, top.ask.price.0 > 0) {
                (true, true) => Some(Price::mid(top.bid.price, top.ask.price)),
                (true, false) => Some(top.bid.price),
                (false, true) => Some(top.ask.price),
                (false, false) => None,
            };
            let last = (top.last.0 > 0).then_some(top.last);
            return if is_option { quoted.or(last) } else { last.or(quoted) };
        }
        let one_sided = || {
            let side = if quantity.0 >= 0 { top.live_bid(self.now) } else { top.live_ask(self.now) };
            side.map(|side| side.price)
        };
        let quoted = top.mid(self.now).or_else(one_sided);
        quoted.or(if is_option { None } else { (top.last.0 > 0).then_some(top.last) })
    }

    /// Re-marks every position and journals each account's equity.
    pub(crate) fn mark_accounts(&mut self, cause: Seq) {
        for n in 0..self.accounts.len() {
            let account = AccountIx::from(n);
            let mut held = std::mem::replace(&mut self.accounts[n], Account::new("", Money::ZERO));
            self.mark_positions(&mut held);
            let (cash, equity, liquidation) = (held.cash, held.equity(), self.liquidation(&held));
            self.accounts[n] = held;
            let requirement = self.requirement_held(account);
            self.emit(cause, Event::Mark { account, cash, equity, liquidation, requirement });
        }
    }

    /// Marks an account's positions at the books of the moment; what has no price keeps its last mark.
    pub(crate) fn mark_positions(&self, account: &mut Account) {
        let held: Vec<(InstrumentIx, Qty)> =
            account.positions().map(|(ix, position)| (ix, position.quantity)).collect();
        for (ix, quantity) in held {
            if let Some(price) = self.mark_price(ix, quantity) {
                account.mark(ix, price, self.def(ix).multiplier);
            }
        }
    }

    /// Cash plus positions closed at the natural price where there is one, else at their marks.
    pub(crate) fn liquidation(&self, account: &Account) -> Money {
        account.positions().fold(account.cash, |sum, (ix, position)| {
            let (quantity, mark, top) = (position.quantity, position.mark, &self.tops[ix.index()]);
            let natural = if quantity.0 > 0 { top.live_bid(self.now) } else { top.live_ask(self.now) };
            let multiplier = self.def(ix).multiplier;
            let slip = natural.map_or(Money::ZERO, |side| (side.price - mark).notional(quantity, multiplier));
            sum + position.value + slip
        })
    }

    /// Schedules the next mark when none is pending: marks follow activity, not empty nights.
    #[inline]
    pub(crate) fn schedule_mark(&mut self, seq: Seq) {
        if !self.mark_is_scheduled && self.config.mark_interval_ns != 0 {
            self.push_mark(seq);
        }
    }

    /// Out of line: every quote asks, one in many schedules.
    #[inline(never)]
    fn push_mark(&mut self, seq: Seq) {
        let interval = self.config.mark_interval_ns;
        self.mark_is_scheduled = true;
        let due = Nanos((self.now.0 / interval + 1).saturating_mul(interval));
        self.schedule.push(due, seq, crate::schedule::Due::Mark);
    }
}
