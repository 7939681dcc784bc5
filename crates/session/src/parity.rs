//! Parity: a journal's inputs run through a fresh loop must write the identical journal.
//!
//! Stronger than re-derivation: not only what was concluded is compared, but where blocks end and what
//! they hash to, up to the head.

use crate::driver::{BlockSink, DriveError, Driver};
use crate::error::RunError;
use crate::rederive::{build_strategies, config_of};
use onetape_engine::Strategy;
use onetape_engine::block::Block;
use onetape_engine::config::SEMANTICS_VERSION;
use onetape_engine::record::Kind;
use onetape_journal::{HashOnly, JournalReader};
use onetape_strategies::Registry;
use serde::Serialize;
use std::collections::VecDeque;

/// Result of a parity check.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Parity {
    /// Whether both journals are identical.
    pub identical: bool,
    /// Inputs run.
    pub inputs: u64,
    /// Derived events compared.
    pub derived: u64,
    /// Blocks compared.
    pub blocks: u64,
    /// Head of the journal.
    pub head: String,
    /// Head of the journal that its inputs wrote again.
    pub head_again: String,
    /// BLAKE3 over the derived lanes.
    pub derived_hash: String,
    /// First seq of the first block that differs.
    pub first_difference: Option<u64>,
    /// What differs there.
    pub difference: Option<String>,
}

/// Hashes what the fresh loop seals and compares it with what was journaled.
struct Compare {
    hashes: HashOnly,
    /// Journaled blocks not compared yet.
    journaled: VecDeque<Block>,
    result: Parity,
}

impl BlockSink for Compare {
    type Error = RunError;

    fn put(&mut self, mut block: Block) -> Result<Block, RunError> {
        self.hashes.append(&block)?;
        self.result.blocks += 1;
        self.result.derived += block.derived.len() as u64;
        let journaled = self.journaled.pop_front();
        if self.result.first_difference.is_none() {
            let difference = match &journaled {
                None => Some("the journal's block ends later".to_string()),
                Some(other) => difference(other, &block),
            };
            if difference.is_some() {
                self.result.first_difference = Some(block.first_seq);
                self.result.difference = difference;
            }
        }
        block.inputs.clear();
        block.cold.clear();
        block.derived.clear();
        Ok(block)
    }
}

fn difference(journaled: &Block, again: &Block) -> Option<String> {
    let count = |block: &Block| format!("{} inputs, {} derived", block.inputs.len(), block.derived.len());
    if journaled.first_seq != again.first_seq || journaled.inputs.len() != again.inputs.len() {
        let (first, second) = (count(journaled), count(again));
        return Some(format!("the block's bounds: journal {first}; again {second}"));
    }
    if journaled.inputs != again.inputs || journaled.cold != again.cold {
        return Some("the inputs".to_string());
    }
    let n = journaled.derived.iter().zip(&again.derived).take_while(|(a, b)| a == b).count();
    let is_equal = n == journaled.derived.len() && n == again.derived.len();
    let name = |block: &Block| block.derived.get(n).map_or("nothing", |event| event.event.name());
    (!is_equal).then(|| format!("derived event {n}: journal {}; again {}", name(journaled), name(again)))
}

/// Runs a journal's inputs again and compares the journals block by block.
///
/// # Errors
/// The journal cannot be read, or was written by another strategy or other semantics.
pub fn parity(reader: &JournalReader, registry: &Registry) -> Result<Parity, RunError> {
    let id: onetape_tape::codec::Hash = reader.header().run_id.parse().map_err(|_| RunError::Text {
        path: reader.path().to_string(),
        problem: "its run header holds no run id".to_string(),
    })?;
    let hashes = match reader.header().session {
        Some(session) => HashOnly::new(id.0).referring(session),
        None => HashOnly::new(id.0),
    };
    let mut sink = Compare { hashes, journaled: VecDeque::new(), result: Parity::default() };
    let mut driver: Option<Driver<Box<dyn Strategy>>> = None;
    let (mut blocks, mut block) = (reader.blocks(), Block::default());
    while blocks.next_block(&mut block)? {
        let driver = match &mut driver {
            Some(driver) => driver,
            None => {
                let config = config_of(&block, reader.path())?;
                if config.semantics != SEMANTICS_VERSION {
                    let (found, journaled) = (SEMANTICS_VERSION, config.semantics);
                    return Err(RunError::Semantics { found, journaled });
                }
                let strategies = build_strategies(&config, registry)?;
                driver.insert(Driver::new(config, strategies))
            }
        };
        sink.journaled.push_back(block.clone());
        sink.result.inputs += block.inputs.len() as u64;
        feed(driver, &block, &mut sink, reader.path())?;
        if sink.result.first_difference.is_some() {
            break;
        }
    }
    let mut result = sink.result;
    let again = sink.hashes.summary();
    result.head = blocks.head().to_string();
    result.head_again = again.head_hash.to_string();
    result.derived_hash = again.derived_hash.to_string();
    if result.first_difference.is_none()
        && let Some(left) = sink.journaled.front()
    {
        result.first_difference = Some(left.first_seq);
        result.difference =
            Some("the journal's block ends, the same inputs again do not end one".to_string());
    }
    result.identical = result.first_difference.is_none() && result.head == result.head_again;
    Ok(result)
}

fn feed(
    driver: &mut Driver<Box<dyn Strategy>>,
    block: &Block,
    sink: &mut Compare,
    path: &str,
) -> Result<(), RunError> {
    let mut cold = block.cold.iter();
    for record in &block.inputs {
        let payload = if record.kind == Kind::Cold as u8 { cold.next().cloned() } else { None };
        driver.push(*record, payload, sink).map_err(|error| match error {
            DriveError::Kernel(source) => RunError::Input { path: path.to_string(), source },
            DriveError::Sink(error) => error,
        })?;
    }
    Ok(())
}
