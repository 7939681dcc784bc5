//! Feed delays: how much later than a source states its records were known here.

use super::hours::ExtendedMarker;
use super::order::tie_break;
use super::terms::class_of;
use super::{ImportError, InputSink, Origin};
use onetape_calendar::{Market, Zone};
use onetape_engine::input::Cold;
use onetape_engine::instrument::{InstrumentDef, InstrumentKind};
use onetape_engine::record::{Kind, Phase, Record, flags};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::{Path, PathBuf};

/// Longest delay: a day. Longer ones are slips of the pen.
pub const DELAY_MAX_NS: u64 = 86_400_000_000_000;

/// Delays by source; those without one of their own have the common one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delays {
    common_ns: Option<u64>,
    of: BTreeMap<String, u64>,
}

impl Delays {
    /// Sets the delay of a source, or of all that have none of their own (`None`), in nanoseconds.
    pub fn set(&mut self, source: Option<&str>, delay_ns: u64) {
        match source {
            Some(source) => {
                self.of.insert(source.to_string(), delay_ns);
            }
            None => self.common_ns = Some(delay_ns),
        }
    }

    /// The delay of a source, nanoseconds.
    pub fn of(&self, source: &str) -> u64 {
        self.stated(source).unwrap_or_default()
    }

    /// The delay of a source, nanoseconds, where one was set.
    pub fn stated(&self, source: &str) -> Option<u64> {
        self.of.get(source).copied().or(self.common_ns)
    }

    /// Whether nothing is delayed.
    pub fn is_none(&self) -> bool {
        self.common_ns.unwrap_or_default() == 0 && self.of.values().all(|delay| *delay == 0)
    }

    /// The longest delay, nanoseconds.
    pub fn longest_ns(&self) -> u64 {
        self.of.values().copied().fold(self.common_ns.unwrap_or_default(), u64::max)
    }

    /// The delays as one sentence for the manifest; `None` without any.
    pub fn sentence(&self) -> Option<String> {
        if self.is_none() {
            return None;
        }
        let own = self.of.iter().map(|(source, delay)| format!("{source} {}", duration(*delay)));
        let all: Vec<String> =
            own.chain([format!("others {}", duration(self.common_ns.unwrap_or_default()))]).collect();
        Some(format!("feed delay, added to the time at which the source knew: {}", all.join(", ")))
    }

    /// Refuses delays of sources that are not among `known`, and those beyond a day.
    ///
    /// # Errors
    /// Such a delay.
    pub fn check(&self, known: &[&str]) -> Result<(), ImportError> {
        if self.longest_ns() > DELAY_MAX_NS {
            let what = format!("a feed delay of {} is longer than a day", duration(self.longest_ns()));
            return Err(ImportError::Request { what });
        }
        match self.of.keys().find(|source| !known.contains(&source.as_str())) {
            Some(source) => {
                let what = format!("no source '{source}' to delay; this import has {}", known.join(", "));
                Err(ImportError::Request { what })
            }
            None => Ok(()),
        }
    }
}

/// `15m`, `250ms`: in the largest unit that divides it.
fn duration(ns: u64) -> String {
    const UNITS: [(&str, u64); 6] = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    let (unit, size) =
        UNITS.into_iter().find(|(_, size)| ns > 0 && ns.is_multiple_of(*size)).unwrap_or(("ns", 1));
    format!("{}{unit}", ns / size)
}

/// A record that waits until it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    ts: u64,
    tie: u64,
    /// Order in which the source stated it.
    place: u64,
}

#[derive(Debug)]
struct Waiting {
    key: Key,
    record: Record,
    /// Place in [`Delayed::files`] and line, where the source was named.
    origin: Option<(u32, u64)>,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        self.key == other.key
    }
}
impl Eq for Waiting {}
impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiting {
    fn cmp(&self, other: &Waiting) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// What is known of an instrument.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    delay_ns: u64,
    hours: Option<Market>,
}

/// Moves market records to the time they were known and merges them with what is not delayed:
/// definitions and session phases. Memory is what arrives within the longest delay.
pub(crate) struct Delayed<'a> {
    sink: &'a mut dyn InputSink,
    delays: &'a Delays,
    /// The source of an instrument, by which its delay is found.
    source_of: fn(&InstrumentDef) -> &str,
    /// Ticks of one instant keep the order of the source; bars follow [`tie_break`].
    are_ticks: bool,
    /// Daily records have no hours.
    are_daily: bool,
    known: Vec<Known>,
    waiting: BinaryHeap<Reverse<Waiting>>,
    count: u64,
    files: Vec<(PathBuf, String)>,
    file_of: BTreeMap<PathBuf, BTreeMap<String, u32>>,
    marker: ExtendedMarker,
}

