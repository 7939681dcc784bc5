//! A small run by hand: definitions, quotes, one order with its life, in two blocks.
#![allow(dead_code, unreachable_pub)]

use onetape_engine::block::Block;
use onetape_engine::config::{RunConfig, StrategyConfig};
use onetape_engine::event::{Derived, Event, Execution, FillReason, StateReason};
use onetape_engine::ids::{AccountIx, InstrumentIx, OrderIx, StrategyIx};
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Money, Nanos, Price, Qty};
use onetape_engine::order::{OrderState, Package};
use onetape_engine::record::{Body, Head, Quote, Record};
use onetape_journal::{JournalSummary, JournalWriter};
use std::path::Path;

pub const T0: u64 = 1_450_967_400_000_000_000;

pub fn head(ts: u64, instrument: u32) -> Head {
    Head::at(Nanos(T0 + ts), InstrumentIx(instrument))
}

pub fn quote(ts: u64, instrument: u32, bid_cents: i64) -> Record {
    let cent = 10_000_000;
    let quote = Quote {
        bid: bid_cents * cent,
        ask: (bid_cents + 10) * cent,
        bid_size: 3_000_000_000,
        ask_size: 4_000_000_000,
        ..Quote::default()
    };
    Record::new(head(ts, instrument), Body::Quote(quote))
}

fn execution(price: &str) -> Execution {
    Execution {
        order: OrderIx(0),
        leg: 0,
        instrument: InstrumentIx(1),
        quantity: Qty::ONE,
        price: price.parse().unwrap(),
        at: Nanos(T0 + 3),
        bid: Price::ZERO,
        ask: Price::ZERO,
        justification: 5,
        reason: FillReason::Taker,
    }
}

/// The run's blocks; `symbols` in order of definition, `fast` a parameter, `price` the fill's.
pub fn run(symbols: [&str; 2], fast: &str, price: &str) -> Vec<Block> {
    let strategy = StrategyConfig {
        name: "ema-cross".to_string(),
        version: "1".to_string(),
        params: vec![("fast".to_string(), fast.to_string())],
    };
    let config = RunConfig { strategies: vec![strategy], ..RunConfig::default() };
    let define = |symbol| Cold::Definition(Box::new(InstrumentDef::equity(symbol)));
    let derived = |after, ts, cause, event| Derived { after, ts: Nanos(T0 + ts), cause, event };
    let order = OrderIx(0);
    let package = Package::market(InstrumentIx(1), Qty::ONE);
    let submitted = Event::Submitted { order, strategy: StrategyIx(0), package };
    let to = |to, reason| Event::State { order, from: OrderState::Submitted, to, reason };
    let fill = Event::Fill {
        execution: execution(price),
        account: AccountIx(0),
        fee: "0.65".parse::<Money>().unwrap(),
    };
    vec![
        Block {
            first_seq: 0,
            inputs: vec![
                Record::new(head(0, u32::MAX), Body::Cold(0)),
                Record::new(head(0, 0), Body::Cold(1)),
                Record::new(head(0, 1), Body::Cold(2)),
                quote(1, 0, 5_400),
                quote(2, 1, 7_400),
            ],
            cold: vec![Cold::Start(Box::new(config)), define(symbols[0]), define(symbols[1])],
            derived: vec![
                derived(5, 2, 4, submitted),
                derived(5, 2, 5, to(OrderState::Approved, StateReason::RiskApproved)),
            ],
        },
        Block {
            first_seq: 7,
            inputs: vec![quote(3, 0, 5_401), quote(4, 1, 7_401), Record::new(head(5, u32::MAX), Body::Seal)],
            cold: vec![],
            derived: vec![derived(2, 4, 5, fill), derived(3, 5, 8, Event::StateHash { hash: [10; 32] })],
        },
    ]
}

/// Writes blocks as a journal.
pub fn write(dir: &Path, run_id: u8, blocks: &[Block]) -> JournalSummary {
    let mut writer = JournalWriter::create(dir, [run_id; 32]).unwrap();
    for block in blocks {
        writer.append(block).unwrap();
    }
    writer.finish().unwrap()
}
