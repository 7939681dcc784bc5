//! What the loop costs per quote and per order, beside a plain scan of the same memory.
//!
//! Timed: `Kernel::apply`, the seal test and taking the derived lane, on one core, inputs in memory,
//! no journal. The tape is workload W1 (a wrapping LCG walks the midpoint by a cent a millisecond); the
//! strategy checksums best bid and ask read through `Ctx`; marks run each minute of event time and one
//! limit order rests far from the market, so that risk, venue and schedule are awake.
//!
//! Bars: ≥ 25 M quotes/s; ≥ 0.8 × that over 1,000 and 5,000 instruments; an order's round trip (intent,
//! risk, OMS, venue, fill, account, events) ≤ 1.5 µs and flat from 1 k to 1 M orders.

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]
#![allow(clippy::disallowed_types)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group};
use onetape_engine::config::{FeeSchedule, Latency, RunConfig};
use onetape_engine::event::Derived;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::order::{Package, TimeInForce};
use onetape_engine::record::{Body, Head, Quote, Record, flags};
use onetape_engine::strategy::{Ctx, Flow, StateError, Strategy};
use onetape_engine::{Kernel, Nanos, Price, Qty};
use std::hint::black_box;
use std::time::Instant;

const T0: u64 = 1_700_000_000_000_000_000;
const CENT: i64 = 10_000_000;

/// Workload W1, dealt round robin over instruments that each walk on their own.
struct Walk {
    state: u64,
    mids: Vec<i64>,
    ticks: u64,
}

impl Walk {
    fn new(instruments: usize) -> Walk {
        Walk { state: 42, mids: vec![100_000; instruments], ticks: 0 }
    }

    fn next(&mut self) -> Record {
        let ix = (self.ticks % self.mids.len() as u64) as u32;
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let r = (self.state >> 33) as i64;
        let mid = &mut self.mids[ix as usize];
        *mid = (*mid + r % 3 - 1).clamp(50_000, 150_000);
        let quote = Quote {
            bid: (*mid - 1) * CENT,
            ask: (*mid + 1) * CENT,
            bid_size: (10 + r / 3 % 90) * 1_000_000_000,
            ask_size: (10 + r / 270 % 90) * 1_000_000_000,
            ..Quote::default()
        };
        let mut head = Head::at(Nanos(T0 + self.ticks * 1_000_000), InstrumentIx(ix));
        head.flags |= flags::BID | flags::ASK;
        self.ticks += 1;
        Record::new(head, Body::Quote(quote))
    }

    fn take(&mut self, records: usize) -> Vec<Record> {
        (0..records).map(|_| self.next()).collect()
    }
}

/// Checksums the best bid and ask; sends a market order on each `every`-th quote, buy and sell in turn.
#[derive(Default)]
struct Checksum {
    sum: i64,
    quotes: u64,
    every: u64,
    fills: u64,
}

impl Strategy for Checksum {
    fn name(&self) -> &'static str {
        "checksum"
    }
    fn version(&self) -> &'static str {
        "1"
    }
    fn save(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sum.to_le_bytes());
    }
    fn load(&mut self, _: &[u8]) -> Result<(), StateError> {
        Ok(())
    }
    #[inline]
    fn on_quote(&mut self, ctx: &mut Ctx<'_>, instrument: InstrumentIx) -> Flow {
        if let Some(top) = ctx.top(instrument) {
            let (bid, ask) = (&top.bid, &top.ask);
            let prices = bid.price.0.wrapping_mul(31).wrapping_add(ask.price.0.wrapping_mul(37));
            let sizes = bid.size.0.wrapping_mul(41).wrapping_add(ask.size.0.wrapping_mul(43));
            self.sum = self.sum.wrapping_add(prices).wrapping_add(sizes);
        }
        if self.quotes == 0 {
            let far = Package::limit(InstrumentIx(0), Qty::ONE, Price(100 * 100 * CENT));
            ctx.submit(far.with_tif(TimeInForce::Gtc));
        }
        self.quotes += 1;
        if self.every != 0 && self.quotes.is_multiple_of(self.every) {
            let is_buy = self.quotes / self.every % 2 == 1;
            ctx.submit(Package::market(instrument, if is_buy { Qty::ONE } else { Qty::ONE.neg() }));
        }
        Flow::Continue
    }
    fn on_fill(&mut self, _: &mut Ctx<'_>, _: &onetape_engine::strategy::FillReport) -> Flow {
        self.fills += 1;
        Flow::Continue
    }
}

