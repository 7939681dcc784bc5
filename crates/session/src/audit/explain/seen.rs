//! The second pass: what running the inputs again shows.

use super::said::Said;
use crate::error::RunError;
use crate::rederive::Rederivation;
use onetape_engine::account::Account;
use onetape_engine::block::{Block, Entry};
use onetape_engine::event::Event;
use onetape_engine::ids::{InstrumentIx, OrderIx, Seq};
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::order::Package;
use onetape_engine::view::{View, Watch};
use onetape_journal::{JournalReader, Names, Rendered};
use onetape_strategies::Registry;
use std::collections::BTreeMap;

/// What the second pass saw.
pub(super) struct Seen {
    pub(super) views: Vec<View>,
    pub(super) entries: BTreeMap<Seq, Rendered>,
    pub(super) revealed_by: Option<Rendered>,
    pub(super) defs: BTreeMap<InstrumentIx, InstrumentDef>,
    /// Accounts at the log's end, when the order still held something there.
    pub(super) end_accounts: Option<Vec<Account>>,
}

impl Seen {
    pub(super) fn collect(
        reader: &JournalReader,
        registry: &Registry,
        order: OrderIx,
        said: &Said,
        package: &Package,
    ) -> Result<Seen, RunError> {
        let (mut blocks, mut block) = (reader.blocks(), Block::default());
        let (watched, shown) = (said.watched(), said.shown());
        let last = watched.iter().chain(&shown).copied().max().unwrap_or(0);
        let to_the_end = said.ledger.holds(order);
        let arrived = said.events.iter().find(|(_, derived)| matches!(derived.event, Event::Arrived { .. }));
        let arrived = arrived.map(|(seq, _)| *seq);
        let instruments = instruments_of(package, said);
        let mut seen = Seen {
            views: Vec::new(),
            entries: BTreeMap::new(),
            revealed_by: None,
            defs: BTreeMap::new(),
            end_accounts: None,
        };
        let mut names = Names::default();
        let mut rederivation: Option<Rederivation> = None;
        while blocks.next_block(&mut block)? {
            let rerun = match &mut rederivation {
                Some(rerun) => rerun,
                None => {
                    let rerun = rederivation.insert(Rederivation::begin(&block, registry, reader.path())?);
                    let before = watched.iter().copied().collect();
                    let instruments = Some(instruments.clone());
                    rerun.kernel_mut().watch(Watch { before, instruments, order: Some(order) });
                    rerun
                }
            };
            rerun.block(&block)?;
            rerun.demand_equal()?;
            for (seq, entry) in block.entries() {
                names.learn(&entry);
                if shown.contains(&seq) {
                    seen.entries.insert(seq, names.render(seq, &entry));
                }
                let reveals =
                    matches!(entry, Entry::Input(..)) && arrived.is_some_and(|arrived| seq > arrived);
                if reveals && seen.revealed_by.is_none() {
                    seen.revealed_by = Some(names.render(seq, &entry));
                }
            }
            seen.views.extend(rerun.kernel_mut().take_views());
            let is_revealed = arrived.is_none() || seen.revealed_by.is_some();
            if !to_the_end && is_revealed && blocks.next_seq() > last {
                break;
            }
        }
        if let Some(rerun) = rederivation {
            let defs = rerun.kernel().instruments();
            let def = |ix: &InstrumentIx| defs.get(ix.index()).map(|def| (*ix, def.clone()));
            seen.defs = instruments.iter().filter_map(def).collect();
            seen.end_accounts = to_the_end.then(|| rerun.kernel().accounts().to_vec());
        }
        Ok(seen)
    }
}

/// The legs and their underlyings, each once.
fn instruments_of(package: &Package, said: &Said) -> Vec<InstrumentIx> {
    let mut instruments: Vec<InstrumentIx> = package.legs.iter().map(|leg| leg.instrument).collect();
    let defs = said.ledger.instruments();
    let underlyings = package.legs.iter().filter_map(|leg| defs.get(leg.instrument.index())?.underlying());
    for ix in underlyings.collect::<Vec<_>>() {
        if !instruments.contains(&ix) {
            instruments.push(ix);
        }
    }
    instruments
}
