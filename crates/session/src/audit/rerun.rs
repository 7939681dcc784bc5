//! A run from beginning to end again, with its books by order.

use super::pnl::{Ledger, OrderProfit};
use crate::error::RunError;
use crate::rederive::Rederivation;
use onetape_engine::account::Account;
use onetape_engine::block::Block;
use onetape_engine::ids::Seq;
use onetape_engine::instrument::InstrumentDef;
use onetape_journal::JournalReader;
use onetape_strategies::Registry;

/// Where a run ended.
#[derive(Debug)]
pub struct EndState {
    /// Seq after the last entry.
    pub end: Seq,
    /// Accounts, marked as the run's last mark did.
    pub accounts: Vec<Account>,
    /// Definitions.
    pub instruments: Vec<InstrumentDef>,
    /// What every order made.
    pub orders: Vec<OrderProfit>,
}

/// Runs a journal's inputs again and returns where they lead.
///
/// # Errors
/// The journal cannot be read or re-run, or its events are not what the inputs derive.
pub fn end_state(reader: &JournalReader, registry: &Registry) -> Result<EndState, RunError> {
    let (mut blocks, mut block) = (reader.blocks(), Block::default());
    let mut ledger = Ledger::new(reader.path());
    let mut rederivation: Option<Rederivation> = None;
    while blocks.next_block(&mut block)? {
        for (seq, entry) in block.entries() {
            ledger.observe(seq, &entry)?;
        }
        if rederivation.is_none() {
            rederivation = Some(Rederivation::begin(&block, registry, reader.path())?);
        }
        if let Some(rederivation) = &mut rederivation {
            rederivation.block(&block)?;
        }
    }
    let rederivation = rederivation.ok_or_else(|| RunError::NoStart { path: reader.path().to_string() })?;
    rederivation.demand_equal()?;
    let kernel = rederivation.kernel();
    let instruments = ledger.instruments().to_vec();
    let orders = ledger.finish(blocks.next_seq(), kernel.accounts())?;
    Ok(EndState { end: blocks.next_seq(), accounts: kernel.accounts().to_vec(), instruments, orders })
}
