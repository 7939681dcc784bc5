//! The live path as a run has it — sequencer, loop, journal thread, gate — with an instant taken at every seam.

use super::latency::LatencyPlan;
use super::paced::{Parcel, Watch};
use super::stages::histogram;
use super::strategy::{Checksum, Settings};
use crate::driver::{BlockSink, Driver};
use crate::error::RunError;
use crate::live::{Clock, LiveSink, Next, Sequencer};
use hdrhistogram::Histogram;
use onetape_engine::block::Block;
use onetape_engine::ids::OrderIx;
use onetape_engine::num::Nanos;
use onetape_engine::record::Record;
use onetape_journal::{Issued, JournalError, JournalThread, JournalWriter, OnRelease};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zerocopy::FromBytes;

/// Bytes of an order on its way out: seq, event time, order, whether it is a cancel.
pub(super) const ORDER_LEN: usize = 32;

/// Takes an order's bytes as a socket does.
pub(super) type Send = Box<dyn FnMut(&[u8; ORDER_LEN]) -> std::io::Result<()> + std::marker::Send>;

/// The bytes of an order.
pub(super) fn order_bytes(seq: u64, ts: Nanos, order: OrderIx, is_cancel: bool) -> [u8; ORDER_LEN] {
    let mut bytes = [0; ORDER_LEN];
    let words = [seq, ts.0, u64::from(order.0), u64::from(is_cancel)];
    for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// The order that bytes name.
pub(super) fn order_of(bytes: &[u8; ORDER_LEN]) -> OrderIx {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[16..20]);
    OrderIx(u32::from_le_bytes(word))
}

/// The order that the n-th quote sends, if it does: order 0 rests from the first quote on, order k goes out on
/// quote k · every.
pub(super) fn order_on(n: u64, every: u64) -> Option<OrderIx> {
    let every = every.max(1);
    let order = (n + 1).is_multiple_of(every).then(|| (n + 1) / every)?;
    u32::try_from(order).ok().map(OrderIx)
}

/// The live clock on the run's watch: event time is the tape's epoch plus what passed.
#[derive(Clone, Copy)]
struct WatchClock {
    watch: Watch,
    epoch: Nanos,
}

impl WatchClock {
    fn at(self, ns: u64) -> Nanos {
        Nanos(self.epoch.0 + ns)
    }
}

impl Clock for WatchClock {
    fn now(&mut self) -> Option<Nanos> {
        Some(self.at(self.watch.ns()))
    }
    fn until(&mut self, ts: Nanos) -> Duration {
        Duration::from_nanos(ts.0.saturating_sub(self.at(self.watch.ns()).0))
    }
    fn elapsed(&self) -> Duration {
        self.watch.0.elapsed()
    }
    fn observe(&mut self, _: Nanos) {}
}

/// When each order was planned, its quote taken and its block handed over; both threads know an order by its index.
struct Instants {
    planned: Vec<AtomicU64>,
    taken: Vec<AtomicU64>,
    handed: Vec<AtomicU64>,
}

impl Instants {
    fn new(orders: usize) -> Instants {
        let zeros = || (0..orders).map(|_| AtomicU64::new(0)).collect();
        Instants { planned: zeros(), taken: zeros(), handed: zeros() }
    }

    fn note(list: &[AtomicU64], order: OrderIx, ns: u64) {
        if let Some(place) = list.get(order.0 as usize) {
            place.store(ns, Ordering::Release);
        }
    }

    /// Zero of an order that does not count.
    fn of(list: &[AtomicU64], order: OrderIx) -> u64 {
        list.get(order.0 as usize).map_or(0, |place| place.load(Ordering::Acquire))
    }
}

/// What is measured where orders leave.
pub(super) struct Released {
    pub(super) gate: Histogram<u64>,
    pub(super) bytes: Histogram<u64>,
    pub(super) decide: Histogram<u64>,
    pub(super) came: Histogram<u64>,
    pub(super) order: Histogram<u64>,
}

