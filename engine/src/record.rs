//! The input lane: fixed 64-byte records, moved through the system and never copied field by field.
//!
//! A record is a 24-byte head and a 40-byte body whose meaning the head's `kind` gives.
//! Market data, session phases, clock ticks and seals fit the body; everything rare and
//! variable in size (definitions, commands, the run's configuration) is a [`Kind::Cold`]
//! record whose body indexes the block's cold inputs (see [`crate::input::Cold`]).
//!
//! Invariant: the order of records is the order in which they were knowable (`ts` never
//! decreases); `ts_src` is the exchange's own time, of a bar its end.

use crate::ids::{InstrumentIx, VenueIx};
use crate::num::{Nanos, Price, Qty};
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
}

impl Kind {
    /// Every kind, in wire order.
    pub const ALL: [Kind; 11] = [
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
            _ => return None,
        })
    }

    /// Whether records of this kind concern an instrument's market.
    #[inline]
    pub fn is_market(self) -> bool {
        self as u8 >= Kind::Quote as u8
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
        }
    }
}

/// Bits of [`Record::flags`].
pub mod flags {
    /// Last record of an atomic group (a quote bar's second half); callbacks fire here.
    pub const LAST: u8 = 1;
    /// The quote's bid side is stated by this record (zero price or size = an explicit zero bid).
    pub const BID: u8 = 2;
    /// The quote's ask side is stated by this record.
    pub const ASK: u8 = 4;
    /// Not firm: indicative, rotation or halted quote; never enters the NBBO.
    pub const NON_FIRM: u8 = 8;
    /// Outside the regular session of its instrument.
    pub const EXTENDED: u8 = 16;
    /// Part of a snapshot rather than an incremental update.
    pub const SNAPSHOT: u8 = 32;
    /// On a seal: the tape ends here, and what is due up to the last settlement runs.
    pub const END: u8 = 64;
}

/// A consolidated or venue quote. A side is live when its price and size are above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Quote {
    /// Best bid, 1e-9.
    pub bid: i64,
    /// Best ask, 1e-9.
    pub ask: i64,
    /// Displayed bid size, 1e-9.
    pub bid_size: i64,
    /// Displayed ask size, 1e-9.
    pub ask_size: i64,
    /// Venue of the ask; the head's venue is the bid's.
    pub ask_venue: u16,
    /// Raw quote condition of the source, 0 when it has none.
    pub condition: u16,
    /// Source sequence number, 0 when it has none.
    pub sequence: u32,
}

/// Class of a trade print (`specs`: which prints update the last price or justify a fill).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TradeClass {
    /// Regular way.
    Regular = 0,
    /// Automatic execution.
    Auto = 1,
    /// Intermarket sweep.
    Iso = 2,
    /// Price-improvement auction.
    Auction = 3,
    /// Cross.
    Cross = 4,
    /// Floor.
    Floor = 5,
    /// Part of a multi-leg trade.
    MultiLeg = 6,
    /// Tied to stock.
    StockTied = 7,
    /// Reported late.
    Late = 8,
    /// Out of sequence.
    OutOfSequence = 9,
    /// Cancels an earlier print.
    Cancel = 10,
    /// Opening print.
    Open = 11,
    /// Reopening print.
    Reopen = 12,
    /// Odd lot.
    OddLot = 13,
    /// Class unknown to the importer.
    Other = 14,
}

impl TradeClass {
    const ALL: [TradeClass; 15] = [
        TradeClass::Regular,
        TradeClass::Auto,
        TradeClass::Iso,
        TradeClass::Auction,
        TradeClass::Cross,
        TradeClass::Floor,
        TradeClass::MultiLeg,
        TradeClass::StockTied,
        TradeClass::Late,
        TradeClass::OutOfSequence,
        TradeClass::Cancel,
        TradeClass::Open,
        TradeClass::Reopen,
        TradeClass::OddLot,
        TradeClass::Other,
    ];

    /// Class of a wire byte; unknown bytes read as [`TradeClass::Other`].
    pub fn from_wire(byte: u8) -> TradeClass {
        TradeClass::ALL.get(usize::from(byte)).copied().unwrap_or(TradeClass::Other)
    }

    /// Whether the print updates the last price and may justify a resting single-leg fill.
    pub fn is_eligible(self) -> bool {
        matches!(self, TradeClass::Regular | TradeClass::Auto | TradeClass::Iso | TradeClass::Reopen)
    }
}

