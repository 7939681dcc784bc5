//! The quality of a session: every finding counted, a few shown, the worst instruments named.

use super::detect::Judgement;
use super::{Detector, Finding, Findings, Limits};
use crate::session::{SessionError, SessionReader};
use onetape_engine::block::Block;
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentKind;
use onetape_engine::num::Price;
use onetape_engine::record::{Body, Kind, Record};
use serde::Serialize;

/// Examples kept of each finding.
const SAMPLES: usize = 5;
/// Instruments named as the worst.
const WORST: usize = 10;
const FINDINGS: usize = Finding::ALL.len();

/// One example of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Position in the session.
    pub record: u64,
    /// Receipt time, UTC nanoseconds.
    pub ts: u64,
    /// Symbol, empty for the feed.
    pub symbol: String,
    /// The record's figures, or how long the feed was silent.
    pub what: String,
}

/// A finding over the whole session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingReport {
    /// Its name.
    pub name: &'static str,
    /// How often.
    pub found: u64,
    /// What the share is of.
    pub base: &'static str,
    /// How many of those there are.
    pub of: u64,
    /// Found ÷ base; of gaps and uncovered ends their share of session time.
    pub share: f64,
    /// Share above which the check fails; none where it is only told.
    pub limit: Option<f64>,
    /// Within the limit.
    pub ok: bool,
    /// The first examples.
    pub samples: Vec<Sample>,
}

/// An instrument and its findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstrumentReport {
    /// Symbol.
    pub symbol: String,
    /// Its market records.
    pub records: u64,
    /// Findings with their counts, none of zero.
    pub findings: Vec<(&'static str, u64)>,
}

/// The quality of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityReport {
    /// Name.
    pub session: String,
    /// Content hash.
    pub content_hash: String,
    /// Market records judged.
    pub records: u64,
    /// Instruments defined.
    pub instruments: u64,
    /// Each finding.
    pub findings: Vec<FindingReport>,
    /// Instruments with the most findings that have a limit, worst first.
    pub worst: Vec<InstrumentReport>,
    /// Every finding is within its limit.
    pub ok: bool,
}

/// Judges every record of a session; memory does not grow with its length.
///
/// # Errors
/// The session cannot be read.
pub fn check_session(reader: &mut SessionReader, limits: &Limits) -> Result<QualityReport, SessionError> {
    let splits = Splits::read(reader)?;
    let mut tally = Tally::default();
    let mut detector = Detector::new();
    let mut block = Block::default();
    let mut position = 0;
    while reader.next_block(&mut block)? {
        for record in &block.inputs {
            let cold = match record.body() {
                Some(Body::Cold(index)) => block.cold.get(index as usize),
                _ => None,
            };
            if let Some(Cold::Definition(def)) = cold {
                tally.define(&def.symbol, def.kind);
            }
            let judgement = detector.observe(record, cold);
            tally.take(position, record, &judgement, &splits);
            position += 1;
        }
    }
    let manifest = reader.manifest();
    Ok(tally.report(&manifest.name, manifest.content_hash.to_string(), detector.session_ns(), limits))
}

/// Splits on the tape, from `corporate_actions.csv`, to name the one behind a mixed bar.
struct Splits(Vec<(String, String, String)>);

impl Splits {
    fn read(reader: &SessionReader) -> Result<Splits, SessionError> {
        let text = reader.file("corporate_actions.csv")?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let rows = text.lines().filter_map(|line| {
            let mut columns = line.split(',').map(str::to_string);
            let (symbol, date) = (columns.next()?, columns.next()?);
            (columns.next()? == "split").then_some((symbol, date, columns.next()?))
        });
        Ok(Splits(rows.collect()))
    }

    fn near(&self, symbol: &str) -> String {
        let found = self.0.iter().find(|(known, _, _)| known == symbol);
        found.map_or_else(String::new, |(_, date, ratio)| format!("; split {ratio}:1 ex {date}"))
    }
}

#[derive(Debug, Default)]
struct Tally {
    symbols: Vec<(String, InstrumentKind)>,
    records_of: Vec<u64>,
    found_of: Vec<[u32; FINDINGS]>,
    found: [u64; FINDINGS],
    samples: [Vec<Sample>; FINDINGS],
    records: u64,
    quotes: u64,
    two_sided: u64,
    prices: u64,
    trade_bars: u64,
    silence_ns: u64,
    uncovered_ns: u64,
}

impl Tally {
    fn define(&mut self, symbol: &str, kind: InstrumentKind) {
        self.symbols.push((symbol.to_string(), kind));
        self.records_of.push(0);
        self.found_of.push([0; FINDINGS]);
    }

    #[inline]
    fn take(&mut self, position: u64, record: &Record, judgement: &Judgement, splits: &Splits) {
        let place = record.instrument as usize;
        if record.kind().is_some_and(Kind::is_market) && place < self.records_of.len() {
            self.records += 1;
            self.records_of[place] += 1;
            self.quotes += u64::from(judgement.is_quote);
            self.two_sided += u64::from(judgement.is_two_sided);
            self.prices += u64::from(judgement.is_price);
            self.trade_bars += u64::from(record.kind == Kind::TradeBar as u8);
        }
        if !judgement.findings.is_empty() {
            self.findings(position, record, judgement, splits);
        }
    }