impl<'a> Delayed<'a> {
    pub(crate) fn new(
        sink: &'a mut dyn InputSink,
        delays: &'a Delays,
        source_of: fn(&InstrumentDef) -> &str,
        are_ticks: bool,
        are_daily: bool,
    ) -> Delayed<'a> {
        Delayed {
            sink,
            delays,
            source_of,
            are_ticks,
            are_daily,
            known: Vec::new(),
            waiting: BinaryHeap::new(),
            count: 0,
            files: Vec::new(),
            file_of: BTreeMap::new(),
            marker: ExtendedMarker::default(),
        }
    }

    /// Passes on what still waits.
    pub(crate) fn finish(mut self) -> Result<(), ImportError> {
        self.pass_on(u64::MAX)
    }

    /// Passes on what is known before `ts`.
    fn pass_on(&mut self, ts: u64) -> Result<(), ImportError> {
        while self.waiting.peek().is_some_and(|Reverse(first)| first.key.ts < ts) {
            let Some(Reverse(Waiting { record, origin, .. })) = self.waiting.pop() else { break };
            match origin {
                None => self.sink.push(record, None)?,
                Some((file, line)) => {
                    let (path, entry) = &self.files[file as usize];
                    self.sink.push_from(record, Origin { file: path, entry, line })?;
                }
            }
        }
        Ok(())
    }

    fn define(&mut self, place: usize, def: &InstrumentDef, ts: u64) {
        let hours = match (&def.option, def.kind) {
            (Some(terms), _) => class_of(&terms.root, Zone::NewYork.date_at(ts)).ok().map(|row| row.market),
            (None, InstrumentKind::Future) => None,
            _ => Some(Market::UsEquity),
        };
        self.known.resize(self.known.len().max(place + 1), Known::default());
        self.known[place] = Known { delay_ns: self.delays.of((self.source_of)(def)), hours };
    }

    fn hold(&mut self, mut record: Record, origin: Option<Origin<'_>>) -> Result<(), ImportError> {
        self.pass_on(record.ts)?;
        let known = self.known.get(record.instrument as usize).copied().unwrap_or_default();
        let is_priced = record.kind().is_some_and(Kind::is_market) && record.kind != Kind::Statistic as u8;
        if known.delay_ns > 0 {
            record.ts += known.delay_ns;
            if let Some(market) = known.hours.filter(|_| is_priced && !self.are_daily) {
                let was = record.flags & flags::EXTENDED;
                self.marker.mark(market, !self.are_ticks, std::slice::from_mut(&mut record))?;
                record.flags |= was;
            }
        }
        let origin = origin.map(|origin| (self.file_of(origin.file, origin.entry), origin.line));
        let tie = if self.are_ticks { 0 } else { tie_break(&record) };
        let key = Key { ts: record.ts, tie, place: self.count };
        self.count += 1;
        self.waiting.push(Reverse(Waiting { key, record, origin }));
        Ok(())
    }

    fn file_of(&mut self, path: &Path, entry: &str) -> u32 {
        if let Some(place) = self.file_of.get(path).and_then(|entries| entries.get(entry)) {
            return *place;
        }
        let place = self.files.len() as u32;
        self.files.push((path.to_path_buf(), entry.to_string()));
        self.file_of.entry(path.to_path_buf()).or_default().insert(entry.to_string(), place);
        place
    }
}

impl InputSink for Delayed<'_> {
    fn push(&mut self, record: Record, cold: Option<Cold>) -> Result<(), ImportError> {
        if let Some(Cold::Definition(def)) = &cold {
            self.define(record.instrument as usize, def, record.ts);
        }
        if record.kind().is_some_and(Kind::is_market) {
            return self.hold(record, None);
        }
        // What is known at the instant of a close precedes it.
        let is_close =
            record.kind == Kind::SessionPhase as u8 && record.body[3] & 0xff == Phase::Close as u64;
        self.pass_on(record.ts.saturating_add(u64::from(is_close)))?;
        self.sink.push(record, cold)
    }

    fn push_from(&mut self, record: Record, origin: Origin<'_>) -> Result<(), ImportError> {
        self.hold(record, Some(origin))
    }

    fn count_source(&mut self, record_type: &str, n: u64) {
        self.sink.count_source(record_type, n);
    }

    fn data_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ImportError> {
        self.sink.data_file(name, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_say_what_they_are() {
        let mut delays = Delays::default();
        assert_eq!((delays.is_none(), delays.sentence()), (true, None));
        delays.set(None, 5_000_000);
        delays.set(Some("option"), 900_000_000_000);
        assert_eq!((delays.of("equity"), delays.of("option")), (5_000_000, 900_000_000_000));
        assert_eq!(
            delays.sentence().unwrap(),
            "feed delay, added to the time at which the source knew: option 15m, others 5ms"
        );
        assert!(delays.check(&["equity", "option"]).is_ok());
        let error = delays.check(&["equity"]).unwrap_err().to_string();
        assert_eq!(error, "no source 'option' to delay; this import has equity");
        delays.set(None, DELAY_MAX_NS + 1);
        assert!(delays.check(&["option"]).unwrap_err().to_string().contains("longer than a day"));
    }
}
