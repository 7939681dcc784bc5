//! A sink between an importer and the session that applies a policy to every finding.

use super::report::{describe, of_record};
use super::{Action, Detector, Finding, Findings, Policies};
use crate::import::{ImportError, InputSink, Origin};
use onetape_engine::input::Cold;
use onetape_engine::num::Nanos;
use onetape_engine::record::{Body, Kind, Record, TradeFeed, flags};

/// File beside the session with the records that were set aside.
pub const QUARANTINE_FILE: &str = "quarantine.csv";
/// Its header.
pub(crate) const QUARANTINE_HEADER: &str = "finding,ts,symbol,record,file,entry,line\n";

/// Passes on what the policy keeps, marks what it flags and sets aside what it quarantines.
///
/// The two halves of a quote bar share their fate. Call [`Screen::finish`] at the end.
pub struct Screen<'a> {
    sink: &'a mut dyn InputSink,
    policies: Policies,
    detector: Detector,
    /// A bid half that waits for its ask half, with its findings.
    waiting: Option<(Record, Findings)>,
    found: [u64; Finding::ALL.len()],
    /// Records judged, and of them those set aside.
    judged: u64,
    set_aside: u64,
    symbols: Vec<String>,
}

impl std::fmt::Debug for Screen<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Screen").field("policies", &self.policies).field("found", &self.found).finish()
    }
}

impl<'a> Screen<'a> {
    /// A screen in front of `sink`.
    pub fn new(sink: &'a mut dyn InputSink, policies: Policies) -> Screen<'a> {
        Screen {
            sink,
            policies,
            detector: Detector::new(),
            waiting: None,
            found: [0; Finding::ALL.len()],
            judged: 0,
            set_aside: 0,
            symbols: Vec::new(),
        }
    }

    /// Passes on what still waits and tells the sink what was found.
    ///
    /// # Errors
    /// What the sink refuses; no record came, or none was kept.
    pub fn finish(mut self) -> Result<(), ImportError> {
        if let Some((record, _)) = self.waiting.take() {
            self.sink.push(record, None)?;
        }
        for finding in Finding::ALL {
            let (action, found) = (self.policies.of(finding), self.found[finding as usize]);
            if found > 0 {
                self.sink.count_finding(finding, action, found);
            }
        }
        if self.judged == self.set_aside {
            return Err(ImportError::NothingFound { what: self.nothing_kept() });
        }
        Ok(())
    }

    fn nothing_kept(&self) -> String {
        if self.judged == 0 {
            return "the files hold no record".to_string();
        }
        let quarantined = |finding: &Finding| {
            self.found[*finding as usize] > 0 && self.policies.of(*finding) == Action::Quarantine
        };
        let found: Vec<&str> = Finding::ALL.into_iter().filter(quarantined).map(Finding::name).collect();
        format!(
            "every record ({}) would be set aside as {}; another --policy keeps them",
            self.judged,
            found.join(", ")
        )
    }

    fn judge(
        &mut self,
        record: Record,
        cold: Option<Cold>,
        origin: Option<Origin<'_>>,
    ) -> Result<(), ImportError> {
        if let Some(Cold::Definition(def)) = &cold {
            let place = record.instrument as usize;
            self.symbols.resize(self.symbols.len().max(place + 1), String::new());
            self.symbols[place].clone_from(&def.symbol);
        }
        let is_of_market =
            record.kind != Kind::SessionPhase as u8 && !matches!(cold, Some(Cold::Definition(_)));
        self.judged += u64::from(is_of_market);
        let findings = self.detector.observe(&record, cold.as_ref()).findings;
        for finding in findings.iter() {
            self.found[finding as usize] += 1;
        }
        let is_open_half = record.kind == Kind::BidBar as u8 && !record.has(flags::LAST);
        if is_open_half && self.waiting.is_none() {
            self.waiting = Some((record, findings));
            return Ok(());
        }
        let Some((half, of_half)) = self.waiting.take() else {
            return if findings.is_empty() {
                self.sink.push(record, cold)
            } else {
                self.act(record, cold, self.worst(findings), origin)
            };
        };
        let is_pair = record.kind == Kind::AskBar as u8 && record.instrument == half.instrument;
        if !is_pair {
            // The importer broke off a bar: each record for itself.
            self.act(half, None, self.worst(of_half), None)?;
            return self.judge_alone(record, cold, findings, origin);
        }
        let worst = self.worst(findings.union(of_half));
        self.act(half, None, worst, origin)?;
        self.act(record, cold, worst, origin)
    }

    fn judge_alone(
        &mut self,
        record: Record,
        cold: Option<Cold>,
        findings: Findings,
        origin: Option<Origin<'_>>,
    ) -> Result<(), ImportError> {
        if record.kind == Kind::BidBar as u8 && !record.has(flags::LAST) {
            self.waiting = Some((record, findings));
            return Ok(());
        }
        self.act(record, cold, self.worst(findings), origin)
    }

    /// The strictest action that any of the findings asks for, with the finding.
    fn worst(&self, findings: Findings) -> (Action, Option<Finding>) {
        let with = |wanted: Action| of_record(findings).find(|finding| self.policies.of(*finding) == wanted);
        for action in [Action::Quarantine, Action::Flag] {
            if let Some(finding) = with(action) {
                return (action, Some(finding));
            }
        }
        (Action::Keep, None)
    }

    fn act(
        &mut self,
        mut record: Record,
        cold: Option<Cold>,
        (action, finding): (Action, Option<Finding>),
        origin: Option<Origin<'_>>,
    ) -> Result<(), ImportError> {
        // A print among the records of a book closes their group: it stays, marked.
        let is_of_group =
            matches!(record.body(), Some(Body::Trade(trade)) if trade.feed != TradeFeed::Prints as u8);
        let action = if is_of_group && action == Action::Quarantine { Action::Flag } else { action };
        match action {
            Action::Keep => {}
            Action::Flag => record.flags |= flags::NON_FIRM,
            Action::Quarantine => {
                self.set_aside += 1;
                let symbol = self.symbols.get(record.instrument as usize).map_or("", String::as_str);
                let (file, entry, line) = origin.map_or_else(
                    || (String::new(), "", 0),
                    |origin| (origin.file.display().to_string(), origin.entry, origin.line),
                );
                let row = format!(
                    "{},{},{symbol},{},{},{},{line}\n",
                    finding.map_or("", Finding::name),
                    Nanos(record.ts).0,
                    describe(&record),
                    quoted(&file),
                    quoted(entry)
                );
                return self.sink.quarantine(&row);
            }
        }
        self.sink.push(record, cold)
    }
}

/// A CSV field, in quotes where it needs them.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_string()
    }
}

impl InputSink for Screen<'_> {
    fn push(&mut self, record: Record, cold: Option<Cold>) -> Result<(), ImportError> {
        self.judge(record, cold, None)
    }

    fn push_from(&mut self, record: Record, origin: Origin<'_>) -> Result<(), ImportError> {
        self.judge(record, None, Some(origin))
    }

    fn count_source(&mut self, record_type: &str, n: u64) {
        self.sink.count_source(record_type, n);
    }

    fn data_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ImportError> {
        self.sink.data_file(name, bytes)
    }
}
