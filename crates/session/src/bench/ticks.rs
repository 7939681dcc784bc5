//! Tape T1, price levels and trades of one instrument, and a market maker on it.
//!
//! The tape's rules are integer arithmetic over splitmix64, seed 42, and a checksum proves them: ten levels a side
//! to begin with, then 60 % of the draws set a level, 30 % are prints at the touch, and the rest move the touch
//! by a tick in three records of one group. A record is knowable a millisecond after its exchange time.
//!
//! The maker keeps one order of one lot at each touch, looks each millisecond of event time, withdraws an order
//! whose touch moved or whose side reached the position limit. Orders take half a millisecond each way; resting
//! orders fill as the engine's `realistic` profile fills them: when the opposite quote reaches them, on a
//! print beyond them, and pro rata by displayed size on a print at them.

use super::Row;
use super::strategy::{Discard, Settings};
use super::tape::Tape;
use super::throughput::{drive_strategy, each, rate};
use crate::error::RunError;
use onetape_engine::block::{Block, INPUTS_MAX};
use onetape_engine::config::{BuyingPower, FeeSchedule, Latency, RiskLimits, RunConfig};
use onetape_engine::ids::{InstrumentIx, OrderIx, VenueIx};
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Nanos, Price, Qty, SCALE};
use onetape_engine::order::{OrderState, Package, TimeInForce};
use onetape_engine::record::{Body, BookAction, BookLevel, Head, Record, Side, Trade, TradeClass, flags};
use onetape_engine::strategy::{Ctx, FillReport, Flow, Param, ParamError, StateError, Strategy};

const T0: u64 = 1_700_000_000_000_000_000;
const TICK: i64 = SCALE / 100;
/// Feed latency, and each way of an order's.
const FEED_NS: u64 = 1_000_000;
const ORDER_NS: u64 = 500_000;
/// The maker looks so often.
const LOOK_NS: u64 = 1_000_000;
/// Largest position either way, lots.
const POSITION_MAX: i64 = 50;

/// A record of the tape as its rules state it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tick {
    is_trade: bool,
    /// +1 bid or buyer, −1 ask or seller.
    side: i64,
    quantity: u64,
    price: i64,
    ts: u64,
    ends_group: bool,
}

/// Yields the tape's records in order.
#[derive(Debug)]
struct Ticks {
    state: u64,
    ts: u64,
    /// Best bid, ticks; the best ask is one above.
    bid: i64,
    opened: u64,
    /// The rest of a move of the touch, last first.
    rest: Vec<Tick>,
}

