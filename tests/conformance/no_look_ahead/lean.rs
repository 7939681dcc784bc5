//! LEAN minute and daily files.

use super::{Future, Source, check, inputs, is_market};
use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use onetape_engine::input::Input;
use onetape_engine::record::Kind;
use onetape_tape::import::lean::{LeanKind, LeanRequest, Resolution, read_lean};
use onetape_tests::shared;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;

const MINUTE_NS: u64 = 60_000_000_000;

/// Files of LEAN's folder and what to import of them.
struct Lean {
    root: PathBuf,
    files: Vec<String>,
    /// Universe files: known at 06:30 on the date of their name.
    mornings: Vec<String>,
    request: LeanRequest,
}

impl Lean {
    fn new(root: &Path, folders: &[&str], request: LeanRequest) -> Lean {
        let mut files = Vec::new();
        for folder in folders {
            let path = root.join("Data").join(folder);
            if path.is_file() {
                files.push((*folder).to_string());
                continue;
            }
            for entry in fs::read_dir(&path).unwrap() {
                files.push(format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap()));
            }
        }
        files.sort();
        Lean { root: root.to_path_buf(), files, mornings: Vec::new(), request }
    }

    fn with_mornings(mut self, files: &[&str]) -> Lean {
        self.mornings = files.iter().map(|file| (*file).to_string()).collect();
        self
    }

    /// Every row of the files with the file it is in.
    fn rows(&self) -> Vec<(String, String)> {
        let mut rows = Vec::new();
        for file in &self.files {
            each_entry(&self.root.join("Data").join(file), |_, text| {
                rows.extend(text.lines().map(|row| (file.clone(), row.to_string())));
            });
        }
        rows
    }
}

fn each_entry(path: &Path, mut visit: impl FnMut(&str, &str)) {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().into_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        visit(&name, &text);
    }
}

fn instant(day: Date, zone: &str, ms: i64) -> u64 {
    let midnight = day.to_datetime(jiff::civil::Time::midnight());
    let wall: DateTime = midnight.checked_add(jiff::Span::new().milliseconds(ms)).unwrap();
    let ns = wall.to_zoned(TimeZone::get(zone).unwrap()).unwrap().timestamp().as_nanosecond();
    u64::try_from(ns).unwrap()
}

/// When a row is known, from the file's own stamps: a minute after its start, open interest at its
/// stamp; daily rows at the close (13:00 on half days), daily open interest at 06:30.
fn known_at(file: &str, row: &str) -> u64 {
    let (stamp, _) = row.split_once(',').unwrap();
    let name = file.rsplit('/').next().unwrap();
    let is_open_interest = name.contains("openinterest");
    if file.contains("/minute/") {
        let day: Date = Date::strptime("%Y%m%d", &name[..8]).unwrap();
        let zone = if file.starts_with("index/") { "America/Chicago" } else { "America/New_York" };
        let start = instant(day, zone, stamp.parse().unwrap());
        return if is_open_interest { start } else { start + MINUTE_NS };
    }
    let day = Date::strptime("%Y%m%d", &stamp[..8]).unwrap();
    let minute = match day {
        _ if is_open_interest => 6 * 60 + 30,
        day if HALF_DAYS.contains(&day) => 13 * 60,
        _ => 16 * 60,
    };
    instant(day, "America/New_York", minute * 60_000)
}

/// When a universe file is known, from its name.
fn morning(file: &str) -> u64 {
    let name = file.rsplit('/').next().unwrap();
    instant(Date::strptime("%Y%m%d", &name[..8]).unwrap(), "America/New_York", (6 * 60 + 30) * 60_000)
}

/// Early closes of the stock market in 2015, 2019 and 2020.
const HALF_DAYS: [Date; 8] = [
    date(2015, 11, 27),
    date(2015, 12, 24),
    date(2019, 7, 3),
    date(2019, 11, 29),
    date(2019, 12, 24),
    date(2020, 11, 27),
    date(2020, 12, 24),
    date(2013, 7, 3),
];

/// The row with every price a little higher.
fn changed(row: &str) -> String {
    let columns = row.split(',').enumerate().map(|(place, text)| match text.parse::<f64>() {
        Ok(value) if place > 0 && value > 0.0 && !text.contains('.') => format!("{}", value as i64 + 10_000),
        Ok(value) if place > 0 && value > 0.0 => format!("{}", (value + 1.0) as i64),
        _ => text.to_string(),
    });
    columns.collect::<Vec<_>>().join(",")
}

