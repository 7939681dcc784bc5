//! One simulated run.

use onetape_engine::block::{Block, DERIVED_SEAL, Entry, INPUTS_MAX, JOURNAL_LAG_MAX};
use onetape_engine::config::{RunConfig, StrategyConfig};
use onetape_engine::event::{Event, RejectReason};
use onetape_engine::ids::{InstrumentIx, OrderIx, StrategyIx};
use onetape_engine::input::{Cold, Command};
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::num::{Nanos, Price, Qty, SCALE};
use onetape_engine::order::Package;
use onetape_engine::record::{Body, Head, Kind, Quote, Record, flags};
use onetape_engine::strategy::{Ctx, Flow, Param, ParamError, StateError, Strategy};
use onetape_session::live::{Clock, LiveSink, Next, Sequencer};
use onetape_session::{BlockSink, Driver};
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

const MS: u64 = 1_000_000;
const T0: u64 = 1_767_623_400_000_000_000;

/// What seeds reached, by name.
#[derive(Debug, Default)]
pub(crate) struct Seen(BTreeMap<&'static str, u64>);

const BRANCHES: [&str; 13] = [
    "bursts",
    "stalls",
    "records out of order",
    "records stamped later",
    "ticks",
    "timed seals",
    "seals after orders",
    "lag stated",
    "lag over",
    "orders refused for lag",
    "fills",
    "timers",
    "commands",
];

impl Seen {
    fn count(&mut self, name: &'static str, n: u64) {
        assert!(BRANCHES.contains(&name), "{name} is listed");
        *self.0.entry(name).or_default() += n;
    }

    pub(crate) fn add(&mut self, other: &Seen) {
        other.0.iter().for_each(|(name, n)| *self.0.entry(name).or_default() += n);
    }

    pub(crate) fn missing(&self) -> Vec<&'static str> {
        BRANCHES.into_iter().filter(|name| self.0.get(name).copied().unwrap_or(0) == 0).collect()
    }
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A clock that the simulation moves.
#[derive(Debug)]
struct VirtualClock {
    event: u64,
    wall: Duration,
}

impl VirtualClock {
    fn advance(&mut self, by: Duration) {
        self.wall += by;
        self.event += by.as_nanos() as u64;
    }
}

impl Clock for VirtualClock {
    fn now(&mut self) -> Option<Nanos> {
        Some(Nanos(self.event))
    }
    fn until(&mut self, ts: Nanos) -> Duration {
        Duration::from_nanos(ts.0.saturating_sub(self.event))
    }
    fn elapsed(&self) -> Duration {
        self.wall
    }
    fn observe(&mut self, _: Nanos) {}
}

/// A writer that writes when the simulation lets it.
#[derive(Default)]
struct SlowWriter {
    waiting: VecDeque<Block>,
    written: Vec<Block>,
}

impl SlowWriter {
    fn write(&mut self, blocks: usize) {
        let n = blocks.min(self.waiting.len());
        self.written.extend(self.waiting.drain(..n));
    }
}

impl BlockSink for SlowWriter {
    type Error = Infallible;
    fn put(&mut self, block: Block) -> Result<Block, Infallible> {
        self.waiting.push_back(block);
        Ok(Block::default())
    }
}

impl LiveSink for SlowWriter {
    fn lag(&self) -> u32 {
        self.waiting.len() as u32
    }
}

/// Orders, cancels and timers, by its own count of quotes.
#[derive(Debug, Default)]
struct Trader {
    quotes: u64,
    every: u64,
}

impl Strategy for Trader {
    fn name(&self) -> &'static str {
        "trader"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn params(&self) -> Vec<Param> {
        vec![Param { key: "every", value: self.every.to_string(), doc: "quotes between orders" }]
    }
    fn set(&mut self, key: &str, value: &str) -> Result<(), ParamError> {
        self.every = onetape_engine::strategy::parse_param(key, value, "a number")?;
        Ok(())
    }
    fn save(&self, out: &mut Vec<u8>) {
        out.extend(self.quotes.to_le_bytes());
    }
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, ix: InstrumentIx) -> Flow {
        self.quotes += 1;
        match self.quotes % self.every.max(2) {
            0 => {
                let sign = if self.quotes.is_multiple_of(4) { 1 } else { -1 };
                ctx.submit(Package::market(ix, Qty(sign * SCALE)));
            }
            1 => ctx.timer(ctx.now().after(7 * MS), self.quotes),
            2 => {
                let order = ctx.submit(Package::limit(ix, Qty::ONE, Price(90 * SCALE)));
                ctx.timer(ctx.now().after(30 * MS), u64::from(order.0) << 32);
            }
            _ => {}
        }
        Flow::Continue
    }
    fn on_timer(&mut self, ctx: &mut Ctx<'_>, id: u64) -> Flow {
        if id >> 32 > 0 {
            ctx.cancel(OrderIx((id >> 32) as u32));
        }
        Flow::Continue
    }
}

