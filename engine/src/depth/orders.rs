//! A book by order (L3): each price a queue in time priority.
//!
//! Orders live in one slab and are linked within their queue; a map finds them by id. A slot is reused as
//! soon as its order leaves, so a book of a steady number of orders allocates nothing.
//!
//! What a feed says is taken at its word where it can be, and counted in [`Faults`] where it contradicts
//! itself: an add of a known id replaces the order; a modify of an unknown id adds it; a cancel of an
//! unknown id, or of nothing, does nothing; a cancel of more than there is removes the order; an order
//! without size or side is left out.

use super::ladder::{Ladder, Level, Place, slot};
use crate::fixed_map::FixedMap;
use crate::num::{Price, Qty};
use crate::record::{BookAction, BookOrder, Side};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const NONE: u32 = u32::MAX;

/// Contradictions in what a feed said of its book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Faults {
    /// Cancels and modifies of orders that are not in the book.
    pub unknown_order: u64,
    /// Adds of orders that are in the book.
    pub duplicate_order: u64,
    /// Cancels of more than the order's size.
    pub excess_cancel: u64,
    /// Records without a side, size or action that fits them.
    pub malformed: u64,
}

impl Faults {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.unknown_order + self.duplicate_order + self.excess_cancel + self.malformed
    }
}

/// An order resting in a book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestingOrder {
    /// The venue's order id.
    pub id: u64,
    /// Side.
    pub side: Side,
    /// Price.
    pub price: Price,
    /// Size left.
    pub size: Qty,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    id: u64,
    price: i64,
    size: i64,
    previous: u32,
    next: u32,
    side: Side,
}

/// First and last order at a price.
#[derive(Debug, Clone, Copy)]
struct Queue {
    head: u32,
    tail: u32,
}

/// A book by order.
#[derive(Debug, Clone)]
pub(super) struct OrderBook {
    nodes: Vec<Node>,
    /// Slots of `nodes` without an order.
    free: Vec<u32>,
    index: FixedMap<u64, u32>,
    ladders: [Ladder; 2],
    /// By side, beside the ladder's levels.
    queues: [Vec<Queue>; 2],
}

/// Tells what changed at a price: size and orders added.
pub(super) trait Effect: FnMut(Side, i64, i128, i64) {}
impl<F: FnMut(Side, i64, i128, i64)> Effect for F {}

impl OrderBook {
    pub(super) fn new() -> OrderBook {
        OrderBook {
            nodes: Vec::new(),
            free: Vec::new(),
            index: FixedMap::default(),
            ladders: Ladder::pair(),
            queues: [Vec::new(), Vec::new()],
        }
    }

    #[inline]
    pub(super) fn ladder(&self, side: Side) -> &Ladder {
        &self.ladders[slot(side)]
    }

    #[inline]
    pub(super) fn apply(&mut self, event: &BookOrder, faults: &mut Faults, effect: &mut impl Effect) {
        match BookAction::from_wire(event.action) {
            Some(BookAction::Add) => self.add(event, faults, effect),
            Some(BookAction::Cancel) => self.cancel(event, faults, effect),
            Some(BookAction::Modify) => self.modify(event, faults, effect),
            Some(BookAction::Clear) => self.clear(Side::from_wire(event.side), effect),
            Some(BookAction::Fill | BookAction::None) => {}
            Some(BookAction::Set | BookAction::Delete) | None => faults.malformed += 1,
        }
    }

    fn add(&mut self, event: &BookOrder, faults: &mut Faults, effect: &mut impl Effect) {
        let Some(side) = Side::from_wire(event.side).filter(|_| event.size > 0) else {
            faults.malformed += 1;
            return;
        };
        if let Some(known) = self.index.get(&event.order_id).copied() {
            faults.duplicate_order += 1;
            self.remove(known, effect);
        }
        self.enter(
            Node {
                id: event.order_id,
                price: event.price,
                size: event.size,
                previous: NONE,
                next: NONE,
                side,
            },
            effect,
        );
    }

    fn cancel(&mut self, event: &BookOrder, faults: &mut Faults, effect: &mut impl Effect) {
        let Some(place) = self.index.get(&event.order_id).copied() else {
            faults.unknown_order += 1;
            return;
        };
        let node = &self.nodes[place as usize];
        if event.size <= 0 {
            faults.malformed += 1;
        } else if event.size < node.size {
            self.resize(place, node.size - event.size, effect);
        } else {
            faults.excess_cancel += u64::from(event.size > node.size);
            self.remove(place, effect);
        }
    }

    fn modify(&mut self, event: &BookOrder, faults: &mut Faults, effect: &mut impl Effect) {
        let Some(side) = Side::from_wire(event.side).filter(|_| event.size >= 0) else {
            faults.malformed += 1;
            return;
        };
        let Some(place) = self.index.get(&event.order_id).copied() else {
            faults.unknown_order += 1;
            if event.size > 0 {
                self.add(event, faults, effect);
            }
            return;
        };
        let node = self.nodes[place as usize];
        let keeps_place = node.price == event.price && node.side == side && event.size <= node.size;
        if keeps_place && event.size > 0 {
            self.resize(place, event.size, effect);
        } else {
            self.remove(place, effect);
            if event.size > 0 {
                let moved =
                    Node { price: event.price, size: event.size, side, previous: NONE, next: NONE, ..node };
                self.enter(moved, effect);
            }
        }
    }

