//! The live path end to end over TCP on 127.0.0.1, beside a bare echo through the same threads.
//!
//! ```text
//!  sender ── 64 bytes at planned instants ──> socket ──> source thread ──> queue ──> loop thread ─┐
//!  receiver <──────────── socket <──────────── 32 order bytes (live: at the gate) <───────────────┘
//! ```
//! Of the echo the loop thread does nothing but answer the quotes on which the live run sends an order; sockets,
//! threads, queue, waiting and pace are the same. What is timed is planned instant → order bytes received.

use super::latency::{LatencyPlan, Paced};
use super::machine::{Pinned, Place};
use super::paced::{Parcel, QUEUE, Watch, drain, planned};
use super::path::{LivePath, ORDER_LEN, Released, Send, order_bytes, order_of, order_on};
use super::stages::histogram;
use crate::error::RunError;
use crossbeam::channel::{Sender, bounded};
use hdrhistogram::Histogram;
use onetape_engine::num::Nanos;
use onetape_engine::record::Record;
use std::io::{BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use zerocopy::IntoBytes;

/// What the loop thread does.
#[derive(Clone, Copy)]
pub(super) enum Over<'a> {
    /// Answers at once.
    Echo,
    /// The live path, its journal in this folder.
    Live(&'a Path),
}

fn failed(source: std::io::Error) -> RunError {
    RunError::Io { path: "127.0.0.1".to_string(), source }
}

/// Both ends of a connection over the loopback interface: the market's, and the run's.
fn connect() -> Result<(TcpStream, TcpStream), RunError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let market = TcpStream::connect(listener.local_addr().map_err(failed)?).map_err(failed)?;
    let (run, _) = listener.accept().map_err(failed)?;
    market.set_nodelay(true).and_then(|()| run.set_nodelay(true)).map_err(failed)?;
    Ok((market, run))
}

/// Writes each quote at its planned instant, then says that there are no more.
fn send(
    watch: Watch,
    start_ns: u64,
    rate: u64,
    records: &[Record],
    mut to: &TcpStream,
) -> std::io::Result<()> {
    let _pinned = Pinned::to(Place::Market);
    for (n, record) in (0u64..).zip(records) {
        watch.wait(start_ns + planned(n, rate));
        to.write_all(record.as_bytes())?;
    }
    to.shutdown(Shutdown::Write)
}

/// The source thread: bytes from the socket, parcel by parcel.
fn source(watch: Watch, start_ns: u64, rate: u64, from: &TcpStream, queue: &Sender<Parcel>) {
    let mut from = BufReader::new(from);
    for n in 0.. {
        let mut bytes = [0; size_of::<Record>()];
        // The end of the stream ends the run.
        if from.read_exact(&mut bytes).is_err() {
            return;
        }
        let parcel = Parcel { planned_ns: start_ns + planned(n, rate), sent_ns: watch.ns(), bytes };
        if queue.send(parcel).is_err() {
            return;
        }
    }
}

/// Receives orders and takes each against the planned instant of the quote that led to it.
fn receive(
    plan: &LatencyPlan,
    watch: Watch,
    start_ns: u64,
    mut from: &TcpStream,
) -> std::io::Result<Histogram<u64>> {
    let _pinned = Pinned::to(Place::Market);
    let (mut latency, mut bytes) = (histogram(), [0; ORDER_LEN]);
    loop {
        match from.read_exact(&mut bytes) {
            Ok(()) => {}
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(latency),
            Err(e) => return Err(e),
        }
        let now_ns = watch.ns();
        // Order 0 rests, and no quote is timed by it.
        let quote = (u64::from(order_of(&bytes).0) * plan.order_every).checked_sub(1);
        if let Some(quote) = quote.filter(|quote| *quote >= plan.warmup) {
            latency.saturating_record(now_ns.saturating_sub(start_ns + planned(quote, plan.rate)));
        }
    }
}

/// Answers quotes on which an order is sent, with as many bytes.
fn echo(
    plan: &LatencyPlan,
    queue: crossbeam::channel::Receiver<Parcel>,
    send: &mut Send,
) -> Result<(), RunError> {
    const IDLE: Duration = Duration::from_millis(50);
    drain(queue, |parcel| {
        if let Some(order) = parcel.and_then(|(n, _)| order_on(n, plan.order_every)) {
            send(&order_bytes(0, Nanos(0), order, false)).map_err(failed)?;
        }
        Ok(IDLE)
    })
}

/// Latency of every order that counts, and of the live path what was measured at its gate.
pub(super) type Found = (Histogram<u64>, Option<Released>);

/// Runs the paced tape over a connection.
pub(super) fn run(plan: &LatencyPlan, tape: &Paced, over: Over<'_>) -> Result<Found, RunError> {
    let (market, run) = connect()?;
    let watch = Watch(Instant::now());
    let mut to = run.try_clone().map_err(failed)?;
    let mut order_out: Send = Box::new(move |bytes| to.write_all(bytes));
    let (sender, queue) = bounded(QUEUE);
    std::thread::scope(|scope| {
        let mut path = None;
        if let Over::Live(folder) = over {
            let gate = std::mem::replace(&mut order_out, Box::new(|_| Ok(())));
            path = Some(LivePath::begin(plan, tape.first.clone(), folder, watch, gate)?);
        }
        let start_ns = watch.ns();
        let (market, from) = (&market, &run);
        let sending = scope.spawn(move || send(watch, start_ns, plan.rate, &tape.records, market));
        let receiving = scope.spawn(move || receive(plan, watch, start_ns, market));
        scope.spawn(move || source(watch, start_ns, plan.rate, from, &sender));
        let done = match path {
            None => echo(plan, queue, &mut order_out).map(|()| None),
            Some(mut path) => drain(queue, |parcel| {
                let Some((n, parcel)) = parcel else { return path.idle() };
                path.take(n, parcel).map(|()| Duration::ZERO)
            })
            .and_then(|()| path.finish().map(|(_, released)| Some(released))),
        };
        // Whatever happened here, the other threads are told that nothing more comes.
        run.shutdown(Shutdown::Both).ok();
        let received = receiving.join().map_err(|_| RunError::Thread { thread: "receiver" })?;
        let sent = sending.join().map_err(|_| RunError::Thread { thread: "sender" })?;
        let released = done?;
        sent.map_err(failed)?;
        Ok((received.map_err(failed)?, released))
    })
}
