//! Re-derivation: the inputs of a journal go through the loop again, and what it concludes must be
//! what the journal says, event for event.

use crate::error::RunError;
use onetape_engine::block::Block;
use onetape_engine::config::{RunConfig, SEMANTICS_VERSION};
use onetape_engine::event::Derived;
use onetape_engine::ids::Seq;
use onetape_engine::input::Cold;
use onetape_engine::record::Kind;
use onetape_engine::{Kernel, KernelError, Strategy};
use onetape_strategies::Registry;

/// The first derived event that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// Position in the journal.
    pub seq: Seq,
    /// What the journal says; `None` when it has too few events there.
    pub journaled: Option<Derived>,
    /// What the loop concludes; `None` when it concludes fewer events there.
    pub derived: Option<Derived>,
}

/// Result of a re-derivation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rederived {
    /// Inputs applied.
    pub inputs: u64,
    /// Derived events compared.
    pub derived: u64,
    /// Derived events that differ.
    pub mismatches: u64,
    /// The first of them.
    pub first: Option<Mismatch>,
}

/// Re-derives a journal block by block.
pub struct Rederivation {
    kernel: Kernel<Box<dyn Strategy>>,
    spare: Vec<Derived>,
    result: Rederived,
    path: String,
}

impl std::fmt::Debug for Rederivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rederivation").field("path", &self.path).field("result", &self.result).finish()
    }
}

/// The run's configuration, from a journal's first block.
///
/// # Errors
/// When the block does not begin with one.
pub fn config_of(first: &Block, path: &str) -> Result<RunConfig, RunError> {
    match first.cold.first() {
        Some(Cold::Start(config)) if first.inputs.first().is_some_and(|r| r.kind == Kind::Cold as u8) => {
            Ok((**config).clone())
        }
        _ => Err(RunError::NoStart { path: path.to_string() }),
    }
}

/// Builds the strategies a configuration names, demanding their recorded versions.
///
/// # Errors
/// Unknown strategy, other version, refused parameter.
pub fn build_strategies(config: &RunConfig, registry: &Registry) -> Result<Vec<Box<dyn Strategy>>, RunError> {
    config
        .strategies
        .iter()
        .map(|wanted| {
            let mut strategy = create(registry, &wanted.name)?;
            if strategy.version() != wanted.version {
                return Err(RunError::StrategyVersion {
                    name: wanted.name.clone(),
                    found: strategy.version().to_string(),
                    journaled: wanted.version.clone(),
                });
            }
            for (key, value) in &wanted.params {
                strategy
                    .set(key, value)
                    .map_err(|source| RunError::Param { strategy: wanted.name.clone(), source })?;
            }
            Ok(strategy)
        })
        .collect()
}

/// Creates a registered strategy.
///
/// # Errors
/// [`RunError::UnknownStrategy`] with the nearest name.
pub fn create(registry: &Registry, name: &str) -> Result<Box<dyn Strategy>, RunError> {
    registry.create(name).ok_or_else(|| {
        let names = registry.names();
        let near = crate::settings::nearest(name, names.iter().copied());
        RunError::UnknownStrategy {
            name: name.to_string(),
            hint: near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default(),
            known: names.join(", "),
        }
    })
}

impl Rederivation {
    /// Begins with a journal's first block (not yet applied).
    ///
    /// # Errors
    /// When the journal was not written by a run, or its strategies or semantics are not this program's.
    pub fn begin(first: &Block, registry: &Registry, path: &str) -> Result<Rederivation, RunError> {
        let config = config_of(first, path)?;
        if config.semantics != SEMANTICS_VERSION {
            return Err(RunError::Semantics { found: SEMANTICS_VERSION, journaled: config.semantics });
        }
        let strategies = build_strategies(&config, registry)?;
        let kernel = Kernel::new(config, strategies);
        Ok(Rederivation { kernel, spare: Vec::new(), result: Rederived::default(), path: path.to_string() })
    }

    /// Applies a block's inputs and compares its derived lane.
    ///
    /// # Errors
    /// When the loop refuses an input.
    pub fn block(&mut self, block: &Block) -> Result<(), RunError> {
        let mut cold = 0;
        for record in &block.inputs {
            let payload = if record.kind == Kind::Cold as u8 {
                cold += 1;
                block.cold.get(cold - 1)
            } else {
                None
            };
            self.kernel.apply(record, payload).map_err(|source| self.refused(source))?;
        }
        self.result.inputs += block.inputs.len() as u64;
        let derived = self.kernel.take_derived(std::mem::take(&mut self.spare));
        self.compare(block, &derived);
        self.spare = derived;
        Ok(())
    }

    fn compare(&mut self, block: &Block, derived: &[Derived]) {
        let longest = block.derived.len().max(derived.len());
        self.result.derived += longest as u64;
        for n in 0..longest {
            let (journaled, found) = (block.derived.get(n), derived.get(n));
            if journaled == found {
                continue;
            }
            self.result.mismatches += 1;
            if self.result.first.is_none() {
                let after = journaled.or(found).map_or(0, |event| event.after);
                let seq = block.derived_seq(n, after);
                self.result.first =
                    Some(Mismatch { seq, journaled: journaled.cloned(), derived: found.cloned() });
            }
        }
    }

    /// The loop, to read its state.
    pub fn kernel(&self) -> &Kernel<Box<dyn Strategy>> {
        &self.kernel
    }

    /// The loop, to watch it or to run a part of a block.
    pub fn kernel_mut(&mut self) -> &mut Kernel<Box<dyn Strategy>> {
        &mut self.kernel
    }

    /// What the loop refused, with the journal's name.
    pub(crate) fn refused(&self, source: KernelError) -> RunError {
        RunError::Input { path: self.path.clone(), source }
    }

    /// Fails when something so far was not derived as the journal says: what a re-run shows would then
    /// not be what happened.
    ///
    /// # Errors
    /// [`RunError::NotDerived`] with the first seq that differs.
    pub fn demand_equal(&self) -> Result<(), RunError> {
        match &self.result.first {
            Some(first) => Err(RunError::NotDerived { path: self.path.clone(), seq: first.seq }),
            None => Ok(()),
        }
    }

    /// The comparison so far.
    pub fn result(&self) -> &Rederived {
        &self.result
    }
}