    /// Puts an order at the end of its queue.
    fn enter(&mut self, mut node: Node, effect: &mut impl Effect) {
        let (side, price) = (slot(node.side), node.price);
        let place = self.free.pop().unwrap_or_else(|| {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).expect("a book of 2^32 orders does not fit memory")
        });
        match self.ladders[side].adjust(price, i128::from(node.size), 1) {
            Place::Kept(level) => {
                let queue = &mut self.queues[side][level];
                node.previous = queue.tail;
                self.nodes[queue.tail as usize].next = place;
                queue.tail = place;
            }
            Place::New(level) => self.queues[side].insert(level, Queue { head: place, tail: place }),
            Place::Gone(_) | Place::Nowhere => unreachable!("an order has size"),
        }
        self.nodes[place as usize] = node;
        self.index.insert(node.id, place);
        effect(node.side, price, i128::from(node.size), 1);
    }

    /// Changes an order's size without moving it.
    fn resize(&mut self, place: u32, size: i64, effect: &mut impl Effect) {
        let node = &mut self.nodes[place as usize];
        let change = i128::from(size) - i128::from(node.size);
        node.size = size;
        let (side, price) = (node.side, node.price);
        self.ladders[slot(side)].adjust(price, change, 0);
        effect(side, price, change, 0);
    }

    fn remove(&mut self, place: u32, effect: &mut impl Effect) {
        let node = self.nodes[place as usize];
        let (side, size) = (slot(node.side), i128::from(node.size));
        match self.ladders[side].adjust(node.price, -size, -1) {
            Place::Gone(level) => drop(self.queues[side].remove(level)),
            Place::Kept(level) => self.unlink(side, level, &node),
            Place::New(_) | Place::Nowhere => unreachable!("a resting order's level exists"),
        }
        self.index.remove(&node.id);
        self.free.push(place);
        effect(node.side, node.price, -size, -1);
    }

    fn unlink(&mut self, side: usize, level: usize, node: &Node) {
        let queue = &mut self.queues[side][level];
        match node.previous {
            NONE => queue.head = node.next,
            previous => self.nodes[previous as usize].next = node.next,
        }
        match node.next {
            NONE => queue.tail = node.previous,
            next => self.nodes[next as usize].previous = node.previous,
        }
    }

    pub(super) fn clear(&mut self, side: Option<Side>, effect: &mut impl Effect) {
        for cleared in [Side::Bid, Side::Ask] {
            if side.is_some_and(|side| side != cleared) {
                continue;
            }
            for queue in self.queues[slot(cleared)].drain(..) {
                let mut place = queue.head;
                while place != NONE {
                    let node = &self.nodes[place as usize];
                    self.index.remove(&node.id);
                    self.free.push(place);
                    place = node.next;
                }
            }
            self.ladders[slot(cleared)].clear(|price, size, orders| {
                effect(cleared, price, -size, -(orders as i64));
            });
        }
    }

    pub(super) fn order(&self, id: u64) -> Option<RestingOrder> {
        self.index.get(&id).map(|place| self.resting(*place))
    }

    /// Orders at a price, first in the queue first.
    pub(super) fn queue(&self, side: Side, price: Price) -> impl Iterator<Item = RestingOrder> + '_ {
        let level = self.ladder(side).place_of(price.0);
        let mut place = level.map_or(NONE, |level| self.queues[slot(side)][level].head);
        std::iter::from_fn(move || {
            let node = self.nodes.get(place as usize)?;
            let resting = self.resting(place);
            place = node.next;
            Some(resting)
        })
    }

    /// Orders in the book.
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    fn resting(&self, place: u32) -> RestingOrder {
        let node = &self.nodes[place as usize];
        RestingOrder { id: node.id, side: node.side, price: Price(node.price), size: Qty(node.size) }
    }
}

/// The orders in priority: slots and links are no part of the state.
impl Serialize for OrderBook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sides = [Side::Bid, Side::Ask].into_iter();
        let levels = sides.flat_map(|side| self.ladder(side).levels().map(move |level| (side, level)));
        let orders = levels.flat_map(|(side, level): (Side, &Level)| {
            self.queue(side, level.price()).map(move |order| (side, order.price, order.id, order.size))
        });
        serializer.collect_seq(orders.collect::<Vec<_>>())
    }
}

/// The orders enter in priority, so each stands where it stood.
impl<'de> Deserialize<'de> for OrderBook {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OrderBook, D::Error> {
        let mut book = OrderBook::new();
        for (side, price, id, size) in Vec::<(Side, Price, u64, Qty)>::deserialize(deserializer)? {
            if size.0 <= 0 || book.index.contains_key(&id) {
                return Err(de::Error::custom("an order that no book holds"));
            }
            let node = Node { id, price: price.0, size: size.0, previous: NONE, next: NONE, side };
            book.enter(node, &mut |_, _, _, _| {});
        }
        Ok(book)
    }
}
