//! Order-by-order (mbo) and ten-level (mbp-10) records as changes of a book, and imbalances.
//!
//! An mbo record is one [`BookOrder`], a print one [`Trade`]. A top-of-book add replaces its side: a clear
//! of that side comes before it. A snapshot that does not begin with a clear gets one, so that the session
//! says by itself that the book starts afresh.
//!
//! An mbp-10 record states ten levels a side. What becomes of it is the difference to the record before of
//! the same instrument and publisher, bids then asks, best first: a price that is no longer among the ten is
//! deleted (it may still be in the market), others are set when size or count changed.

use super::records::{Skipped, size};
use crate::import::levels::{Shown, are_in_order, differences};
use dbn::{ImbalanceMsg, MboMsg, Mbp10Msg, UNDEF_PRICE, UNDEF_TIMESTAMP};
use onetape_engine::input::Imbalance;
use onetape_engine::num::{Price, Qty};
use onetape_engine::record::{
    Body, BookAction, BookLevel, BookOrder, Head, Record, Side, Trade, TradeClass, TradeFeed, flags,
};
use std::collections::BTreeMap;

/// The ten best levels of each side, best first.
#[derive(Debug, Clone, Default)]
struct Window {
    sides: [Vec<Shown>; 2],
    /// Records since the last end of a group.
    is_in_group: bool,
}

/// What of a file's books must be remembered, by instrument and publisher.
#[derive(Debug, Default)]
pub(super) struct BookFeed {
    windows: BTreeMap<(u32, u16), Window>,
    /// Whether the last order record was part of a snapshot.
    snapshots: BTreeMap<(u32, u16), bool>,
}

fn record_flags(raw: dbn::FlagSet) -> u8 {
    let mut bits = 0;
    for (is_set, bit) in [
        (raw.is_last(), flags::LAST),
        (raw.is_snapshot(), flags::SNAPSHOT),
        (raw.is_maybe_bad_book(), flags::NON_FIRM),
    ] {
        bits |= if is_set { bit } else { 0 };
    }
    bits
}

impl BookFeed {
    pub(super) fn order(&mut self, m: &MboMsg, head: Head, out: &mut Vec<Record>) -> Result<(), Skipped> {
        if m.flags.is_mbp() {
            return Err(Skipped::Impossible(
                "a price-level record (flag 16) in an order-by-order file is not supported; import its mbp-10 file",
            ));
        }
        let head = Head { flags: record_flags(m.flags), ..head };
        let side = m.side as u8;
        let event = |action: BookAction| BookOrder {
            order_id: m.order_id,
            price: if m.price == UNDEF_PRICE { 0 } else { m.price },
            size: size(m.size),
            sequence: m.sequence,
            sent_before_ns: m.ts_in_delta,
            side,
            action: action as u8,
            channel: m.channel_id,
            reserved: [0; 5],
        };
        let bare = |action| BookOrder { order_id: 0, price: 0, size: 0, ..event(action) };
        let mut put = |bits: u8, body| out.push(Record::new(Head { flags: bits, ..head }, body));
        let was_snapshot = self.snapshots.insert((head.instrument.0, head.venue.0), m.flags.is_snapshot());
        if m.flags.is_snapshot() && was_snapshot != Some(true) && m.action as u8 != b'R' {
            let clear = BookOrder { side: b'N', ..bare(BookAction::Clear) };
            put(head.flags & !flags::LAST, Body::BookOrder(clear));
        }
        let has_price = m.price != UNDEF_PRICE;
        let body = match m.action as u8 {
            b'A' if m.flags.is_tob() && !has_price => Body::BookOrder(bare(BookAction::Clear)),
            b'A' if m.flags.is_tob() => {
                put(head.flags & !flags::LAST, Body::BookOrder(bare(BookAction::Clear)));
                Body::BookOrder(event(BookAction::Add))
            }
            b'A' if has_price => Body::BookOrder(event(BookAction::Add)),
            b'M' if has_price => Body::BookOrder(event(BookAction::Modify)),
            b'C' => Body::BookOrder(event(BookAction::Cancel)),
            b'F' => Body::BookOrder(event(BookAction::Fill)),
            b'R' => Body::BookOrder(bare(BookAction::Clear)),
            b'T' if has_price => {
                let print = Print { price: m.price, size: m.size, aggressor: side, sequence: m.sequence };
                Body::Trade(print.of(TradeFeed::Orders, m.order_id))
            }
            // Orders at the market have no level; what is left of the record is the end of its group.
            b'A' | b'M' | b'T' | b'N' => Body::BookOrder(bare(BookAction::None)),
            _ => {
                return Err(Skipped::Impossible(
                    "an order record's action is not one of A, C, F, M, N, R, T",
                ));
            }
        };
        put(head.flags, body);
        Ok(())
    }

