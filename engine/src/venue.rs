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
//! - crossed, halted, stale, non-firm and empty books and closed sessions fill nothing; a bar is no print.
//!
//! Reports leave the venue in one ordered stream. An input leads to at most
//! [`DERIVED_PAUSE`] executions; what else it could fill is tried at the next one.
//!
//! Known limits: one consolidated venue; packages of several legs have no venue here; classes that
//! trade past the session phase's close end with it.

use crate::block::DERIVED_PAUSE;
use crate::book::{BookSide, Top};
use crate::config::FillProfile;
use crate::event::{Event, Execution, FillReason, StateReason};
use crate::ids::{InstrumentIx, OrderIx, Seq};
use crate::num::{Nanos, Price, Qty};
use crate::order::{OrderState, TimeInForce};
use crate::record::{Trade, TradeClass, TradingState};
use crate::schedule::{Due, Report};
use crate::state::Core;
use crate::stops::HeldStop;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// An order as the venue knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VenueOrder {
    pub(crate) order: OrderIx,
    pub(crate) instrument: InstrumentIx,
    /// Signed quantity still open here.
    pub(crate) remaining: Qty,
    pub(crate) limit: Option<Price>,
    pub(crate) tif: TimeInForce,
    /// Arrival: a print that happened before it is no evidence.
    pub(crate) since: Nanos,
}

