//! Walking a journal entry by entry, filtered.

use crate::blocks::Blocks;
use crate::error::JournalError;
use crate::reader::JournalReader;
use crate::render::{Names, Rendered, kind_name};
use onetape_engine::block::{Block, Entry};
use onetape_engine::event::Derived;
use onetape_engine::ids::Seq;
use onetape_engine::input::Cold;
use onetape_engine::record::{Kind, Record};
use std::collections::VecDeque;
use std::str::FromStr;

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// By seq.
    Seq(Seq),
    /// By event time, UTC nanoseconds.
    Time(u64),
}

/// A text that is neither a seq nor a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is neither a seq (like 1200) nor a time (like 2015-12-24T14:30:00Z, or '2015-12-24 09:30' in New York)"
)]
pub struct ParsePointError {
    /// The offending text.
    pub text: String,
}

impl FromStr for Point {
    type Err = ParsePointError;
    fn from_str(text: &str) -> Result<Point, ParsePointError> {
        if let Ok(seq) = text.parse() {
            return Ok(Point::Seq(seq));
        }
        instant(text).map(Point::Time).ok_or_else(|| ParsePointError { text: text.to_string() })
    }
}

/// UTC nanoseconds of a time as a user writes it: with an offset (`2015-12-24T14:30:00Z`), or the date and time of
/// day in New York (`2015-12-24 09:30`). `None` for anything else, and for what lies before 1970.
pub fn instant(text: &str) -> Option<u64> {
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| {
        // A date alone would be taken for its midnight.
        let local = text.parse::<jiff::civil::DateTime>().ok().filter(|_| text.contains(':'))?;
        local.in_tz("America/New_York").ok().map(|zoned| zoned.timestamp())
    })?;
    u64::try_from(time.as_nanosecond()).ok()
}

/// Which entries to show; the default shows all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Kind or event names, or the lanes `input` and `derived`; empty for all.
    pub kinds: Vec<String>,
    /// Entries of this instrument, directly or through their order.
    pub instrument: Option<String>,
    /// First place shown.
    pub from: Option<Point>,
    /// Last place shown.
    pub to: Option<Point>,
}

impl Filter {
    /// Whether an entry is to be shown; `names` have learnt from it.
    pub fn admits(&self, names: &Names, seq: Seq, entry: &Entry<'_>) -> bool {
        let ts = time_of(entry);
        let is_at_or_after = |point| match point {
            Point::Seq(from) => seq >= from,
            Point::Time(from) => ts >= from,
        };
        let lane = if matches!(entry, Entry::Input(..)) { "input" } else { "derived" };
        self.from.is_none_or(is_at_or_after)
            && !self.is_past(seq, ts)
            && (self.kinds.is_empty()
                || self.kinds.iter().any(|kind| kind == kind_name(entry) || kind == lane))
            && self.instrument.as_ref().is_none_or(|symbol| names.concerns(entry, symbol))
    }

    /// Both seqs and event times ascend, so that nothing later can be admitted.
    fn is_past(&self, seq: Seq, ts: u64) -> bool {
        match self.to {
            Some(Point::Seq(to)) => seq > to,
            Some(Point::Time(to)) => ts > to,
            None => false,
        }
    }
}

/// Event time of an entry.
pub fn time_of(entry: &Entry<'_>) -> u64 {
    match entry {
        Entry::Input(record, _) => record.ts,
        Entry::Derived(derived) => derived.ts.0,
    }
}

/// An entry that owns its parts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Owned {
    Input(Record, Option<Cold>),
    Derived(Derived),
}

impl Owned {
    pub(crate) fn entry(&self) -> Entry<'_> {
        match self {
            Owned::Input(record, cold) => Entry::Input(record, cold.as_ref()),
            Owned::Derived(derived) => Entry::Derived(derived),
        }
    }
}

/// Takes a block apart into entries.
pub(crate) fn entries_of(block: &Block) -> impl Iterator<Item = (Seq, Owned)> + '_ {
    block.entries().map(|(seq, entry)| {
        let owned = match entry {
            Entry::Input(record, cold) => {
                let mut record = *record;
                // Where a payload lies in its block is storage, not content.
                if record.kind == Kind::Cold as u8 {
                    record.body = [0; 5];
                }
                Owned::Input(record, cold.cloned())
            }
            Entry::Derived(derived) => Owned::Derived(Derived { after: 0, ..derived.clone() }),
        };
        (seq, owned)
    })
}

/// The filtered entries of a journal, rendered.
pub struct Show<'a> {
    blocks: Blocks<'a>,
    filter: Filter,
    names: Names,
    block: Block,
    ready: VecDeque<Rendered>,
    is_done: bool,
}

impl std::fmt::Debug for Show<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Show").field("filter", &self.filter).finish()
    }
}

impl JournalReader {
    /// The entries that a filter admits, in log order.
    pub fn show(&self, filter: Filter) -> Show<'_> {
        Show {
            blocks: self.blocks(),
            filter,
            names: Names::default(),
            block: Block::default(),
            ready: VecDeque::new(),
            is_done: false,
        }
    }
}

impl Show<'_> {
    /// Names seen so far: at the end, everything the log defines.
    pub fn names(&self) -> &Names {
        &self.names
    }

    fn fill(&mut self) -> Result<(), JournalError> {
        while self.ready.is_empty() && !self.is_done {
            if !self.blocks.next_block(&mut self.block)? {
                self.is_done = true;
            }
            if self.is_done {
                break;
            }
            for (seq, entry) in self.block.entries() {
                self.names.learn(&entry);
                if self.filter.is_past(seq, time_of(&entry)) {
                    self.is_done = true;
                    break;
                }
                if self.filter.admits(&self.names, seq, &entry) {
                    self.ready.push_back(self.names.render(seq, &entry));
                }
            }
        }
        Ok(())
    }
}

impl Iterator for Show<'_> {
    type Item = Result<Rendered, JournalError>;
    fn next(&mut self) -> Option<Result<Rendered, JournalError>> {
        if let Err(error) = self.fill() {
            self.is_done = true;
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}
