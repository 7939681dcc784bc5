//! LEAN's folder of zipped CSV files becomes a session.
//!
//! ```text
//! files    where a symbol's archives are, what names say
//! archive  zip entries, whole or streamed        rows   columns of one line, without allocation
//! bars     a bar row's records                   define instruments with their dated class terms
//! days     minute and second files, a day at a time      spans  hour and daily files
//! reference  factor and map files, rates     universe  the morning's open interest, volatilities, Greeks
//! ticks    equity ticks, streamed              tick_book  the NBBO that quote rows state or imply
//! ```
//!
//! # Layout of the source
//! - Day files (tick, second, minute) are stamped in milliseconds since local midnight, the others
//!   `YYYYMMDD HH:MM`; both state the *start* of the bar. New York time, indices in the zone of
//!   `market-hours-database.json` (Chicago for SPX).
//! - Prices are dollars × 10,000, of indices plain decimals.
//! - Bars exist only where something changed; a quote side left empty is no update of that side.
//!
//! # Decisions
//! - A bar enters at start + period, an hour bar of an option no later than its class's close, a
//!   daily bar at the close of its class on that date. Open interest enters at its stamp; a daily
//!   file states only the date, so there it enters at 06:30 New York.
//! - Bars that end outside the regular session carry `EXTENDED`; the bar that ends at the close is
//!   regular, the one that ends at the open is not. Options follow their class's hours (16:15 for
//!   index options), equities and indices the stock market's.
//! - Session phases are the stock market's, for each date with data.
//! - An instrument is defined at the New York midnight that begins the first date on which the
//!   source has a file of it: underlyings first, then options by symbol as requested, expiry,
//!   strike and right (call first).
//! - Penny and nickel classes are not listed anywhere by date: a class without a row of its own
//!   counts as penny when its first date has a price below 3.00 off the 0.05 grid.
//! - Option universes state the morning's open interest, implied volatilities and Greeks ([`universe`]).
//! - The interest rates in force stand in the data file `interest_rates.csv` of option sessions.
//! - Splits and dividends of shares with a factor file whose ex-dates lie on the tape stand in the
//!   session's data file `corporate_actions.csv`; prices stay as traded.
//!
//! # Limits
//! Second and minute files are sorted in memory one date at a time, hour and daily files over the
//! whole range; ticks are streamed. Ticks of options are not supported.

mod archive;
mod bars;
mod days;
mod define;
mod files;
pub mod reference;
mod rows;
mod spans;
mod tick_book;
mod ticks;
pub mod universe;

use super::terms::{number_of, underlying_of};
use super::{ImportError, InputSink, OnProgress, Origin, Progress};
use crate::codec::Hash;
use crate::import::nbbo::SizeRule;
use crate::quality::{Policies, Screen};
use crate::session::{Fingerprint, Finished, SessionMeta, SessionWriter, already_made};
use define::Definer;
use files::{DataType, SourceFile};
use onetape_calendar::{Date, Market, Zone, sessions};
use onetape_engine::input::Cold;
use onetape_engine::record::Record;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeanKind {
    /// Stocks and funds.
    Equity,
    /// Indices.
    Index,
    /// Options on stocks and funds, with their underlying.
    Option,
    /// Options on indices, with their underlying.
    IndexOption,
}

impl LeanKind {
    /// The source's folder name, which is also the name on the command line.
    pub fn folder(self) -> &'static str {
        match self {
            LeanKind::Equity => "equity",
            LeanKind::Index => "index",
            LeanKind::Option => "option",
            LeanKind::IndexOption => "indexoption",
        }
    }

    /// The kind of a folder name.
    pub fn from_folder(name: &str) -> Option<LeanKind> {
        [LeanKind::Equity, LeanKind::Index, LeanKind::Option, LeanKind::IndexOption]
            .into_iter()
            .find(|kind| kind.folder() == name)
    }

    fn underlying(self) -> Option<LeanKind> {
        match self {
            LeanKind::Equity | LeanKind::Index => None,
            LeanKind::Option => Some(LeanKind::Equity),
            LeanKind::IndexOption => Some(LeanKind::Index),
        }
    }

    /// First part of the names of source record types.
    fn record_prefix(self) -> &'static str {
        match self {
            LeanKind::Equity => "equity",
            LeanKind::Index => "index",
            LeanKind::Option | LeanKind::IndexOption => "option",
        }
    }
}

/// Width of the bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// Every trade, and quotes of each exchange, one file a day.
    Tick,
    /// Seconds, one file a day.
    Second,
    /// Minutes, one file a day.
    Minute,
    /// Hours, one file for all dates.
    Hour,
    /// Days, one file for all dates.
    Daily,
}

