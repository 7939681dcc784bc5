//! Laws that hold for any tape and any orders.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use onetape_engine::block::{Block, Entry};
use onetape_engine::event::{Event, Execution, FillReason};
use onetape_engine::ids::{InstrumentIx, OrderIx};
use onetape_engine::num::SCALE;
use onetape_engine::order::{Order, OrderType, Package, StopSource, TimeInForce, Trigger};
use onetape_engine::record::{Body, Phase, TradeClass};
use onetape_engine::{Price, Qty};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A step of a random tape: milliseconds on, then a record.
#[derive(Debug, Clone)]
enum Step {
    Quote { ix: u32, bid: i64, width: i64, sizes: (i64, i64), sides: u8 },
    Print { ix: u32, at: i64, size: i64, class: TradeClass },
    Status { ix: u32, state: u16 },
    Close,
    Open,
    Tick,
}

fn cents(cents: i64) -> String {
    Price(cents * SCALE / 100).to_string()
}

/// Quotes and prints, and unless `open` is wanted halts, closes and opens.
fn step(open: bool) -> impl Strategy<Value = Step> {
    let rare = u32::from(!open);
    let quote = (0u32..3, 90i64..110, -1i64..6, (0i64..9, 0i64..9), 1u8..4)
        .prop_map(|(ix, bid, width, sizes, sides)| Step::Quote { ix, bid, width, sizes, sides });
    let classes = vec![TradeClass::Regular, TradeClass::Iso, TradeClass::MultiLeg, TradeClass::Late];
    let print = (0u32..3, 90i64..110, 1i64..12, proptest::sample::select(classes))
        .prop_map(|(ix, at, size, class)| Step::Print { ix, at, size, class });
    prop_oneof![
        12 => quote,
        9 => print,
        rare => (0u32..3, 1u16..5).prop_map(|(ix, state)| Step::Status { ix, state }),
        rare => Just(Step::Close),
        3 * rare => Just(Step::Open),
        1 => Just(Step::Tick),
    ]
}

fn lay(tape: &mut Tape, steps: &[(u64, Step)]) {
    tape.at(5);
    for (later, step) in steps {
        tape.at(tape.ms + later);
        match step {
            Step::Quote { ix, bid, width, sizes, sides } => {
                let side = |wanted: u8, price: i64, size: i64| {
                    let text = if sides & wanted != 0 { cents(price) } else { String::new() };
                    (text, size)
                };
                let (bid, ask) = (side(1, *bid, sizes.0), side(2, bid + width, sizes.1));
                tape.quote(InstrumentIx(*ix), (&bid.0, bid.1), (&ask.0, ask.1));
            }
            Step::Print { ix, at, size, class } => {
                tape.trade(InstrumentIx(*ix), &cents(*at), *size, *class);
            }
            Step::Status { ix, state } => {
                tape.status(InstrumentIx(*ix), *state);
            }
            Step::Close => {
                tape.phase(Phase::Close);
            }
            Step::Open => {
                tape.phase(Phase::Open);
            }
            Step::Tick => {
                tape.tick();
            }
        }
    }
}

/// Orders of every type; `plain` ones need nothing of the venue but its book.
fn package(plain: bool) -> impl Strategy<Value = Package> {
    let tifs =
        [TimeInForce::Day, TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok, TimeInForce::Gtd(at_ms(60))];
    let tifs = tifs[..if plain { 4 } else { 5 }].to_vec();
    let sizes = prop_oneof![(1i64..12), (-12i64..0)];
    (0u32..3, sizes, 0u8..4, 90i64..110, proptest::sample::select(tifs)).prop_map(
        move |(ix, size, kind, at, tif)| {
            let limit = Price(at * SCALE / 100);
            let trigger = Trigger { source: StopSource::Touch, persist_ns: 3 * MS, ..Trigger::at(limit) };
            let order_type = match kind {
                0 => OrderType::Market,
                1 if !plain => OrderType::Stop(trigger),
                _ => OrderType::Limit(limit),
            };
            Package { order_type, tif, ..Package::market(InstrumentIx(ix), qty(size)) }
        },
    )
}

