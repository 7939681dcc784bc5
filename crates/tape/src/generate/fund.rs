//! Quotes and prints of the underlying fund.
//!
//! The displayed market follows the latent price with hysteresis, one tick wide most of the day. When
//! the price leaves it, one side moves first and the other follows within tens of milliseconds; now and
//! then the moving side locks the market for a moment, rarely crosses it for a few milliseconds. The market
//! is locked a stated share of the time, however often the price changes.
//! Prints come with price changes (the trade that takes out the level) and in bursts of their own.

use super::chain::Displayed;
use super::random::{Purpose, Stream};
use super::sink::Outbox;
use onetape_engine::ids::{InstrumentIx, VenueIx};
use onetape_engine::num::{Nanos, SCALE};
use onetape_engine::record::{Body, Head, Quote, Record, Trade, TradeClass, flags};

/// From the exchange to the recorder: one stated delay for every feed.
pub(super) const FEED_DELAY_NS: u64 = 350_000;
const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000_000;
const CENT: i64 = 10_000_000;
/// Round lot of the fund.
const LOT: i64 = 100;
/// Share of the time that the market is locked.
const LOCKED_SHARE: f64 = 0.002;
/// Mean length of a locked moment: 40 ms more than the mean of [`Fund::change`]'s lag.
const LOCKED_MEAN_NS: f64 = 72.3e6;
/// Share of price changes that cross the market.
const CROSSED_CHANCE: f64 = 0.002;

/// Head of a record that happened at `ts` less the feed delay.
pub(super) fn head(ts: u64, instrument: u32) -> Head {
    Head {
        ts: Nanos(ts),
        ts_src: Nanos(ts - FEED_DELAY_NS),
        instrument: InstrumentIx(instrument),
        venue: VenueIx(0),
        flags: flags::LAST,
    }
}

/// A quote record of a displayed market; sizes in units of `lot`.
pub(super) fn quote_record(ts: u64, shown: &Displayed, lot: i64) -> Record {
    let mut head = head(ts, shown.instrument);
    head.flags |= flags::BID | flags::ASK;
    if shown.non_firm {
        head.flags |= flags::NON_FIRM;
    }
    let quote = Quote {
        bid: i64::from(shown.bid) * CENT,
        ask: i64::from(shown.ask) * CENT,
        bid_size: i64::from(shown.bid_size) * lot * SCALE,
        ask_size: i64::from(shown.ask_size) * lot * SCALE,
        ..Quote::default()
    };
    Record::new(head, Body::Quote(quote))
}

/// A print.
#[derive(Debug, Clone, Copy)]
pub(super) struct Print {
    pub(super) instrument: u32,
    pub(super) cents: i32,
    pub(super) size: i64,
    pub(super) class: TradeClass,
    pub(super) aggressor: u8,
    pub(super) id: u64,
}

impl Print {
    pub(super) fn record(&self, ts: u64) -> Record {
        let trade = Trade {
            price: i64::from(self.cents) * CENT,
            size: self.size * SCALE,
            trade_id: self.id,
            class: self.class as u8,
            aggressor: self.aggressor,
            ..Trade::default()
        };
        Record::new(head(ts, self.instrument), Body::Trade(trade))
    }
}

/// The fund's displayed market.
#[derive(Debug)]
pub(super) struct Fund {
    pub(super) shown: Displayed,
    /// Extra ticks of spread.
    extra: i32,
    /// When the price last changed.
    changed_at: u64,
    random: Stream,
    sizes: Stream,
    prints: u64,
    pub(super) quotes: u64,
}

impl Fund {
    pub(super) fn new(seed: u64) -> Fund {
        Fund {
            shown: Displayed::default(),
            extra: 0,
            changed_at: 0,
            random: Stream::new(seed, Purpose::Underlying),
            sizes: Stream::new(seed ^ 0x5eed, Purpose::Underlying),
            prints: 0,
            quotes: 0,
        }
    }

    fn size(&mut self) -> i32 {
        i32::try_from(self.sizes.heavy_size(6.0).min(900)).unwrap_or(1)
    }