impl Ticks {
    fn new() -> Ticks {
        Ticks { state: 42, ts: T0, bid: 10_000, opened: 0, rest: Vec::new() }
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn depth(&self, side: i64, quantity: u64, price: i64, ends_group: bool) -> Tick {
        Tick { is_trade: false, side, quantity, price, ts: self.ts, ends_group }
    }

    /// The three records of a move of the touch, last first.
    fn shift(&mut self, up: bool, quantity: u64) -> Vec<Tick> {
        let old = if up { self.bid + 1 } else { self.bid };
        self.bid += if up { 1 } else { -1 };
        let gone = self.depth(if up { -1 } else { 1 }, 0, old, false);
        let bid = |ends| self.depth(1, quantity, self.bid, ends);
        let ask = |ends| self.depth(-1, quantity, self.bid + 1, ends);
        if up { vec![ask(true), bid(false), gone] } else { vec![bid(true), ask(false), gone] }
    }
}

impl Iterator for Ticks {
    type Item = Tick;
    fn next(&mut self) -> Option<Tick> {
        if self.opened < 20 {
            let (level, is_ask) = ((self.opened / 2) as i64, self.opened % 2 == 1);
            self.opened += 1;
            let (side, price) = if is_ask { (-1, self.bid + 1 + level) } else { (1, self.bid - level) };
            return Some(self.depth(side, 50 + level as u64, price, self.opened == 20));
        }
        if let Some(tick) = self.rest.pop() {
            return Some(tick);
        }
        self.ts += 1_000 + self.draw() % 199_000;
        let (a, b) = (self.draw() % 100, self.draw());
        let side = if b & 1 == 0 { 1 } else { -1 };
        let (quantity, level) = (1 + (b >> 8) % 100, ((b >> 40) % 10) as i64);
        if a < 60 {
            let price = if side > 0 { self.bid - level } else { self.bid + 1 + level };
            return Some(self.depth(side, quantity, price, true));
        }
        if a < 90 {
            let price = if side > 0 { self.bid + 1 } else { self.bid };
            let quantity = 1 + quantity % 10;
            return Some(Tick { is_trade: true, side, quantity, price, ts: self.ts, ends_group: true });
        }
        self.rest = self.shift(side > 0 || self.bid < 1_000, quantity);
        self.rest.pop()
    }
}

fn record(tick: &Tick) -> Record {
    let head = Head {
        ts: Nanos(tick.ts + FEED_NS),
        ts_src: Nanos(tick.ts),
        instrument: InstrumentIx(0),
        venue: VenueIx(0),
        flags: if tick.ends_group { flags::LAST } else { 0 },
    };
    let (price, size) = (tick.price * TICK, tick.quantity as i64 * SCALE);
    if tick.is_trade {
        let aggressor = if tick.side > 0 { b'B' } else { b'A' };
        let class = TradeClass::Regular as u8;
        return Record::new(head, Body::Trade(Trade { price, size, class, aggressor, ..Trade::default() }));
    }
    let side = if tick.side > 0 { Side::Bid } else { Side::Ask };
    let action = if tick.quantity == 0 { BookAction::Delete } else { BookAction::Set };
    let (side, action, level) = (side as u8, action as u8, 255);
    Record::new(head, Body::BookLevel(BookLevel { price, size, side, action, level, ..BookLevel::default() }))
}

/// The first `records` records of the tape, after the instrument's definition.
pub(super) fn tape(records: u64) -> Tape {
    let definition = Head::at(Nanos(T0), InstrumentIx::NONE);
    let mut block = Block {
        inputs: vec![Record::new(definition, Body::Cold(0))],
        cold: vec![Cold::Definition(Box::new(InstrumentDef::equity("T1")))],
        ..Block::default()
    };
    let mut blocks = Vec::new();
    for tick in Ticks::new().take(usize::try_from(records).unwrap_or(usize::MAX)) {
        if block.inputs.len() == INPUTS_MAX {
            blocks.push(std::mem::take(&mut block));
        }
        block.inputs.push(record(&tick));
    }
    blocks.push(block);
    Tape::of("T1, levels and trades".to_string(), blocks, None)
}

/// One order of one lot at each touch.
#[derive(Debug, Clone, Default)]
struct Maker {
    /// Bid, ask: the order and its price.
    quoted: [Option<(OrderIx, Price)>; 2],
    submits: u64,
    cancels: u64,
    fills: u64,
}

impl Maker {
    /// Moves a side (0 the bid) towards one lot at `touch`, or towards nothing.
    fn work(&mut self, ctx: &mut Ctx<'_>, side: usize, touch: Price, may: bool) {
        if let Some((order, price)) = self.quoted[side] {
            let Some(state) = ctx.order(order).map(|order| order.state) else { return };
            if !state.is_final() {
                let is_off = !may || price != touch;
                if is_off && matches!(state, OrderState::Working | OrderState::PartiallyFilled) {
                    self.cancels += 1;
                    ctx.cancel(order);
                }
                return;
            }
            self.quoted[side] = None;
        }
        if may {
            let quantity = if side == 0 { Qty::ONE } else { Qty::ONE.neg() };
            let package = Package::limit(InstrumentIx(0), quantity, touch).with_tif(TimeInForce::Gtc);
            self.quoted[side] = Some((ctx.submit(package), touch));
            self.submits += 1;
        }
    }
}

impl Strategy for Maker {
    fn name(&self) -> &'static str {
        "bench-maker"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        Vec::new()
    }
    fn set(&mut self, key: &str, _: &str) -> Result<(), ParamError> {
        Err(ParamError::Unknown { key: key.to_string(), known: String::new() })
    }
    fn save(&self, out: &mut Vec<u8>) {
        [self.submits, self.cancels, self.fills].iter().for_each(|n| out.extend(n.to_le_bytes()));
    }
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    fn on_start(&mut self, ctx: &mut Ctx<'_>) -> Flow {
        ctx.timer(ctx.now().after(LOOK_NS), 0);
        Flow::Continue
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, _: u64) -> Flow {
        let touch = ctx.top(InstrumentIx(0)).map(|top| (top.bid.price, top.ask.price));
        if let Some((bid, ask)) = touch.filter(|(bid, ask)| bid.0 > 0 && ask.0 > bid.0) {
            let lots = ctx.position(InstrumentIx(0)).0 / SCALE;
            self.work(ctx, 0, bid, lots < POSITION_MAX);
            self.work(ctx, 1, ask, lots > -POSITION_MAX);
        }
        ctx.timer(ctx.now().after(LOOK_NS), 0);
        Flow::Continue
    }
    fn on_fill(&mut self, _: &mut Ctx<'_>, _: &FillReport) -> Flow {
        self.fills += 1;
        Flow::Continue
    }
}

