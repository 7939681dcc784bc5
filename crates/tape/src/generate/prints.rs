//! Option prints and open interest.
//!
//! About two thirds of the prints are at the bid or ask, most of the rest inside (auctions and legs of
//! multi-leg trades), less than one in a hundred outside and then with a condition. A print at a side
//! takes displayed size with it.

use super::desk::{At, Desk};
use super::fund::Print;
use super::random::{Purpose, Stream};
use super::sink::Outbox;
use onetape_engine::record::TradeClass;
use onetape_pricing::Right;

const MICRO: u64 = 1_000;

/// The prints of the option market.
#[derive(Debug)]
pub(super) struct Tape {
    random: Stream,
    interest: Stream,
    pub(super) prints: u64,
    turn: f64,
}

/// What is decided about a print before it is placed.
struct Choice {
    cents: i32,
    class: TradeClass,
    is_buy: bool,
    at_side: bool,
}

impl Tape {
    pub(super) fn new(seed: u64) -> Tape {
        Tape {
            random: Stream::new(seed, Purpose::Trades),
            interest: Stream::new(seed, Purpose::OpenInterest),
            prints: 0,
            turn: 0.0,
        }
    }

    /// Prints one trade in an active contract; `false` when the drawn contract cannot trade.
    pub(super) fn print(&mut self, desk: &mut Desk, ts: u64, outbox: &mut Outbox) -> bool {
        let Some(at) = desk.draw(5.0) else { return false };
        let shown = *desk.shown(at);
        let is_quoted = shown.is_open && shown.bid > 0 && shown.ask > shown.bid && !shown.non_firm;
        if !is_quoted {
            return false;
        }
        let choice = self.choose(shown.bid, shown.ask);
        let side_size = if choice.is_buy { shown.ask_size } else { shown.bid_size };
        let wanted = self.size();
        let size = if choice.at_side { wanted.min(i64::from(side_size)) } else { wanted };
        let ts = (ts / MICRO * MICRO).max(shown.last_ts + MICRO);
        self.prints += 1;
        let print = Print {
            instrument: shown.instrument,
            cents: choice.cents,
            size,
            class: choice.class,
            aggressor: if choice.is_buy { b'B' } else { b'A' },
            id: self.prints,
        };
        outbox.push(print.record(ts));
        let displayed = desk.shown(at);
        displayed.last_ts = ts;
        displayed.traded_today += size;
        if choice.at_side {
            let left = i64::from(side_size) - size;
            let after = ts + MICRO * (40 + self.random.below(900));
            self.take(desk, at, choice.is_buy, left as i32, after, outbox);
        }
        true
    }

    /// Removes the printed size; an emptied level is quoted again one tick away.
    fn take(&mut self, desk: &mut Desk, at: At, is_buy: bool, left: i32, ts: u64, outbox: &mut Outbox) {
        let displayed = desk.shown(at);
        let (mut bid, mut ask) = (displayed.bid, displayed.ask);
        if left > 0 {
            let side = if is_buy { &mut displayed.ask_size } else { &mut displayed.bid_size };
            *side = left;
        } else if is_buy {
            ask = above(ask);
            displayed.ask_size = 0;
        } else {
            bid = below(bid);
            displayed.bid_size = 0;
        }
        if left > 0 {
            desk.size_only += 1;
        }
        desk.display(at, ts, bid, ask, outbox);
    }

    fn choose(&mut self, bid: i32, ask: i32) -> Choice {
        let is_buy = self.random.chance(0.5);
        let tick = if bid >= 300 { 5 } else { 1 };
        let places = (ask - bid) / tick;
        let side = if is_buy { ask } else { bid };
        let draw = self.turn();
        if draw < 0.006 {
            let cents = if is_buy { above(ask) } else { below(bid).max(1) };
            let class = if draw < 0.003 { TradeClass::Late } else { TradeClass::OutOfSequence };
            return Choice { cents, class, is_buy, at_side: false };
        }
        if places >= 2 && draw < 0.335 {
            let inside = 1 + self.random.below(places as u64 - 1) as i32;
            let class = match self.random.uniform() {
                u if u < 0.40 => TradeClass::Auction,
                u if u < 0.75 => TradeClass::MultiLeg,
                _ => TradeClass::Auto,
            };
            let cents = legal(bid + inside * tick);
            return Choice { cents, class, is_buy, at_side: false };
        }
        let class = match self.random.uniform() {
            u if u < 0.62 => TradeClass::Auto,
            u if u < 0.82 => TradeClass::Regular,
            u if u < 0.92 => TradeClass::Iso,
            _ => TradeClass::MultiLeg,
        };
        let at_side = class != TradeClass::MultiLeg;
        Choice { cents: side, class, is_buy, at_side }
    }

    /// The next place of a golden-ratio sequence in [0, 1): shares of kinds of prints come out near their
    /// targets in a session of a thousand prints, where independent draws would scatter by 1.4 points.
    fn turn(&mut self) -> f64 {
        self.turn = (self.turn + 0.618_033_988_749_894_9).fract();
        self.turn
    }

    fn size(&mut self) -> i64 {
        if self.random.chance(0.42) { 1 } else { self.random.heavy_size(3.0).min(1_500) }
    }

    /// Open interest of a morning: drawn when a contract is first listed, then moved by the day's volume.
    pub(super) fn open_interest(&mut self, desk: &mut Desk, at: At, spot: f64) -> i64 {
        let strike = desk.expiries[at.expiry].strikes[at.strike].strike;
        let years = desk.slice(at.expiry).years.max(0.002);
        let away = libm::log(strike / spot) / (0.25 * years.sqrt());
        let is_otm = (strike > spot) == (at.right == Right::Call);
        let round = match strike {
            s if s % 5.0 == 0.0 => 3.0,
            s if s % 1.0 == 0.0 => 1.4,
            _ => 0.7,
        };
        let centre = 900.0 * round * libm::exp(-0.18 * away * away) * if is_otm { 1.0 } else { 0.35 };
        let noise = libm::exp(0.8 * self.interest.normal());
        let opened = self.interest.uniform();
        let displayed = desk.shown(at);
        displayed.open_interest = if displayed.open_interest == 0 {
            (centre * noise) as i64 + 1
        } else {
            let change = (opened - 0.35) * displayed.traded_today as f64;
            (displayed.open_interest + change as i64).max(0)
        };
        displayed.traded_today = 0;
        displayed.open_interest
    }
}

/// The nearest legal price of the penny class at or below, in cents.
fn legal(cents: i32) -> i32 {
    if cents < 300 { cents } else { cents / 5 * 5 }
}

/// The next legal price above a legal one.
fn above(cents: i32) -> i32 {
    cents + if cents >= 300 { 5 } else { 1 }
}

/// The next legal price below a legal one.
fn below(cents: i32) -> i32 {
    cents - if cents > 300 { 5 } else { 1 }
}