/// A trade print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Trade {
    /// Price, 1e-9.
    pub price: i64,
    /// Size, 1e-9.
    pub size: i64,
    /// Trade id of the source, 0 when it has none.
    pub trade_id: u64,
    /// Raw condition bits of the source.
    pub condition: u32,
    /// Source sequence number, 0 when it has none.
    pub sequence: u32,
    /// [`TradeClass`] as a wire byte.
    pub class: u8,
    /// `b'B'` buyer, `b'A'` seller was the aggressor, `b'N'` unknown.
    pub aggressor: u8,
    /// Zero.
    pub reserved: [u8; 6],
}

/// A trade bar, delivered at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Bar {
    /// Open, 1e-9.
    pub open: i64,
    /// High, 1e-9.
    pub high: i64,
    /// Low, 1e-9.
    pub low: i64,
    /// Close, 1e-9.
    pub close: i64,
    /// Volume, 1e-9.
    pub volume: i64,
}

/// One side of a quote bar, delivered at its end; the size is of the close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HalfBar {
    /// Open, 1e-9.
    pub open: i64,
    /// High, 1e-9.
    pub high: i64,
    /// Low, 1e-9.
    pub low: i64,
    /// Close, 1e-9.
    pub close: i64,
    /// Size displayed at the close, 1e-9.
    pub size: i64,
}

/// What a [`Statistic`] states. The numbers are part of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum StatisticKind {
    /// Contracts open at the previous close; arrives in the morning. Value is a quantity.
    OpenInterest = 1,
    /// Daily settlement price. Value is a price.
    SettlementPrice = 2,
    /// Published exercise settlement value of a class (SET, RLS …). Value is a price.
    ExerciseSettlement = 3,
    /// Official closing price of the day. Value is a price.
    ClosePrice = 4,
    /// Volume of the trade date. Value is a quantity.
    Volume = 5,
    /// Opening price. Value is a price.
    OpenPrice = 6,
    /// Any other statistic; `raw` holds the source's code.
    Other = 0xffff,
}

/// A published statistic of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Statistic {
    /// Price or quantity in 1e-9, as the kind says.
    pub value: i64,
    /// Quantity in 1e-9 where the source has both a price and a quantity, else 0.
    pub quantity: i64,
    /// Instant the statistic refers to, 0 when unstated.
    pub ts_ref: u64,
    /// [`StatisticKind`] as a wire number.
    pub stat: u16,
    /// The source's own code.
    pub raw: u16,
    /// Source sequence number.
    pub sequence: u32,
    /// Zero.
    pub reserved: u64,
}

/// Trading status of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Status {
    /// 1 trading, 2 halted, 3 rotation / pre-open, 4 closed.
    pub state: u16,
    /// The source's reason code.
    pub reason: u16,
    /// Zero.
    pub reserved: [u32; 9],
}

/// Trading state of an instrument or market.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
pub enum TradingState {
    /// Continuous trading.
    #[default]
    Trading,
    /// Halted: no quote is firm.
    Halted,
    /// Opening rotation or pre-open.
    Rotation,
    /// Closed.
    Closed,
}

impl Status {
    /// The state the record announces; unknown numbers halt, the safe reading.
    pub fn trading_state(&self) -> TradingState {
        match self.state {
            1 => TradingState::Trading,
            3 => TradingState::Rotation,
            4 => TradingState::Closed,
            _ => TradingState::Halted,
        }
    }
}

/// Phases of a trading session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Phase {
    /// Regular trading begins.
    Open = 1,
    /// Regular trading ended; records of the same instant come first.
    Close = 2,
}

/// A session of the head's venue changes phase. Calendars live outside the engine and arrive as these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SessionPhase {
    /// Regular open of this trade date, UTC nanoseconds.
    pub open: u64,
    /// Regular close of this trade date, UTC nanoseconds.
    pub close: u64,
    /// Trade date as yyyymmdd.
    pub trade_date: u32,
    /// Local time minus UTC in seconds.
    pub utc_offset_s: i32,
    /// [`Phase`] as a wire byte.
    pub phase: u8,
    /// Zero.
    pub reserved: [u8; 15],
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

impl Quote {
    /// The bid as a price.
    #[inline]
    pub fn bid(&self) -> Price {
        Price(self.bid)
    }
    /// The ask as a price.
    #[inline]
    pub fn ask(&self) -> Price {
        Price(self.ask)
    }
    /// Displayed bid size.
    #[inline]
    pub fn bid_size(&self) -> Qty {
        Qty(self.bid_size)
    }
    /// Displayed ask size.
    #[inline]
    pub fn ask_size(&self) -> Qty {
        Qty(self.ask_size)
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
        ] {
            let record = Record::new(head, body);
            assert_eq!(record.body(), Some(body));
            assert_eq!(Record::read_from_bytes(record.as_bytes()), Ok(record));
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::from_wire(kind as u8), Some(kind));
        }
        assert_eq!(Record { kind: 99, ..Record::new(head, Body::Tick) }.body(), None);
    }
}
