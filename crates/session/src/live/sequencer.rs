//! The sequencer: puts what comes from outside into one order, and gives it to the loop.
//!
//! ```text
//!  record ──> due? ──> stamp ──> loop ──> an order issued? ──> seal
//!  clock  ──> a due time passed? ──> tick
//!         ──> 10 ms since the last seal? ──> seal
//!  writer ──> behind by too much, or no longer? ──> journal lag
//! ```
//!
//! It is a state machine without threads: who owns it asks [`Sequencer::poll`] what to do next, so
//! that the simulation tests drive the same code as the live threads.
//!
//! # Invariants
//! - Inputs are stamped once, never before the input before them, and after a tick at `T` later than `T`.
//! - A tick never overtakes a record that is there and due before it.
//! - Seals depend on the clock and on orders, never on the durability level.

use super::clock::Clock;
use crate::driver::{BlockSink, DriveError, Driver};
use onetape_engine::block::JOURNAL_LAG_MAX;
use onetape_engine::config::RunConfig;
use onetape_engine::ids::InstrumentIx;
use onetape_engine::input::Cold;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Head, Kind, Record};
use onetape_engine::{Kernel, Strategy};
use serde::Serialize;
use std::time::Duration;

/// Longest time that applied inputs wait for their seal.
pub const SEAL_EVERY: Duration = Duration::from_millis(10);
/// Wait when neither a record nor anything due is known.
const IDLE: Duration = Duration::from_millis(50);

/// Where a live run's blocks go.
pub trait LiveSink: BlockSink {
    /// Blocks handed over and not written yet.
    fn lag(&self) -> u32;
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The next record is due: [`Sequencer::apply`] it.
    Apply,
    /// Something was done; ask again.
    Again,
    /// Nothing to do for so long, unless a record comes.
    Wait(Duration),
}

/// What the sequencer added to the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Added {
    /// Clock ticks.
    pub ticks: u64,
    /// Seals.
    pub seals: u64,
    /// Statements of journal lag.
    pub lags: u64,
    /// Records that came after their time had been promised away, and were stamped later.
    pub late: u64,
    /// Most blocks the writer was behind.
    pub lag_peak: u32,
}

/// The loop with everything that feeds it.
#[derive(Debug)]
pub struct Sequencer<S, C> {
    driver: Driver<S>,
    clock: C,
    /// Time of the last input.
    last: Nanos,
    /// Time of the last tick: no later input has this time or an earlier one.
    promised: Option<Nanos>,
    sealed_at: Duration,
    /// Orders and cancels sent when the last seal was considered.
    sent: u64,
    is_lagging: bool,
    added: Added,
}

/// Whether an input is made by the sequencer, and so never taken from a source.
pub fn is_sequencers(record: &Record, cold: Option<&Cold>) -> bool {
    match record.kind() {
        Some(Kind::Tick | Kind::Seal) => true,
        Some(Kind::Cold) => matches!(
            cold,
            Some(Cold::Start(_) | Cold::Command(_) | Cold::JournalLag { .. } | Cold::Resumed { .. })
        ),
        _ => false,
    }
}

