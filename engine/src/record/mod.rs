//! The input lane: fixed 64-byte records, moved through the system and never copied field by field.
//!
//! A record is a 24-byte head and a 40-byte body whose meaning the head's `kind` gives.
//! Market data, session phases, clock ticks and seals fit the body; everything rare and
//! variable in size (definitions, commands, the run's configuration) is a [`Kind::Cold`]
//! record whose body indexes the block's cold inputs (see [`crate::input::Cold`]).
//!
//! Invariant: the order of records is the order in which they were knowable (`ts` never
//! decreases); `ts_src` is the exchange's own time, of a bar its end.

mod depth;
mod market;

pub use depth::{BookAction, BookLevel, BookOrder, Side};
pub use market::{
    Bar, HalfBar, Phase, Quote, SessionPhase, Statistic, StatisticKind, Status, Trade, TradeClass, TradeFeed,
    TradingState,
};

use crate::ids::{InstrumentIx, VenueIx};
use crate::num::Nanos;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, transmute, transmute_ref};

/// What a record is. The numbers are part of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Body indexes the block's cold inputs.
    Cold = 0,
    /// Clock tick: no later input has `ts` at or before this one's.
    Tick = 1,
    /// Ends the block (live runs, or the end of a run).
    Seal = 2,
    /// A trading session changes phase: [`SessionPhase`].
    SessionPhase = 3,
    /// Two-sided quote: [`Quote`].
    Quote = 16,
    /// Trade print: [`Trade`].
    Trade = 17,
    /// Trade bar, known at its end: [`Bar`].
    TradeBar = 18,
    /// Bid half of a quote bar: [`HalfBar`].
    BidBar = 19,
    /// Ask half of a quote bar: [`HalfBar`].
    AskBar = 20,
    /// Open interest, settlement value …: [`Statistic`].
    Statistic = 21,
    /// Trading status of an instrument: [`Status`].
    Status = 22,
    /// Change of a price level of the book (L2): [`BookLevel`].
    BookLevel = 23,
    /// Event of one order of the book (L3): [`BookOrder`].
    BookOrder = 24,
}

impl Kind {
    /// Every kind, in wire order.
    pub const ALL: [Kind; 13] = [
        Kind::Cold,
        Kind::Tick,
        Kind::Seal,
        Kind::SessionPhase,
        Kind::Quote,
        Kind::Trade,
        Kind::TradeBar,
        Kind::BidBar,
        Kind::AskBar,
        Kind::Statistic,
        Kind::Status,
        Kind::BookLevel,
        Kind::BookOrder,
    ];

    /// The kind of a wire byte.
    #[inline]
    pub fn from_wire(byte: u8) -> Option<Kind> {
        Some(match byte {
            0 => Kind::Cold,
            1 => Kind::Tick,
            2 => Kind::Seal,
            3 => Kind::SessionPhase,
            16 => Kind::Quote,
            17 => Kind::Trade,
            18 => Kind::TradeBar,
            19 => Kind::BidBar,
            20 => Kind::AskBar,
            21 => Kind::Statistic,
            22 => Kind::Status,
            23 => Kind::BookLevel,
            24 => Kind::BookOrder,
            _ => return None,
        })
    }

    /// Whether records of this kind concern an instrument's market.
    #[inline]
    pub fn is_market(self) -> bool {
        self as u8 >= Kind::Quote as u8
    }

    /// Whether records of this kind build a book of several levels.
    #[inline]
    pub fn is_depth(self) -> bool {
        matches!(self, Kind::BookLevel | Kind::BookOrder)
    }

    /// Stable lower-case name, as printed and filtered on.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cold => "cold",
            Kind::Tick => "tick",
            Kind::Seal => "seal",
            Kind::SessionPhase => "session_phase",
            Kind::Quote => "quote",
            Kind::Trade => "trade",
            Kind::TradeBar => "trade_bar",
            Kind::BidBar => "bid_bar",
            Kind::AskBar => "ask_bar",
            Kind::Statistic => "statistic",
            Kind::Status => "status",
            Kind::BookLevel => "book_level",
            Kind::BookOrder => "book_order",
        }
    }
}