fn kernel(instruments: usize, every: u64) -> Kernel<Checksum> {
    let mut config = RunConfig { fees: FeeSchedule::Retail, ..RunConfig::default() };
    config.accounts[0].cash = onetape_engine::Money(1_000_000_000 * 1_000_000_000);
    config.latency = Latency { entry_ns: 0, response_ns: 0, feed_ns: 0 };
    let mut kernel = Kernel::new(config.clone(), vec![Checksum { every, ..Checksum::default() }]);
    let cold = Record::new(Head::at(Nanos(T0), InstrumentIx::NONE), Body::Cold(0));
    kernel.apply(&cold, Some(&Cold::Start(Box::new(config)))).unwrap();
    for n in 0..instruments {
        let def = InstrumentDef::equity(&format!("TEST{n}"));
        kernel.apply(&cold, Some(&Cold::Definition(Box::new(def)))).unwrap();
    }
    kernel
}

/// Applies records as a runner does and returns how many derived events there were.
fn drive(kernel: &mut Kernel<Checksum>, records: &[Record], spare: &mut Vec<Derived>) -> usize {
    let mut derived = 0;
    for record in records {
        kernel.apply(record, None).unwrap();
        if kernel.must_seal(record) {
            *spare = kernel.take_derived(std::mem::take(spare));
            derived += spare.len();
        }
    }
    derived
}

fn quotes(c: &mut Criterion) {
    const QUOTES: usize = 1 << 20;
    let mut group = c.benchmark_group("quotes");
    group.throughput(Throughput::Elements(QUOTES as u64)).sample_size(15);
    for instruments in [1, 1_000, 5_000] {
        let records = Walk::new(instruments).take(QUOTES);
        group.bench_function(format!("{instruments}"), |b| {
            b.iter_batched_ref(
                || (kernel(instruments, 0), Vec::new()),
                |(kernel, spare)| drive(kernel, &records, spare),
                BatchSize::LargeInput,
            );
        });
    }
    let records = Walk::new(1).take(QUOTES);
    group.bench_function("calibration_scan", |b| b.iter(|| scan(&records)));
    group.finish();
}

/// Reads every word of the records once: what the memory alone costs.
fn scan(records: &[Record]) -> u64 {
    records.iter().fold(0u64, |sum, record| {
        let body = record.body.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
        sum.wrapping_add(black_box(record).ts ^ body)
    })
}

/// Nanoseconds per quote of each chunk of a run, and the fills it had. A chunk takes well under a
/// scheduler's slice, so that a low quantile of them is the loop's own cost on a shared machine.
fn chunks(instruments: usize, quotes: usize, every: u64) -> (Vec<f64>, u64) {
    const CHUNK: usize = 4_096;
    let (mut kernel, mut walk, mut spare) = (kernel(instruments, every), Walk::new(instruments), Vec::new());
    let mut records = Vec::new();
    let mut times = Vec::new();
    for piece in 0..quotes / CHUNK {
        // A megarecord at a time: the chunks come from memory, not from a warm cache.
        if piece % 256 == 0 {
            records = walk.take(CHUNK * 256);
        }
        let from = piece % 256 * CHUNK;
        let start = Instant::now();
        black_box(drive(&mut kernel, &records[from..from + CHUNK], &mut spare));
        times.push(start.elapsed().as_nanos() as f64 / CHUNK as f64);
    }
    (times, kernel.strategies().next().unwrap().fills)
}

fn quantile(mut times: Vec<f64>, q: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * q) as usize]
}

fn print_figures() {
    const QUOTES: usize = 1 << 22;
    let records = Walk::new(1).take(1 << 20);
    let scans = records.chunks(4_096).map(|chunk| {
        let start = Instant::now();
        black_box(scan(chunk));
        start.elapsed().as_nanos() as f64 / chunk.len() as f64
    });
    let scan_ns = quantile(scans.collect(), 0.2);
    println!("calibration: scan of 64-byte records      {scan_ns:6.2} ns each");
    let mut one = 0.0;
    for instruments in [1, 1_000, 5_000] {
        let ns = quantile(chunks(instruments, QUOTES, 0).0, 0.2);
        one = if instruments == 1 { ns } else { one };
        println!(
            "loop, {instruments:>5} instruments   {ns:6.2} ns/quote {:6.1} M/s   {:.2} x one instrument   {:5.1} x scan",
            1e3 / ns,
            one / ns,
            ns / scan_ns
        );
    }
    const EVERY: u64 = 4;
    for orders in [1_024usize, 10_240, 102_400, 1_024_000] {
        let (busy, fills) = chunks(1, orders * EVERY as usize, EVERY);
        // The last quarter: what an order costs when so many came before it.
        let late = busy[busy.len() * 3 / 4..].to_vec();
        let ns = (quantile(late, 0.2) - one) * EVERY as f64;
        println!("order round trip after {orders:>9} orders   {ns:6.0} ns ({fills} fills)");
    }
}

criterion_group!(benches, quotes);

fn main() {
    print_figures();
    if std::env::args().any(|arg| arg == "--figures") {
        return;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