    fn findings(&mut self, position: u64, record: &Record, judgement: &Judgement, splits: &Splits) {
        self.silence_ns += judgement.silence_ns;
        self.uncovered_ns += judgement.uncovered_ns;
        let place = record.instrument as usize;
        for finding in judgement.findings.iter() {
            let slot = finding as usize;
            self.found[slot] += 1;
            let is_feed = matches!(finding, Finding::Gap | Finding::Uncovered);
            if let Some(counts) = self.found_of.get_mut(place).filter(|_| !is_feed) {
                counts[slot] = counts[slot].saturating_add(1);
            }
            if self.samples[slot].len() < SAMPLES {
                let known = self.symbols.get(place).filter(|_| !is_feed);
                let symbol = known.map_or_else(String::new, |(symbol, _)| symbol.clone());
                let mut what = match finding {
                    Finding::Gap => format!("no record for {:.0} s", judgement.silence_ns as f64 / 1e9),
                    Finding::Uncovered => {
                        let seconds = judgement.uncovered_ns as f64 / 1e9;
                        format!("{seconds:.0} s of the session before its first and after its last record")
                    }
                    _ => describe(record),
                };
                if finding == Finding::MixedSplit {
                    what.push_str(&splits.near(&symbol));
                }
                self.samples[slot].push(Sample { record: position, ts: record.ts, symbol, what });
            }
        }
    }

    fn base(&self, finding: Finding, session_ns: u64) -> u64 {
        match finding {
            Finding::Crossed | Finding::Locked => self.two_sided,
            Finding::OneSided | Finding::Stale | Finding::OffTick => self.quotes,
            Finding::Gap | Finding::Uncovered => session_ns / 1_000_000_000,
            Finding::Outlier => self.prices,
            Finding::MixedSplit => self.trade_bars,
            Finding::Duplicate | Finding::OutOfOrder | Finding::Impossible | Finding::AfterExpiry => {
                self.records
            }
        }
    }

    fn worst(&self, limits: &Limits) -> Vec<InstrumentReport> {
        let counted = |counts: &[u32; FINDINGS]| -> u64 {
            let with_limit = Finding::ALL.into_iter().filter(|finding| limits.of(*finding).is_some());
            with_limit.map(|finding| u64::from(counts[finding as usize])).sum()
        };
        let mut places: Vec<(u64, usize)> =
            self.found_of.iter().enumerate().map(|(place, counts)| (counted(counts), place)).collect();
        places.retain(|(found, _)| *found > 0);
        places.sort_by_key(|(found, place)| (std::cmp::Reverse(*found), *place));
        let report = |(_, place): &(u64, usize)| {
            let counts = &self.found_of[*place];
            let named =
                Finding::ALL.into_iter().map(|finding| (finding.name(), u64::from(counts[finding as usize])));
            InstrumentReport {
                symbol: self.symbols[*place].0.clone(),
                records: self.records_of[*place],
                findings: named.filter(|(_, count)| *count > 0).collect(),
            }
        };
        places.iter().take(WORST).map(report).collect()
    }

    fn report(mut self, name: &str, content_hash: String, session_ns: u64, limits: &Limits) -> QualityReport {
        let worst = self.worst(limits);
        let mut findings = Vec::with_capacity(FINDINGS);
        for finding in Finding::ALL {
            let (found, of) = (self.found[finding as usize], self.base(finding, session_ns));
            let part = match finding {
                Finding::Gap => self.silence_ns as f64 / 1e9,
                Finding::Uncovered => self.uncovered_ns as f64 / 1e9,
                _ => found as f64,
            };
            let share = if of == 0 { if found == 0 { 0.0 } else { 1.0 } } else { part / of as f64 };
            let limit = limits.of(finding);
            findings.push(FindingReport {
                name: finding.name(),
                found,
                base: finding.base(),
                of,
                share,
                limit,
                ok: limit.is_none_or(|limit| share <= limit),
                samples: std::mem::take(&mut self.samples[finding as usize]),
            });
        }
        QualityReport {
            session: name.to_string(),
            content_hash,
            records: self.records,
            instruments: self.symbols.len() as u64,
            ok: findings.iter().all(|finding| finding.ok),
            findings,
            worst,
        }
    }
}

/// A record's figures in one line.
pub(super) fn describe(record: &Record) -> String {
    let price = Price;
    match record.body() {
        Some(Body::Quote(quote)) => format!(
            "bid {} x {} ask {} x {}",
            price(quote.bid),
            price(quote.bid_size),
            price(quote.ask),
            price(quote.ask_size)
        ),
        Some(Body::Trade(trade)) => format!("trade {} x {}", price(trade.price), price(trade.size)),
        Some(Body::TradeBar(bar)) => format!(
            "bar open {} high {} low {} close {} volume {}",
            price(bar.open),
            price(bar.high),
            price(bar.low),
            price(bar.close),
            price(bar.volume)
        ),
        Some(Body::BidBar(half) | Body::AskBar(half)) => format!(
            "{} open {} high {} low {} close {} size {}",
            record.kind().map_or("half", Kind::name),
            price(half.open),
            price(half.high),
            price(half.low),
            price(half.close),
            price(half.size)
        ),
        _ => record.kind().map_or_else(String::new, |kind| kind.name().to_string()),
    }
}

/// The findings that a policy can act on.
pub(super) fn of_record(findings: Findings) -> impl Iterator<Item = Finding> {
    findings.iter().filter(|finding| finding.is_of_record())
}