fn script(orders: Vec<(u32, Package)>, cancels: Vec<(u32, u32)>) -> Script {
    let submits = orders.into_iter().map(|(at, package)| (When::Quote(at), Ask::Submit(package)));
    let cancels = cancels.into_iter().map(|(at, order)| (When::Quote(at), Ask::Cancel(order)));
    Script::new(submits.chain(cancels).collect())
}

fn scripts() -> impl Strategy<Value = Vec<Script>> {
    let one = (
        proptest::collection::vec((1u32..40, package(false)), 0..14),
        proptest::collection::vec((1u32..40, 0u32..14), 0..8),
    )
        .prop_map(|(orders, cancels)| script(orders, cancels));
    proptest::collection::vec(one, 1..3)
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    proptest::collection::vec((0u64..6, step(false)), 1..120)
}

fn tape_of(config: &onetape_engine::config::RunConfig, steps: &[(u64, Step)]) -> Tape {
    let mut tape = Tape::with_options(config);
    lay(&mut tape, steps);
    tape
}

fn priced() -> onetape_engine::config::RunConfig {
    let mut config = bare();
    config.fees = onetape_engine::config::FeeSchedule::Retail;
    config.mark_interval_ns = 20 * MS;
    config.risk.buying_power = onetape_engine::config::BuyingPower::RegT;
    config.risk.position_max = Some(qty(20));
    config
}

/// Every order moved along its table from where it was, and filled what its fills sum to.
fn check_orders(run: &Run) -> Result<(), TestCaseError> {
    use onetape_engine::order::OrderState;
    let mut states: BTreeMap<OrderIx, OrderState> = BTreeMap::new();
    let mut filled: BTreeMap<OrderIx, Qty> = BTreeMap::new();
    for event in run.events() {
        match event {
            Event::IllegalTransition { .. } => prop_assert!(false, "{event:?}"),
            Event::Submitted { order, .. } => {
                prop_assert_eq!(states.insert(*order, OrderState::Submitted), None);
            }
            Event::State { order, from, to, .. } => {
                prop_assert!(from.may_become(*to));
                prop_assert_eq!(states.insert(*order, *to), Some(*from));
            }
            Event::Fill { execution, .. } => {
                let sum = filled.entry(execution.order).or_default();
                *sum = *sum + execution.quantity;
            }
            _ => {}
        }
    }
    for order in run.orders() {
        prop_assert_eq!(states[&order.ix], order.state);
        let sum = filled.get(&order.ix).copied().unwrap_or_default();
        prop_assert_eq!(order.filled[0], sum);
        let asked = order.package.legs[0].quantity;
        prop_assert!(sum.abs() <= asked.abs() && sum.0.signum() * asked.0.signum() >= 0);
    }
    Ok(())
}