fn config() -> RunConfig {
    let strategy = StrategyConfig { name: "trader".into(), version: "1".into(), params: Vec::new() };
    RunConfig { strategies: vec![strategy], ..RunConfig::default() }
}

/// Records as a faulty feed delivers them: the second is when they come.
fn feed(rng: &mut Rng, seen: &mut Seen) -> VecDeque<(Record, u64)> {
    let mut feed = VecDeque::new();
    let (mut ts, mut comes) = (T0, T0);
    for n in 0..600u64 {
        let is_burst = n % 100 < 30 && rng.chance(80);
        ts += if is_burst { rng.below(2) } else { rng.below(6 * MS) };
        comes = comes.max(ts);
        if rng.chance(2) {
            comes += 200 * MS;
            seen.count("stalls", 1);
        }
        seen.count("bursts", u64::from(is_burst));
        let mut stamp = ts;
        if rng.chance(5) {
            stamp = ts.saturating_sub(rng.below(20 * MS)).max(T0);
            seen.count("records out of order", u64::from(stamp < ts));
        }
        let cent = SCALE / 100;
        let bid = (9_990 + rng.below(20) as i64) * cent;
        let quote = Quote {
            bid,
            ask: bid + 2 * cent,
            bid_size: 50 * SCALE,
            ask_size: 50 * SCALE,
            ..Quote::default()
        };
        let mut head = Head::at(Nanos(stamp), InstrumentIx(0));
        head.flags |= flags::BID | flags::ASK;
        feed.push_back((Record::new(head, Body::Quote(quote)), comes));
    }
    feed
}

fn command(rng: &mut Rng) -> Command {
    let strategy = StrategyIx(0);
    match rng.below(5) {
        0 => Command::Pause { strategy },
        1 | 2 => Command::Resume { strategy },
        3 => Command::Set { strategy, key: "every".into(), value: (3 + rng.below(5)).to_string() },
        _ => Command::Cancel { order: OrderIx(rng.below(40) as u32) },
    }
}

type Stack = Sequencer<Box<dyn Strategy>, VirtualClock>;

/// Runs a seed, checks its journal, and says what it reached.
pub(crate) fn run(seed: u64) -> Seen {
    let (mut rng, mut seen) = (Rng(seed), Seen::default());
    let mut feed = feed(&mut rng, &mut seen);
    let mut writer = SlowWriter::default();
    let clock = VirtualClock { event: T0, wall: Duration::ZERO };
    let trader = || -> Vec<Box<dyn Strategy>> { vec![Box::new(Trader { quotes: 0, every: 4 })] };
    let mut stack: Stack = Sequencer::start(&config(), trader(), clock, Nanos(T0), &mut writer).unwrap();
    let define = Record::new(Head::at(Nanos(T0), InstrumentIx(0)), Body::Cold(0));
    let def = InstrumentDef::equity("SIM");
    stack.apply(define, Some(Cold::Definition(Box::new(def))), &mut writer).unwrap();
    // Some seeds have a writer that stands still for a while.
    let stuck = rng.chance(40).then(|| T0 + rng.below(1_000) * MS);
    while !feed.is_empty() {
        let now = stack.clock_mut().event;
        let is_stuck = stuck.is_some_and(|from| now >= from && now < from + 900 * MS);
        writer.write(if is_stuck { 0 } else { 1 + rng.below(3) as usize });
        if rng.chance(1) {
            stack.command(command(&mut rng), &mut writer).unwrap();
        }
        // A record is there from the moment it comes.
        let next = feed.front().filter(|(_, comes)| *comes <= now).map(|(record, _)| record.ts());
        match stack.poll(next, &mut writer).unwrap() {
            Next::Apply => {
                let (record, _) = feed.pop_front().unwrap();
                stack.apply(record, None, &mut writer).unwrap();
            }
            Next::Again => {}
            Next::Wait(wait) => {
                let comes = feed.front().map_or(now, |(_, comes)| *comes);
                let until_next = Duration::from_nanos(comes.saturating_sub(now).max(1));
                // Sleeps may end late.
                let late = Duration::from_nanos(rng.below(MS));
                stack.clock_mut().advance(wait.min(until_next).max(Duration::from_nanos(1)) + late);
            }
        }
    }
    stack.end(&mut writer).unwrap();
    writer.write(usize::MAX);
    let added = stack.added();
    seen.count("ticks", added.ticks);
    seen.count("records stamped later", added.late);
    check(&writer.written, &mut seen);
    again(&writer.written, trader());
    seen
}

