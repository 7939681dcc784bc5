//! What each DBN record type becomes.
//!
//! A record is known at `ts_recv` where it has one, else at `ts_event`; of an OHLCV bar, which
//! is stamped with its start, at its end. An undefined `ts_event` reads as the receipt time.
//! Undefined prices (`i64::MAX`) are an explicit empty side: price and size 0.

use super::depth::BookFeed;
use dbn::{
    BboMsg, BidAskPair, CbboMsg, Cmbp1Msg, ConsolidatedBidAskPair, Mbp1Msg, OhlcvMsg, RecordRefEnum, StatMsg,
    StatusMsg, TradeMsg, UNDEF_ORDER_SIZE, UNDEF_PRICE, UNDEF_TIMESTAMP,
};
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::num::{DAY, Nanos, SCALE, SECOND};
use onetape_engine::record::{
    Bar, Body, Head, Quote, Record, Statistic, StatisticKind, Status, Trade, TradeClass, flags,
};

/// Name under which `data info` counts records of this type.
pub(super) fn record_type(record: &RecordRefEnum<'_>) -> &'static str {
    match record {
        RecordRefEnum::Mbo(_) => "mbo",
        RecordRefEnum::Trade(_) => "trades",
        RecordRefEnum::Mbp1(_) => "mbp1",
        RecordRefEnum::Mbp10(_) => "mbp10",
        RecordRefEnum::Ohlcv(m) => match m.hd.rtype {
            dbn::enums::rtype::OHLCV_1S => "ohlcv-1s",
            dbn::enums::rtype::OHLCV_1M => "ohlcv-1m",
            dbn::enums::rtype::OHLCV_1H => "ohlcv-1h",
            dbn::enums::rtype::OHLCV_1D => "ohlcv-1d",
            _ => "ohlcv",
        },
        RecordRefEnum::Status(_) => "status",
        RecordRefEnum::InstrumentDef(_) => "definition",
        RecordRefEnum::Imbalance(_) => "imbalance",
        RecordRefEnum::Stat(_) => "statistics",
        RecordRefEnum::Error(_) => "error",
        RecordRefEnum::SymbolMapping(_) => "symbol_mapping",
        RecordRefEnum::System(_) => "system",
        RecordRefEnum::Cmbp1(_) => "cmbp1",
        RecordRefEnum::Bbo(_) => "bbo",
        RecordRefEnum::Cbbo(_) => "cbbo",
    }
}

/// Period of an interval feed (bars and sampled quotes) by record type; `None` of the others.
pub(super) fn period_ns(rtype: u8) -> Option<u64> {
    use dbn::enums::rtype;
    Some(match rtype {
        rtype::OHLCV_1S | rtype::BBO_1S | rtype::CBBO_1S => SECOND,
        rtype::OHLCV_1M | rtype::BBO_1M | rtype::CBBO_1M => 60 * SECOND,
        rtype::OHLCV_1H => 3_600 * SECOND,
        rtype::OHLCV_1D | rtype::OHLCV_EOD => DAY,
        _ => return None,
    })
}

/// When a record is known, and the source's own time.
pub(super) fn times(record: &RecordRefEnum<'_>) -> Option<(u64, u64)> {
    let (recv, event) = match record {
        RecordRefEnum::Mbo(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Trade(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Mbp1(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Mbp10(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Ohlcv(m) => {
            let end = m.hd.ts_event.checked_add(period_ns(m.hd.rtype)?)?;
            (end, end)
        }
        RecordRefEnum::Status(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::InstrumentDef(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Imbalance(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Stat(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Cmbp1(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Bbo(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Cbbo(m) => (m.ts_recv, m.hd.ts_event),
        RecordRefEnum::Error(_) | RecordRefEnum::SymbolMapping(_) | RecordRefEnum::System(_) => return None,
    };
    let is_defined = |ts: u64| ts != UNDEF_TIMESTAMP && ts != 0;
    let ts = if is_defined(recv) { recv } else { event };
    is_defined(ts).then_some((ts, if is_defined(event) { event } else { ts }))
}

/// Why a record becomes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    /// No market data (mappings, system messages) or part of the definitions.
    NotData,
    /// A trade or bar without a price.
    NoPrice,
    /// A status message that says nothing about trading.
    NoState,
    /// A record that cannot be: the import ends.
    Impossible(&'static str),
}

/// Appends the inputs a record becomes.
///
/// A quote that comes with a trade states the book before the trade, so it comes first.
pub(super) fn convert(
    record: &RecordRefEnum<'_>,
    instrument: InstrumentIx,
    books: &mut BookFeed,
    out: &mut Vec<Record>,
) -> Result<(), Skipped> {
    let (ts, ts_src) = times(record).ok_or(Skipped::NotData)?;
    let publisher = match record {
        RecordRefEnum::Trade(m) => m.hd.publisher_id,
        RecordRefEnum::Mbp1(m) => m.hd.publisher_id,
        RecordRefEnum::Mbo(m) => m.hd.publisher_id,
        RecordRefEnum::Mbp10(m) => m.hd.publisher_id,
        RecordRefEnum::Imbalance(m) => m.hd.publisher_id,
        RecordRefEnum::Bbo(m) => m.hd.publisher_id,
        RecordRefEnum::Cmbp1(m) => m.hd.publisher_id,
        _ => 0,
    };
    let (ts, ts_src) = (Nanos(ts), Nanos(ts_src));
    let head = Head { ts, ts_src, instrument, venue: VenueIx(publisher), flags: flags::LAST };
    match record {
        RecordRefEnum::Trade(m) => out.push(trade(m, head)?),
        RecordRefEnum::Mbo(m) => books.order(m, head, out)?,
        RecordRefEnum::Mbp10(m) => books.levels(m, head, out)?,
        RecordRefEnum::Imbalance(_) => out.push(Record::new(head, Body::Cold(0))),
        RecordRefEnum::Mbp1(m) => mbp1(m, head, out),
        RecordRefEnum::Bbo(m) => out.push(bbo(m, head)),
        RecordRefEnum::Cmbp1(m) => cmbp1(m, head, out),
        RecordRefEnum::Cbbo(m) => out.push(cbbo(m, head)),
        RecordRefEnum::Ohlcv(m) => out.push(ohlcv(m, head)?),
        RecordRefEnum::Stat(m) => out.push(statistic(m, head)),
        RecordRefEnum::Status(m) => out.push(status(m, head)?),
        _ => return Err(Skipped::NotData),
    }
    Ok(())
}

pub(super) fn size(raw: u32) -> i64 {
    if raw == UNDEF_ORDER_SIZE { 0 } else { i64::from(raw) * SCALE }
}

/// Price and size of a side; an undefined price empties it.
fn side(price: i64, raw_size: u32) -> (i64, i64) {
    if price == UNDEF_PRICE { (0, 0) } else { (price, size(raw_size)) }
}

fn quote(head: Head, snapshot: bool, body: Quote) -> Record {
    let extra = if snapshot { flags::SNAPSHOT } else { 0 };
    Record::new(Head { flags: head.flags | flags::BID | flags::ASK | extra, ..head }, Body::Quote(body))
}

fn top(level: &BidAskPair, venue: VenueIx, sequence: u32) -> Quote {
    let (bid, bid_size) = side(level.bid_px, level.bid_sz);
    let (ask, ask_size) = side(level.ask_px, level.ask_sz);
    Quote { bid, ask, bid_size, ask_size, ask_venue: venue.0, condition: 0, sequence }
}

fn consolidated(level: &ConsolidatedBidAskPair) -> (Quote, VenueIx) {
    let (bid, bid_size) = side(level.bid_px, level.bid_sz);
    let (ask, ask_size) = side(level.ask_px, level.ask_sz);
    let quote = Quote { bid, ask, bid_size, ask_size, ask_venue: level.ask_pb, condition: 0, sequence: 0 };
    (quote, VenueIx(level.bid_pb))
}

fn mbp1(m: &Mbp1Msg, head: Head, out: &mut Vec<Record>) {
    out.push(quote(head, m.flags.is_snapshot(), top(&m.levels[0], head.venue, m.sequence)));
    if is_trade(m.action as u8, m.price) {
        out.push(print(head, (m.price, m.size, m.side as u8, m.sequence)));
    }
}

fn cmbp1(m: &Cmbp1Msg, head: Head, out: &mut Vec<Record>) {
    let (body, venue) = consolidated(&m.levels[0]);
    out.push(quote(Head { venue, ..head }, m.flags.is_snapshot(), body));
    if is_trade(m.action as u8, m.price) {
        out.push(print(head, (m.price, m.size, m.side as u8, 0)));
    }
}

fn bbo(m: &BboMsg, head: Head) -> Record {
    quote(head, true, top(&m.levels[0], head.venue, m.sequence))
}

fn cbbo(m: &CbboMsg, head: Head) -> Record {
    let (body, venue) = consolidated(&m.levels[0]);
    quote(Head { venue, ..head }, true, body)
}

fn is_trade(action: u8, price: i64) -> bool {
    action == b'T' && price != UNDEF_PRICE
}

fn print(head: Head, (price, raw_size, aggressor, sequence): (i64, u32, u8, u32)) -> Record {
    let class = TradeClass::Regular as u8;
    let size = size(raw_size);
    Record::new(head, Body::Trade(Trade { price, size, sequence, class, aggressor, ..Trade::default() }))
}

fn trade(m: &TradeMsg, head: Head) -> Result<Record, Skipped> {
    if m.price == UNDEF_PRICE {
        return Err(Skipped::NoPrice);
    }
    Ok(print(head, (m.price, m.size, m.side as u8, m.sequence)))
}

fn ohlcv(m: &OhlcvMsg, head: Head) -> Result<Record, Skipped> {
    if [m.open, m.high, m.low, m.close].contains(&UNDEF_PRICE) {
        return Err(Skipped::NoPrice);
    }
    // Volumes beyond 9.2e9 do not fit 1e-9 units; none is recorded, the largest reading is kept.
    let volume = i64::try_from(m.volume).ok().and_then(|v| v.checked_mul(SCALE)).unwrap_or(i64::MAX);
    let body = Bar { open: m.open, high: m.high, low: m.low, close: m.close, volume };
    Ok(Record::new(head, Body::TradeBar(body)))
}

fn statistic(m: &StatMsg, head: Head) -> Record {
    let quantity = match m.quantity {
        dbn::UNDEF_STAT_QUANTITY => 0,
        quantity => quantity.saturating_mul(SCALE),
    };
    let price = if m.price == UNDEF_PRICE { 0 } else { m.price };
    let (stat, value, quantity) = match m.stat_type {
        1 => (StatisticKind::OpenPrice, price, quantity),
        3 => (StatisticKind::SettlementPrice, price, quantity),
        6 => (StatisticKind::Volume, quantity, 0),
        9 => (StatisticKind::OpenInterest, quantity, 0),
        11 => (StatisticKind::ClosePrice, price, quantity),
        _ => (StatisticKind::Other, price, quantity),
    };
    let body = Statistic {
        value,
        quantity,
        ts_ref: if m.ts_ref == UNDEF_TIMESTAMP { 0 } else { m.ts_ref },
        stat: stat as u16,
        raw: m.stat_type,
        sequence: m.sequence,
        reserved: 0,
    };
    Record::new(head, Body::Statistic(body))
}

/// `action` of DBN's status schema; where it does not settle the state, `is_trading` does.
fn status(m: &StatusMsg, head: Head) -> Result<Record, Skipped> {
    let state = match (m.action, m.is_trading as u8) {
        (7, _) => 1,
        (8..=10 | 15, _) => 2,
        (1..=6, _) => 3,
        (12 | 13, _) => 4,
        (_, b'Y') => 1,
        (_, b'N') => 2,
        _ => return Err(Skipped::NoState),
    };
    Ok(Record::new(head, Body::Status(Status { state, reason: m.reason, reserved: [0; 9] })))
}