proptest! {
    // Conservation, consecutive seqs, causes and event time are asserted within every run.
    #[test]
    fn orders_move_along_their_table_and_two_kernels_derive_the_same(
        steps in steps(), scripts in scripts()
    ) {
        let mut tape = tape_of(&priced(), &steps);
        tape.end();
        let first = run(priced(), scripts.clone(), &tape);
        check_orders(&first)?;
        let second = run(priced(), scripts, &tape);
        prop_assert_eq!(&first.blocks, &second.blocks);
        prop_assert_eq!(first.kernel.last_state_hash(), second.kernel.last_state_hash());
    }

    #[test]
    fn what_a_prefix_of_the_inputs_derives_is_a_prefix(
        steps in steps(), scripts in scripts(), cut in 0.0f64..1.0
    ) {
        let tape = tape_of(&priced(), &steps);
        let whole = run(priced(), scripts.clone(), &tape);
        let kept = (tape.inputs.len() as f64 * cut) as usize;
        let part = Tape { inputs: tape.inputs[..kept].to_vec(), ..Tape::default() };
        let part = run(priced(), scripts, &part);
        let (whole, part) = (whole.derived(), part.derived());
        prop_assert!(part.len() <= whole.len());
        prop_assert_eq!(&part[..], &whole[..part.len()]);
    }

    #[test]
    fn every_execution_is_what_a_naive_book_allows(
        steps in proptest::collection::vec((0u64..6, step(true)), 1..120),
        orders in proptest::collection::vec((1u32..40, package(true)), 0..14),
    ) {
        let tape = tape_of(&bare(), &steps);
        let run = run(bare(), vec![script(orders, vec![])], &tape);
        let executed: Vec<(u32, i64, Price, FillReason)> = run
            .events()
            .iter()
            .filter_map(|event| match event {
                Event::Executed(Execution { order, quantity, price, reason, .. }) => {
                    Some((order.0, quantity.whole(), *price, *reason))
                }
                _ => None,
            })
            .collect();
        prop_assert_eq!(executed, Naive::replay(&run));
    }
}

/// One side of a naive book: what is displayed and what of it we took.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    price: i64,
    size: i64,
    taken: i64,
}

impl Level {
    fn state(&mut self, price: i64, size: i64) {
        if price != self.price {
            self.taken = 0;
        }
        // A level that shrinks below what we left of it leaves us the smaller rest.
        let left = (self.size - self.taken).min(size) + (size - self.size).max(0);
        let left = if price == self.price { left } else { size };
        *self = Level { price, size, taken: size - left };
    }

    fn live(&self) -> bool {
        self.price > 0 && self.size > 0
    }
}

/// The rules of the realistic profile once more, written from the rules' text: whole units, no state shared
/// with the engine but the log's inputs and arrivals.
#[derive(Debug, Default)]
struct Naive {
    bids: [Level; 3],
    asks: [Level; 3],
    resting: Vec<(Order, i64)>,
    executed: Vec<(u32, i64, Price, FillReason)>,
}

impl Naive {
    fn replay(run: &Run) -> Vec<(u32, i64, Price, FillReason)> {
        let mut book = Naive::default();
        for (_, entry) in run.blocks.iter().flat_map(Block::entries) {
            match entry {
                Entry::Input(record, _) => match record.body() {
                    Some(Body::Quote(quote)) => {
                        let ix = record.instrument as usize;
                        if record.flags & 2 != 0 {
                            book.bids[ix].state(quote.bid, quote.bid_size / SCALE);
                        }
                        if record.flags & 4 != 0 {
                            book.asks[ix].state(quote.ask, quote.ask_size / SCALE);
                        }
                        book.match_resting(ix);
                    }
                    Some(Body::Trade(trade)) if TradeClass::from_wire(trade.class).is_eligible() => {
                        book.print(record.instrument as usize, trade.price, trade.size / SCALE);
                    }
                    _ => {}
                },
                Entry::Derived(derived) => {
                    if let Event::Arrived { order, .. } = &derived.event {
                        book.arrive(run.orders()[order.index()].clone());
                    }
                }
            }
        }
        book.executed
    }

    /// Takes what the opposite side offers an order; returns how much.
    fn take(&mut self, order: &Order, left: i64, is_resting: bool) -> i64 {
        let leg = order.package.legs[0];
        let (ix, is_buy) = (leg.instrument.index(), leg.quantity.0 > 0);
        let is_crossed =
            self.bids[ix].live() && self.asks[ix].live() && self.bids[ix].price > self.asks[ix].price;
        let level = if is_buy { &mut self.asks[ix] } else { &mut self.bids[ix] };
        let limit = order.package.order_type.limit().map(|limit| limit.0);
        let accepts =
            limit.is_none_or(|limit| if is_buy { level.price <= limit } else { level.price >= limit });
        let quantity = left.min(level.size - level.taken);
        if is_crossed || !level.live() || !accepts || quantity <= 0 {
            return 0;
        }
        let is_whole_or_nothing = order.package.tif == TimeInForce::Fok;
        if is_whole_or_nothing && quantity < left {
            return 0;
        }
        level.taken += quantity;
        let price = if is_resting { limit.unwrap_or(level.price) } else { level.price };
        let reason = if is_resting && limit.is_some() { FillReason::Crossed } else { FillReason::Taker };
        self.record(order, quantity, price, reason);
        quantity
    }