fn config() -> RunConfig {
    let risk = RiskLimits { buying_power: BuyingPower::Off, ..RiskLimits::default() };
    let latency = Latency { entry_ns: ORDER_NS, response_ns: ORDER_NS, feed_ns: FEED_NS };
    RunConfig { fees: FeeSchedule::Free, latency, risk, ..Settings::default().config() }
}

/// Drives the maker over the tape; nanoseconds per input, and the maker at the end.
fn make(tape: &Tape) -> Result<(f64, Maker), RunError> {
    let ends = (tape.first_ts(), tape.last_ts());
    let (cpu, driver) =
        drive_strategy(&config(), Maker::default(), ends, tape.blocks.clone().into_iter(), &mut Discard)?;
    let maker = driver.kernel().strategies().next().cloned().unwrap_or_default();
    Ok((each(cpu, tape.inputs), maker))
}

/// The maker's rows.
pub(super) fn rows(tape: &Tape, rows: &mut Vec<Row>) -> Result<(), RunError> {
    let (ns, maker) = make(tape)?;
    assert!(maker.submits > 0 && maker.fills > 0, "the maker trades: {maker:?}");
    let thousand = |count: u64| count as f64 / 1e3;
    rows.extend([
        Row::rate(
            "t1.mm1",
            "market making each ms, latency, share of displayed size",
            rate(ns),
            "M events/s",
            Some(10.0),
        ),
        Row::cost("t1.mm1.ns", "  per record", ns, "ns", None),
        Row::context("t1.mm1.submits", "  orders", thousand(maker.submits), "thousand"),
        Row::context("t1.mm1.cancels", "  cancels", thousand(maker.cancels), "thousand"),
        Row::context("t1.mm1.fills", "  fills", thousand(maker.fills), "thousand"),
    ]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum is the one that the workload's description states for 200,000 records.
    #[test]
    fn the_tape_is_t1() {
        let sum = Ticks::new().take(200_000).fold(0u64, |sum, tick| {
            let words =
                [u64::from(tick.is_trade), tick.side as u64, tick.quantity, tick.price as u64, tick.ts];
            words.iter().fold(sum, |sum, word| sum.wrapping_mul(31).wrapping_add(*word))
        });
        assert_eq!(sum, 8_510_466_636_743_405_463);
    }

    #[test]
    fn the_maker_quotes_both_touches_and_stays_within_its_limit() {
        let (_, maker) = make(&tape(200_000)).unwrap();
        assert!(maker.submits > 1_000 && maker.cancels > 100 && maker.fills > 100, "{maker:?}");
        assert!(maker.fills + maker.cancels >= maker.submits - 2, "{maker:?}");
    }
}
