//! Best bid and offer over the exchanges of one instrument.
//!
//! Ties in price go to the larger size, then to the exchange that has shown the price longer. The size
//! shown is that exchange's own, or the sum over the exchanges at the price ([`SizeRule`]). Quotes of
//! less than a round lot never become the best. Each exchange's quote stands until it is replaced or
//! withdrawn: staleness is the caller's to judge.
//!
//! Limit: the tier of a stock's round lot is read from the quote's own price; the rule takes the primary
//! listing exchange's average close of the March or September before.

use onetape_engine::num::SCALE;
use serde::Serialize;

/// Which size stands beside the best price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeRule {
    /// That of the exchange that has the best quote.
    #[default]
    Best,
    /// The sum over all exchanges at the best price.
    Sum,
}

/// Round lots of US shares: from a date (yyyymmdd) on, shares by the highest price of the tier, 1e-9. One hundred for
/// every stock before 2025-11-03; then the tiers of Regulation NMS Rule 600 (UTP Vendor Alert 2025-10).
const ROUND_LOTS: [(u32, &[(i64, i64)]); 2] = [
    (0, &[(i64::MAX, 100)]),
    (20251103, &[(250 * SCALE, 100), (1_000 * SCALE, 40), (10_000 * SCALE, 10), (i64::MAX, 1)]),
];

/// Shares of a round lot on a date (yyyymmdd) at a price in 1e-9.
fn round_lot(date: u32, price: i64) -> i64 {
    let rule = ROUND_LOTS.iter().rev().find(|(from, _)| *from <= date);
    let tier = rule.and_then(|(_, tiers)| tiers.iter().find(|(highest, _)| price <= *highest));
    tier.map_or(100, |(_, shares)| *shares)
}

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
    rule: SizeRule,
}

impl Side {
    fn new(sign: i64, rule: SizeRule) -> Side {
        Side { levels: [Level::default(); VENUES], best: 0, sign, rule }
    }

    /// Best price with the size the rule gives it.
    fn shown(&self) -> Level {
        let best = self.levels[self.best];
        match self.rule {
            SizeRule::Best => best,
            SizeRule::Sum => {
                let same = self.levels.iter().filter(|level| level.size > 0 && level.price == best.price);
                Level { size: same.fold(0, |sum, level| sum.saturating_add(level.size)), ..best }
            }
        }
    }

    fn is_better(&self, a: &Level, b: &Level) -> bool {
        if a.size == 0 || b.size == 0 {
            return a.size > 0 && b.size == 0;
        }
        let key = |level: &Level| (level.price * self.sign, level.size);
        key(a) > key(b) || (key(a) == key(b) && a.since < b.since)
    }

    /// True when what is shown changed in price, size or exchange.
    fn update(&mut self, venue: usize, price: i64, size: i64, now: u64) -> bool {
        let seen = |side: &Side| (side.best, side.shown().price, side.shown().size);
        let before = seen(self);
        self.replace(venue, price, size, now);
        seen(self) != before
    }

    fn replace(&mut self, venue: usize, price: i64, size: i64, now: u64) {
        let old = self.levels[venue];
        let since = if old.size > 0 && old.price == price { old.since } else { now };
        let new = Level { price, size, since };
        self.levels[venue] = new;
        let previous = self.best;
        if venue != previous {
            if self.is_better(&new, &self.levels[previous]) {
                self.best = venue;
            }
        } else if self.is_better(&old, &new) {
            for candidate in 0..VENUES {
                if self.is_better(&self.levels[candidate], &self.levels[self.best]) {
                    self.best = candidate;
                }
            }
        }
    }
}

/// The book of one instrument.
#[derive(Debug, Clone)]
pub(crate) struct Nbbo {
    bids: Side,
    asks: Side,
    updates: u64,
    date: u32,
}

impl Nbbo {
    /// The book of a share on a date (yyyymmdd).
    pub(crate) fn new(rule: SizeRule, date: u32) -> Nbbo {
        Nbbo { bids: Side::new(1, rule), asks: Side::new(-1, rule), updates: 0, date }
    }

    /// A quote of less than a round lot is none.
    fn eligible(&self, price: i64, size: i64) -> i64 {
        if size >= round_lot(self.date, price).saturating_mul(SCALE) { size } else { 0 }
    }

    /// Replaces an exchange's bid (size 0 withdraws it); true when the best bid changed.
    pub(crate) fn bid(&mut self, venue: u16, price: i64, size: i64) -> bool {
        self.updates += 1;
        let size = self.eligible(price, size);
        self.bids.update(usize::from(venue) % VENUES, price, size, self.updates)
    }

