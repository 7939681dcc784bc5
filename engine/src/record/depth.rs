//! Bodies of market depth: price levels (L2) and orders (L3).
//!
//! Both feeds come in groups. Records up to and including the one with [`super::flags::LAST`] are one
//! event of the venue: between them the book may be crossed or half built, so best bid and ask are
//! stated and strategies are called on the last one only. A snapshot is a group that begins with
//! [`BookAction::Clear`] and whose records have [`super::flags::SNAPSHOT`]; ten levels of a side are ten
//! records. [`super::flags::NON_FIRM`] says that the source lost messages and the book may be wrong.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A side of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Side {
    /// Buyers.
    Bid = b'B',
    /// Sellers.
    Ask = b'A',
}

impl Side {
    /// The side of a wire byte; `None` for a byte that names neither.
    #[inline]
    pub fn from_wire(byte: u8) -> Option<Side> {
        match byte {
            b'B' => Some(Side::Bid),
            b'A' => Some(Side::Ask),
            _ => None,
        }
    }
}

/// What a depth record does. The numbers are part of the file format; an unknown one changes no book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BookAction {
    /// Level: shows `size` and `orders` at `price` from here on; size zero removes it.
    Set = b'S',
    /// Level: no longer shown.
    Delete = b'D',
    /// Order: enters at the end of the queue at `price`.
    Add = b'A',
    /// Order: changes to `price` and `size`. It keeps its place only at an unchanged price and a size
    /// that did not grow.
    Modify = b'M',
    /// Order: `size` of it is cancelled; it leaves when nothing remains.
    Cancel = b'C',
    /// Order: `size` of it was filled. Changes no book: the cancel or modify that follows does.
    Fill = b'F',
    /// Both: everything on `side` is gone, of both sides when it names neither.
    Clear = b'R',
    /// Both: nothing changes; the record only ends a group.
    None = b'N',
}

impl BookAction {
    /// The action of a wire byte.
    #[inline]
    pub fn from_wire(byte: u8) -> Option<BookAction> {
        Some(match byte {
            b'S' => BookAction::Set,
            b'D' => BookAction::Delete,
            b'A' => BookAction::Add,
            b'M' => BookAction::Modify,
            b'C' => BookAction::Cancel,
            b'F' => BookAction::Fill,
            b'R' => BookAction::Clear,
            b'N' => BookAction::None,
            _ => return None,
        })
    }

    /// Stable lower-case name, as printed.
    pub fn name(self) -> &'static str {
        match self {
            BookAction::Set => "set",
            BookAction::Delete => "delete",
            BookAction::Add => "add",
            BookAction::Modify => "modify",
            BookAction::Cancel => "cancel",
            BookAction::Fill => "fill",
            BookAction::Clear => "clear",
            BookAction::None => "none",
        }
    }
}

/// A change of one price level (L2). Levels are addressed by price; sizes are absolute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BookLevel {
    /// Price, 1e-9.
    pub price: i64,
    /// Size displayed at the price, 1e-9.
    pub size: i64,
    /// Orders at the price, 0 when the source does not count them.
    pub orders: u32,
    /// Source sequence number, 0 when it has none.
    pub sequence: u32,
    /// [`Side`] as a wire byte.
    pub side: u8,
    /// [`BookAction`] as a wire byte: set, delete, clear or none.
    pub action: u8,
    /// Position from the best price, 0 the best; 255 when the source does not say. Informative.
    pub level: u8,
    /// 1 on the last record of a source message that does not end the group.
    pub ends_message: u8,
    /// Zero.
    pub reserved: [u8; 12],
}

/// An event of one order (L3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BookOrder {
    /// The venue's order id.
    pub order_id: u64,
    /// Price, 1e-9.
    pub price: i64,
    /// Size, 1e-9: of an add or modify the order's, of a cancel or fill the part that goes.
    pub size: i64,
    /// Source sequence number, 0 when it has none.
    pub sequence: u32,
    /// Nanoseconds from the venue's sending to the capture, 0 when unknown.
    pub sent_before_ns: i32,
    /// [`Side`] as a wire byte; another byte where none applies.
    pub side: u8,
    /// [`BookAction`] as a wire byte: add, modify, cancel, fill, clear or none.
    pub action: u8,
    /// Channel of the source, 0 when it has none.
    pub channel: u8,
    /// Zero.
    pub reserved: [u8; 5],
}