/// What the loop thread measures.
pub(super) struct Stages {
    pub(super) late: Histogram<u64>,
    pub(super) queue: Histogram<u64>,
    pub(super) inside: Histogram<u64>,
    pub(super) handover: Histogram<u64>,
    pub(super) event: Histogram<u64>,
}

impl Released {
    pub(super) fn empty() -> Released {
        let [gate, bytes, decide, came, order] = [(); 5].map(|()| histogram());
        Released { gate, bytes, decide, came, order }
    }

    fn parts(&mut self) -> [&mut Histogram<u64>; 5] {
        [&mut self.gate, &mut self.bytes, &mut self.decide, &mut self.came, &mut self.order]
    }

    /// Takes in another turn.
    pub(super) fn add(&mut self, mut other: Released) {
        join(self.parts(), other.parts());
    }
}

impl Stages {
    pub(super) fn empty() -> Stages {
        let [late, queue, inside, handover, event] = [(); 5].map(|()| histogram());
        Stages { late, queue, inside, handover, event }
    }

    fn parts(&mut self) -> [&mut Histogram<u64>; 5] {
        [&mut self.late, &mut self.queue, &mut self.inside, &mut self.handover, &mut self.event]
    }

    /// Takes in another turn.
    pub(super) fn add(&mut self, mut other: Stages) {
        join(self.parts(), other.parts());
    }
}

fn join(all: [&mut Histogram<u64>; 5], turn: [&mut Histogram<u64>; 5]) {
    for (all, turn) in all.into_iter().zip(turn) {
        all.add(&*turn).expect("all histograms have the same bounds");
    }
}

/// The journal thread as a live sink that notes when blocks with orders were handed over.
struct JournalSink {
    thread: JournalThread,
    watch: Watch,
    instants: Arc<Instants>,
    handover: Histogram<u64>,
    counts: bool,
}

impl BlockSink for JournalSink {
    type Error = RunError;
    fn put(&mut self, block: Block) -> Result<Block, RunError> {
        let before_ns = self.watch.ns();
        for issued in Issued::of(&block) {
            Instants::note(&self.instants.handed, issued.order, before_ns);
        }
        let empty = self.thread.put(block)?;
        if self.counts {
            self.handover.saturating_record(self.watch.ns() - before_ns);
        }
        Ok(empty)
    }
}

impl LiveSink for JournalSink {
    fn lag(&self) -> u32 {
        self.thread.lag()
    }
}

/// The gate: called with orders that may leave.
fn gate(watch: Watch, instants: Arc<Instants>, released: Arc<Mutex<Released>>, mut send: Send) -> OnRelease {
    Box::new(move |issued: &[Issued]| {
        let mut found = released.lock().unwrap_or_else(PoisonError::into_inner);
        for issued in issued {
            let free_ns = watch.ns();
            let bytes = order_bytes(issued.seq, issued.ts, issued.order, issued.is_cancel);
            send(&bytes).map_err(|e| JournalError::Failed {
                path: "the order gate".to_string(),
                what: "sending an order",
                problem: e.to_string(),
            })?;
            let done_ns = watch.ns();
            let planned_ns = Instants::of(&instants.planned, issued.order);
            if planned_ns > 0 {
                let handed_ns = Instants::of(&instants.handed, issued.order);
                let taken_ns = Instants::of(&instants.taken, issued.order);
                found.came.saturating_record(taken_ns.saturating_sub(planned_ns));
                found.decide.saturating_record(handed_ns.saturating_sub(taken_ns));
                found.gate.saturating_record(free_ns.saturating_sub(handed_ns));
                found.bytes.saturating_record(done_ns - free_ns);
                found.order.saturating_record(done_ns.saturating_sub(planned_ns));
            }
        }
        Ok::<(), JournalError>(())
    })
}

/// The path, ready to take parcels.
pub(super) struct LivePath {
    sequencer: Sequencer<Checksum, WatchClock>,
    sink: JournalSink,
    clock: WatchClock,
    released: Arc<Mutex<Released>>,
    stages: Stages,
    plan: LatencyPlan,
}