    fn emit_quote(&mut self, ts: u64, outbox: &mut Outbox) {
        let ts = ts.max(self.shown.last_ts + MICRO);
        self.shown.last_ts = ts;
        self.quotes += 1;
        outbox.push(quote_record(ts, &self.shown, LOT));
    }

    fn emit_print(
        &mut self,
        ts: u64,
        cents: i32,
        class: TradeClass,
        aggressor: u8,
        size: i64,
        out: &mut Outbox,
    ) {
        let ts = ts.max(self.shown.last_ts + MICRO);
        self.shown.last_ts = ts;
        self.prints += 1;
        let print =
            Print { instrument: self.shown.instrument, cents, size, class, aggressor, id: self.prints };
        out.push(print.record(ts));
    }

    /// The opening cross and the first quote.
    pub(super) fn open(&mut self, ts: u64, spot: f64, outbox: &mut Outbox) -> i32 {
        let cents = libm::rint(spot * 100.0) as i32;
        (self.shown.last_ts, self.changed_at) = (ts, ts);
        let size = 20_000 + self.sizes.heavy_size(300.0) * LOT;
        self.emit_print(ts + 180 * MILLI, cents, TradeClass::Open, b'N', size, outbox);
        (self.shown.bid, self.shown.ask) = (cents - 2, cents + 2);
        (self.shown.bid_size, self.shown.ask_size) = (self.size(), self.size());
        self.shown.is_open = true;
        self.emit_quote(ts + 181 * MILLI, outbox);
        cents
    }

    /// The reopening cross after a halt, and the first quote.
    pub(super) fn reopen(&mut self, ts: u64, spot: f64, outbox: &mut Outbox) {
        let cents = libm::rint(spot * 100.0) as i32;
        let size = 5_000 + self.sizes.heavy_size(80.0) * LOT;
        self.emit_print(ts, cents, TradeClass::Reopen, b'N', size, outbox);
        (self.shown.bid, self.shown.ask) = (cents - 2, cents + 2);
        (self.shown.bid_size, self.shown.ask_size) = (self.size(), self.size());
        self.emit_quote(ts + MILLI, outbox);
    }

    /// The closing cross, at the instant of the close.
    pub(super) fn close(&mut self, ts: u64, outbox: &mut Outbox) -> i32 {
        let cents = if self.random.chance(0.5) { self.shown.bid } else { self.shown.ask };
        let size = 60_000 + self.sizes.heavy_size(900.0) * LOT;
        self.shown.last_ts = ts - MICRO;
        self.emit_print(ts, cents, TradeClass::Cross, b'N', size, outbox);
        self.shown.is_open = false;
        cents
    }

    /// The price options are valued at: the latent price inside the displayed market.
    pub(super) fn reference(&self, spot: f64) -> f64 {
        let (bid, ask) = (f64::from(self.shown.bid) * 0.01, f64::from(self.shown.ask) * 0.01);
        spot.clamp(bid.min(ask), bid.max(ask))
    }

    /// Follows the latent price; `true` when the displayed price changed.
    pub(super) fn follow(&mut self, ts: u64, spot: f64, widening: f64, outbox: &mut Outbox) -> bool {
        let ticks = spot * 100.0;
        let wanted_extra = if widening > 1.0 {
            1 + (self.random.uniform() * (widening - 1.0)) as i32
        } else {
            i32::from(self.random.chance(0.0008))
        };
        let is_wide = self.shown.ask - self.shown.bid > 1;
        let is_inside = ticks > f64::from(self.shown.bid) - 0.35 && ticks < f64::from(self.shown.ask) + 0.35;
        let tighten = is_wide && wanted_extra == 0 && self.random.chance(0.3);
        let widen = !is_wide && wanted_extra > self.extra;
        if is_inside && !tighten && !widen {
            self.extra = self.extra.min(wanted_extra);
            return false;
        }
        self.extra = wanted_extra;
        let bid = libm::rint(ticks - 0.5 - 0.5 * f64::from(wanted_extra)) as i32;
        let ask = bid + 1 + wanted_extra;
        if (bid, ask) == (self.shown.bid, self.shown.ask) {
            return false;
        }
        self.change(ts, bid, ask, outbox);
        true
    }