impl Resolution {
    /// The source's folder name, which is also the name on the command line.
    pub fn folder(self) -> &'static str {
        match self {
            Resolution::Tick => "tick",
            Resolution::Second => "second",
            Resolution::Minute => "minute",
            Resolution::Hour => "hour",
            Resolution::Daily => "daily",
        }
    }

    /// The resolution of a folder name.
    pub fn from_folder(name: &str) -> Option<Resolution> {
        use Resolution::{Daily, Hour, Minute, Second, Tick};
        [Tick, Second, Minute, Hour, Daily].into_iter().find(|resolution| resolution.folder() == name)
    }

    fn is_daily_file(self) -> bool {
        matches!(self, Resolution::Tick | Resolution::Second | Resolution::Minute)
    }

    fn period_ns(self) -> u64 {
        let seconds = match self {
            Resolution::Tick => 0,
            Resolution::Second => 1,
            Resolution::Minute => 60,
            Resolution::Hour => 3_600,
            Resolution::Daily => 86_400,
        };
        seconds * 1_000_000_000
    }
}

/// What to import from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeanRequest {
    /// LEAN's `Data` folder, or the folder that holds it.
    pub root: PathBuf,
    /// Tickers or option roots, in any case.
    pub symbols: Vec<String>,
    /// What the symbols are.
    pub kind: LeanKind,
    /// Market folder, `usa`.
    pub market: String,
    /// Width of the bars.
    pub resolution: Resolution,
    /// First date; `None` for the first there is.
    pub from: Option<Date>,
    /// Last date, included; `None` for the last there is.
    pub to: Option<Date>,
    /// Size beside the best price where files hold exchanges' own quotes.
    pub nbbo_size: SizeRule,
    /// What happens to doubtful records.
    pub policies: Policies,
}

impl LeanRequest {
    /// Minute data of `symbols` on the US market, all dates there are.
    pub fn new(root: &Path, kind: LeanKind, symbols: &[&str]) -> LeanRequest {
        LeanRequest {
            root: root.to_path_buf(),
            symbols: symbols.iter().map(|symbol| (*symbol).to_string()).collect(),
            kind,
            market: "usa".to_string(),
            resolution: Resolution::Minute,
            from: None,
            to: None,
            nbbo_size: SizeRule::Best,
            policies: Policies::default(),
        }
    }

    fn includes(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.to.is_none_or(|to| date <= to)
    }

    /// A name for the session: symbols, kind and resolution.
    fn session_name(&self) -> String {
        let symbols = self.symbols.join("+").to_ascii_lowercase();
        let mut name = format!("{symbols}-{}-{}", self.kind.folder(), self.resolution.folder());
        for date in [self.from, self.to].into_iter().flatten() {
            name.push_str(&format!("-{}", number_of(date)));
        }
        name
    }
}

const POLICIES: [&str; 6] = [
    "bars enter at their end, daily bars at the close, open interest at its stamp",
    "an empty quote side is no update of that side",
    "bars that end outside the regular session are flagged extended",
    "session phases follow the stock market's calendar",
    "instruments are defined at the New York midnight of the first date that has a file of them",
    "a class without a row of its own counts as penny when its first date has a price below 3.00 off the 0.05 grid",
];

/// Imports into a session folder at `out`.
///
/// # Errors
/// Nothing found, a damaged archive, a row that does not follow the layout, or an `out` that
/// cannot be written; then no session is left behind.
pub fn import_lean(
    request: &LeanRequest,
    out: &Path,
    on_progress: OnProgress<'_>,
) -> Result<Finished, ImportError> {
    let plan = plan(request)?;
    let fingerprint = plan.fingerprint(request)?;
    if let Some(finished) = already_made(out, fingerprint) {
        return Ok(finished);
    }
    let mut meta = SessionMeta::new(&request.session_name(), "lean", env!("CARGO_PKG_VERSION"));
    meta.importer.source = format!(
        "{}/{}/{}: {}",
        request.kind.folder(),
        request.market,
        request.resolution.folder(),
        request.symbols.join(", ")
    );
    meta.importer.policies = POLICIES.iter().map(|policy| (*policy).to_string()).collect();
    if request.nbbo_size == SizeRule::Sum {
        meta.importer
            .policies
            .push("the size beside the best price is the sum over exchanges at it".to_string());
    }
    meta.importer.policies.push(request.policies.sentence());
    meta.importer.policies.extend(plan.notes.iter().cloned());
    meta.fingerprint = Some(fingerprint);
    let mut writer = SessionWriter::create(out, meta)?;
    let mut screen = Screen::new(&mut writer, request.policies.clone());
    read(&plan, request, &mut screen, on_progress)?;
    screen.finish()?;
    Ok(writer.finish()?)
}

/// Reads into any sink, in receipt order.
///
/// # Errors
/// As [`import_lean`], and what the sink refuses.
pub fn read_lean(
    request: &LeanRequest,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    read(&plan(request)?, request, sink, on_progress)
}