impl LivePath {
    /// Begins a journal in `folder` whose log opens with `first`; orders leave through `send`.
    pub(super) fn begin(
        plan: &LatencyPlan,
        first: Block,
        folder: &Path,
        watch: Watch,
        send: Send,
    ) -> Result<LivePath, RunError> {
        let settings = Settings { work: 0, every: plan.order_every };
        let config = settings.config();
        let epoch = first.inputs.first().map_or(Nanos(0), Record::ts);
        let clock = WatchClock { watch, epoch };
        let orders = (plan.warmup + plan.events) / plan.order_every.max(1) + 2;
        let instants = Arc::new(Instants::new(orders as usize));
        let released = Arc::new(Mutex::new(Released::empty()));
        let gate = gate(watch, Arc::clone(&instants), Arc::clone(&released), send);
        let writer = JournalWriter::create(folder, [0; 32])?;
        let thread = JournalThread::start_live(writer, plan.durability.commits(), gate)?;
        let mut sink = JournalSink { thread, watch, instants, handover: histogram(), counts: false };
        let mut driver = Driver::new(config.clone(), vec![settings.strategy()]);
        driver.start(&config, epoch, &mut sink)?;
        driver.drive(first, &mut sink)?;
        let sequencer = Sequencer::over(driver, clock, epoch, None);
        Ok(LivePath { sequencer, sink, clock, released, stages: Stages::empty(), plan: plan.clone() })
    }

    /// Does what the clock demands while no parcel is there; how long that can wait.
    pub(super) fn idle(&mut self) -> Result<Duration, RunError> {
        Ok(match self.sequencer.poll(None, &mut self.sink)? {
            Next::Wait(wait) => wait,
            Next::Apply | Next::Again => Duration::ZERO,
        })
    }

    /// The n-th parcel through the sequencer, as the live run's pump does it.
    pub(super) fn take(&mut self, n: u64, parcel: &Parcel) -> Result<(), RunError> {
        let (clock, counts) = (self.clock, n >= self.plan.warmup);
        self.sink.counts = counts;
        let taken_ns = clock.watch.ns();
        if let Some(order) = order_on(n, self.plan.order_every).filter(|_| counts) {
            Instants::note(&self.sink.instants.planned, order, parcel.planned_ns);
            Instants::note(&self.sink.instants.taken, order, taken_ns);
        }
        if let Ok(mut record) = Record::read_from_bytes(&parcel.bytes) {
            // Receipt is stamped once, here.
            record.ts = clock.at(taken_ns).0;
            record.ts_src = clock.at(parcel.planned_ns.min(taken_ns)).0;
            while self.sequencer.poll(Some(record.ts()), &mut self.sink)? != Next::Apply {}
            self.sequencer.apply(record, None, &mut self.sink)?;
        }
        let applied_ns = clock.watch.ns();
        if counts {
            let stages = &mut self.stages;
            stages.late.saturating_record(parcel.sent_ns.saturating_sub(parcel.planned_ns));
            stages.queue.saturating_record(taken_ns.saturating_sub(parcel.sent_ns));
            stages.inside.saturating_record(applied_ns - taken_ns);
            stages.event.saturating_record(applied_ns.saturating_sub(parcel.planned_ns));
        }
        Ok(())
    }

    /// Ends the log once every order has left; what was measured.
    pub(super) fn finish(mut self) -> Result<(Stages, Released), RunError> {
        let sent = self.sequencer.kernel().strategies().next().map_or(0, |strategy| strategy.orders);
        let quotes = self.plan.warmup + self.plan.events;
        assert_eq!(sent, quotes / self.plan.order_every.max(1), "every order was sent");
        self.sequencer.end(&mut self.sink)?;
        let JournalSink { thread, handover, .. } = self.sink;
        thread.finish()?;
        let released = Arc::into_inner(self.released).expect("the gate is gone with the journal's thread");
        let stages = Stages { handover, ..self.stages };
        Ok((stages, released.into_inner().unwrap_or_else(PoisonError::into_inner)))
    }
}