impl VenueOrder {
    pub(crate) fn is_buy(&self) -> bool {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Action {
    New(OrderIx),
    Cancel(OrderIx),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InFlight {
    pub(crate) at: Nanos,
    pub(crate) cause: Seq,
    pub(crate) action: Action,
}

/// The most aggressive limits resting in an instrument: a quote that reaches neither is done with a
/// glance, however many orders rest. Market orders rest at the ends of the price range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Watch {
    highest_buy: i64,
    lowest_sell: i64,
    has_stops: bool,
}

impl Watch {
    const NOTHING: Watch = Watch { highest_buy: i64::MIN, lowest_sell: i64::MAX, has_stops: false };

    fn add(&mut self, held: &VenueOrder) {
        if held.is_buy() {
            self.highest_buy = self.highest_buy.max(held.limit.map_or(i64::MAX, |limit| limit.0));
        } else {
            self.lowest_sell = self.lowest_sell.min(held.limit.map_or(i64::MIN, |limit| limit.0));
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Venue {
    /// In order of arrival: the latency is constant.
    pub(crate) in_flight: VecDeque<InFlight>,
    /// Resting orders by instrument, in order of arrival.
    pub(crate) resting: Vec<Vec<VenueOrder>>,
    /// Stops not triggered yet, by instrument, in order of arrival.
    pub(crate) stops: Vec<Vec<HeldStop>>,
    /// What of an instrument's orders a quote must look at first.
    #[serde(skip)]
    watches: Vec<Watch>,
    /// When the last report is due.
    last_report: Nanos,
    /// Orders and cancels sent here so far.
    pub(crate) sent: u64,
}

impl Venue {
    pub(crate) fn add_instrument(&mut self) {
        self.resting.push(Vec::new());
        self.stops.push(Vec::new());
        self.watches.push(Watch::NOTHING);
    }

    /// Rebuilds the watches.
    pub(crate) fn rebuild(&mut self) {
        self.watches = vec![Watch::NOTHING; self.resting.len()];
        (0..self.resting.len()).for_each(|ix| self.refresh_watch(ix));
    }

    pub(crate) fn rest(&mut self, held: VenueOrder) {
        self.resting[held.instrument.index()].push(held);
        self.watches[held.instrument.index()].add(&held);
    }

    pub(crate) fn hold_stop(&mut self, stop: HeldStop) {
        self.stops[stop.held.instrument.index()].push(stop);
        self.watches[stop.held.instrument.index()].has_stops = true;
    }

    pub(crate) fn refresh_watch(&mut self, ix: usize) {
        self.watches[ix] = Watch { has_stops: !self.stops[ix].is_empty(), ..Watch::NOTHING };
        self.resting[ix].iter().for_each(|held| self.watches[ix].add(held));
    }

    /// Everything the venue holds: resting orders, then stops.
    pub(crate) fn held(&self) -> impl Iterator<Item = &VenueOrder> {
        self.resting.iter().flatten().chain(self.stops.iter().flatten().map(|stop| &stop.held))
    }

    /// Arrival time of the first order under way.
    #[inline]
    pub(crate) fn next_arrival(&self) -> Option<Nanos> {
        self.in_flight.front().map(|flight| flight.at)
    }

    fn remove(&mut self, instrument: InstrumentIx, order: OrderIx) -> bool {
        let (resting, stops) = (&mut self.resting[instrument.index()], &mut self.stops[instrument.index()]);
        let before = resting.len() + stops.len();
        resting.retain(|held| held.order != order);
        stops.retain(|stop| stop.held.order != order);
        let is_removed = resting.len() + stops.len() != before;
        self.refresh_watch(instrument.index());
        is_removed
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
        let is_behind = |side: &BookSide| if held.is_buy() { side.price > limit } else { side.price < limit };
        if own_side.is_some_and(is_behind) {
            // Somebody displays a better price: the print is no evidence of a fill here.
            return None;
        }
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
        self.venue.sent += 1;
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
            if self.spent() >= DERIVED_PAUSE {
                return;
            }
            self.venue.in_flight.pop_front();
            self.now = self.now.max(flight.at.min(revealed));
            self.schedule_floor = revealed;
            self.arrive(flight);
        }
    }

    fn report(&mut self, at: Nanos, cause: Seq, report: Report) {
        let lean = self.config.profile == FillProfile::Lean;
        let response = if lean { 0 } else { self.config.latency.response_ns };
        let due = at.after(response).max(self.now).max(self.schedule_floor).max(self.venue.last_report);
        self.venue.last_report = due;
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
        let (leg, tif, order_type) = (package.legs[0], package.tif, package.order_type);
        let top = self.tops[leg.instrument.index()];
        let (bid, ask) = top.nbbo(self.now);
        let seq = self.emit(flight.cause, Event::Arrived { order, at: flight.at, bid, ask });
        let is_lean = self.config.profile == FillProfile::Lean;
        let is_expired = self.def(leg.instrument).last_trade().is_some_and(|last| flight.at > last);
        if !is_lean && (self.is_open == Some(false) || is_expired || self.is_halted(leg.instrument)) {
            let done = Report::Done(order, OrderState::Rejected, StateReason::VenueRejected);
            return self.report(flight.at, seq, done);
        }
        self.report(flight.at, seq, Report::Ack(order));
        let held = VenueOrder {
            order,
            instrument: leg.instrument,
            remaining: leg.quantity,
            limit: order_type.limit(),
            tif,
            since: flight.at,
        };
        if let TimeInForce::Gtd(until) = tif {
            self.schedule.push(until.max(self.now), seq, Due::OrderEnd(order));
        }
        match order_type.trigger() {
            Some(trigger) => self.venue.hold_stop(HeldStop { held, trigger, held_since: None }),
            None => self.enter_book(held, flight.at, seq),
        }
    }

    /// An order meets the book: it takes what it may and the rest rests or is cancelled.
    pub(crate) fn enter_book(&mut self, mut held: VenueOrder, at: Nanos, cause: Seq) {
        let top = self.tops[held.instrument.index()];
        let found = match_quote(self.config.profile, &held, &top, self.now, true);
        let is_whole = found.is_some_and(|found| found.quantity == held.remaining.abs());
        if held.tif == TimeInForce::Fok && !is_whole {
            let done = Report::Done(held.order, OrderState::Cancelled, StateReason::FokUnfilled);
            return self.report(at, cause, done);
        }
        if let Some(found) = found {
            self.execute(&mut held, found, at, cause);
        }
        if held.remaining.0 == 0 {
            return;
        }
        if held.tif == TimeInForce::Ioc {
            let done = Report::Done(held.order, OrderState::Cancelled, StateReason::IocRemainder);
            return self.report(at, cause, done);
        }
        self.venue.rest(held);
    }

    fn execute(&mut self, held: &mut VenueOrder, found: Match, at: Nanos, cause: Seq) {
        let quantity = Qty(if held.is_buy() { found.quantity.0 } else { -found.quantity.0 });
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
        if matches!(found.reason, FillReason::Taker | FillReason::Crossed) {
            let top = &mut self.tops[held.instrument.index()];
            let side = if held.is_buy() { &mut top.ask } else { &mut top.bid };
            side.available = side.available - found.quantity;
        }
        held.remaining = held.remaining - quantity;
        self.report(at, seq, Report::Executed(execution));
    }

    /// Whether orders rest or stops wait in an instrument.
    #[inline]
    pub(crate) fn has_resting(&self, ix: InstrumentIx) -> bool {
        self.venue.watches[ix.index()] != Watch::NOTHING
    }

    /// Whether the quote just stated could fill or trigger anything in the instrument.
    #[inline]
    pub(crate) fn is_reached(&self, ix: InstrumentIx) -> bool {
        let (watch, top) = (&self.venue.watches[ix.index()], &self.tops[ix.index()]);
        let (bid, ask) = (top.bid.price.0, top.ask.price.0);
        // Other profiles may trade inside the spread.
        let (to_buy, to_sell) = match self.config.profile {
            FillProfile::Realistic | FillProfile::Natural => (ask, bid),
            FillProfile::Mid | FillProfile::Lean => (bid.min(ask), bid.max(ask)),
        };
        watch.highest_buy >= to_buy || watch.lowest_sell <= to_sell || watch.has_stops
    }

    /// Whether resting orders may trade: LEAN's profile knows neither sessions nor halts.
    fn may_match(&self, ix: InstrumentIx) -> bool {
        self.config.profile == FillProfile::Lean || (self.is_open != Some(false) && !self.is_halted(ix))
    }

    /// Tries resting orders against a freshly stated quote (input `seq`).
    pub(crate) fn match_resting_on_quote(&mut self, ix: InstrumentIx, at: Nanos, seq: Seq) {
        if !self.may_match(ix) {
            return;
        }
        let mut resting = std::mem::take(&mut self.venue.resting[ix.index()]);
        for held in &mut resting {
            if self.spent() >= DERIVED_PAUSE {
                break;
            }
            if let Some(found) =
                match_quote(self.config.profile, held, &self.tops[ix.index()], self.now, false)
            {
                self.execute(held, found, at, seq);
            }
        }
        self.put_back(ix, resting);
        self.trigger_stops(ix, at, seq);
    }

    fn put_back(&mut self, ix: InstrumentIx, mut resting: Vec<VenueOrder>) {
        resting.retain(|held| held.remaining.0 != 0);
        self.venue.resting[ix.index()] = resting;
        self.venue.refresh_watch(ix.index());
    }

    /// Tries resting limits against a print (input `seq`).
    pub(crate) fn match_resting_on_print(&mut self, ix: InstrumentIx, print: &Trade, at: Nanos, seq: Seq) {
        let is_eligible = TradeClass::from_wire(print.class).is_eligible();
        if self.config.profile != FillProfile::Realistic || !is_eligible || !self.may_match(ix) {
            return;
        }
        let lot = self.def(ix).lot;
        let mut left = Qty(print.size);
        let mut resting = std::mem::take(&mut self.venue.resting[ix.index()]);
        for held in resting.iter_mut().filter(|held| at >= held.since) {
            if self.spent() >= DERIVED_PAUSE {
                break;
            }
            if let Some(found) = match_print(held, &self.tops[ix.index()], self.now, print, left, lot, seq) {
                left = left - found.quantity;
                self.execute(held, found, at, seq);
            }
        }
        self.put_back(ix, resting);
    }

    /// Ends resting orders at the venue: DAY orders at a close, a series' orders at its last trade.
    pub(crate) fn end_resting(
        &mut self,
        cause: Seq,
        reason: StateReason,
        ends: impl Fn(&VenueOrder) -> bool,
    ) {
        let ended: Vec<OrderIx> =
            self.venue.held().filter(|held| ends(held)).map(|held| held.order).collect();
        for ix in 0..self.venue.resting.len() {
            if self.venue.watches[ix] != Watch::NOTHING {
                self.venue.resting[ix].retain(|held| !ends(held));
                self.venue.stops[ix].retain(|stop| !ends(&stop.held));
                self.venue.refresh_watch(ix);
            }
        }
        for order in ended {
            self.report(self.now, cause, Report::Done(order, OrderState::Expired, reason));
        }
    }

    /// The instant of a good-till-date order came.
    pub(crate) fn end_order(&mut self, order: OrderIx, cause: Seq) {
        let instrument = self.orders[order.index()].package.legs[0].instrument;
        if self.venue.remove(instrument, order) {
            let done = Report::Done(order, OrderState::Expired, StateReason::DateReached);
            self.report(self.now, cause, done);
        }
    }
}