    /// Moves both sides, one after the other.
    fn change(&mut self, ts: u64, bid: i32, ask: i32, outbox: &mut Outbox) {
        let is_up = bid + ask > self.shown.bid + self.shown.ask;
        let took_out = bid != self.shown.bid && ask != self.shown.ask && self.random.chance(0.22);
        if took_out {
            let (cents, aggressor, shown) = if is_up {
                (self.shown.ask, b'B', self.shown.ask_size)
            } else {
                (self.shown.bid, b'A', self.shown.bid_size)
            };
            self.emit_print(ts, cents, TradeClass::Regular, aggressor, i64::from(shown) * LOT, outbox);
        }
        let lag = MICRO * (20 + (self.random.exponential() * 35_000.0) as u64).min(90_000);
        // Each stretch between changes owes its share of locked time to the change that ends it.
        let lock_chance = LOCKED_SHARE * ts.saturating_sub(self.changed_at) as f64 / LOCKED_MEAN_NS;
        self.changed_at = ts;
        let style = self.random.uniform();
        let leads_with_ask = is_up;
        if style < CROSSED_CHANCE + lock_chance {
            // The follower arrives first: locked (or, rarely, crossed) for a moment.
            let crossing = i32::from(style < CROSSED_CHANCE);
            let hold = if crossing == 1 { MILLI * (4 + self.random.below(12)) } else { lag + 40 * MILLI };
            if is_up {
                self.shown.bid = self.shown.ask + crossing;
                self.shown.bid_size = self.size();
            } else {
                self.shown.ask = self.shown.bid - crossing;
                self.shown.ask_size = self.size();
            }
            self.emit_quote(ts, outbox);
            self.settle(ts + hold, bid, ask, outbox);
        } else if bid != self.shown.bid && ask != self.shown.ask {
            if leads_with_ask {
                self.shown.ask = ask;
                self.shown.ask_size = self.size();
            } else {
                self.shown.bid = bid;
                self.shown.bid_size = self.size();
            }
            self.emit_quote(ts, outbox);
            self.settle(ts + lag, bid, ask, outbox);
        } else {
            self.settle(ts, bid, ask, outbox);
        }
    }

    fn settle(&mut self, ts: u64, bid: i32, ask: i32, outbox: &mut Outbox) {
        if bid != self.shown.bid {
            self.shown.bid_size = self.size();
        }
        if ask != self.shown.ask {
            self.shown.ask_size = self.size();
        }
        (self.shown.bid, self.shown.ask) = (bid, ask);
        self.emit_quote(ts, outbox);
    }

    /// Changes a displayed size; one time in eight because of a print at that side.
    pub(super) fn flicker(&mut self, ts: u64, outbox: &mut Outbox) {
        let is_bid = self.random.chance(0.5);
        let shown = if is_bid { self.shown.bid_size } else { self.shown.ask_size };
        if self.random.chance(0.12) && self.shown.bid < self.shown.ask && shown > 1 {
            let taken = 1 + self.random.below(u64::from(shown.unsigned_abs()) - 1) as i32;
            let odd = if self.random.chance(0.4) { self.random.below(99) as i64 + 1 } else { 0 };
            let size = if odd > 0 { odd } else { i64::from(taken) * LOT };
            let class = if odd > 0 { TradeClass::OddLot } else { TradeClass::Regular };
            let (cents, aggressor) = if is_bid { (self.shown.bid, b'A') } else { (self.shown.ask, b'B') };
            self.emit_print(ts, cents, class, aggressor, size, outbox);
            if odd > 0 {
                return;
            }
            self.set_size(is_bid, shown - taken);
        } else {
            let mut size = self.size();
            if size == shown {
                size += 1;
            }
            self.set_size(is_bid, size);
        }
        self.emit_quote(ts + 2 * MICRO, outbox);
    }

    fn set_size(&mut self, is_bid: bool, size: i32) {
        if is_bid {
            self.shown.bid_size = size;
        } else {
            self.shown.ask_size = size;
        }
    }
}
