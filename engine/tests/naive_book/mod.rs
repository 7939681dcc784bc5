//! The reference book: a list of orders in time priority and a map of levels, summed afresh at each look.

#![allow(missing_docs, unreachable_pub)]

use onetape_engine::ids::VenueIx;
use onetape_engine::record::{Body, BookLevel, BookOrder, Record, Side, flags};
use std::collections::BTreeMap;

/// An order of the list.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub id: u64,
    pub side: Side,
    pub price: i64,
    pub size: i64,
}

#[derive(Debug)]
pub struct NaiveVenue {
    pub venue: VenueIx,
    pub is_by_order: bool,
    /// In time priority.
    pub orders: Vec<Order>,
    shown: BTreeMap<(Side, i64), (i64, u32)>,
    pub faults: u64,
    is_in_group: bool,
}

#[derive(Debug, Default)]
pub struct NaiveDepth {
    pub venues: Vec<NaiveVenue>,
}

type Sums = BTreeMap<i64, (i128, u64)>;

fn best_first(side: Side, sums: Sums) -> Vec<(i64, i64, u64)> {
    let plain = |(price, (size, orders)): (i64, (i128, u64))| {
        (price, i64::try_from(size).unwrap_or(i64::MAX), orders)
    };
    match side {
        Side::Bid => sums.into_iter().rev().map(plain).collect(),
        Side::Ask => sums.into_iter().map(plain).collect(),
    }
}

impl NaiveVenue {
    fn sums(&self, side: Side) -> Sums {
        let mut sums = Sums::new();
        for order in self.orders.iter().filter(|order| order.side == side) {
            let sum = sums.entry(order.price).or_default();
            *sum = (sum.0 + i128::from(order.size), sum.1 + 1);
        }
        for ((_, price), (size, orders)) in self.shown.iter().filter(|((shown, _), _)| *shown == side) {
            sums.insert(*price, (i128::from(*size), u64::from(*orders)));
        }
        sums
    }

    pub fn levels(&self, side: Side) -> Vec<(i64, i64, u64)> {
        best_first(side, self.sums(side))
    }

    pub fn queue(&self, side: Side, price: i64) -> Vec<(u64, i64)> {
        let here = self.orders.iter().filter(|order| order.side == side && order.price == price);
        here.map(|order| (order.id, order.size)).collect()
    }

    fn apply_level(&mut self, record: &BookLevel) {
        if self.is_by_order {
            return;
        }
        let side = Side::from_wire(record.side);
        match (record.action, side) {
            (b'N', _) => {}
            (b'R', _) => self.shown.retain(|(shown, _), _| side.is_some_and(|side| side != *shown)),
            (b'S', Some(side)) if record.size > 0 => {
                self.shown.insert((side, record.price), (record.size, record.orders));
            }
            (b'S', Some(side)) if record.size == 0 => drop(self.shown.remove(&(side, record.price))),
            (b'D', Some(side)) => drop(self.shown.remove(&(side, record.price))),
            _ => self.faults += 1,
        }
    }

    fn apply_order(&mut self, record: &BookOrder) {
        self.is_by_order = true;
        self.shown.clear();
        let side = Side::from_wire(record.side);
        let known = self.orders.iter().position(|order| order.id == record.order_id);
        match (record.action, side, known) {
            (b'F' | b'N', ..) => {}
            (b'R', ..) => self.orders.retain(|order| side.is_some_and(|side| side != order.side)),
            (b'A', Some(side), _) if record.size > 0 => {
                if let Some(known) = known {
                    self.faults += 1;
                    self.orders.remove(known);
                }
                self.push(record, side);
            }
            (b'C', _, Some(known)) if record.size > 0 => {
                let order = &mut self.orders[known];
                self.faults += u64::from(record.size > order.size);
                order.size -= record.size.min(order.size);
                if order.size == 0 {
                    self.orders.remove(known);
                }
            }
            (b'M', Some(side), Some(known)) if record.size >= 0 => {
                let order = self.orders[known];
                let stays = order.side == side && order.price == record.price && record.size <= order.size;
                if stays && record.size > 0 {
                    self.orders[known].size = record.size;
                } else {
                    self.orders.remove(known);
                    if record.size > 0 {
                        self.push(record, side);
                    }
                }
            }
            (b'M', Some(side), None) if record.size >= 0 => {
                self.faults += 1;
                if record.size > 0 {
                    self.push(record, side);
                }
            }
            _ => self.faults += 1,
        }
    }

    fn push(&mut self, record: &BookOrder, side: Side) {
        self.orders.push(Order { id: record.order_id, side, price: record.price, size: record.size });
    }
}

impl NaiveDepth {
    pub fn total(&self, side: Side) -> Vec<(i64, i64, u64)> {
        let mut sums = Sums::new();
        for (price, (size, orders)) in self.venues.iter().flat_map(|venue| venue.sums(side)) {
            let sum = sums.entry(price).or_default();
            *sum = (sum.0 + size, sum.1 + orders);
        }
        best_first(side, sums)
    }

    /// True when no venue is inside a group afterwards.
    pub fn apply(&mut self, record: &Record) -> bool {
        let place = self.venues.iter().position(|venue| venue.venue.0 == record.venue).unwrap_or_else(|| {
            self.venues.push(NaiveVenue {
                venue: VenueIx(record.venue),
                is_by_order: false,
                orders: Vec::new(),
                shown: BTreeMap::new(),
                faults: 0,
                is_in_group: false,
            });
            self.venues.len() - 1
        });
        let venue = &mut self.venues[place];
        match record.body() {
            Some(Body::BookLevel(level)) => venue.apply_level(&level),
            Some(Body::BookOrder(order)) => venue.apply_order(&order),
            _ => {}
        }
        venue.is_in_group = !record.has(flags::LAST);
        self.venues.iter().all(|venue| !venue.is_in_group)
    }
}
