//! The first pass: what the log says of the order.

use super::seen::Seen;
use super::story::{ArrivalStory, BookLine, FillStory, ReadCounts, RiskStory, SeriesRead, StrategyStory};
use crate::audit::pnl::Ledger;
use crate::error::RunError;
use crate::rederive::config_of;
use onetape_engine::block::{Block, Entry};
use onetape_engine::config::RunConfig;
use onetape_engine::event::{Derived, Event};
use onetape_engine::fees::{self, FilledSoFar};
use onetape_engine::ids::{InstrumentIx, OrderIx, Seq, StrategyIx};
use onetape_engine::input::{Cold, Command};
use onetape_engine::order::Package;
use onetape_engine::view::{Read, View};
use onetape_journal::{JournalReader, Rendered};
use std::collections::{BTreeMap, BTreeSet};

/// Links of the trigger chain that are followed: a strategy that re-arms a timer for days stays below it.
const CHAIN_MAX: usize = 100_000;

/// What the log says, from the first pass.
pub(super) struct Said {
    pub(super) order: OrderIx,
    pub(super) config: RunConfig,
    pub(super) ledger: Ledger,
    pub(super) symbols: Vec<String>,
    pub(super) submitted: Option<(Seq, Derived)>,
    /// Everything else about the order.
    pub(super) events: Vec<(Seq, Derived)>,
    /// Seq and cause of every derived event so far.
    causes: Vec<(Seq, Seq)>,
    /// Remarks: seq, cause, strategy.
    notes: Vec<(Seq, Seq, StrategyIx)>,
    /// Parameters that commands set, with the command's seq.
    set: Vec<(Seq, StrategyIx, String, String)>,
    /// Seqs of commands that were refused.
    refused: BTreeSet<Seq>,
    pub(super) end: Seq,
}

impl Said {
    pub(super) fn collect(reader: &JournalReader, order: OrderIx) -> Result<Said, RunError> {
        let (mut blocks, mut block) = (reader.blocks(), Block::default());
        if !blocks.next_block(&mut block)? {
            return Err(RunError::NoStart { path: reader.path().to_string() });
        }
        let mut said = Said {
            order,
            config: config_of(&block, reader.path())?,
            ledger: Ledger::new(reader.path()),
            symbols: Vec::new(),
            submitted: None,
            events: Vec::new(),
            causes: Vec::new(),
            notes: Vec::new(),
            set: Vec::new(),
            refused: BTreeSet::new(),
            end: 0,
        };
        loop {
            for (seq, entry) in block.entries() {
                said.ledger.observe(seq, &entry)?;
                match entry {
                    Entry::Input(_, Some(cold)) => said.cold(seq, cold),
                    Entry::Input(_, None) => {}
                    Entry::Derived(derived) => said.derived(seq, derived),
                }
            }
            said.end = blocks.next_seq();
            if !blocks.next_block(&mut block)? {
                return Ok(said);
            }
        }
    }

    fn cold(&mut self, seq: Seq, cold: &Cold) {
        match cold {
            Cold::Definition(def) => self.symbols.push(def.symbol.clone()),
            Cold::Command(Command::Set { strategy, key, value }) => {
                self.set.push((seq, *strategy, key.clone(), value.clone()));
            }
            _ => {}
        }
    }

    fn derived(&mut self, seq: Seq, derived: &Derived) {
        self.causes.push((seq, derived.cause));
        match &derived.event {
            Event::Submitted { order, .. } if *order == self.order => {
                self.submitted = Some((seq, derived.clone()));
            }
            Event::Note { strategy, .. } => self.notes.push((seq, derived.cause, *strategy)),
            Event::CommandApplied { refused } if !refused.is_empty() => {
                self.refused.insert(derived.cause);
            }
            event if order_of(event) == Some(self.order) => self.events.push((seq, derived.clone())),
            _ => {}
        }
    }

    /// Seqs from `cause` back to the input that set it off.
    pub(super) fn chain(&self, cause: Seq) -> Vec<Seq> {
        let mut chain = vec![cause];
        while let Some(last) = chain.last().copied().filter(|_| chain.len() < CHAIN_MAX) {
            match self.causes.binary_search_by_key(&last, |(seq, _)| *seq) {
                Ok(found) => chain.push(self.causes[found].1),
                Err(_) => break,
            }
        }
        chain
    }