fn read(
    plan: &Plan,
    request: &LeanRequest,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    for note in &plan.notes {
        on_progress(Progress::Note(note.clone()));
    }
    let definer = Definer::new(plan, request);
    let mut sink = Spanned { sink, span: None };
    match request.resolution {
        Resolution::Tick => ticks::read(plan, request, definer, &mut sink, on_progress)?,
        Resolution::Second | Resolution::Minute => {
            days::read(plan, request, definer, &mut sink, on_progress)?;
        }
        Resolution::Hour | Resolution::Daily => {
            spans::read(plan, request, definer, &mut sink, on_progress)?;
        }
    }
    add_reference_files(plan, request, &mut sink)
}

/// A sink that remembers the first and last receipt time.
struct Spanned<'a> {
    sink: &'a mut dyn InputSink,
    span: Option<(u64, u64)>,
}

impl InputSink for Spanned<'_> {
    fn push(&mut self, record: Record, cold: Option<Cold>) -> Result<(), ImportError> {
        let first = self.span.map_or(record.ts, |(first, _)| first);
        self.span = Some((first, record.ts));
        self.sink.push(record, cold)
    }

    fn push_from(&mut self, record: Record, origin: Origin<'_>) -> Result<(), ImportError> {
        let first = self.span.map_or(record.ts, |(first, _)| first);
        self.span = Some((first, record.ts));
        self.sink.push_from(record, origin)
    }

    fn count_source(&mut self, record_type: &str, n: u64) {
        self.sink.count_source(record_type, n);
    }

    fn data_file(&mut self, name: &str, bytes: &[u8]) -> Result<(), ImportError> {
        self.sink.data_file(name, bytes)
    }
}

/// Adds `interest_rates.csv` to options, and `corporate_actions.csv`: splits and dividends of the shares
/// with ex-dates on the tape.
fn add_reference_files(
    plan: &Plan,
    request: &LeanRequest,
    sink: &mut Spanned<'_>,
) -> Result<(), ImportError> {
    let shares: Vec<&str> = plan
        .symbols
        .iter()
        .filter(|known| known.kind == LeanKind::Equity)
        .map(|known| known.symbol.as_str())
        .collect();
    let Some((first, last)) = sink.span else { return Ok(()) };
    let dates = (Zone::NewYork.date_at(first), Zone::NewYork.date_at(last));
    let root = files::data_root(&request.root);
    if plan.symbols.iter().any(|known| known.underlying.is_some())
        && let Some(csv) = reference::rates_csv(&root, &request.market, dates)?
    {
        sink.data_file("interest_rates.csv", csv.as_bytes())?;
    }
    match reference::actions_csv(&root, &request.market, &shares, dates)? {
        Some(csv) => sink.data_file("corporate_actions.csv", csv.as_bytes()),
        None => Ok(()),
    }
}

/// A symbol with its archives.
#[derive(Debug)]
struct SymbolPlan {
    /// Upper case.
    symbol: String,
    kind: LeanKind,
    /// Place of the underlying in the plan.
    underlying: Option<usize>,
    /// Zone of the time stamps.
    zone: Zone,
    files: Vec<SourceFile>,
}

/// What will be read.
#[derive(Debug)]
struct Plan {
    /// Underlyings first.
    symbols: Vec<SymbolPlan>,
    notes: Vec<String>,
}

impl Plan {
    /// Hash over the options and every file that decides what the session holds.
    fn fingerprint(&self, request: &LeanRequest) -> Result<Hash, ImportError> {
        let root = files::data_root(&request.root);
        let mut fingerprint = Fingerprint::new("lean", env!("CARGO_PKG_VERSION"));
        fingerprint.option("request", &request.session_name());
        fingerprint.option("market", &request.market);
        fingerprint.option("policies", &request.policies.sentence());
        fingerprint.option("nbbo size", &format!("{:?}", request.nbbo_size));
        let mut add = |path: &Path| {
            let name = path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/");
            if path.is_file() {
                fingerprint.file(&name, path).map_err(ImportError::io("open", path))
            } else {
                Ok(())
            }
        };
        add(&files::market_hours(&root))?;
        add(&reference::rates_file(&root, &request.market))?;
        for (_, _, path) in universe::files_of(self, request)? {
            add(&path)?;
        }
        for known in &self.symbols {
            known.files.iter().try_for_each(|file| add(&file.path))?;
            if known.kind == LeanKind::Equity {
                add(&reference::factor_file(&root, &request.market, &known.symbol))?;
            }
        }
        Ok(fingerprint.finish())
    }
}

