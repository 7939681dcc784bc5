//! Top of book per instrument, from one consolidated quote stream.
//!
//! A side is live when it is firm, its price and size are above zero, and it is not stale.
//! Staleness belongs to the feed: a tick or change-only feed's side holds until replaced within
//! its local trade date; an interval feed's side expires after the hold its definition states.
//!
//! Displayed size has memory: what was taken is released only by the level itself — the price
//! left and came back, or its displayed size increased by n (then n more).

use crate::ids::Seq;
use crate::num::{Nanos, Price, Qty};
use crate::record::TradingState;
use serde::{Deserialize, Serialize};

/// One side of the top of book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BookSide {
    /// Price; zero with zero size is an explicit empty side.
    pub price: Price,
    /// Displayed size.
    pub size: Qty,
    /// Displayed size not yet taken by our own orders.
    pub available: Qty,
    /// Receipt time of the record that stated it; zero = never seen.
    pub ts: Nanos,
    /// Seq of that record.
    pub seq: Seq,
    /// Whether its condition allows trading.
    pub firm: bool,
}

impl BookSide {
    /// Whether the side was ever stated (and not cleared since).
    pub fn is_seen(&self) -> bool {
        self.ts.0 != 0
    }

    #[inline]
    fn state(&mut self, price: Price, size: Qty, ts: Nanos, seq: Seq, firm: bool) {
        self.available = if price != self.price {
            size
        } else if size >= self.size {
            Qty(self.available.0.saturating_add(size.0.saturating_sub(self.size.0)))
        } else {
            self.available.min(size)
        };
        *self = BookSide { price, size, available: self.available, ts, seq, firm };
    }
}

/// Top of book and last trade of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Top {
    /// Best bid.
    pub bid: BookSide,
    /// Best ask.
    pub ask: BookSide,
    /// Last eligible trade price or trade-bar close; zero = none.
    pub last: Price,
    /// Receipt time of `last`.
    pub last_ts: Nanos,
    /// Seq of `last`.
    pub last_seq: Seq,
    /// Nanoseconds a side holds; zero = until replaced.
    pub hold_ns: u64,
    /// Trading status.
    pub state: TradingState,
}

/// What a record says of one side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stated {
    pub(crate) price: Price,
    pub(crate) size: Qty,
    pub(crate) ts: Nanos,
    pub(crate) seq: Seq,
    pub(crate) firm: bool,
}

impl Top {
    #[inline]
    pub(crate) fn state_bid(&mut self, s: Stated) {
        self.bid.state(s.price, s.size, s.ts, s.seq, s.firm);
    }

    #[inline]
    pub(crate) fn state_ask(&mut self, s: Stated) {
        self.ask.state(s.price, s.size, s.ts, s.seq, s.firm);
    }

    /// States both sides of a book of several levels; false when they are what they were.
    pub(crate) fn restate(&mut self, bid: Stated, ask: Stated) -> bool {
        let says = |side: &BookSide, stated: &Stated| {
            side.is_seen() && (side.price, side.size, side.firm) == (stated.price, stated.size, stated.firm)
        };
        let (is_bid_old, is_ask_old) = (says(&self.bid, &bid), says(&self.ask, &ask));
        if !is_bid_old {
            self.state_bid(bid);
        }
        if !is_ask_old {
            self.state_ask(ask);
        }
        !(is_bid_old && is_ask_old)
    }

    /// Forgets sides stated before `instant` (a new trade date begins).
    pub(crate) fn forget_before(&mut self, instant: Nanos) {
        for side in [&mut self.bid, &mut self.ask] {
            if side.ts < instant {
                *side = BookSide::default();
            }
        }
    }

    fn is_live(&self, side: &BookSide, now: Nanos) -> bool {
        side.firm
            && side.price.0 > 0
            && side.size.0 > 0
            && (self.hold_ns == 0 || now.0.saturating_sub(side.ts.0) <= self.hold_ns)
    }

    /// The bid when live.
    pub fn live_bid(&self, now: Nanos) -> Option<&BookSide> {
        self.is_live(&self.bid, now).then_some(&self.bid)
    }

    /// The ask when live.
    pub fn live_ask(&self, now: Nanos) -> Option<&BookSide> {
        self.is_live(&self.ask, now).then_some(&self.ask)
    }

    /// Midpoint when both sides are live and not crossed.
    pub fn mid(&self, now: Nanos) -> Option<Price> {
        let (bid, ask) = (self.live_bid(now)?, self.live_ask(now)?);
        (bid.price <= ask.price).then(|| Price::mid(bid.price, ask.price))
    }

    /// Midpoint, else the last trade.
    pub fn mid_or_last(&self, now: Nanos) -> Option<Price> {
        self.mid(now).or((self.last.0 > 0).then_some(self.last))
    }

    /// Best bid and ask as printed beside an execution; zero when not live.
    pub fn nbbo(&self, now: Nanos) -> (Price, Price) {
        let price = |side: Option<&BookSide>| side.map_or(Price::ZERO, |side| side.price);
        (price(self.live_bid(now)), price(self.live_ask(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(price: i64, size: i64, seq: u64) -> Stated {
        Stated { price: Price(price), size: Qty(size), ts: Nanos(seq), seq, firm: true }
    }

    #[test]
    fn displayed_size_is_released_only_by_its_own_level() {
        let mut top = Top::default();
        top.state_ask(stated(100, 10, 1));
        top.ask.available = Qty(0);
        for (price, size, available, why) in [
            (100, 10, 0, "repeated"),
            (100, 6, 0, "shrank"),
            (100, 9, 3, "grew by 3"),
            (101, 4, 4, "another level"),
            (100, 9, 9, "came back"),
            (100, 5, 5, "shrank below what was available"),
        ] {
            top.state_ask(stated(price, size, 2));
            assert_eq!(top.ask.available, Qty(available), "{why}");
        }
        top.state_bid(stated(99, 50, 3));
        assert_eq!(top.ask.available, Qty(5), "the other side releases nothing");
    }

    #[test]
    fn sides_are_live_only_when_firm_priced_sized_and_fresh() {
        let mut top = Top { hold_ns: 5, ..Top::default() };
        assert!(top.live_bid(Nanos(1)).is_none(), "never seen");
        top.state_bid(stated(0, 0, 1));
        assert!(top.live_bid(Nanos(1)).is_none(), "explicit zero bid");
        top.state_bid(stated(10, 1, 1));
        assert!(top.live_bid(Nanos(6)).is_some());
        assert!(top.live_bid(Nanos(7)).is_none(), "stale");
        top.state_bid(Stated { firm: false, ..stated(10, 1, 7) });
        assert!(top.live_bid(Nanos(7)).is_none(), "not firm");
    }

    proptest::proptest! {
        #[test]
        fn total_filled_never_exceeds_first_size_plus_increases(
            first in 1i64..50, steps in proptest::collection::vec((1i64..50, 0i64..50), 1..60)
        ) {
            let mut top = Top::default();
            top.state_ask(stated(100, first, 1));
            let (mut filled, mut allowed, mut size) = (0, first, first);
            for (next, want) in steps {
                let take = want.min(top.ask.available.0);
                top.ask.available.0 -= take;
                filled += take;
                top.state_ask(stated(100, next, 2));
                allowed += (next - size).max(0);
                size = next;
                proptest::prop_assert!(filled <= allowed);
                proptest::prop_assert!(top.ask.available.0 >= 0 && top.ask.available.0 <= next.max(size));
            }
        }
    }
}