    /// Remarks of the callback that submitted the order, and the last one before.
    fn remarks(&self, strategy: StrategyIx) -> (Vec<Seq>, Option<Seq>) {
        let Some((submit_seq, submitted)) = &self.submitted else { return (Vec::new(), None) };
        let own = self.notes.iter().filter(|(_, _, owner)| *owner == strategy);
        let said = own.clone().filter(|(_, cause, _)| *cause == submitted.cause).map(|(seq, ..)| *seq);
        let before = own.filter(|(seq, ..)| seq < submit_seq).map(|(seq, ..)| *seq).next_back();
        (said.collect(), before)
    }

    /// Seqs before which the second pass looks at the state.
    pub(super) fn watched(&self) -> BTreeSet<Seq> {
        let steps = self.events.iter().filter(|(_, derived)| {
            matches!(derived.event, Event::Risk { .. } | Event::Arrived { .. } | Event::Executed(_))
        });
        steps.chain(&self.submitted).map(|(seq, _)| *seq).collect()
    }

    /// Seqs whose entries the explanation shows.
    pub(super) fn shown(&self) -> BTreeSet<Seq> {
        let mut shown: BTreeSet<Seq> = self.events.iter().map(|(seq, _)| *seq).collect();
        if let Some((_, submitted)) = &self.submitted {
            shown.extend(self.chain(submitted.cause));
            if let Event::Submitted { strategy, .. } = submitted.event {
                let (said, before) = self.remarks(strategy);
                shown.extend(said.into_iter().chain(before));
            }
        }
        for (_, derived) in &self.events {
            match &derived.event {
                Event::Executed(execution) => drop(shown.insert(execution.justification)),
                Event::Triggered { justification, .. } => drop(shown.insert(*justification)),
                _ => {}
            }
        }
        shown
    }

    fn symbol(&self, ix: InstrumentIx) -> String {
        self.symbols.get(ix.index()).cloned().unwrap_or_else(|| format!("#{}", ix.0))
    }

    pub(super) fn books(&self, view: &View) -> Vec<BookLine> {
        view.tops.iter().map(|(ix, top)| BookLine::new(&self.symbol(*ix), top, view.ts)).collect()
    }

    pub(super) fn strategy_story(
        &self,
        strategy: StrategyIx,
        view: Option<&View>,
        package: &Package,
        seen: &Seen,
    ) -> StrategyStory {
        let config = self.config.strategies.get(strategy.index());
        let mut params = config.map(|config| config.params.clone()).unwrap_or_default();
        let submit_seq = self.submitted.as_ref().map_or(0, |(seq, _)| *seq);
        let applied = self.set.iter().filter(|(seq, owner, ..)| {
            *owner == strategy && *seq < submit_seq && !self.refused.contains(seq)
        });
        for (_, _, key, value) in applied {
            match params.iter_mut().find(|(known, _)| known == key) {
                Some((_, known)) => known.clone_from(value),
                None => params.push((key.clone(), value.clone())),
            }
        }
        let (said, before) = self.remarks(strategy);
        let entry = |seq: &Seq| seen.entries.get(seq).cloned();
        let said: Vec<Rendered> = said.iter().filter_map(entry).collect();
        let reads = view.map_or(&[][..], |view| &view.reads);
        let own = |ix: &InstrumentIx| package.legs.iter().any(|leg| leg.instrument == *ix);
        let greeks = reads.iter().filter_map(|read| match read {
            Read::Greeks(ix, greeks) if own(ix) => Some(SeriesRead {
                symbol: self.symbol(*ix),
                vol: greeks.map(|greeks| greeks.vol),
                delta: greeks.map(|greeks| greeks.delta),
            }),
            _ => None,
        });
        let books = reads.iter().filter_map(|read| match read {
            Read::Book(ix) => Some(self.symbol(*ix)),
            _ => None,
        });
        StrategyStory {
            index: strategy.0,
            name: config.map(|config| config.name.clone()).unwrap_or_default(),
            version: config.map(|config| config.version.clone()).unwrap_or_default(),
            params,
            said_before: before.iter().filter(|_| said.is_empty()).filter_map(entry).collect(),
            said,
            reads: count_reads(reads),
            greeks: greeks.collect(),
            books_read: books.collect(),
        }
    }

