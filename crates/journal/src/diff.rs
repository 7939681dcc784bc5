//! Where two journals part: the first entry, in log order, that does not say the same.
//!
//! Compared is everything an entry says, with instruments by symbol; block boundaries and run
//! ids are not. The configurations at the logs' beginnings are compared setting by setting
//! and apart, so that of two runs with one parameter changed the first event which that
//! change caused is named.

use crate::blocks::Blocks;
use crate::error::JournalError;
use crate::reader::JournalReader;
use crate::render::{Names, Rendered};
use crate::show::{Owned, entries_of};
use onetape_engine::block::Block;
use onetape_engine::ids::Seq;
use onetape_engine::input::Cold;
use serde_json::Value;
use std::collections::VecDeque;

/// A setting that differs between two runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ConfigChange {
    /// Where in the configuration, for example `strategies[0].params.fast`.
    pub setting: String,
    /// Value in the first run; null when it has none.
    pub a: Value,
    /// Value in the second run; null when it has none.
    pub b: Value,
}

/// The first entry that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Divergence {
    /// Entries before it, equal in both (configurations aside).
    pub equal: u64,
    /// The first run's entry; `None` when its log ends here.
    pub a: Option<Rendered>,
    /// The second run's entry; `None` when its log ends here.
    pub b: Option<Rendered>,
}

/// Result of a comparison.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Diff {
    /// Settings that differ.
    pub config: Vec<ConfigChange>,
    /// First entry that differs; `None` when all entries say the same.
    pub divergence: Option<Divergence>,
    /// Entries compared and found equal.
    pub equal: u64,
}

impl Diff {
    /// Whether the runs are equal in configuration and in every entry.
    pub fn is_equal(&self) -> bool {
        self.config.is_empty() && self.divergence.is_none()
    }
}

/// Compares two journals up to the first difference.
///
/// # Errors
/// A journal that cannot be read up to there.
pub fn diff(a: &JournalReader, b: &JournalReader) -> Result<Diff, JournalError> {
    let (mut a, mut b) = (Side::new(a), Side::new(b));
    let mut result = Diff::default();
    // While all entries were identical, so are the names they refer to.
    let mut are_names_equal = true;
    loop {
        let more = (a.fill()?, b.fill()?);
        if more == (false, false) {
            return Ok(result);
        }
        let pair = (a.next(), b.next());
        if let (Some(left), Some(right)) = &pair {
            if let Some(changes) = config_changes(&left.1, &right.1) {
                result.config.extend(changes);
                result.equal += 1;
                continue;
            }
            let is_identical = left == right && are_names_equal;
            are_names_equal &= is_identical;
            if is_identical || a.render(left) == b.render(right) {
                result.equal += 1;
                continue;
            }
        }
        let (left, right) = pair;
        let (a, b) = (left.map(|entry| a.render(&entry)), right.map(|entry| b.render(&entry)));
        result.divergence = Some(Divergence { equal: result.equal, a, b });
        return Ok(result);
    }
}

struct Side<'a> {
    blocks: Blocks<'a>,
    block: Block,
    names: Names,
    entries: VecDeque<(Seq, Owned)>,
}

impl<'a> Side<'a> {
    fn new(reader: &'a JournalReader) -> Side<'a> {
        Side {
            blocks: reader.blocks(),
            block: Block::default(),
            names: Names::default(),
            entries: VecDeque::new(),
        }
    }

    /// Reads a block when nothing is left of the last; false at the end of the log.
    fn fill(&mut self) -> Result<bool, JournalError> {
        while self.entries.is_empty() {
            if !self.blocks.next_block(&mut self.block)? {
                return Ok(false);
            }
            self.entries.extend(entries_of(&self.block));
        }
        Ok(true)
    }

    fn next(&mut self) -> Option<(Seq, Owned)> {
        let next = self.entries.pop_front();
        if let Some((_, entry)) = &next {
            self.names.learn(&entry.entry());
        }
        next
    }

    fn render(&self, (seq, entry): &(Seq, Owned)) -> Rendered {
        self.names.render(*seq, &entry.entry())
    }
}

/// The settings that differ when both entries are a run's start, else `None`.
fn config_changes(a: &Owned, b: &Owned) -> Option<Vec<ConfigChange>> {
    let (Owned::Input(_, Some(Cold::Start(a))), Owned::Input(_, Some(Cold::Start(b)))) = (a, b) else {
        return None;
    };
    let (a, b) = (serde_json::to_value(a).ok()?, serde_json::to_value(b).ok()?);
    let mut changes = Vec::new();
    compare(String::new(), &a, &b, &mut changes);
    Some(changes)
}

fn compare(at: String, a: &Value, b: &Value, changes: &mut Vec<ConfigChange>) {
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
            for key in keys {
                let at = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                let value =
                    |side: &serde_json::Map<String, Value>| side.get(key).cloned().unwrap_or(Value::Null);
                compare(at, &value(left), &value(right), changes);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            // Parameters are pairs of key and value: name them by the key.
            for index in 0..left.len().max(right.len()) {
                let value = |side: &[Value]| side.get(index).cloned().unwrap_or(Value::Null);
                let (a, b) = (value(left), value(right));
                match (pair(&a), pair(&b)) {
                    (Some((key, a)), Some((other, b))) if key == other => {
                        compare(format!("{at}.{key}"), a, b, changes);
                    }
                    _ => compare(format!("{at}[{index}]"), &a, &b, changes),
                }
            }
        }
        (a, b) if a != b => changes.push(ConfigChange { setting: at, a: a.clone(), b: b.clone() }),
        _ => {}
    }
}

fn pair(value: &Value) -> Option<(&str, &Value)> {
    match value.as_array()?.as_slice() {
        [Value::String(key), value] => Some((key, value)),
        _ => None,
    }
}
