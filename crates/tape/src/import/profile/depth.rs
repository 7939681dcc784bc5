//! Rows of books: one price level a row, or the best levels of both sides.
//!
//! A level row sets its price's size; a size of zero takes the price away. Rows of one instrument and one
//! time are one event of the venue, unless `book.last` marks where events end. The first of a run of
//! snapshot rows empties the book before it.
//!
//! A row with the best levels becomes what changed since the row before of its instrument and venue, bids
//! then asks, best first: a price that is no longer among them is deleted.

use super::plan::Fault;
use crate::import::levels::{Shown, are_in_order, differences};
use onetape_engine::record::{Body, BookAction, BookLevel, Head, Record, Side, Trade, TradeFeed, flags};
use std::collections::HashMap;

/// An instrument at a venue.
type Place = (u32, u16);

/// What a row of one level says.
#[derive(Debug, Clone, Copy)]
pub(super) struct LevelRow {
    pub(super) side: Side,
    pub(super) price: i64,
    pub(super) size: i64,
    pub(super) orders: u32,
    pub(super) sequence: u32,
    pub(super) is_snapshot: bool,
}

/// What a row of several levels says.
#[derive(Debug, Clone)]
pub(super) struct WindowRow {
    /// Bids and asks, best first.
    pub(super) sides: [Vec<Shown>; 2],
    pub(super) sequence: u32,
    pub(super) is_snapshot: bool,
    /// Ends an event of the venue.
    pub(super) is_last: bool,
    pub(super) trade: Option<Trade>,
}

#[derive(Debug, Clone, Default)]
struct Window {
    sides: [Vec<Shown>; 2],
    is_in_group: bool,
}

/// The books of one file as far as they must be remembered.
#[derive(Debug, Default)]
pub(super) struct Books {
    windows: HashMap<Place, Window>,
    /// Whether the last level row was part of a snapshot.
    snapshots: HashMap<Place, bool>,
}

fn change(head: Head, body: BookLevel) -> Record {
    Record::new(head, Body::BookLevel(body))
}

fn bare(action: BookAction, sequence: u32) -> BookLevel {
    BookLevel { sequence, side: b'N', action: action as u8, level: u8::MAX, ..BookLevel::default() }
}

impl Books {
    /// Appends the records of a level row; `head` has no [`flags::LAST`].
    pub(super) fn level(&mut self, row: LevelRow, head: Head, out: &mut Vec<Record>) {
        let place = (head.instrument.0, head.venue.0);
        let was_snapshot = self.snapshots.insert(place, row.is_snapshot);
        let head = Head { flags: head.flags | if row.is_snapshot { flags::SNAPSHOT } else { 0 }, ..head };
        if row.is_snapshot && was_snapshot != Some(true) {
            out.push(change(head, bare(BookAction::Clear, row.sequence)));
        }
        let action = if row.size == 0 { BookAction::Delete } else { BookAction::Set };
        let body = BookLevel {
            price: row.price,
            size: row.size,
            orders: row.orders,
            side: row.side as u8,
            ..bare(action, row.sequence)
        };
        out.push(change(head, body));
    }

    /// Appends what changed since the row before; `head` has no [`flags::LAST`].
    pub(super) fn window(&mut self, row: WindowRow, head: Head, out: &mut Vec<Record>) -> Result<(), Fault> {
        for (side, levels) in [Side::Bid, Side::Ask].into_iter().zip(&row.sides) {
            if !are_in_order(side, levels) {
                return Err(Fault(
                    format!("its {side:?} levels are not in order from the best").to_lowercase(),
                ));
            }
        }
        let place = (head.instrument.0, head.venue.0);
        let head = Head { flags: head.flags | if row.is_snapshot { flags::SNAPSHOT } else { 0 }, ..head };
        let is_first = !self.windows.contains_key(&place);
        let window = self.windows.entry(place).or_default();
        let was_empty = window.sides.iter().all(Vec::is_empty);
        let is_emptied = row.sides.iter().all(Vec::is_empty) && !was_empty;
        let first = out.len();
        if is_first || row.is_snapshot || is_emptied {
            window.sides = [Vec::new(), Vec::new()];
            out.push(change(head, bare(BookAction::Clear, row.sequence)));
        }
        for (side, (old, new)) in [Side::Bid, Side::Ask].into_iter().zip(window.sides.iter().zip(&row.sides))
        {
            differences(side, old, new, |body| {
                out.push(change(head, BookLevel { sequence: row.sequence, ..body }));
            });
        }
        window.sides = row.sides;
        if let Some(trade) = row.trade {
            out.push(Record::new(head, Body::Trade(Trade { feed: TradeFeed::Levels as u8, ..trade })));
        } else if out.len() == first && row.is_last && window.is_in_group {
            out.push(change(head, bare(BookAction::None, row.sequence)));
        }
        if out.len() > first {
            window.is_in_group = !row.is_last;
        }
        if let Some(last) = out[first..].last_mut() {
            match (row.is_last, last.body()) {
                (true, _) => last.flags |= flags::LAST,
                (false, Some(Body::BookLevel(body))) => {
                    *last = change(head, BookLevel { ends_message: 1, ..body });
                }
                (false, _) => {}
            }
        }
        Ok(())
    }
}
