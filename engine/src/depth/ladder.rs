//! One side of a book as a sorted array, the best price last.
//!
//! Most changes happen at or near the best price, so they move few levels and are found by a short scan;
//! deeper ones fall back to binary search. Once the array has grown to the book's usual depth, an update
//! allocates nothing.

use crate::num::{Price, Qty};
use crate::record::Side;
use serde::{Deserialize, Serialize};

/// Levels scanned from the best price before the search turns binary: where most changes happen.
const SCANNED: usize = 12;

/// All that is displayed at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    price: i64,
    orders: u64,
    /// 1e-9 units; sums over orders and venues outgrow 64 bits before they outgrow 128.
    size: i128,
}

impl Level {
    /// Price.
    #[inline]
    pub fn price(&self) -> Price {
        Price(self.price)
    }

    /// Displayed size; more than [`Qty`] holds reads as its maximum.
    #[inline]
    pub fn size(&self) -> Qty {
        Qty(i64::try_from(self.size).unwrap_or(i64::MAX))
    }

    pub(super) fn parts(&self) -> (i64, i128, u64) {
        (self.price, self.size, self.orders)
    }

    /// Orders at the price; 0 where the source does not count them.
    #[inline]
    pub fn orders(&self) -> u64 {
        self.orders
    }
}

/// What a change did to the number of levels, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The level was there and stays.
    Kept(usize),
    /// The level was inserted.
    New(usize),
    /// The level was removed from there.
    Gone(usize),
    /// Neither before nor after.
    Nowhere,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SavedLadder")]
pub(super) struct Ladder {
    levels: Vec<Level>,
    /// `price ^ mask` ascends with the quality of a price: 0 for bids, all ones (`!price`) for asks.
    mask: i64,
}

/// A side as a snapshot has it.
#[derive(Deserialize)]
struct SavedLadder {
    levels: Vec<Level>,
    mask: i64,
}

impl TryFrom<SavedLadder> for Ladder {
    type Error = &'static str;

    /// Only what changes can lead to: levels in order, sizes that sums over venues do not overflow.
    fn try_from(saved: SavedLadder) -> Result<Ladder, &'static str> {
        let SavedLadder { levels, mask } = saved;
        let is_sorted = levels.windows(2).all(|pair| pair[0].price ^ mask < pair[1].price ^ mask);
        let are_sizes_legal = levels.iter().all(|level| (1..1 << 100).contains(&level.size));
        if !is_sorted || !are_sizes_legal || !matches!(mask, 0 | -1) {
            return Err("a side of a book that no feed leads to");
        }
        Ok(Ladder { levels, mask })
    }
}

impl Ladder {
    pub(super) fn pair() -> [Ladder; 2] {
        [0, !0].map(|mask| Ladder { levels: Vec::new(), mask })
    }

    #[inline]
    fn find(&self, price: i64) -> Result<usize, usize> {
        let key = price ^ self.mask;
        let near = self.levels.len().saturating_sub(SCANNED);
        for (place, level) in self.levels.iter().enumerate().skip(near).rev() {
            let found = level.price ^ self.mask;
            if found <= key {
                return if found == key { Ok(place) } else { Err(place + 1) };
            }
        }
        self.levels[..near].binary_search_by_key(&key, |level| level.price ^ self.mask)
    }

    /// Adds to the size and orders at a price; a level without size left is removed.
    #[inline]
    pub(super) fn adjust(&mut self, price: i64, size: i128, orders: i64) -> Place {
        match self.find(price) {
            Ok(place) => {
                let level = &mut self.levels[place];
                level.size += size;
                level.orders = level.orders.wrapping_add_signed(orders);
                if level.size > 0 {
                    return Place::Kept(place);
                }
                self.levels.remove(place);
                Place::Gone(place)
            }
            Err(place) if size > 0 => {
                self.levels.insert(place, Level { price, size, orders: orders.unsigned_abs() });
                Place::New(place)
            }
            Err(_) => Place::Nowhere,
        }
    }

    /// Sets the size and orders at a price, nothing when `size` is zero; what that changed them by.
    #[inline]
    pub(super) fn set(&mut self, price: i64, size: i128, orders: u64) -> (i128, i64) {
        match self.find(price) {
            Ok(place) => {
                let level = &mut self.levels[place];
                let change = (size - level.size, orders.wrapping_sub(level.orders) as i64);
                if size > 0 {
                    (level.size, level.orders) = (size, orders);
                } else {
                    self.levels.remove(place);
                }
                change
            }
            Err(place) if size > 0 => {
                self.levels.insert(place, Level { price, size, orders });
                (size, orders as i64)
            }
            Err(_) => (0, 0),
        }
    }

    /// Size and orders at a price; zero when there is no level.
    #[cfg(test)]
    pub(super) fn at(&self, price: i64) -> (i128, u64) {
        self.find(price).map_or((0, 0), |place| (self.levels[place].size, self.levels[place].orders))
    }

    pub(super) fn place_of(&self, price: i64) -> Option<usize> {
        self.find(price).ok()
    }

    /// Forgets every level, telling each to `gone` as a price, size and orders.
    pub(super) fn clear(&mut self, mut gone: impl FnMut(i64, i128, u64)) {
        self.levels.drain(..).for_each(|level| gone(level.price, level.size, level.orders));
    }

    #[inline]
    pub(super) fn best(&self) -> Option<&Level> {
        self.levels.last()
    }

    /// Best first.
    pub(super) fn levels(&self) -> std::iter::Rev<std::slice::Iter<'_, Level>> {
        self.levels.iter().rev()
    }
}

/// Index of a side in pairs of ladders.
#[inline]
pub(super) fn slot(side: Side) -> usize {
    usize::from(side == Side::Ask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_sorted_from_the_best_price() {
        let [mut bids, mut asks] = Ladder::pair();
        for price in [3, 1, 2, i64::MIN, 5, i64::MAX, -4] {
            assert!(matches!(bids.adjust(price, 1, 1), Place::New(_)));
            assert!(matches!(asks.adjust(price, 1, 1), Place::New(_)));
        }
        let prices = |ladder: &Ladder| ladder.levels().map(|level| level.price).collect::<Vec<_>>();
        assert_eq!(prices(&bids), [i64::MAX, 5, 3, 2, 1, -4, i64::MIN]);
        assert_eq!(prices(&asks), [i64::MIN, -4, 1, 2, 3, 5, i64::MAX]);
        assert_eq!(bids.adjust(3, -1, -1), Place::Gone(4));
        assert_eq!(bids.adjust(3, -1, -1), Place::Nowhere);
        assert_eq!(bids.adjust(2, 4, 1), Place::Kept(3));
        assert_eq!((bids.at(2), bids.at(3)), ((5, 2), (0, 0)));
    }

    #[test]
    fn deep_levels_are_found_too() {
        let [_, mut asks] = Ladder::pair();
        (0..100).for_each(|price| assert!(matches!(asks.adjust(price * 2, 1, 0), Place::New(_))));
        for price in 0..100 {
            assert_eq!(asks.at(price * 2), (1, 0));
            assert_eq!(asks.at(price * 2 + 1), (0, 0));
        }
    }
}