/// Bits of [`Record::flags`].
pub mod flags {
    /// Last record of an atomic group (a quote bar's second half, a book's event); callbacks fire here.
    pub const LAST: u8 = 1;
    /// The quote's bid side is stated by this record (zero price or size = an explicit zero bid).
    pub const BID: u8 = 2;
    /// The quote's ask side is stated by this record.
    pub const ASK: u8 = 4;
    /// Not firm: indicative, rotation or halted quote; never enters the NBBO. On a trade or bar:
    /// doubtful, it updates no last price and justifies no fill.
    pub const NON_FIRM: u8 = 8;
    /// Outside the regular session of its instrument.
    pub const EXTENDED: u8 = 16;
    /// Part of a snapshot rather than an incremental update.
    pub const SNAPSHOT: u8 = 32;
    /// On a seal: the tape ends here, and what is due up to the last settlement runs.
    pub const END: u8 = 64;
}

/// One input: head and body, 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Record {
    /// When it was knowable here (receipt order), UTC nanoseconds.
    pub ts: u64,
    /// When it happened at the source, UTC nanoseconds.
    pub ts_src: u64,
    /// Instrument, or [`InstrumentIx::NONE`].
    pub instrument: u32,
    /// Venue of the record (of a quote: the bid's).
    pub venue: u16,
    /// [`Kind`] as a wire byte.
    pub kind: u8,
    /// [`flags`] bits.
    pub flags: u8,
    /// Body words; read through the typed accessors.
    pub body: [u64; 5],
}

/// A record's body by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Body {
    /// Index into the block's cold inputs.
    Cold(u64),
    Tick,
    Seal,
    SessionPhase(SessionPhase),
    Quote(Quote),
    Trade(Trade),
    TradeBar(Bar),
    BidBar(HalfBar),
    AskBar(HalfBar),
    Statistic(Statistic),
    Status(Status),
    BookLevel(BookLevel),
    BookOrder(BookOrder),
}

const _: () = {
    assert!(size_of::<Record>() == 64);
    assert!(size_of::<Quote>() == 40);
    assert!(size_of::<Trade>() == 40);
    assert!(size_of::<Bar>() == 40);
    assert!(size_of::<HalfBar>() == 40);
    assert!(size_of::<Statistic>() == 40);
    assert!(size_of::<Status>() == 40);
    assert!(size_of::<SessionPhase>() == 40);
    assert!(size_of::<BookLevel>() == 40);
    assert!(size_of::<BookOrder>() == 40);
};

/// The head of a record under construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Receipt time.
    pub ts: Nanos,
    /// Source time.
    pub ts_src: Nanos,
    /// Instrument, or [`InstrumentIx::NONE`].
    pub instrument: InstrumentIx,
    /// Venue.
    pub venue: VenueIx,
    /// [`flags`] bits.
    pub flags: u8,
}

impl Head {
    /// A head whose source time is its receipt time, on the consolidated venue.
    pub fn at(ts: Nanos, instrument: InstrumentIx) -> Head {
        Head { ts, ts_src: ts, instrument, venue: VenueIx(0), flags: flags::LAST }
    }
}

impl Record {
    fn with(head: Head, kind: Kind, body: [u64; 5]) -> Record {
        Record {
            ts: head.ts.0,
            ts_src: head.ts_src.0,
            instrument: head.instrument.0,
            venue: head.venue.0,
            kind: kind as u8,
            flags: head.flags,
            body,
        }
    }

    /// Builds a record from a typed body.
    pub fn new(head: Head, body: Body) -> Record {
        match body {
            Body::Cold(index) => Record::with(head, Kind::Cold, [index, 0, 0, 0, 0]),
            Body::Tick => Record::with(head, Kind::Tick, [0; 5]),
            Body::Seal => Record::with(head, Kind::Seal, [0; 5]),
            Body::SessionPhase(body) => Record::with(head, Kind::SessionPhase, transmute!(body)),
            Body::Quote(body) => Record::with(head, Kind::Quote, transmute!(body)),
            Body::Trade(body) => Record::with(head, Kind::Trade, transmute!(body)),
            Body::TradeBar(body) => Record::with(head, Kind::TradeBar, transmute!(body)),
            Body::BidBar(body) => Record::with(head, Kind::BidBar, transmute!(body)),
            Body::AskBar(body) => Record::with(head, Kind::AskBar, transmute!(body)),
            Body::Statistic(body) => Record::with(head, Kind::Statistic, transmute!(body)),
            Body::Status(body) => Record::with(head, Kind::Status, transmute!(body)),
            Body::BookLevel(body) => Record::with(head, Kind::BookLevel, transmute!(body)),
            Body::BookOrder(body) => Record::with(head, Kind::BookOrder, transmute!(body)),
        }
    }

