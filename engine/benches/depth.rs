//! What an update of a book costs, by price and by order, beside the naive book of the tests.
//!
//! Timed: one record applied and the best bid and ask read afterwards, one core, records in memory. The
//! stream: a midpoint that walks a tick at a time; distances from it geometric (half of all updates within two
//! ticks, as on ES); by order, adds, cancels, partial cancels and moves of random live orders that keep about
//! 6,000 in the book over some 300 levels. `loop` is the same through `Kernel::apply` with a strategy that reads
//! five levels a side at each event.

#![allow(missing_docs, clippy::unwrap_used)]
#![allow(clippy::disallowed_types)]

#[path = "../tests/naive_book/mod.rs"]
#[allow(dead_code)]
mod naive_book;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use naive_book::NaiveDepth;
use onetape_engine::config::RunConfig;
use onetape_engine::depth::Depth;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::record::{Body, BookAction, BookLevel, BookOrder, Head, Record, Side};
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_engine::{Kernel, Nanos};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::hint::black_box;

const T0: u64 = 1_700_000_000_000_000_000;
const TICK: i64 = 250_000_000;
const UNIT: i64 = 1_000_000_000;
const LIVE: usize = 6_000;
const EVENTS: usize = 100_000;
/// The naive book walks all its orders at each update.
const NAIVE_EVENTS: usize = 2_000;

struct Stream {
    rng: ChaCha8Rng,
    mid: i64,
    live: Vec<(u64, Side, i64, i64)>,
    next_id: u64,
    ts: u64,
}

impl Stream {
    fn new() -> Stream {
        Stream { rng: ChaCha8Rng::seed_from_u64(7), mid: 20_000, live: Vec::new(), next_id: 1, ts: T0 }
    }

    fn head(&mut self) -> Head {
        self.ts += 1_000;
        Head::at(Nanos(self.ts), InstrumentIx(0))
    }

    /// A side and a price that does not cross the midpoint.
    fn place(&mut self) -> (Side, i64) {
        let mut distance = 1;
        while distance < 150 && self.rng.random_range(0..100) >= 28 {
            distance += 1;
        }
        if self.rng.random_range(0..50) == 0 {
            self.mid += self.rng.random_range(-1..2);
        }
        if self.rng.random() {
            (Side::Bid, (self.mid - distance) * TICK)
        } else {
            (Side::Ask, (self.mid + distance) * TICK)
        }
    }

    fn add(&mut self) -> BookOrder {
        let (side, price) = self.place();
        let size = self.rng.random_range(1..20) * UNIT;
        self.next_id += 1;
        self.live.push((self.next_id, side, price, size));
        let (order_id, side, action) = (self.next_id, side as u8, BookAction::Add as u8);
        BookOrder { order_id, price, size, side, action, ..BookOrder::default() }
    }

    fn order(&mut self) -> Record {
        let head = self.head();
        let roll = self.rng.random_range(0..100);
        if self.live.len() < LIVE || (roll < 45 && self.live.len() < LIVE + 500) {
            return Record::new(head, Body::BookOrder(self.add()));
        }
        let at = self.rng.random_range(0..self.live.len());
        let (order_id, side, price, size) = self.live[at];
        let mut body = BookOrder { order_id, price, size, side: side as u8, ..BookOrder::default() };
        if roll < 90 {
            body.action = BookAction::Cancel as u8;
            if size > UNIT && roll % 4 == 0 {
                body.size = UNIT;
                self.live[at].3 -= UNIT;
            } else {
                self.live.swap_remove(at);
            }
        } else {
            body.action = BookAction::Modify as u8;
            let (side, price) = self.place();
            (body.side, body.price) = (side as u8, price);
            self.live[at] = (order_id, side, price, size);
        }
        Record::new(head, Body::BookOrder(body))
    }

    fn level(&mut self) -> Record {
        let head = self.head();
        let (side, price) = self.place();
        let is_gone = self.rng.random_range(0..10) == 0;
        let size = if is_gone { 0 } else { self.rng.random_range(1..200) * UNIT };
        let (orders, action) = (self.rng.random_range(1..40), BookAction::Set as u8);
        let body = BookLevel { price, size, orders, side: side as u8, action, ..BookLevel::default() };
        Record::new(head, Body::BookLevel(body))
    }
}

fn fast(book: &mut Depth, records: &[Record]) -> i64 {
    let mut sum = 0i64;
    for record in records {
        book.apply(record);
        for side in [Side::Bid, Side::Ask] {
            sum = sum.wrapping_add(book.best(side).map_or(0, |best| best.price().0));
        }
    }
    sum
}

fn naive(book: &mut NaiveDepth, records: &[Record]) -> i64 {
    let mut sum = 0i64;
    for record in records {
        book.apply(record);
        for side in [Side::Bid, Side::Ask] {
            sum = sum.wrapping_add(book.venues[0].levels(side).first().map_or(0, |best| best.0));
        }
    }
    sum
}

/// Adds up five levels a side.
#[derive(Default)]
struct Sum(i64);

impl Strategy for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn save(&self, _: &mut Vec<u8>) {}
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    fn on_depth(&mut self, ctx: &mut Ctx<'_>, ix: InstrumentIx) -> Flow {
        if let Some(depth) = ctx.depth(ix) {
            for side in [Side::Bid, Side::Ask] {
                let sizes = depth.levels(side).take(5).map(|level| level.size().0);
                self.0 = sizes.fold(self.0, i64::wrapping_add);
            }
        }
        Flow::Continue
    }
}

fn through_the_loop(records: &[Record]) -> i64 {
    let config = RunConfig::default();
    let mut kernel = Kernel::new(config.clone(), vec![Sum::default()]);
    let cold = Record::new(Head::at(Nanos(T0), InstrumentIx::NONE), Body::Cold(0));
    kernel.apply(&cold, Some(&Cold::Start(Box::new(config)))).unwrap();
    kernel.apply(&cold, Some(&Cold::Definition(Box::new(InstrumentDef::equity("ES"))))).unwrap();
    let mut derived = Vec::new();
    for record in records {
        kernel.apply(record, None).unwrap();
        if kernel.must_seal(record) {
            derived = kernel.take_derived(derived);
        }
    }
    kernel.strategies().next().unwrap().0
}

fn updates(c: &mut Criterion) {
    let mut group = c.benchmark_group("depth");
    group.sample_size(20);
    for (name, is_by_order) in [("by price", false), ("by order", true)] {
        let mut stream = Stream::new();
        let mut next = || if is_by_order { stream.order() } else { stream.level() };
        let opening: Vec<Record> = (0..if is_by_order { 3 * LIVE } else { 5_000 }).map(|_| next()).collect();
        let records: Vec<Record> = (0..EVENTS).map(|_| next()).collect();
        let mut book = Depth::new();
        fast(&mut book, &opening);
        assert_eq!(book.venues()[0].faults().total(), 0);
        group.throughput(Throughput::Elements(EVENTS as u64));
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || book.clone(),
                |book| fast(book, black_box(&records)),
                BatchSize::LargeInput,
            );
        });
        group.bench_function(format!("{name}, loop"), |b| b.iter(|| through_the_loop(black_box(&records))));
        let few = &records[..NAIVE_EVENTS];
        group.throughput(Throughput::Elements(NAIVE_EVENTS as u64));
        group.bench_function(format!("{name}, naive"), |b| {
            let opened = || {
                let mut book = NaiveDepth::default();
                for record in &opening {
                    book.apply(record);
                }
                book
            };
            b.iter_batched_ref(opened, |book| naive(book, black_box(few)), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, updates);
criterion_main!(benches);
