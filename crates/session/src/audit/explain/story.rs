//! What an explanation says.

use crate::audit::pnl::OrderProfit;
use onetape_engine::book::{BookSide, Top};
use onetape_engine::event::{Execution, RejectReason};
use onetape_engine::fees::FeeRow;
use onetape_engine::ids::Seq;
use onetape_engine::num::{Money, Nanos, Price, Qty};
use onetape_engine::order::{OrderType, TimeInForce};
use onetape_engine::view::LimitCheck;
use onetape_journal::Rendered;
use serde::{Serialize, Serializer};

/// Why an order came about and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Explanation {
    pub run_id: String,
    pub order: u32,
    pub legs: Vec<(String, Qty)>,
    pub order_type: OrderType,
    pub tif: TimeInForce,
    pub submit_seq: Seq,
    pub submit_ts: Nanos,
    /// What led to the submission, nearest first, back to the input that set it off.
    #[serde(serialize_with = "entries")]
    pub trigger: Vec<Rendered>,
    /// Books of each leg and underlying at the submission.
    pub books: Vec<BookLine>,
    pub strategy: StrategyStory,
    pub risk: Option<RiskStory>,
    /// Every state change and request about the order, in log order.
    #[serde(serialize_with = "entries")]
    pub states: Vec<Rendered>,
    /// Arrival at the venue; `None` when it never arrived.
    pub arrival: Option<ArrivalStory>,
    pub fills: Vec<FillStory>,
    pub profit: OrderProfit,
    /// Profit after fees.
    pub total: Money,
}

/// What the strategy knew and said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct StrategyStory {
    pub index: u16,
    pub name: String,
    pub version: String,
    /// Parameters at the submission, commands included.
    pub params: Vec<(String, String)>,
    /// Remarks of the callback that submitted the order.
    #[serde(serialize_with = "entries")]
    pub said: Vec<Rendered>,
    /// Its last remark before, when the callback said nothing.
    #[serde(serialize_with = "entries")]
    pub said_before: Vec<Rendered>,
    /// What the callback read.
    pub reads: ReadCounts,
    /// Volatility and delta that it read, of the order's own series.
    pub greeks: Vec<SeriesRead>,
    /// Symbols of every book it read.
    pub books_read: Vec<String>,
}

/// How much a callback read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[allow(missing_docs)]
pub struct ReadCounts {
    pub books: usize,
    pub greeks: usize,
    pub chains: usize,
    pub positions: usize,
    pub orders: usize,
    pub accounts: usize,
}

/// Greeks of a series as a strategy read them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SeriesRead {
    pub symbol: String,
    /// Implied volatility per 1.00; `None` when the market gave none.
    pub vol: Option<f64>,
    pub delta: Option<f64>,
}

/// Risk's verdict with every limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct RiskStory {
    pub seq: Seq,
    pub ts: Nanos,
    pub refused: Option<RejectReason>,
    /// Value and limit of the deciding check, as journaled.
    pub value: Money,
    pub limit: Money,
    pub checks: Vec<LimitCheck>,
}

/// The order at the venue.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct ArrivalStory {
    pub seq: Seq,
    /// Venue time.
    pub at: Nanos,
    /// Best bid and ask it found, as journaled.
    pub bid: Price,
    pub ask: Price,
    /// The input that proved that venue time had passed the arrival.
    #[serde(serialize_with = "entries")]
    pub revealed_by: Vec<Rendered>,
    pub books: Vec<BookLine>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct FillStory {
    pub executed_seq: Seq,
    /// Seq of the fill event; `None` when its report was never booked.
    pub booked_seq: Option<Seq>,
    pub booked_ts: Option<Nanos>,
    pub execution: Execution,
    pub symbol: String,
    /// The record that allowed it.
    #[serde(serialize_with = "entries")]
    pub justified_by: Vec<Rendered>,
    /// The book just before it.
    pub book: Option<BookLine>,
    /// Fee charged for it.
    pub fee: Option<Money>,
    /// The rule behind the leg's fee so far.
    pub fee_row: Option<FeeRow>,
}

/// A book as it stood.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct BookLine {
    pub symbol: String,
    pub bid: Option<SideLine>,
    pub ask: Option<SideLine>,
    /// Last trade or bar close, zero when none.
    pub last: Price,
    pub last_seq: Seq,
}

/// One side of it; absent when never stated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct SideLine {
    pub price: Price,
    pub size: Qty,
    /// Displayed size that own orders have not taken.
    pub available: Qty,
    /// Seq and receipt time of the record that stated it.
    pub seq: Seq,
    pub ts: Nanos,
    /// Whether orders may trade against it: firm, priced, sized and not stale.
    pub is_live: bool,
}

impl BookLine {
    pub(in crate::audit) fn new(symbol: &str, top: &Top, now: Nanos) -> BookLine {
        let side = |side: &BookSide, live: Option<&BookSide>| {
            let BookSide { price, size, available, ts, seq, .. } = *side;
            side.is_seen().then_some(SideLine { price, size, available, seq, ts, is_live: live.is_some() })
        };
        BookLine {
            symbol: symbol.to_string(),
            bid: side(&top.bid, top.live_bid(now)),
            ask: side(&top.ask, top.live_ask(now)),
            last: top.last,
            last_seq: top.last_seq,
        }
    }
}

fn entries<S: Serializer>(entries: &[Rendered], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(entries.iter().map(Rendered::json))
}