fn plan(request: &LeanRequest) -> Result<Plan, ImportError> {
    let root = files::data_root(&request.root);
    let mut requested = Vec::new();
    for symbol in &request.symbols {
        let upper = symbol.to_ascii_uppercase();
        if requested.iter().any(|(known, _)| *known == upper) {
            continue;
        }
        let found = files::find(&root, &request.market, request.kind, request.resolution, &upper)?;
        let files: Vec<SourceFile> =
            found.into_iter().filter(|file| file.date.is_none_or(|date| request.includes(date))).collect();
        if files.is_empty() {
            return Err(nothing_found(&root, request, symbol));
        }
        requested.push((upper, files));
    }
    if requested.is_empty() {
        let what = "name at least one symbol".to_string();
        return Err(ImportError::Request { what });
    }
    let dates: BTreeSet<Date> =
        requested.iter().flat_map(|(_, files)| files.iter().filter_map(|file| file.date)).collect();
    let range = request.from.or(dates.first().copied()).zip(request.to.or(dates.last().copied()));
    let zones = files::Zones::read(&root)?;
    let mut plan = Plan { symbols: Vec::new(), notes: Vec::new() };
    if let Some(kind) = request.kind.underlying() {
        for (symbol, _) in &requested {
            add_underlying(&mut plan, &root, request, kind, underlying_of(symbol), range)?;
        }
    }
    let underlyings = plan.symbols.len();
    for (symbol, files) in requested {
        let name = underlying_of(&symbol);
        let underlying = plan.symbols[..underlyings].iter().position(|known| known.symbol == name);
        let zone = zones.of(request.kind, &request.market, &symbol);
        plan.symbols.push(SymbolPlan { symbol, kind: request.kind, underlying, zone, files });
    }
    if let Some((first, last)) = range.filter(|_| request.resolution.is_daily_file()) {
        plan.notes.extend(plan.symbols.iter().flat_map(|symbol| gaps(symbol, first, last)));
    }
    for symbol in plan.symbols.iter_mut() {
        symbol.files.sort_by_key(|file| (file.date, file.data));
    }
    Ok(plan)
}

fn add_underlying(
    plan: &mut Plan,
    root: &Path,
    request: &LeanRequest,
    kind: LeanKind,
    symbol: &str,
    range: Option<(Date, Date)>,
) -> Result<(), ImportError> {
    if plan.symbols.iter().any(|known| known.symbol == symbol) {
        return Ok(());
    }
    let found = files::find(root, &request.market, kind, request.resolution, symbol)?;
    let is_in = |date: Date| range.is_none_or(|(first, last)| first <= date && date <= last);
    let files: Vec<SourceFile> = found.into_iter().filter(|file| file.date.is_none_or(is_in)).collect();
    if files.is_empty() {
        plan.notes.push(format!(
            "no {} {} file of the underlying {symbol}: it is defined but has no prices",
            kind.folder(),
            request.resolution.folder()
        ));
    }
    let zone = files::Zones::read(root)?.of(kind, &request.market, symbol);
    plan.symbols.push(SymbolPlan { symbol: symbol.to_string(), kind, underlying: None, zone, files });
    Ok(())
}

/// Trading days without a file, and days that lack quotes or trades.
fn gaps(symbol: &SymbolPlan, first: Date, last: Date) -> Vec<String> {
    let mut by_date: BTreeMap<Date, BTreeSet<DataType>> = BTreeMap::new();
    for file in &symbol.files {
        by_date.entry(file.date.unwrap_or(first)).or_default().insert(file.data);
    }
    let mut notes = Vec::new();
    for session in sessions(Market::UsEquity, first..=last) {
        let date = session.trade_date;
        let missing: Vec<&str> = match by_date.get(&date) {
            None => vec![""],
            Some(found) => [DataType::Trade, DataType::Quote]
                .into_iter()
                .filter(|data| !(found.contains(data) || symbol.kind == LeanKind::Index))
                .map(|data| match data {
                    DataType::Trade => "trade ",
                    _ => "quote ",
                })
                .collect(),
        };
        for data in missing {
            notes.push(format!("{} {}: no {data}file for {date}", symbol.kind.folder(), symbol.symbol));
        }
    }
    notes
}

fn nothing_found(root: &Path, request: &LeanRequest, symbol: &str) -> ImportError {
    let wanted = format!(
        "{}/{}/{}/{}",
        request.kind.folder(),
        request.market,
        request.resolution.folder(),
        symbol.to_ascii_lowercase()
    );
    let dates = match (request.from, request.to) {
        (None, None) => String::new(),
        (from, to) => {
            let text = |date: Option<Date>| date.map_or("…".to_string(), |date| date.to_string());
            format!(" between {} and {}", text(from), text(to))
        }
    };
    let what = format!(
        "no file of {symbol} in {wanted}{dates} under {}; check the symbol, the kind (equity, index, option, \
         indexoption), the resolution and the dates",
        root.display()
    );
    ImportError::NothingFound { what }
}