    fn record(&mut self, order: &Order, quantity: i64, price: i64, reason: FillReason) {
        let sign = order.package.legs[0].quantity.0.signum();
        self.executed.push((order.ix.0, sign * quantity, Price(price), reason));
    }

    fn arrive(&mut self, order: Order) {
        let wanted = order.package.legs[0].quantity.whole().abs();
        let left = wanted - self.take(&order, wanted, false);
        let rests = !matches!(order.package.tif, TimeInForce::Ioc | TimeInForce::Fok);
        if left > 0 && rests {
            self.resting.push((order, left));
        }
    }

    fn match_resting(&mut self, ix: usize) {
        let mut resting = std::mem::take(&mut self.resting);
        for (order, left) in resting.iter_mut().filter(|(o, _)| o.package.legs[0].instrument.index() == ix) {
            *left -= self.take(order, *left, true);
        }
        resting.retain(|(_, left)| *left > 0);
        self.resting = resting;
    }

    fn print(&mut self, ix: usize, price: i64, size: i64) {
        let mut size_left = size;
        let mut resting = std::mem::take(&mut self.resting);
        for (order, left) in resting.iter_mut().filter(|(o, _)| o.package.legs[0].instrument.index() == ix) {
            let Some(limit) = order.package.order_type.limit().map(|limit| limit.0) else { continue };
            let is_buy = order.package.legs[0].quantity.0 > 0;
            let own = if is_buy { self.bids[ix] } else { self.asks[ix] };
            let better = own.live() && if is_buy { own.price > limit } else { own.price < limit };
            let beyond = if is_buy { price < limit } else { price > limit };
            let (quantity, reason) = if beyond {
                ((*left).min(size_left), FillReason::PrintThrough)
            } else if price == limit && !better {
                let displayed = if own.live() && own.price == limit { own.size } else { 0 };
                ((size_left * *left / (displayed + *left)).min(*left), FillReason::PrintAt)
            } else {
                continue;
            };
            if quantity > 0 {
                *left -= quantity;
                size_left -= quantity;
                self.record(order, quantity, limit, reason);
            }
        }
        resting.retain(|(_, left)| *left > 0);
        self.resting = resting;
    }
}

/// The laws above would hold emptily on tapes that fill nothing.
#[test]
fn the_generated_orders_reach_every_fill_rule_and_most_states() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..400 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        let scripts = scripts().new_tree(&mut runner).unwrap().current();
        let run = run(priced(), scripts, &tape_of(&priced(), &steps));
        for event in run.events() {
            let what = match event {
                Event::Executed(execution) => format!("{:?}", execution.reason),
                Event::State { to, reason, .. } => format!("{to:?} {reason:?}"),
                Event::Triggered { .. } => "triggered".to_string(),
                _ => continue,
            };
            *reached.entry(what).or_default() += 1;
        }
    }
    for what in [
        "Taker",
        "Crossed",
        "PrintThrough",
        "PrintAt",
        "triggered",
        "Filled Fill",
        "PartiallyFilled Fill",
        "Cancelled VenueCancelled",
        "Cancelled IocRemainder",
        "Cancelled FokUnfilled",
        "Expired DayEnd",
        "Expired DateReached",
        "Rejected RiskRefused",
        "Rejected VenueRejected",
    ] {
        assert!(reached.get(what).is_some_and(|times| *times >= 5), "{what}: {reached:?}");
    }
}