    pub(super) fn levels(&mut self, m: &Mbp10Msg, head: Head, out: &mut Vec<Record>) -> Result<(), Skipped> {
        let bits = record_flags(m.flags);
        let head = Head { flags: bits & !flags::LAST, ..head };
        let sides = [
            window_side(Side::Bid, m.levels.iter().map(|l| (l.bid_px, l.bid_sz, l.bid_ct)))?,
            window_side(Side::Ask, m.levels.iter().map(|l| (l.ask_px, l.ask_sz, l.ask_ct)))?,
        ];
        let key = (head.instrument.0, head.venue.0);
        let is_first = !self.windows.contains_key(&key);
        let window = self.windows.entry(key).or_default();
        let first = out.len();
        let was_empty = window.sides.iter().all(Vec::is_empty);
        let is_emptied = sides.iter().all(Vec::is_empty) && !was_empty;
        if is_first || m.flags.is_snapshot() || is_emptied {
            window.sides = [Vec::new(), Vec::new()];
            out.push(change(head, BookLevel { action: BookAction::Clear as u8, side: b'N', ..blank(m) }));
        }
        for (side, (old, new)) in [Side::Bid, Side::Ask].into_iter().zip(window.sides.iter().zip(&sides)) {
            differences(side, old, new, |body| {
                out.push(change(head, BookLevel { sequence: m.sequence, ..body }));
            });
        }
        window.sides = sides;
        if m.action as u8 == b'T' && m.price != UNDEF_PRICE {
            let print = Print { price: m.price, size: m.size, aggressor: m.side as u8, sequence: m.sequence };
            out.push(Record::new(head, Body::Trade(print.of(TradeFeed::Levels, 0))));
        } else if out.len() == first && m.flags.is_last() && window.is_in_group {
            out.push(change(head, BookLevel { action: BookAction::None as u8, side: b'N', ..blank(m) }));
        }
        if out.len() > first {
            window.is_in_group = !m.flags.is_last();
        }
        if let Some(last) = out[first..].last_mut() {
            last.flags |= bits & flags::LAST;
            if let (Some(Body::BookLevel(body)), false) = (last.body(), m.flags.is_last()) {
                *last = change(head, BookLevel { ends_message: 1, ..body });
            }
        }
        Ok(())
    }
}

struct Print {
    price: i64,
    size: u32,
    aggressor: u8,
    sequence: u32,
}

impl Print {
    fn of(self, feed: TradeFeed, trade_id: u64) -> Trade {
        let Print { price, aggressor, sequence, .. } = self;
        let class = TradeClass::Regular as u8;
        let (size, feed) = (size(self.size), feed as u8);
        Trade { price, size, trade_id, sequence, class, aggressor, feed, ..Trade::default() }
    }
}

fn change(head: Head, body: BookLevel) -> Record {
    Record::new(head, Body::BookLevel(body))
}

fn blank(m: &Mbp10Msg) -> BookLevel {
    BookLevel { sequence: m.sequence, level: u8::MAX, ..BookLevel::default() }
}

/// The levels of a side that show something.
fn window_side(side: Side, levels: impl Iterator<Item = (i64, u32, u32)>) -> Result<Vec<Shown>, Skipped> {
    let shown: Vec<Shown> = levels
        .map(|(price, raw_size, orders)| Shown { price, size: size(raw_size), orders })
        .filter(|level| level.price != UNDEF_PRICE && level.size != 0)
        .collect();
    if are_in_order(side, &shown) {
        Ok(shown)
    } else {
        Err(Skipped::Impossible("its price levels are not in order from the best"))
    }
}

/// The imbalance of a message; what is undefined reads as zero.
pub(super) fn imbalance(m: &ImbalanceMsg) -> Imbalance {
    let price = |raw: i64| if raw == UNDEF_PRICE { Price::ZERO } else { Price(raw) };
    let quantity = |raw: u32| Qty(size(raw));
    Imbalance {
        reference_price: price(m.ref_price),
        continuous_clearing_price: price(m.cont_book_clr_price),
        auction_clearing_price: price(m.auct_interest_clr_price),
        short_sale_filling_price: price(m.ssr_filling_price),
        indicative_match_price: price(m.ind_match_price),
        upper_collar: price(m.upper_collar),
        lower_collar: price(m.lower_collar),
        paired_quantity: quantity(m.paired_qty),
        total_imbalance_quantity: quantity(m.total_imbalance_qty),
        market_imbalance_quantity: quantity(m.market_imbalance_qty),
        unpaired_quantity: quantity(m.unpaired_qty),
        auction_time: if m.auction_time == UNDEF_TIMESTAMP { 0 } else { m.auction_time },
        auction_type: m.auction_type as u8,
        side: m.side as u8,
        auction_status: m.auction_status,
        freeze_status: m.freeze_status,
        extensions: m.num_extensions,
        unpaired_side: m.unpaired_side as u8,
        significant: m.significant_imbalance as u8,
    }
}
