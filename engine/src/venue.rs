//! The simulated venue: arrivals, matching, displayed size, reports.
//!
//! An order sent at t reaches the venue at t_x = t + entry latency. It waits until a record proves
//! that venue time passed t_x and is matched on the state before that record. Its reports are due at
//! t_x + response latency, never before the input that revealed it.
//!
//! `realistic` fills single legs on L1 evidence alone:
//! - a marketable order takes displayed size not taken before, the rest of a market order waits for more;
//! - a resting limit fills when the opposite quote reaches it (up to its displayed size), on an eligible
//!   print strictly beyond it (up to the print), and pro rata own / (displayed + own) on a print at it;
//! - crossed, halted, stale, non-firm and empty books fill nothing; a bar is no print.
//!
//! Known limit: one consolidated venue; packages of several legs have no venue here.

use crate::book::Top;
use crate::config::FillProfile;
use crate::event::{Event, Execution, FillReason, StateReason};
use crate::ids::{InstrumentIx, OrderIx, Seq};
use crate::num::{Nanos, Price, Qty};
use crate::order::{OrderState, OrderType, TimeInForce};
use crate::record::{Trade, TradeClass, TradingState};
use crate::schedule::{Due, Report};
use crate::state::Core;
use serde::Serialize;
use std::collections::VecDeque;

/// An order as the venue knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct VenueOrder {
    pub(crate) order: OrderIx,
    pub(crate) instrument: InstrumentIx,
    /// Signed quantity still open here.
    pub(crate) remaining: Qty,
    pub(crate) limit: Option<Price>,
    pub(crate) tif: TimeInForce,
}

impl VenueOrder {
    fn is_buy(&self) -> bool {
        self.remaining.0 > 0
    }

