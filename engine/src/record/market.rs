//! Bodies of quotes, prints, bars, statistics, statuses and session phases.

use crate::num::{Price, Qty};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

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

/// Which feed a print came with. The numbers are part of the file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TradeFeed {
    /// A feed of prints or of the top of book.
    Prints = 0,
    /// An order-by-order feed: the print belongs to the group of [`super::BookOrder`]s around it and
    /// ends the group when it has [`super::flags::LAST`]; `trade_id` is the order id it was reported under.
    Orders = 1,
    /// A feed of price levels: as [`TradeFeed::Orders`], with [`super::BookLevel`]s.
    Levels = 2,
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
    /// [`TradeFeed`] as a wire byte.
    pub feed: u8,
    /// Zero.
    pub reserved: [u8; 5],
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
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
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    serde::Serialize,
    serde::Deserialize,
)]
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
