//! Best bid and offer over the exchanges of one instrument.
//!
//! Ties in price go to the larger size, then to the exchange that has shown the price longer.
//! The size shown is that exchange's own (size rule `best`). Each exchange's quote stands until
//! it is replaced or withdrawn: staleness is the caller's to judge.

/// Exchanges a book can hold, `VenueIx` 1 to 26 for the letters A to Z.
pub(crate) const VENUES: usize = 27;

/// A side of one exchange's quote; not live without a price and a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Level {
    pub(crate) price: i64,
    pub(crate) size: i64,
    /// Since when the price has been shown, in updates of the book.
    since: u64,
}

/// One side over all exchanges.
#[derive(Debug, Clone)]
struct Side {
    levels: [Level; VENUES],
    best: usize,
    /// 1 for bids, -1 for asks: the better price is the larger product.
    sign: i64,
}

impl Side {
    fn new(sign: i64) -> Side {
        Side { levels: [Level::default(); VENUES], best: 0, sign }
    }

    fn is_better(&self, a: &Level, b: &Level) -> bool {
        if a.size == 0 || b.size == 0 {
            return a.size > 0 && b.size == 0;
        }
        let key = |level: &Level| (level.price * self.sign, level.size);
        key(a) > key(b) || (key(a) == key(b) && a.since < b.since)
    }

    /// True when the best level changed in price, size or exchange.
    fn update(&mut self, venue: usize, price: i64, size: i64, now: u64) -> bool {
        let old = self.levels[venue];
        let since = if old.size > 0 && old.price == price { old.since } else { now };
        let new = Level { price, size, since };
        self.levels[venue] = new;
        let previous = self.best;
        if venue != previous {
            if self.is_better(&new, &self.levels[previous]) {
                self.best = venue;
                return true;
            }
            return false;
        }
        if self.is_better(&old, &new) {
            for candidate in 0..VENUES {
                if self.is_better(&self.levels[candidate], &self.levels[self.best]) {
                    self.best = candidate;
                }
            }
        }
        self.best != previous || (old.price, old.size) != (price, size)
    }
}

/// The book of one instrument.
#[derive(Debug, Clone)]
pub(crate) struct Nbbo {
    bids: Side,
    asks: Side,
    updates: u64,
}

impl Nbbo {
    pub(crate) fn new() -> Nbbo {
        Nbbo { bids: Side::new(1), asks: Side::new(-1), updates: 0 }
    }

    /// Replaces an exchange's bid (size 0 withdraws it); true when the best bid changed.
    pub(crate) fn bid(&mut self, venue: u16, price: i64, size: i64) -> bool {
        self.updates += 1;
        self.bids.update(usize::from(venue) % VENUES, price, size, self.updates)
    }

    /// Replaces an exchange's ask (size 0 withdraws it); true when the best ask changed.
    pub(crate) fn ask(&mut self, venue: u16, price: i64, size: i64) -> bool {
        self.updates += 1;
        self.asks.update(usize::from(venue) % VENUES, price, size, self.updates)
    }

    /// Best bid and its exchange; size 0 when there is none.
    pub(crate) fn best_bid(&self) -> (Level, u16) {
        (self.bids.levels[self.bids.best], self.bids.best as u16)
    }

    /// Best ask and its exchange; size 0 when there is none.
    pub(crate) fn best_ask(&self) -> (Level, u16) {
        (self.asks.levels[self.asks.best], self.asks.best as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Best of all exchanges by looking at each of them.
    fn naive(levels: &[Level; VENUES], sign: i64) -> (i64, i64) {
        let live = levels.iter().filter(|level| level.size > 0);
        let best = live.max_by_key(|level| (level.price * sign, level.size));
        best.map_or((0, 0), |level| (level.price, level.size))
    }

    #[test]
    fn ties_go_to_size_then_time() {
        let mut book = Nbbo::new();
        assert!(book.bid(3, 100, 5));
        assert!(!book.bid(4, 100, 5), "the first to show the price stays best");
        assert!(book.bid(4, 100, 6), "the larger size wins the tie");
        assert_eq!(book.best_bid().1, 4);
        assert!(book.bid(4, 100, 5), "equal again: the price was shown longer by 3");
        assert_eq!(book.best_bid().1, 3);
        assert!(book.bid(3, 0, 0));
        assert_eq!(book.best_bid().1, 4);
        assert!(book.ask(4, 101, 1));
        assert!(!book.ask(5, 102, 9));
        assert!(book.ask(4, 103, 1));
        assert_eq!((book.best_ask().0.price, book.best_ask().1), (102, 5));
    }

    proptest! {
        #[test]
        fn the_best_is_the_best_of_all(
            updates in proptest::collection::vec((0u8..2, 1u16..27, 90i64..110, 0i64..4), 1..400)
        ) {
            let mut book = Nbbo::new();
            let mut shown = (book.best_bid(), book.best_ask());
            for (side, venue, price, size) in updates {
                let changed = if side == 0 { book.bid(venue, price, size) } else { book.ask(venue, price, size) };
                let now = (book.best_bid(), book.best_ask());
                let visible = |((bid, bv), (ask, av)): ((Level, u16), (Level, u16))| {
                    (bid.size.min(1) * bid.price, bid.size, ask.size.min(1) * ask.price, ask.size, bv, av)
                };
                if visible(shown) != visible(now) {
                    prop_assert!(changed);
                }
                shown = now;
                let flat = |level: Level| if level.size > 0 { (level.price, level.size) } else { (0, 0) };
                prop_assert_eq!(flat(now.0.0), naive(&book.bids.levels, 1));
                prop_assert_eq!(flat(now.1.0), naive(&book.asks.levels, -1));
            }
        }
    }
}