impl<S: Strategy, C: Clock> Sequencer<S, C> {
    /// A sequencer whose log begins with `config` at `at`.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn start<K: LiveSink>(
        config: &RunConfig,
        strategies: Vec<S>,
        clock: C,
        at: Nanos,
        sink: &mut K,
    ) -> Result<Sequencer<S, C>, DriveError<K::Error>> {
        let mut driver = Driver::new(config.clone(), strategies);
        driver.start(config, at, sink)?;
        Ok(Sequencer::over(driver, clock, at, None))
    }

    /// A sequencer that goes on where a log ended: its last input was at `last`, its last tick at `promised`.
    pub fn over(driver: Driver<S>, clock: C, last: Nanos, promised: Option<Nanos>) -> Sequencer<S, C> {
        let sent = driver.kernel().sent();
        let sealed_at = clock.elapsed();
        Sequencer {
            driver,
            clock,
            last,
            promised,
            sealed_at,
            sent,
            is_lagging: false,
            added: Added::default(),
        }
    }

    /// The kernel, to read its state.
    pub fn kernel(&self) -> &Kernel<S> {
        self.driver.kernel()
    }

    /// The clock.
    pub fn clock_mut(&mut self) -> &mut C {
        &mut self.clock
    }

    /// Time of the last input.
    pub fn last(&self) -> Nanos {
        self.last
    }

    /// What was added to the tape.
    pub fn added(&self) -> Added {
        self.added
    }

    /// Does what the clock demands and says what comes next; `next` is the receipt time of the record that is there.
    ///
    /// # Errors
    /// When the loop refuses an input or the sink fails.
    pub fn poll<K: LiveSink>(
        &mut self,
        next: Option<Nanos>,
        sink: &mut K,
    ) -> Result<Next, DriveError<K::Error>> {
        if let Some(ts) = next {
            self.clock.observe(ts);
        }
        let Some(now) = self.clock.now() else {
            return Ok(if next.is_some() { Next::Apply } else { Next::Wait(IDLE) });
        };
        self.state_lag(sink)?;
        let since_seal = self.clock.elapsed().saturating_sub(self.sealed_at);
        if since_seal >= SEAL_EVERY && self.driver.has_pending() {
            self.seal(sink)?;
        }
        if next.is_some_and(|ts| ts <= now) {
            return Ok(Next::Apply);
        }
        let due = self.driver.kernel().next_due();
        // A record that is there is later than now, so this tick overtakes none.
        if let Some(due) = due.filter(|due| *due <= now) {
            self.tick(due, sink)?;
            return Ok(Next::Again);
        }
        let wake = next.into_iter().chain(due).min();
        let mut wait = wake.map_or(IDLE, |ts| self.clock.until(ts));
        if self.driver.has_pending() {
            wait = wait.min(SEAL_EVERY.saturating_sub(since_seal));
        }
        Ok(Next::Wait(wait))
    }

    /// Stamps a record of the source and runs it through the loop.
    ///
    /// # Errors
    /// When the loop refuses it or the sink fails.
    pub fn apply<K: LiveSink>(
        &mut self,
        mut record: Record,
        cold: Option<Cold>,
        sink: &mut K,
    ) -> Result<(), DriveError<K::Error>> {
        let floor = self.floor();
        if record.ts() < floor {
            record.ts = floor.0;
            self.added.late += 1;
        }
        self.push(record, cold, sink)
    }

    /// The run continues after its process ended; nobody watched the market for `gap_ns` of wall time.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn resumed<K: LiveSink>(&mut self, gap_ns: u64, sink: &mut K) -> Result<(), DriveError<K::Error>> {
        self.push_cold(Cold::Resumed { gap_ns }, sink)?;
        self.seal(sink)
    }

    /// An operator's command.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn command<K: LiveSink>(
        &mut self,
        command: onetape_engine::input::Command,
        sink: &mut K,
    ) -> Result<(), DriveError<K::Error>> {
        self.push_cold(Cold::Command(command), sink)
    }

    /// Ends the tape: what is due up to the last settlement runs, and the last block seals.
    ///
    /// # Errors
    /// When the sink fails.
    pub fn end<K: LiveSink>(&mut self, sink: &mut K) -> Result<(), DriveError<K::Error>> {
        self.driver.end(self.last, sink)
    }

    /// The earliest time that the next input may have.
    fn floor(&self) -> Nanos {
        self.promised.map_or(self.last, |promised| self.last.max(Nanos(promised.0.saturating_add(1))))
    }

    fn push<K: LiveSink>(
        &mut self,
        record: Record,
        cold: Option<Cold>,
        sink: &mut K,
    ) -> Result<(), DriveError<K::Error>> {
        self.last = record.ts();
        self.driver.push(record, cold, sink)?;
        let sent = self.driver.kernel().sent();
        if sent != self.sent && self.driver.has_pending() {
            self.seal(sink)?;
        }
        self.sent = sent;
        Ok(())
    }

    fn push_cold<K: LiveSink>(&mut self, cold: Cold, sink: &mut K) -> Result<(), DriveError<K::Error>> {
        let record = Record::new(Head::at(self.floor(), InstrumentIx::NONE), Body::Cold(0));
        self.push(record, Some(cold), sink)
    }

    fn tick<K: LiveSink>(&mut self, due: Nanos, sink: &mut K) -> Result<(), DriveError<K::Error>> {
        let at = due.max(self.floor());
        self.promised = Some(at);
        self.added.ticks += 1;
        self.push(Record::new(Head::at(at, InstrumentIx::NONE), Body::Tick), None, sink)
    }

    fn seal<K: LiveSink>(&mut self, sink: &mut K) -> Result<(), DriveError<K::Error>> {
        let record = Record::new(Head::at(self.floor(), InstrumentIx::NONE), Body::Seal);
        self.last = record.ts();
        self.sealed_at = self.clock.elapsed();
        self.added.seals += 1;
        self.driver.push(record, None, sink)
    }

    /// States the writer's lag when it passes the bound, and when it has fallen to half of it.
    fn state_lag<K: LiveSink>(&mut self, sink: &mut K) -> Result<(), DriveError<K::Error>> {
        let blocks = sink.lag();
        self.added.lag_peak = self.added.lag_peak.max(blocks);
        let is_crossed =
            if self.is_lagging { blocks <= JOURNAL_LAG_MAX / 2 } else { blocks > JOURNAL_LAG_MAX };
        if is_crossed {
            self.is_lagging = !self.is_lagging;
            self.added.lags += 1;
            self.push_cold(Cold::JournalLag { blocks }, sink)?;
        }
        Ok(())
    }
}
