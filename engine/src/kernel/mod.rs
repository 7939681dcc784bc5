//! The loop: `apply(input)` is the only door.
//!
//! Applying an input runs what is due before it, lets orders under way arrive, appends the input,
//! applies it and drains what follows. Derived events that run before an input follow the input
//! before it, so event time never decreases along the log.
//!
//! **Bound.** One input leads to at most [`DERIVED_PER_INPUT_MAX`](crate::block::DERIVED_PER_INPUT_MAX)
//! derived events. Past half of it no further due entry, arrival or resting match starts: what waits
//! continues at the next input, in the same order. A strategy that causes more than
//! [`STRATEGY_EVENTS_MAX`](crate::block::STRATEGY_EVENTS_MAX) at one instant is stopped.

mod callbacks;
mod depth;
mod due;
mod error;
mod inputs;
mod snapshot;

pub use error::KernelError;
pub use snapshot::SnapshotError;

use crate::block::{DERIVED_SEAL, INPUTS_MAX};
use crate::config::RunConfig;
use crate::event::{Derived, Event};
use crate::ids::{InstrumentIx, Seq};
use crate::input::Cold;
use crate::num::{Money, Nanos};
use crate::order::Order;
use crate::record::{Kind, Record};
use crate::state::Core;
use crate::state_hash::state_hash;
use crate::strategy::{Intent, Strategy};
use crate::view::{View, Watch};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Seqs between state hashes.
const STATE_HASH_EVERY: u64 = 1 << 20;

#[derive(Debug)]
struct Slot<S> {
    strategy: S,
    rng: ChaCha8Rng,
    /// Neither stopped nor paused: all that a callback looks at.
    is_called: bool,
    is_active: bool,
    is_paused: bool,
    /// Events it caused at the instant `spent_at` within input number `spent_in`.
    spent: usize,
    spent_at: Nanos,
    spent_in: u64,
}

/// The deterministic loop over strategies of type `S` (a concrete type, or `Box<dyn Strategy>`).
#[derive(Debug)]
pub struct Kernel<S> {
    core: Core,
    slots: Vec<Slot<S>>,
    intents: Vec<Intent>,
    last_ts: Nanos,
    next_state_hash: Seq,
    last_state_hash: Option<[u8; 32]>,
    inputs: u64,
    is_finished: bool,
}