impl Source for Lean {
    fn inputs(&self, t: u64, future: Future) -> Vec<Input> {
        let copy = tempfile::tempdir().unwrap();
        let mut request = self.request.clone();
        if future != Future::Whole {
            for file in &self.files {
                let to = copy.path().join("Data").join(file);
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                let mut archive = zip::ZipWriter::new(File::create(&to).unwrap());
                each_entry(&self.root.join("Data").join(file), |name, text| {
                    archive.start_file(name, SimpleFileOptions::default()).unwrap();
                    for row in text.lines() {
                        match future {
                            _ if known_at(file, row) <= t => writeln!(archive, "{row}").unwrap(),
                            Future::Changed => writeln!(archive, "{}", changed(row)).unwrap(),
                            _ => {}
                        }
                    }
                });
                archive.finish().unwrap();
            }
            for file in &self.mornings {
                if morning(file) <= t {
                    let to = copy.path().join("Data").join(file);
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    fs::copy(self.root.join("Data").join(file), &to).unwrap();
                }
            }
            request.root = copy.path().to_path_buf();
        }
        inputs(|sink| read_lean(&request, sink, &mut |_| {}).unwrap())
    }
}

/// The instants at which the tape has market records are the ones at which rows are known.
fn bars_stand_at_their_end(source: &Lean) {
    let inputs = source.inputs(u64::MAX, Future::Whole);
    let on_tape: BTreeSet<u64> =
        inputs.iter().filter(|input| is_market(input)).map(|input| input.record.ts).collect();
    let range = |day: Date| {
        source.request.from.is_none_or(|from| from <= day) && source.request.to.is_none_or(|to| day <= to)
    };
    let known: BTreeSet<u64> = source
        .rows()
        .iter()
        .filter(|(file, row)| {
            let digits = if file.contains("/minute/") { file.rsplit('/').next().unwrap() } else { row };
            range(Date::strptime("%Y%m%d", &digits[..8]).unwrap())
        })
        .map(|(file, row)| known_at(file, row))
        .collect();
    let mornings = source.mornings.iter().map(|file| morning(file));
    let known: BTreeSet<u64> = known.into_iter().chain(mornings).collect();
    assert_eq!(on_tape, known);
    assert!(
        inputs.iter().filter(|input| is_market(input)).all(|input| input.record.ts_src == input.record.ts)
    );
}

#[test]
fn lean_minute_bars_of_a_share() {
    let Some(root) = shared("data/lean") else { return };
    let request = LeanRequest::new(&root, LeanKind::Equity, &["AAPL"]);
    let source = Lean::new(&root, &["equity/usa/minute/aapl"], request);
    bars_stand_at_their_end(&source);
    check("LEAN minute, AAPL", &source);
}

#[test]
fn lean_minute_bars_of_index_options_and_their_index() {
    let Some(root) = shared("data/lean") else { return };
    let request = LeanRequest {
        from: Some(date(2021, 1, 4)),
        to: Some(date(2021, 1, 4)),
        ..LeanRequest::new(&root, LeanKind::IndexOption, &["SPX", "SPXW"])
    };
    let folders = ["indexoption/usa/minute/spx", "indexoption/usa/minute/spxw", "index/usa/minute/spx"];
    let source =
        Lean::new(&root, &folders, request).with_mornings(&["indexoption/usa/universes/spx/20210104.csv"]);
    bars_stand_at_their_end(&source);
    check("LEAN minute, SPX and SPXW", &source);
}

#[test]
fn lean_daily_bars_of_a_share_and_of_an_option() {
    let Some(root) = shared("data/lean") else { return };
    let daily = |kind, symbol: &str| LeanRequest {
        resolution: Resolution::Daily,
        ..LeanRequest::new(&root, kind, &[symbol])
    };
    let from_to = |request: LeanRequest, from, to| LeanRequest { from: Some(from), to: Some(to), ..request };
    let spy = from_to(daily(LeanKind::Equity, "SPY"), date(2019, 6, 1), date(2020, 12, 31));
    let spy = Lean::new(&root, &["equity/usa/daily/spy.zip"], spy);
    bars_stand_at_their_end(&spy);
    check("LEAN daily, SPY", &spy);
    let aapl = from_to(daily(LeanKind::Option, "AAPL"), date(2015, 1, 1), date(2015, 12, 31));
    let files = [
        "option/usa/daily/aapl_2015_quote_american.zip",
        "option/usa/daily/aapl_2015_trade_american.zip",
        "equity/usa/daily/aapl.zip",
    ];
    let aapl = Lean::new(&root, &files, aapl);
    let bars = aapl.inputs(u64::MAX, Future::Whole);
    assert!(bars.iter().any(|input| input.record.kind() == Some(Kind::AskBar)));
    check("LEAN daily, AAPL and its call", &aapl);
}
