//! Market depth: the books behind best bid and ask, by price (L2) and by order (L3).
//!
//! ```text
//! Depth of an instrument ─┬─ VenueBook: levels (L2), or orders (L3) whose levels are sums
//!                         ├─ VenueBook: …
//!                         └─ the sum over venues by price, kept while there are several
//! ```
//!
//! A venue that sends orders is read by order: level records it also sends change nothing from then on.
//! Groups (see [`crate::record::BookLevel`]'s module) are atomic: best bid and ask reach [`crate::book::Top`]
//! when no venue of the instrument is inside one.
//!
//! Costs: an update near the best price moves a few levels; an order is found by id in constant time; no
//! allocation once a book has reached its usual size.
//!
//! Known limits: iceberg reserves and implied orders are not inferred; a venue's own queue rules other than
//! price–time are not modelled; what a feed hides is not there.

mod ladder;
mod orders;

pub use ladder::Level;
pub use orders::{Faults, RestingOrder};

use crate::ids::{InstrumentIx, VenueIx};
use crate::num::{Price, Qty};
use crate::record::{BookAction, BookLevel, BookOrder, Record, Side, flags};
use ladder::{Ladder, slot};
use orders::{Effect, OrderBook};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Content {
    Levels([Ladder; 2]),
    Orders(Box<OrderBook>),
}

/// One venue's book of an instrument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VenueBook {
    venue: VenueIx,
    content: Content,
    faults: Faults,
    is_in_group: bool,
}

impl VenueBook {
    fn new(venue: VenueIx) -> VenueBook {
        let content = Content::Levels(Ladder::pair());
        VenueBook { venue, content, faults: Faults::default(), is_in_group: false }
    }

    #[inline]
    fn ladder(&self, side: Side) -> &Ladder {
        match &self.content {
            Content::Levels(ladders) => &ladders[slot(side)],
            Content::Orders(book) => book.ladder(side),
        }
    }

    /// The venue.
    pub fn venue(&self) -> VenueIx {
        self.venue
    }

    /// Levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl ExactSizeIterator<Item = &Level> {
        self.ladder(side).levels()
    }

    /// Best level of a side.
    pub fn best(&self, side: Side) -> Option<&Level> {
        self.ladder(side).best()
    }

    /// Contradictions in what the feed said.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Whether the venue is inside a group of records.
    pub fn is_in_group(&self) -> bool {
        self.is_in_group
    }

    fn orders(&self) -> Option<&OrderBook> {
        match &self.content {
            Content::Orders(book) => Some(book),
            Content::Levels(_) => None,
        }
    }

    /// An order by the venue's id; `None` also of a book by price.
    pub fn order(&self, id: u64) -> Option<RestingOrder> {
        self.orders()?.order(id)
    }

    /// Whether the venue sends orders rather than levels.
    pub fn is_by_order(&self) -> bool {
        self.orders().is_some()
    }

    /// Orders in the book; 0 of a book by price.
    pub fn order_count(&self) -> usize {
        self.orders().map_or(0, OrderBook::len)
    }

    /// Orders at a price in time priority; none of a book by price.
    pub fn queue(&self, side: Side, price: Price) -> impl Iterator<Item = RestingOrder> + '_ {
        self.orders().into_iter().flat_map(move |book| book.queue(side, price))
    }

    /// Size and orders before an order in its queue, its place in time priority.
    pub fn ahead_of(&self, id: u64) -> Option<(Qty, u64)> {
        let order = self.order(id)?;
        let before = self.queue(order.side, order.price).take_while(|other| other.id != id);
        let (size, orders) =
            before.fold((0i128, 0), |(size, orders), other| (size + i128::from(other.size.0), orders + 1));
        Some((Qty(i64::try_from(size).unwrap_or(i64::MAX)), orders))
    }

    fn apply_level(&mut self, record: &BookLevel, effect: &mut impl Effect) {
        let Content::Levels(ladders) = &mut self.content else { return };
        let size = match BookAction::from_wire(record.action) {
            Some(BookAction::Set) if record.size >= 0 => i128::from(record.size),
            Some(BookAction::Delete) => 0,
            Some(BookAction::Clear) => {
                let named = Side::from_wire(record.side);
                for side in [Side::Bid, Side::Ask].into_iter().filter(|side| named.is_none_or(|n| n == *side))
                {
                    ladders[slot(side)]
                        .clear(|price, size, orders| effect(side, price, -size, -(orders as i64)));
                }
                return;
            }
            Some(BookAction::None) => return,
            _ => {
                self.faults.malformed += 1;
                return;
            }
        };
        let Some(side) = Side::from_wire(record.side) else {
            self.faults.malformed += 1;
            return;
        };
        let orders = if size == 0 { 0 } else { u64::from(record.orders) };
        let (size, orders) = ladders[slot(side)].set(record.price, size, orders);
        effect(side, record.price, size, orders);
    }

    fn apply_order(&mut self, record: &BookOrder, effect: &mut impl Effect) {
        if let Content::Levels(ladders) = &mut self.content {
            for side in [Side::Bid, Side::Ask] {
                ladders[slot(side)].clear(|price, size, orders| effect(side, price, -size, -(orders as i64)));
            }
            self.content = Content::Orders(Box::new(OrderBook::new()));
        }
        if let Content::Orders(book) = &mut self.content {
            book.apply(record, &mut self.faults, effect);
        }
    }
}