/// What must hold along any live log.
fn check(blocks: &[Block], seen: &mut Seen) {
    let (mut next_seq, mut last, mut promised) = (0, 0, None);
    let mut lag = 0;
    for block in blocks {
        assert_eq!(block.first_seq, next_seq, "seqs are contiguous");
        next_seq += block.len() as u64;
        assert!(block.inputs.len() <= INPUTS_MAX && !block.inputs.is_empty());
        let sealed = block.inputs.last().unwrap().kind == Kind::Seal as u8;
        assert!(
            sealed || block.inputs.len() == INPUTS_MAX || block.derived.len() >= DERIVED_SEAL,
            "a block ends at a seal or a bound"
        );
        let sends = block.derived.iter().any(|d| matches!(d.event, Event::State { to, .. }
            if matches!(to, onetape_engine::order::OrderState::Approved | onetape_engine::order::OrderState::PendingCancel)));
        seen.count(if sends { "seals after orders" } else { "timed seals" }, 1);
        for (_, entry) in block.entries() {
            match entry {
                Entry::Input(record, cold) => {
                    assert!(record.ts >= last, "receipt time never decreases");
                    assert!(promised.is_none_or(|promised| record.ts > promised) || record.has(flags::END));
                    last = record.ts;
                    if record.kind == Kind::Tick as u8 {
                        promised = Some(record.ts);
                    }
                    match cold {
                        Some(Cold::JournalLag { blocks }) => {
                            seen.count(if *blocks > JOURNAL_LAG_MAX { "lag stated" } else { "lag over" }, 1);
                            lag = *blocks;
                        }
                        Some(Cold::Command(_)) => seen.count("commands", 1),
                        _ => {}
                    }
                }
                Entry::Derived(derived) => match &derived.event {
                    Event::Risk { refused: Some(RejectReason::JournalLag), .. } => {
                        assert!(lag > JOURNAL_LAG_MAX, "refused for lag only while behind");
                        seen.count("orders refused for lag", 1);
                    }
                    Event::Risk { refused: None, .. } => {
                        assert!(lag <= JOURNAL_LAG_MAX, "none approved while behind");
                    }
                    Event::Fill { .. } => seen.count("fills", 1),
                    Event::Timer { .. } => seen.count("timers", 1),
                    _ => {}
                },
            }
        }
    }
}

/// The journal's inputs, run again, write the same journal.
fn again(blocks: &[Block], strategies: Vec<Box<dyn Strategy>>) {
    let mut driver = Driver::new(config(), strategies);
    let mut writer = SlowWriter::default();
    for block in blocks {
        let mut cold = block.cold.iter().cloned();
        for record in &block.inputs {
            let payload = if record.kind == Kind::Cold as u8 { cold.next() } else { None };
            driver.push(*record, payload, &mut writer).unwrap();
        }
    }
    writer.write(usize::MAX);
    assert_eq!(writer.written, blocks);
}
