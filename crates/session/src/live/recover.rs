//! Recovery: the newest snapshot that fits the chain, then the journal's inputs through the loop again, up to the
//! last intact block.
//!
//! What the inputs derive must be what the journal says, event for event; then the kernel is exactly where
//! the dead process's was, and the same chain goes on. Without a snapshot all inputs run again; when one
//! leads elsewhere (a strategy that does not load what it saved), so they do.

use super::sequencer::is_sequencers;
use crate::collect::Collector;
use crate::driver::Driver;
use crate::error::RunError;
use crate::rederive::{build_strategies, config_of};
use onetape_engine::block::Block;
use onetape_engine::config::{RunConfig, SEMANTICS_VERSION};
use onetape_engine::event::Derived;
use onetape_engine::ids::Seq;
use onetape_engine::num::Nanos;
use onetape_engine::record::Kind;
use onetape_engine::{Kernel, Strategy};
use onetape_journal::{Issued, JournalWriter, Recovery, Snapshot};
use onetape_strategies::Registry;
use onetape_tape::codec::Hash;
use std::path::Path;

/// A live run as its journal left it.
pub struct Recovered {
    /// The journal, open for appending.
    pub writer: JournalWriter,
    /// The loop, where it was.
    pub driver: Driver<Box<dyn Strategy>>,
    /// The run's configuration.
    pub config: RunConfig,
    /// Totals of the run so far.
    pub collector: Collector,
    /// Records taken from the source.
    pub taken: u64,
    /// Time of the first input.
    pub first: Nanos,
    /// Time of the last input.
    pub last: Nanos,
    /// Time of the last tick.
    pub promised: Option<Nanos>,
    /// Orders and cancels sent, in order.
    pub issued: Vec<Issued>,
    /// Seq of the snapshot it began with.
    pub snapshot: Option<Seq>,
}

struct Walk<'a> {
    registry: &'a Registry,
    path: String,
    uses_snapshots: bool,
    /// Seq and chain head of the snapshot the kernel was made from.
    snapshot: Option<(Seq, Hash)>,
    kernel: Option<(Kernel<Box<dyn Strategy>>, RunConfig)>,
    spare: Vec<Derived>,
    collector: Collector,
    taken: u64,
    first: Nanos,
    last: Nanos,
    promised: Option<Nanos>,
    issued: Vec<Issued>,
}

/// Opens the journal of a run whose process died and brings the loop to where it was.
///
/// # Errors
/// The journal cannot be resumed, or what its inputs derive here is not what it says.
pub fn recover(journal: &Path, registry: &Registry) -> Result<Recovered, RunError> {
    match walk(journal, registry, true) {
        Err(RunError::Recovery { .. }) => walk(journal, registry, false),
        result => result,
    }
}

fn walk(journal: &Path, registry: &Registry, uses_snapshots: bool) -> Result<Recovered, RunError> {
    let path = journal.display().to_string();
    let mut walk = Walk {
        registry,
        path: path.clone(),
        uses_snapshots,
        snapshot: None,
        kernel: None,
        spare: Vec::new(),
        collector: Collector::default(),
        taken: 0,
        first: Nanos(0),
        last: Nanos(0),
        promised: None,
        issued: Vec::new(),
    };
    let writer = JournalWriter::resume(journal, &mut walk)?;
    let Walk { kernel, collector, taken, first, last, promised, issued, snapshot, .. } = walk;
    let (kernel, config) = kernel.ok_or(RunError::NoStart { path: path.clone() })?;
    if kernel.seq() != writer.next_seq() {
        return Err(RunError::Recovery { path, seq: writer.next_seq() });
    }
    let (driver, snapshot) = (Driver::over(kernel), snapshot.map(|(seq, _)| seq));
    Ok(Recovered { writer, driver, config, collector, taken, first, last, promised, issued, snapshot })
}

impl Recovery for Walk<'_> {
    type Error = RunError;

    fn begin(
        &mut self,
        first: &Block,
        snapshots: &mut dyn Iterator<Item = Snapshot>,
    ) -> Result<(), RunError> {
        let config = config_of(first, &self.path)?;
        if config.semantics != SEMANTICS_VERSION {
            return Err(RunError::Semantics { found: SEMANTICS_VERSION, journaled: config.semantics });
        }
        self.first = first.inputs.first().map_or(Nanos(0), onetape_engine::record::Record::ts);
        for snapshot in snapshots.filter(|_| self.uses_snapshots) {
            let strategies = build_strategies(&config, self.registry)?;
            if let Ok(kernel) = Kernel::restore(config.clone(), strategies, &snapshot.bytes)
                && kernel.seq() == snapshot.seq
            {
                self.snapshot = Some((snapshot.seq, snapshot.head));
                self.kernel = Some((kernel, config));
                return Ok(());
            }
        }
        let strategies = build_strategies(&config, self.registry)?;
        self.kernel = Some((Kernel::new(config.clone(), strategies), config));
        Ok(())
    }

    fn block(&mut self, block: &Block, previous: Hash) -> Result<(), RunError> {
        let elsewhere = |seq| RunError::Recovery { path: self.path.clone(), seq };
        let Some((kernel, _)) = &mut self.kernel else { return Err(elsewhere(block.first_seq)) };
        let is_known = self.snapshot.is_some_and(|(seq, _)| block.first_seq < seq);
        if self.snapshot.is_some_and(|(seq, head)| block.first_seq == seq && head != previous) {
            return Err(elsewhere(block.first_seq));
        }
        let mut cold = 0;
        for record in &block.inputs {
            let payload = (record.kind == Kind::Cold as u8).then(|| {
                cold += 1;
                block.cold.get(cold - 1)
            });
            let payload = payload.flatten();
            if !is_known {
                let input = |source| RunError::Input { path: self.path.clone(), source };
                kernel.apply(record, payload).map_err(input)?;
            }
            self.taken += u64::from(!is_sequencers(record, payload));
            self.last = record.ts();
            if record.kind == Kind::Tick as u8 {
                self.promised = Some(record.ts());
            }
        }
        if !is_known {
            let derived = kernel.take_derived(std::mem::take(&mut self.spare));
            if let Some(seq) = first_difference(block, &derived) {
                return Err(RunError::Recovery { path: self.path.clone(), seq });
            }
            self.spare = derived;
        }
        self.collector.observe(block);
        self.issued.extend(Issued::of(block));
        Ok(())
    }
}

fn first_difference(block: &Block, derived: &[Derived]) -> Option<Seq> {
    if block.derived == derived {
        return None;
    }
    let n = block.derived.iter().zip(derived).take_while(|(a, b)| a == b).count();
    let after = block.derived.get(n).or(derived.get(n)).map_or(0, |event| event.after);
    Some(block.derived_seq(n, after))
}