/// All that is known of an instrument's depth.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Depth {
    /// In order of first appearance.
    books: Vec<VenueBook>,
    /// Sum over venues; a single venue's book is its own sum.
    #[serde(skip)]
    total: Option<[Ladder; 2]>,
    /// Venues inside a group.
    open_groups: u32,
}

impl Depth {
    /// An empty book.
    pub fn new() -> Depth {
        Depth::default()
    }

    /// Applies a depth record of this instrument, or ends its venue's group with a print that has
    /// [`flags::LAST`]. True when that completes an event: no venue is inside a group.
    #[inline]
    pub fn apply(&mut self, record: &Record) -> bool {
        let place = self.place_of(VenueIx(record.venue));
        let (book, total) = (&mut self.books[place], &mut self.total);
        let mut effect = |side: Side, price: i64, size: i128, orders: i64| {
            if let Some(total) = total.as_mut() {
                total[slot(side)].adjust(price, size, orders);
            }
        };
        if let Some(order) = record.as_book_order() {
            book.apply_order(order, &mut effect);
        } else if let Some(level) = record.as_book_level() {
            book.apply_level(level, &mut effect);
        }
        let is_in_group = !record.has(flags::LAST);
        let was_in_group = std::mem::replace(&mut book.is_in_group, is_in_group);
        self.open_groups += u32::from(is_in_group);
        self.open_groups -= u32::from(was_in_group);
        self.open_groups == 0
    }

    #[inline]
    fn place_of(&mut self, venue: VenueIx) -> usize {
        match self.books.iter().position(|book| book.venue == venue) {
            Some(place) => place,
            None => self.add_venue(venue),
        }
    }

    #[cold]
    fn add_venue(&mut self, venue: VenueIx) -> usize {
        if let [only] = self.books.as_slice() {
            self.total = Some([Side::Bid, Side::Ask].map(|side| only.ladder(side).clone()));
        }
        self.books.push(VenueBook::new(venue));
        self.books.len() - 1
    }

    /// Makes what a snapshot leaves out: the sum over venues.
    fn rebuild(&mut self) {
        self.open_groups = self.books.iter().map(|book| u32::from(book.is_in_group)).sum();
        if self.books.len() < 2 {
            return;
        }
        let total = self.total.insert(Ladder::pair());
        for (book, side) in self.books.iter().flat_map(|book| [(book, Side::Bid), (book, Side::Ask)]) {
            for level in book.levels(side) {
                let (price, size, orders) = level.parts();
                total[slot(side)].adjust(price, size, orders as i64);
            }
        }
    }

    #[inline]
    fn ladder(&self, side: Side) -> Option<&Ladder> {
        match &self.total {
            Some(total) => Some(&total[slot(side)]),
            None => self.books.first().map(|book| book.ladder(side)),
        }
    }

    /// Levels of a side summed over venues, best first.
    pub fn levels(&self, side: Side) -> impl Iterator<Item = &Level> {
        self.ladder(side).into_iter().flat_map(Ladder::levels)
    }

    /// Best level of a side, summed over venues.
    #[inline]
    pub fn best(&self, side: Side) -> Option<&Level> {
        self.ladder(side)?.best()
    }

    /// The venues' own books, in order of first appearance.
    pub fn venues(&self) -> &[VenueBook] {
        &self.books
    }

    /// A venue's own book.
    pub fn venue(&self, venue: VenueIx) -> Option<&VenueBook> {
        self.books.iter().find(|book| book.venue == venue)
    }

    /// Order imbalance of the first `levels` of each side: (bids − asks) / (bids + asks) by size, from −1
    /// (asks only) to 1 (bids only); `None` of an empty book.
    pub fn imbalance(&self, levels: usize) -> Option<f64> {
        let sum = |side| self.levels(side).take(levels).map(|level| level.size().to_f64()).sum::<f64>();
        let (bids, asks) = (sum(Side::Bid), sum(Side::Ask));
        (bids + asks > 0.0).then(|| (bids - asks) / (bids + asks))
    }

    /// Microprice: best bid and ask weighted by the size on the *other* side (Gatheral and Oomen, "Zero-intelligence
    /// realized variance estimation", 2010); `None` unless both sides are there.
    pub fn microprice(&self) -> Option<f64> {
        let (bid, ask) = (self.best(Side::Bid)?, self.best(Side::Ask)?);
        let (bid_size, ask_size) = (bid.size().to_f64(), ask.size().to_f64());
        Some((bid.price().to_f64() * ask_size + ask.price().to_f64() * bid_size) / (bid_size + ask_size))
    }
}

/// Depth by instrument; instruments without any cost nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Depths(Vec<Option<Box<Depth>>>);

impl Depths {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes what a snapshot leaves out.
    pub(crate) fn rebuild(&mut self) {
        self.0.iter_mut().flatten().for_each(|depth| depth.rebuild());
    }

    pub(crate) fn get(&self, ix: InstrumentIx) -> Option<&Depth> {
        self.0.get(ix.index())?.as_deref()
    }

    #[inline]
    pub(crate) fn of(&mut self, ix: InstrumentIx) -> &mut Depth {
        if ix.index() >= self.0.len() {
            self.0.resize_with(ix.index() + 1, || None);
        }
        self.0[ix.index()].get_or_insert_default()
    }
}