    /// Replaces an exchange's ask (size 0 withdraws it); true when the best ask changed.
    pub(crate) fn ask(&mut self, venue: u16, price: i64, size: i64) -> bool {
        self.updates += 1;
        let size = self.eligible(price, size);
        self.asks.update(usize::from(venue) % VENUES, price, size, self.updates)
    }

    /// Best bid and its exchange; size 0 when there is none.
    pub(crate) fn best_bid(&self) -> (Level, u16) {
        (self.bids.shown(), self.bids.best as u16)
    }

    /// Best ask and its exchange; size 0 when there is none.
    pub(crate) fn best_ask(&self) -> (Level, u16) {
        (self.asks.shown(), self.asks.best as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOT: i64 = 100 * SCALE;
    const DATE: u32 = 20131007;

    /// Best of all exchanges by looking at each of them.
    fn naive(levels: &[Level; VENUES], sign: i64, rule: SizeRule) -> (i64, i64) {
        let live = || levels.iter().filter(|level| level.size > 0);
        let Some(best) = live().max_by_key(|level| (level.price * sign, level.size)) else { return (0, 0) };
        let at_best = live().filter(|level| level.price == best.price);
        (best.price, if rule == SizeRule::Sum { at_best.map(|level| level.size).sum() } else { best.size })
    }

    #[test]
    fn ties_go_to_size_then_time() {
        let mut book = Nbbo::new(SizeRule::Best, DATE);
        assert!(book.bid(3, 100, 5 * LOT));
        assert!(!book.bid(4, 100, 5 * LOT), "the first to show the price stays best");
        assert!(book.bid(4, 100, 6 * LOT), "the larger size wins the tie");
        assert_eq!(book.best_bid().1, 4);
        assert!(book.bid(4, 100, 5 * LOT), "equal again: the price was shown longer by 3");
        assert_eq!(book.best_bid().1, 3);
        assert!(book.bid(3, 0, 0));
        assert_eq!(book.best_bid().1, 4);
        assert!(book.ask(4, 101, LOT));
        assert!(!book.ask(5, 102, 9 * LOT));
        assert!(book.ask(4, 103, LOT));
        assert_eq!((book.best_ask().0.price, book.best_ask().1), (102, 5));
    }

    #[test]
    fn sizes_at_the_best_price_add_up_when_asked_to() {
        let mut book = Nbbo::new(SizeRule::Sum, DATE);
        assert!(book.bid(3, 100, 5 * LOT));
        assert!(book.bid(4, 100, 2 * LOT), "the sum grew");
        assert!(!book.bid(5, 99, 9 * LOT));
        assert_eq!((book.best_bid().0.size, book.best_bid().1), (7 * LOT, 3));
        assert!(book.bid(3, 0, 0));
        assert_eq!((book.best_bid().0.size, book.best_bid().1), (2 * LOT, 4));
    }

    #[test]
    fn odd_lots_are_not_the_best_quote() {
        let dollars = |price: i64| price * SCALE;
        for (date, price, shares) in [
            (20131007, 1_200, 100),
            (20251031, 1_200, 100),
            (20251103, 250, 100),
            (20251103, 251, 40),
            (20251103, 1_200, 10),
            (20251103, 10_001, 1),
        ] {
            let mut book = Nbbo::new(SizeRule::Best, date);
            assert!(!book.ask(2, dollars(price), (shares - 1) * SCALE), "{date} {price}");
            assert_eq!(book.best_ask().0.size, 0);
            assert!(book.ask(2, dollars(price), shares * SCALE), "{date} {price}");
        }
    }

    proptest! {
        #[test]
        fn the_best_is_the_best_of_all(
            updates in proptest::collection::vec((0u8..2, 1u16..27, 90i64..110, 0i64..4), 1..400),
            rule in proptest::sample::select(vec![SizeRule::Best, SizeRule::Sum]),
        ) {
            let mut book = Nbbo::new(rule, DATE);
            let mut shown = (book.best_bid(), book.best_ask());
            for (side, venue, price, lots) in updates {
                let size = lots * LOT;
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
                prop_assert_eq!(flat(now.0.0), naive(&book.bids.levels, 1, rule));
                prop_assert_eq!(flat(now.1.0), naive(&book.asks.levels, -1, rule));
            }
        }
    }
}