    /// The record's kind; `None` for a byte no version of the format defines.
    #[inline]
    pub fn kind(&self) -> Option<Kind> {
        Kind::from_wire(self.kind)
    }

    /// The body of a quote, in place.
    #[inline]
    pub fn as_quote(&self) -> Option<&Quote> {
        (self.kind == Kind::Quote as u8).then(|| transmute_ref!(&self.body))
    }

    /// The body of a book level, in place.
    #[inline]
    pub fn as_book_level(&self) -> Option<&BookLevel> {
        (self.kind == Kind::BookLevel as u8).then(|| transmute_ref!(&self.body))
    }

    /// The body of an order's event, in place.
    #[inline]
    pub fn as_book_order(&self) -> Option<&BookOrder> {
        (self.kind == Kind::BookOrder as u8).then(|| transmute_ref!(&self.body))
    }

    /// The typed body; `None` for an unknown kind (decoders refuse those before the loop sees them).
    pub fn body(&self) -> Option<Body> {
        Some(match self.kind()? {
            Kind::Cold => Body::Cold(self.body[0]),
            Kind::Tick => Body::Tick,
            Kind::Seal => Body::Seal,
            Kind::SessionPhase => Body::SessionPhase(transmute!(self.body)),
            Kind::Quote => Body::Quote(transmute!(self.body)),
            Kind::Trade => Body::Trade(transmute!(self.body)),
            Kind::TradeBar => Body::TradeBar(transmute!(self.body)),
            Kind::BidBar => Body::BidBar(transmute!(self.body)),
            Kind::AskBar => Body::AskBar(transmute!(self.body)),
            Kind::Statistic => Body::Statistic(transmute!(self.body)),
            Kind::Status => Body::Status(transmute!(self.body)),
            Kind::BookLevel => Body::BookLevel(transmute!(self.body)),
            Kind::BookOrder => Body::BookOrder(transmute!(self.body)),
        })
    }

    /// Receipt time.
    #[inline]
    pub fn ts(&self) -> Nanos {
        Nanos(self.ts)
    }

    /// Source time.
    #[inline]
    pub fn ts_src(&self) -> Nanos {
        Nanos(self.ts_src)
    }

    /// Instrument.
    #[inline]
    pub fn instrument(&self) -> InstrumentIx {
        InstrumentIx(self.instrument)
    }

    /// Whether a flag bit is set.
    #[inline]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_survives_the_record() {
        let head = Head::at(Nanos(7), InstrumentIx(3));
        let quote =
            Quote { bid: 1, ask: 2, bid_size: 3, ask_size: 4, ask_venue: 5, condition: 6, sequence: 7 };
        let trade = Trade { price: -1, size: 2, trade_id: 3, class: 4, aggressor: b'B', ..Trade::default() };
        let half = HalfBar { open: 1, high: 2, low: 3, close: 4, size: 5 };
        let phase = SessionPhase {
            open: 1,
            close: 2,
            trade_date: 20151224,
            utc_offset_s: -18000,
            phase: 1,
            ..Default::default()
        };
        for body in [
            Body::Cold(9),
            Body::Tick,
            Body::Seal,
            Body::SessionPhase(phase),
            Body::Quote(quote),
            Body::Trade(trade),
            Body::TradeBar(Bar { open: 1, high: 2, low: 3, close: 4, volume: 5 }),
            Body::BidBar(half),
            Body::AskBar(half),
            Body::Statistic(Statistic { value: 1, stat: 2, ..Default::default() }),
            Body::Status(Status { state: 1, ..Default::default() }),
            Body::BookLevel(BookLevel { price: 1, size: 2, orders: 3, level: 4, ..Default::default() }),
            Body::BookOrder(BookOrder { order_id: 1, price: 2, sent_before_ns: -3, ..Default::default() }),
        ] {
            let record = Record::new(head, body);
            assert_eq!(record.body(), Some(body));
            assert_eq!(Record::read_from_bytes(record.as_bytes()), Ok(record));
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::from_wire(kind as u8), Some(kind));
        }
        for byte in 0..=u8::MAX {
            assert!(BookAction::from_wire(byte).is_none_or(|action| action as u8 == byte));
            assert!(Side::from_wire(byte).is_none_or(|side| side as u8 == byte));
        }
        assert_eq!(Record { kind: 99, ..Record::new(head, Body::Tick) }.body(), None);
    }
}
