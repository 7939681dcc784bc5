//! What is remembered of an instrument, and what a record shows beside it.

use super::super::Finding;
use super::super::prices::{Window, mixed_bases};
use super::Judgement;
use onetape_engine::instrument::{InstrumentDef, InstrumentKind, TickRule};
use onetape_engine::num::Price;
use onetape_engine::record::{Bar, HalfBar, Kind, Quote, Record, Trade, TradeClass, flags};

/// A quote that stands longer than this within a session is stale.
const STALE_NS: u64 = 30 * 60_000_000_000;
/// One side as it stands.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    price: i64,
    size: i64,
    is_seen: bool,
}

impl Side {
    fn is_live(&self) -> bool {
        self.is_seen && self.price != 0 && self.size > 0
    }
}

type Told = (u64, u16, u8, [u64; 5]);

/// What is remembered of an instrument.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    kind: InstrumentKind,
    tick: TickRule,
    /// Settlement of an option, `u64::MAX` without one.
    pub(super) expiry: u64,
    bid: Side,
    ask: Side,
    /// The sides before the quote at hand: an impossible quote leaves no trace.
    before: (Side, Side),
    is_spoiled: bool,
    pub(super) last_src: u64,
    /// Source time, venue, flags and body of the last quote, trade or bar, bid half and ask half.
    last_of: [Option<Told>; 4],
    quoted_at: u64,
    trades: Window,
    mids: Window,
}

impl Memory {
    pub(super) fn of(def: &InstrumentDef) -> Memory {
        Memory {
            kind: def.kind,
            tick: def.tick,
            expiry: def.option.as_ref().map_or(u64::MAX, |terms| terms.expiry.0),
            bid: Side::default(),
            ask: Side::default(),
            before: (Side::default(), Side::default()),
            is_spoiled: false,
            last_src: 0,
            last_of: [None; 4],
            quoted_at: 0,
            trades: Window::default(),
            mids: Window::default(),
        }
    }

    /// What stood in an earlier session says nothing about this one.
    pub(super) fn forget_quotes(&mut self) {
        (self.bid, self.ask, self.quoted_at) = (Side::default(), Side::default(), 0);
    }

    /// Spreads of futures trade below zero; nothing else does.
    fn is_below_market(&self, price: i64) -> bool {
        price <= 0 && self.kind != InstrumentKind::Future
    }

    /// Smallest robust deviation: per mille of the price, and in price.
    fn floor(&self, price: i64) -> (i64, i64) {
        let tick = self.tick.increment(Price(price)).unwrap_or(0);
        match self.kind {
            InstrumentKind::Option => (50, 2 * tick),
            _ => (5, 2 * tick),
        }
    }
    /// Same source time and content as the last of its kind. Prints without a number may well be equal.
    pub(super) fn repeat(
        &mut self,
        record: &Record,
        slot: usize,
        is_telling: bool,
        judgement: &mut Judgement,
    ) {
        let now = Some((record.ts_src, record.venue, record.flags, record.body));
        if is_telling && self.last_of[slot] == now {
            judgement.findings.insert(Finding::Duplicate);
        }
        self.last_of[slot] = now;
    }

    pub(super) fn quote(
        &mut self,
        record: &Record,
        quote: &Quote,
        in_session: bool,
        judgement: &mut Judgement,
    ) {
        (self.before, self.is_spoiled) = ((self.bid, self.ask), false);
        let (has_bid, has_ask) = (record.has(flags::BID), record.has(flags::ASK));
        if has_bid {
            self.bid = Side { price: quote.bid, size: quote.bid_size, is_seen: true };
        }
        if has_ask {
            self.ask = Side { price: quote.ask, size: quote.ask_size, is_seen: true };
        }
        self.quoted(record, (has_bid, has_ask), in_session, judgement);
    }

