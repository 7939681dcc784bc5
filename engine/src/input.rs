//! Cold inputs: everything from outside that does not fit a 64-byte record.
//!
//! Variant order is the wire format (fixed-int bincode): append only.

use crate::config::{FillProfile, RunConfig};
use crate::ids::{OrderIx, StrategyIx};
use crate::instrument::InstrumentDef;
use crate::num::{Price, Qty};
use serde::{Deserialize, Serialize};

/// A cold input, referenced by a [`crate::record::Kind::Cold`] record of the same block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Cold {
    /// The run begins with this configuration: the first input of a journal, never of a session.
    Start(Box<RunConfig>),
    /// An instrument is defined; its index is the count of definitions before it.
    Definition(Box<InstrumentDef>),
    /// An operator's command.
    Command(Command),
    /// How far the journal's writer is behind the loop, stated by the sequencer of a live run: orders
    /// are refused while it is more than [`JOURNAL_LAG_MAX`](crate::block::JOURNAL_LAG_MAX).
    JournalLag {
        /// Blocks handed over and not written yet.
        blocks: u32,
    },
    /// A live run continues after its process ended: every book is stale until it is stated again.
    Resumed {
        /// Wall time in nanoseconds during which nobody watched the market.
        gap_ns: u64,
    },
    /// What an auction would do: of the record's instrument.
    Imbalance(Box<Imbalance>),
}

/// Order imbalance of an auction, as its venue publishes it; zero where the venue states none. Bytes
/// are the source's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Imbalance {
    /// Price against which the imbalance is measured.
    pub reference_price: Price,
    /// Price at which the continuous book's orders would cross.
    pub continuous_clearing_price: Price,
    /// Price at which the auction's own orders would cross.
    pub auction_clearing_price: Price,
    /// Price at which short sales under a price test fill.
    pub short_sale_filling_price: Price,
    /// Price at which the auction would match now.
    pub indicative_match_price: Price,
    /// Highest price at which the auction may match.
    pub upper_collar: Price,
    /// Lowest price at which the auction may match.
    pub lower_collar: Price,
    /// Quantity that is paired.
    pub paired_quantity: Qty,
    /// Quantity left over.
    pub total_imbalance_quantity: Qty,
    /// Market orders left over.
    pub market_imbalance_quantity: Qty,
    /// Quantity unpaired, of venues that state it apart.
    pub unpaired_quantity: Qty,
    /// When the auction takes place, UTC nanoseconds; 0 unstated.
    pub auction_time: u64,
    /// Auction: `b'O'` opening, `b'C'` closing, `b'H'` halt …
    pub auction_type: u8,
    /// Side of the imbalance: `b'B'`, `b'A'`, or `b'N'` none.
    pub side: u8,
    /// Status of the auction.
    pub auction_status: u8,
    /// Freeze status of the auction.
    pub freeze_status: u8,
    /// Extensions so far.
    pub extensions: u8,
    /// Side of the unpaired quantity.
    pub unpaired_side: u8,
    /// Whether the venue calls the imbalance significant.
    pub significant: u8,
}

/// A control command: enters through the log and so replays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Stop every strategy and cancel every open order.
    Kill {
        /// Why, as the operator put it.
        reason: String,
    },
    /// The strategy gets no callbacks until resumed; its orders stay.
    Pause {
        /// Which strategy.
        strategy: StrategyIx,
    },
    /// Ends a pause.
    Resume {
        /// Which strategy.
        strategy: StrategyIx,
    },
    /// Sets a strategy parameter.
    Set {
        /// Which strategy.
        strategy: StrategyIx,
        /// Parameter key.
        key: String,
        /// Value as text.
        value: String,
    },
    /// Cancels an order.
    Cancel {
        /// Which order.
        order: OrderIx,
    },
    /// Switches how the simulated venue fills, from here on; latencies, fees and marks stay.
    Fills {
        /// The profile.
        profile: FillProfile,
    },
}

impl Command {
    /// Stable lower-case name, as printed.
    pub fn name(&self) -> &'static str {
        match self {
            Command::Kill { .. } => "kill",
            Command::Pause { .. } => "pause",
            Command::Resume { .. } => "resume",
            Command::Set { .. } => "set",
            Command::Cancel { .. } => "cancel",
            Command::Fills { .. } => "fills",
        }
    }
}

/// An input with its cold payload, as producers hand it over before blocks are built.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The record.
    pub record: crate::record::Record,
    /// The payload of a cold record.
    pub cold: Option<Cold>,
}