impl<S: Strategy> Kernel<S> {
    /// A kernel for a configuration; `strategies` in the order of `config.strategies`.
    pub fn new(config: RunConfig, strategies: Vec<S>) -> Kernel<S> {
        let seed = config.seed;
        let slots = strategies
            .into_iter()
            .enumerate()
            .map(|(n, strategy)| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(n as u64 + 1);
                Slot {
                    strategy,
                    rng,
                    is_called: true,
                    is_active: true,
                    is_paused: false,
                    spent: 0,
                    spent_at: Nanos(0),
                    spent_in: 0,
                }
            })
            .collect();
        Kernel {
            core: Core::new(config),
            slots,
            intents: Vec::new(),
            last_ts: Nanos(0),
            next_state_hash: STATE_HASH_EVERY,
            last_state_hash: None,
            inputs: 0,
            is_finished: false,
        }
    }

    /// Applies one input and everything that follows from it.
    ///
    /// # Errors
    /// [`KernelError`] when the input is impossible; nothing of it was applied.
    #[inline]
    pub fn apply(&mut self, record: &Record, cold: Option<&Cold>) -> Result<(), KernelError> {
        let kind = self.run_before(record, cold)?;
        let ts = record.ts();
        self.core.now = ts;
        self.last_ts = ts;
        let seq = self.core.seq;
        self.core.seq += 1;
        self.core.block_inputs += 1;
        self.inputs += 1;
        self.apply_kind(kind, record, cold, seq);
        self.drain();
        if self.core.seq >= self.next_state_hash {
            self.emit_state_hash(seq);
        }
        Ok(())
    }

    /// Runs what precedes an input: due entries and arrivals that it proves.
    #[inline]
    fn run_before(&mut self, record: &Record, cold: Option<&Cold>) -> Result<Kind, KernelError> {
        let kind = self.check(record, cold)?;
        let ts = record.ts();
        self.core.input_floor = self.core.derived.len();
        if self.core.schedule.is_due_before(ts) {
            self.run_due(Nanos(ts.0 - 1));
        }
        if let Some(first) = self.core.venue.next_arrival() {
            self.prove_arrivals(kind, record, first);
        }
        Ok(kind)
    }

    /// The state when `record` was about to be appended. For auditors, at the end of what they run: the
    /// kernel is not meant to go on.
    ///
    /// # Errors
    /// [`KernelError`] when the input is impossible.
    pub fn view_before(&mut self, record: &Record, cold: Option<&Cold>) -> Result<View, KernelError> {
        self.run_before(record, cold)?;
        Ok(self.core.view())
    }

    /// The present state.
    pub fn view(&self) -> View {
        self.core.view()
    }

    /// Sets what an auditor wants to see; replaces an earlier watch.
    pub fn watch(&mut self, watch: Watch) {
        self.core.set_watch(watch);
    }

    /// The views taken since the last call.
    pub fn take_views(&mut self) -> Vec<View> {
        self.core.take_views()
    }

    #[inline]
    fn check(&self, record: &Record, cold: Option<&Cold>) -> Result<Kind, KernelError> {
        let seq = self.core.seq;
        if record.ts < self.last_ts.0 {
            return Err(KernelError::OutOfOrder { seq, ts: record.ts, previous: self.last_ts.0 });
        }
        let kind = record.kind().ok_or(KernelError::UnknownKind { seq, kind: record.kind })?;
        let defined = self.core.instruments.len();
        if kind.is_market() {
            if record.instrument as usize >= defined {
                return Err(KernelError::UndefinedInstrument { seq, instrument: record.instrument, defined });
            }
        } else if kind == Kind::Cold {
            self.check_cold(record, cold.ok_or(KernelError::MissingPayload { seq })?, seq)?;
        }
        if self.is_finished {
            return Err(KernelError::Finished { seq });
        }
        Ok(kind)
    }

    fn check_cold(&self, record: &Record, cold: &Cold, seq: Seq) -> Result<(), KernelError> {
        match cold {
            Cold::Start(config) if **config != self.core.config => Err(KernelError::OtherConfig { seq }),
            Cold::Definition(def) => {
                let ix = InstrumentIx::from(self.core.instruments.len());
                let problem = if self.core.symbols.contains_key(&def.symbol) {
                    "the symbol is defined already"
                } else if def.underlying().is_some_and(|underlying| underlying >= ix) {
                    "its underlying must be defined before it"
                } else if def.multiplier <= 0 || def.lot.0 <= 0 {
                    "multiplier and lot must be above zero"
                } else {
                    return Ok(());
                };
                Err(KernelError::BadDefinition { seq, symbol: def.symbol.clone(), problem })
            }
            Cold::Imbalance(_) if record.instrument as usize >= self.core.instruments.len() => {
                let defined = self.core.instruments.len();
                Err(KernelError::UndefinedInstrument { seq, instrument: record.instrument, defined })
            }
            Cold::Start(_)
            | Cold::Command(_)
            | Cold::JournalLag { .. }
            | Cold::Resumed { .. }
            | Cold::Imbalance(_) => Ok(()),
        }
    }

    /// Lets orders arrive whose venue time this record proves to have passed.
    fn prove_arrivals(&mut self, kind: Kind, record: &Record, first: Nanos) {
        let feed = self.core.config.latency.feed_ns;
        let proven = match kind {
            Kind::Tick | Kind::SessionPhase => Nanos(record.ts.saturating_sub(feed)),
            Kind::Cold | Kind::Seal => return,
            _ => venue_time(record),
        };
        if proven > first {
            self.core.deliver_arrivals(proven, record.ts());
            self.drain();
        }
    }

    fn state_hash(&self) -> [u8; 32] {
        let strategies =
            self.slots.iter().map(|slot| (&slot.strategy, &slot.rng, [slot.is_active, slot.is_paused]));
        state_hash(&self.core, strategies)
    }

    fn emit_state_hash(&mut self, seq: Seq) {
        let hash = self.state_hash();
        debug_assert!(self.core.accounts.iter().all(|account| account.is_conserved()));
        self.last_state_hash = Some(hash);
        self.core.emit(seq, Event::StateHash { hash });
        self.next_state_hash = (self.core.seq / STATE_HASH_EVERY + 1) * STATE_HASH_EVERY;
    }

    /// Whether the block under construction must seal after the input just applied.
    #[inline]
    pub fn must_seal(&self, record: &Record) -> bool {
        record.kind == Kind::Seal as u8
            || self.core.block_inputs as usize >= INPUTS_MAX
            || self.core.derived.len() >= DERIVED_SEAL
    }

    /// Takes the derived lane of the block under construction, leaving `empty` in its place, and begins the next block.
    pub fn take_derived(&mut self, mut empty: Vec<Derived>) -> Vec<Derived> {
        empty.clear();
        self.core.block_inputs = 0;
        self.core.input_floor = 0;
        std::mem::replace(&mut self.core.derived, empty)
    }

    /// Seq of the next element.
    pub fn seq(&self) -> Seq {
        self.core.seq
    }

    /// When something is due that only a later input, or a tick at this time, lets happen.
    pub fn next_due(&self) -> Option<Nanos> {
        let feed_ns = self.core.config.latency.feed_ns;
        // An arrival is proven by a time after it.
        let arrival = self.core.venue.next_arrival().map(|at| at.after(feed_ns).after(1));
        self.core.schedule.next_due().into_iter().chain(arrival).min()
    }

    /// Orders and cancels sent to venues so far.
    pub fn sent(&self) -> u64 {
        self.core.venue.sent
    }

    /// Inputs applied.
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Whether the end of the tape was applied.
    pub fn is_finished(&self) -> bool {
        self.is_finished
    }

    /// The last state hash.
    pub fn last_state_hash(&self) -> Option<[u8; 32]> {
        self.last_state_hash
    }

    /// The accounts.
    pub fn accounts(&self) -> &[crate::account::Account] {
        &self.core.accounts
    }

    /// All orders.
    pub fn orders(&self) -> &[Order] {
        &self.core.orders
    }

    /// Definitions so far.
    pub fn instruments(&self) -> &[crate::instrument::InstrumentDef] {
        &self.core.instruments
    }

    /// The strategies, by index.
    pub fn strategies(&self) -> impl Iterator<Item = &S> {
        self.slots.iter().map(|slot| &slot.strategy)
    }

    /// Equity over all accounts.
    pub fn equity(&self) -> Money {
        self.core.accounts.iter().fold(Money::ZERO, |sum, account| sum + account.equity())
    }
}

/// Exchange time of a record, never after its receipt: a source's clock may be ahead or its field unset.
#[inline]
fn venue_time(record: &Record) -> Nanos {
    Nanos(record.ts_src.min(record.ts))
}