    pub(super) fn half(
        &mut self,
        record: &Record,
        half: &HalfBar,
        in_session: bool,
        judgement: &mut Judgement,
    ) {
        let is_bid = record.kind == Kind::BidBar as u8;
        // Only two halves of one bar are quoted together; a lone half leaves the other side as it stood.
        let is_second = !is_bid && self.last_of[2].is_some_and(|(at, ..)| at == record.ts_src);
        if !is_second {
            (self.before, self.is_spoiled) = ((self.bid, self.ask), false);
        }
        let is_inside = |price: i64| half.low <= price && price <= half.high;
        if !is_inside(half.open) || !is_inside(half.close) {
            judgement.findings.insert(Finding::Impossible);
            self.is_spoiled = true;
        }
        let side = Side { price: half.close, size: half.size, is_seen: true };
        *(if is_bid { &mut self.bid } else { &mut self.ask }) = side;
        if record.has(flags::LAST) {
            self.quoted(record, (is_bid || is_second, !is_bid), in_session, judgement);
        }
    }

    /// Judges the quote as it stands after the stated sides.
    fn quoted(&mut self, record: &Record, stated: (bool, bool), in_session: bool, judgement: &mut Judgement) {
        let (bid, ask) = (self.bid, self.ask);
        judgement.is_quote = true;
        judgement.is_two_sided = bid.is_live() && ask.is_live();
        for side in [(stated.0, bid), (stated.1, ask)]
            .into_iter()
            .filter_map(|(is_stated, side)| is_stated.then_some(side))
        {
            if side.size < 0 || (side.price < 0 && self.kind != InstrumentKind::Future) {
                judgement.findings.insert(Finding::Impossible);
            } else if side.size > 0 && !self.tick.is_legal(Price(side.price)) {
                judgement.findings.insert(Finding::OffTick);
            }
        }
        if in_session && self.quoted_at > 0 && record.ts.saturating_sub(self.quoted_at) > STALE_NS {
            judgement.findings.insert(Finding::Stale);
        }
        self.quoted_at = if in_session { record.ts } else { 0 };
        if judgement.is_two_sided && !record.has(flags::NON_FIRM) {
            self.two_sided(record, stated == (true, true), judgement);
        } else if bid.is_live() != ask.is_live() {
            judgement.findings.insert(Finding::OneSided);
        }
        if judgement.findings.contains(Finding::Impossible) || self.is_spoiled {
            (self.bid, self.ask) = self.before;
        }
    }

    fn two_sided(&mut self, record: &Record, is_pair: bool, judgement: &mut Judgement) {
        let (bid, ask) = (self.bid.price, self.ask.price);
        if bid > ask {
            let five_ticks = 5 * self.tick.increment(Price(ask)).unwrap_or(0);
            let is_absurd = is_pair && bid - ask > (ask.abs() / 10).max(five_ticks);
            judgement.findings.insert(if is_absurd { Finding::Impossible } else { Finding::Crossed });
        } else if bid == ask {
            judgement.findings.insert(Finding::Locked);
        }
        if judgement.findings.contains(Finding::Impossible) {
            return;
        }
        judgement.is_price = true;
        let mid = bid / 2 + ask / 2;
        let (permille, floor) = self.floor(mid);
        // Half a wide spread is no deviation of the midpoint.
        let floor = floor.max((ask - bid).abs() / 4);
        if self.mids.take(mid, record.ts_src, permille, floor) {
            judgement.findings.insert(Finding::Outlier);
        }
    }

    pub(super) fn trade(&mut self, record: &Record, trade: &Trade, judgement: &mut Judgement) {
        if self.is_below_market(trade.price) || trade.size < 0 {
            judgement.findings.insert(Finding::Impossible);
            return;
        }
        if TradeClass::from_wire(trade.class).is_eligible() {
            self.price(record, trade.price, judgement);
        }
    }

    pub(super) fn bar(&mut self, record: &Record, bar: &Bar, judgement: &mut Judgement) {
        let is_inside = |price: i64| bar.low <= price && price <= bar.high;
        if self.is_below_market(bar.low) || bar.volume < 0 || !is_inside(bar.open) || !is_inside(bar.close) {
            judgement.findings.insert(Finding::Impossible);
            return;
        }
        if self.kind == InstrumentKind::Equity && mixed_bases(bar).is_some() {
            judgement.findings.insert(Finding::MixedSplit);
        }
        self.price(record, bar.close, judgement);
    }

    fn price(&mut self, record: &Record, price: i64, judgement: &mut Judgement) {
        judgement.is_price = true;
        let (permille, floor) = self.floor(price);
        if self.trades.take(price, record.ts_src, permille, floor) {
            judgement.findings.insert(Finding::Outlier);
        }
    }
}