    pub(super) fn risk_story<'a>(&self, at: impl Fn(Seq) -> Option<&'a View>) -> Option<RiskStory> {
        self.events.iter().find_map(|(seq, derived)| match &derived.event {
            Event::Risk { refused, value, limit, .. } => Some(RiskStory {
                seq: *seq,
                ts: derived.ts,
                refused: *refused,
                value: *value,
                limit: *limit,
                checks: at(*seq).map(|view| view.checks.clone()).unwrap_or_default(),
            }),
            _ => None,
        })
    }

    pub(super) fn arrival_story(
        &self,
        seen: &Seen,
        books: impl Fn(Seq) -> Vec<BookLine>,
    ) -> Option<ArrivalStory> {
        self.events.iter().find_map(|(seq, derived)| match &derived.event {
            Event::Arrived { at, bid, ask, .. } => Some(ArrivalStory {
                seq: *seq,
                at: *at,
                bid: *bid,
                ask: *ask,
                revealed_by: seen.revealed_by.iter().cloned().collect(),
                books: books(*seq),
            }),
            _ => None,
        })
    }

    pub(super) fn fill_stories<'a>(
        &self,
        seen: &Seen,
        at: impl Fn(Seq) -> Option<&'a View>,
    ) -> Vec<FillStory> {
        let mut filled: BTreeMap<u8, FilledSoFar> = BTreeMap::new();
        let mut stories = Vec::new();
        for (seq, derived) in &self.events {
            let Event::Executed(execution) = &derived.event else { continue };
            let booked = self.events.iter().find_map(|(booked, fill)| match &fill.event {
                Event::Fill { execution: reported, fee, .. }
                    if reported == execution && fill.cause == *seq =>
                {
                    Some((*booked, fill.ts, *fee))
                }
                _ => None,
            });
            let ix = execution.instrument;
            let fee_row = seen.defs.get(&ix).filter(|_| booked.is_some()).map(|def| {
                let so_far = filled.entry(execution.leg).or_default();
                so_far.add(execution, def);
                fees::row(self.config.fees, def, *so_far)
            });
            let book = at(*seq).and_then(|view| {
                let (_, top) = view.tops.iter().find(|(known, _)| *known == ix)?;
                Some(BookLine::new(&self.symbol(ix), top, view.ts))
            });
            stories.push(FillStory {
                executed_seq: *seq,
                booked_seq: booked.map(|(seq, ..)| seq),
                booked_ts: booked.map(|(_, ts, _)| ts),
                execution: *execution,
                symbol: self.symbol(ix),
                justified_by: seen.entries.get(&execution.justification).cloned().into_iter().collect(),
                book,
                fee: booked.map(|(.., fee)| fee),
                fee_row,
            });
        }
        stories
    }
}

fn count_reads(reads: &[Read]) -> ReadCounts {
    let mut counts = ReadCounts::default();
    for read in reads {
        *match read {
            Read::Book(_) => &mut counts.books,
            Read::Greeks(..) => &mut counts.greeks,
            Read::Chain(_) => &mut counts.chains,
            Read::Position(_) => &mut counts.positions,
            Read::Order(_) => &mut counts.orders,
            Read::Account(_) => &mut counts.accounts,
        } += 1;
    }
    counts
}

/// The order an event is about.
fn order_of(event: &Event) -> Option<OrderIx> {
    match event {
        Event::Submitted { order, .. }
        | Event::CancelRequested { order }
        | Event::Risk { order, .. }
        | Event::State { order, .. }
        | Event::IllegalTransition { order, .. }
        | Event::Arrived { order, .. }
        | Event::Triggered { order, .. } => Some(*order),
        Event::Executed(execution) | Event::Fill { execution, .. } => Some(execution.order),
        _ => None,
    }
}