    /// Whether `price` is at the limit or better for this order.
    fn accepts(&self, price: Price) -> bool {
        match self.limit {
            None => true,
            Some(limit) if self.is_buy() => price <= limit,
            Some(limit) => price >= limit,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Action {
    New(OrderIx),
    Cancel(OrderIx),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct InFlight {
    pub(crate) at: Nanos,
    pub(crate) cause: Seq,
    pub(crate) action: Action,
}

#[derive(Debug, Default)]
pub(crate) struct Venue {
    /// In order of arrival: the latency is constant.
    pub(crate) in_flight: VecDeque<InFlight>,
    /// Resting orders by instrument, in order of arrival.
    pub(crate) resting: Vec<Vec<VenueOrder>>,
}

impl Venue {
    pub(crate) fn add_instrument(&mut self) {
        self.resting.push(Vec::new());
    }

    /// Arrival time of the first order under way.
    #[inline]
    pub(crate) fn next_arrival(&self) -> Option<Nanos> {
        self.in_flight.front().map(|flight| flight.at)
    }

    fn remove(&mut self, instrument: InstrumentIx, order: OrderIx) -> bool {
        let resting = &mut self.resting[instrument.index()];
        let before = resting.len();
        resting.retain(|held| held.order != order);
        resting.len() != before
    }
}

/// What one look at the book or at a print allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Match {
    price: Price,
    /// Absolute quantity.
    quantity: Qty,
    reason: FillReason,
    justification: Seq,
}

/// The opposite side's match for an order, by profile.
fn match_quote(
    profile: FillProfile,
    held: &VenueOrder,
    top: &Top,
    now: Nanos,
    on_arrival: bool,
) -> Option<Match> {
    let wanted = held.remaining.abs();
    if profile == FillProfile::Lean {
        return match_lean(held, top);
    }
    if top.state != TradingState::Trading {
        return None;
    }
    let (bid, ask) = (top.live_bid(now), top.live_ask(now));
    if let (Some(bid), Some(ask)) = (bid, ask)
        && bid.price > ask.price
    {
        return None;
    }
    let opposite = if held.is_buy() { ask } else { bid }?;
    match profile {
        FillProfile::Mid => {
            let mid = top.mid(now)?;
            let newer = top.bid.seq.max(top.ask.seq);
            held.accepts(mid).then_some(Match {
                price: mid,
                quantity: wanted,
                reason: FillReason::Profile,
                justification: newer,
            })
        }
        FillProfile::Natural => held.accepts(opposite.price).then_some(Match {
            price: if on_arrival { opposite.price } else { held.limit.unwrap_or(opposite.price) },
            quantity: wanted,
            reason: FillReason::Profile,
            justification: opposite.seq,
        }),
        FillProfile::Realistic => {
            let quantity = wanted.min(opposite.available);
            (quantity.0 > 0 && held.accepts(opposite.price)).then_some(Match {
                // A resting limit trades at its own price; whoever crossed it took it there.
                price: if on_arrival { opposite.price } else { held.limit.unwrap_or(opposite.price) },
                quantity,
                reason: if on_arrival || held.limit.is_none() {
                    FillReason::Taker
                } else {
                    FillReason::Crossed
                },
                justification: opposite.seq,
            })
        }
        FillProfile::Lean => None,
    }
}

/// LEAN's market fill: whole, at the opposite side of the last quote however old, or the other side when never seen.
fn match_lean(held: &VenueOrder, top: &Top) -> Option<Match> {
    let sides = if held.is_buy() { [&top.ask, &top.bid] } else { [&top.bid, &top.ask] };
    let side = sides.into_iter().find(|side| side.price.0 > 0)?;
    held.accepts(side.price).then_some(Match {
        price: side.price,
        quantity: held.remaining.abs(),
        reason: FillReason::Profile,
        justification: side.seq,
    })
}

/// A print's match for a resting limit; `left` is the print's size not yet given to our orders.
fn match_print(
    held: &VenueOrder,
    top: &Top,
    now: Nanos,
    print: &Trade,
    left: Qty,
    lot: Qty,
    seq: Seq,
) -> Option<Match> {
    let limit = held.limit?;
    let price = Price(print.price);
    let is_beyond = if held.is_buy() { price < limit } else { price > limit };
    let wanted = held.remaining.abs();
    let (quantity, reason) = if is_beyond {
        (wanted.min(left), FillReason::PrintThrough)
    } else if price == limit {
        let own_side = if held.is_buy() { top.live_bid(now) } else { top.live_ask(now) };
        let displayed = own_side.filter(|side| side.price == limit).map_or(0, |side| side.size.0);
        let share =
            i128::from(left.0) * i128::from(wanted.0) / (i128::from(displayed) + i128::from(wanted.0));
        let share = i64::try_from(share).unwrap_or(0).min(wanted.0);
        (Qty(share / lot.0.max(1) * lot.0.max(1)), FillReason::PrintAt)
    } else {
        return None;
    };
    (quantity.0 > 0).then_some(Match { price: limit, quantity, reason, justification: seq })
}

impl Core {
    /// Sends an order or cancel on its way.
    pub(crate) fn send_to_venue(&mut self, cause: Seq, action: Action) {
        if self.config.profile == FillProfile::Lean {
            self.arrive(InFlight { at: self.now, cause, action });
        } else {
            let at = self.now.after(self.config.latency.entry_ns);
            self.venue.in_flight.push_back(InFlight { at, cause, action });
        }
    }

    /// Lets everything arrive whose venue time lies before `proven`; `revealed` is the proving record's receipt time.
    pub(crate) fn deliver_arrivals(&mut self, proven: Nanos, revealed: Nanos) {
        while let Some(flight) = self.venue.in_flight.front().copied().filter(|flight| flight.at < proven) {
            self.venue.in_flight.pop_front();
            self.now = self.now.max(flight.at.min(revealed));
            self.schedule_floor = revealed;
            self.arrive(flight);
        }
    }

    fn report(&mut self, at: Nanos, cause: Seq, report: Report) {
        let lean = self.config.profile == FillProfile::Lean;
        let response = if lean { 0 } else { self.config.latency.response_ns };
        let due = at.after(response).max(self.now).max(self.schedule_floor);
        self.schedule.push(due, cause, Due::Report(report));
    }

    fn arrive(&mut self, flight: InFlight) {
        match flight.action {
            Action::New(order) => self.arrive_new(order, flight),
            Action::Cancel(order) => {
                let instrument = self.orders[order.index()].package.legs[0].instrument;
                if self.venue.remove(instrument, order) {
                    let done = Report::Done(order, OrderState::Cancelled, StateReason::VenueCancelled);
                    self.report(flight.at, flight.cause, done);
                }
            }
        }
    }

    fn arrive_new(&mut self, order: OrderIx, flight: InFlight) {
        let package = &self.orders[order.index()].package;
        let (leg, tif) = (package.legs[0], package.tif);
        let limit = match package.order_type {
            OrderType::Market => None,
            OrderType::Limit(limit) => Some(limit),
        };
        let top = self.tops[leg.instrument.index()];
        let (bid, ask) = top.nbbo(self.now);
        let seq = self.emit(flight.cause, Event::Arrived { order, at: flight.at, bid, ask });
        let is_lean = self.config.profile == FillProfile::Lean;
        if !is_lean && (self.is_open == Some(false) || top.state == TradingState::Halted) {
            let done = Report::Done(order, OrderState::Rejected, StateReason::VenueRejected);
            return self.report(flight.at, seq, done);
        }
        self.report(flight.at, seq, Report::Ack(order));
        let mut held = VenueOrder { order, instrument: leg.instrument, remaining: leg.quantity, limit, tif };
        let found = match_quote(self.config.profile, &held, &top, self.now, true);
        if let Some(found) = found {
            self.execute(&mut held, found, flight.at, seq);
        }
        if held.remaining.0 == 0 {
            return;
        }
        if tif == TimeInForce::Ioc {
            let done = Report::Done(order, OrderState::Cancelled, StateReason::IocRemainder);
            return self.report(flight.at, seq, done);
        }
        self.venue.resting[leg.instrument.index()].push(held);
    }

    fn execute(&mut self, held: &mut VenueOrder, found: Match, at: Nanos, cause: Seq) {
        let quantity = Qty(if held.is_buy() { found.quantity.0 } else { -found.quantity.0 });
        if matches!(found.reason, FillReason::Taker | FillReason::Crossed) {
            let top = &mut self.tops[held.instrument.index()];
            let side = if held.is_buy() { &mut top.ask } else { &mut top.bid };
            side.available = side.available - found.quantity;
        }
        held.remaining = held.remaining - quantity;
        let (bid, ask) = self.tops[held.instrument.index()].nbbo(self.now);
        let execution = Execution {
            order: held.order,
            leg: 0,
            instrument: held.instrument,
            quantity,
            price: found.price,
            at,
            bid,
            ask,
            justification: found.justification,
            reason: found.reason,
        };
        let seq = self.emit(cause, Event::Executed(execution));
        self.report(at, seq, Report::Executed(execution));
    }

    /// Whether orders rest in an instrument.
    #[inline]
    pub(crate) fn has_resting(&self, ix: InstrumentIx) -> bool {
        !self.venue.resting[ix.index()].is_empty()
    }

    /// Tries resting orders against a freshly stated quote (input `seq`).
    pub(crate) fn match_resting_on_quote(&mut self, ix: InstrumentIx, at: Nanos, seq: Seq) {
        let mut resting = std::mem::take(&mut self.venue.resting[ix.index()]);
        for held in &mut resting {
            let top = self.tops[ix.index()];
            if let Some(found) = match_quote(self.config.profile, held, &top, self.now, false) {
                self.execute(held, found, at, seq);
            }
        }
        resting.retain(|held| held.remaining.0 != 0);
        self.venue.resting[ix.index()] = resting;
    }

    /// Tries resting limits against a print (input `seq`).
    pub(crate) fn match_resting_on_print(&mut self, ix: InstrumentIx, print: &Trade, at: Nanos, seq: Seq) {
        if self.config.profile != FillProfile::Realistic || !TradeClass::from_wire(print.class).is_eligible()
        {
            return;
        }
        let lot = self.def(ix).lot;
        let mut left = Qty(print.size);
        let mut resting = std::mem::take(&mut self.venue.resting[ix.index()]);
        for held in &mut resting {
            let top = self.tops[ix.index()];
            if let Some(found) = match_print(held, &top, self.now, print, left, lot, seq) {
                left = left - found.quantity;
                self.execute(held, found, at, seq);
            }
        }
        resting.retain(|held| held.remaining.0 != 0);
        self.venue.resting[ix.index()] = resting;
    }

    /// Ends resting orders at the venue: DAY orders at a close, a series' orders at its last trade.
    pub(crate) fn end_resting(
        &mut self,
        cause: Seq,
        reason: StateReason,
        ends: impl Fn(&VenueOrder) -> bool,
    ) {
        let ended: Vec<VenueOrder> =
            self.venue.resting.iter().flatten().filter(|held| ends(held)).copied().collect();
        for held in ended {
            self.venue.remove(held.instrument, held.order);
            self.report(self.now, cause, Report::Done(held.order, OrderState::Expired, reason));
        }
    }
}
