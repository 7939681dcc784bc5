//! Stops: orders the venue holds until a condition on the market has held for a while.
//!
//! Option quotes flicker, so a stop looks at the midpoint by default, ignores quotes that are wide
//! (more than its `spread_max` of the midpoint and more than three ticks) and wants its condition to
//! persist. The condition is looked at on each quote and trade of its instrument; a quote that cannot
//! be judged (one-sided, crossed, stale, wide) neither confirms nor ends it, one that contradicts ends it.

use crate::block::DERIVED_PAUSE;
use crate::event::Event;
use crate::ids::{InstrumentIx, Seq};
use crate::num::{Nanos, Price, Qty};
use crate::order::{StopSource, Trigger};
use crate::state::Core;
use crate::venue::VenueOrder;
use serde::{Deserialize, Serialize};

/// A stop at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldStop {
    pub(crate) held: VenueOrder,
    pub(crate) trigger: Trigger,
    /// Since when the condition holds.
    pub(crate) held_since: Option<Nanos>,
}

impl Core {
    /// Looks at an instrument's stops after a quote or trade (input `seq`); triggered ones meet the book.
    pub(crate) fn trigger_stops(&mut self, ix: InstrumentIx, at: Nanos, seq: Seq) {
        if self.venue.stops[ix.index()].is_empty() {
            return;
        }
        let mut stops = std::mem::take(&mut self.venue.stops[ix.index()]);
        let mut triggered = Vec::new();
        stops.retain_mut(|stop| {
            let price = self.stop_price(ix, stop);
            if let Some(price) = price {
                let is_met = if stop.held.is_buy() {
                    price >= stop.trigger.price
                } else {
                    price <= stop.trigger.price
                };
                stop.held_since = is_met.then(|| stop.held_since.unwrap_or(self.now));
            }
            let is_due = stop.held_since.is_some_and(|since| self.now.0 - since.0 >= stop.trigger.persist_ns);
            let fires = is_due && triggered.len() < DERIVED_PAUSE / 4;
            if let Some(price) = price.filter(|_| fires) {
                triggered.push((stop.held, price));
                return false;
            }
            true
        });
        self.venue.stops[ix.index()] = stops;
        for (held, price) in triggered {
            let cause = self.emit(seq, Event::Triggered { order: held.order, at, price, justification: seq });
            self.enter_book(VenueOrder { since: at, ..held }, at, cause);
        }
        self.venue.refresh_watch(ix.index());
    }

    /// The price a stop compares; `None` when the market cannot be judged.
    fn stop_price(&self, ix: InstrumentIx, stop: &HeldStop) -> Option<Price> {
        let top = &self.tops[ix.index()];
        if stop.trigger.source == StopSource::Last {
            return (top.last.0 > 0).then_some(top.last);
        }
        let (bid, ask, mid) =
            (top.live_bid(self.now)?.price, top.live_ask(self.now)?.price, top.mid(self.now)?);
        let spread = ask - bid;
        let three_ticks = self.def(ix).tick.increment(mid).unwrap_or(0).saturating_mul(3);
        let is_wide = i128::from(spread.0) > mid.notional(Qty(stop.trigger.spread_max.0), 1).0;
        if is_wide && spread.0 > three_ticks {
            return None;
        }
        Some(match stop.trigger.source {
            StopSource::Touch if stop.held.is_buy() => ask,
            StopSource::Touch => bid,
            StopSource::Mid | StopSource::Last => mid,
        })
    }
}
