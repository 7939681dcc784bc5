//! LEAN's folder of zipped CSV files becomes a session.
//!
//! ```text
//! files    where a symbol's archives are, what names say
//! plan     symbols, securities and archives of a request
//! archive  zip entries, whole or streamed        rows   columns of one line, without allocation
//! bars     a bar row's records                   define instruments with their dated class terms
//! days     minute and second files, a day at a time      spans  hour and daily files
//! reference  factor and map files, rates     universe  the morning's open interest, volatilities, Greeks
//! tickers  whose files hold a security on which date     history  the sessions before the tape
//! futures  contracts of futures and options on them
//! ticks    equity ticks, streamed              tick_book  the NBBO that quote rows state or imply
//! ```
//!
//! # Layout of the source
//! - Day files (tick, second, minute) are stamped in milliseconds since local midnight, the others
//!   `YYYYMMDD HH:MM`; both state the *start* of the bar. New York time, indices in the zone of
//!   `market-hours-database.json` (Chicago for SPX).
//! - Prices are dollars × 10,000, of indices, futures and options on them plain decimals.
//! - Bars exist only where something changed; a quote side left empty is no update of that side.
//!
//! # Decisions
//! - A bar enters at start + period, an hour bar of an option no later than its class's close, a
//!   daily bar at the close of its class on that date. Open interest enters at its stamp; a daily
//!   file states only the date, so there it enters at 06:30 New York.
//! - Bars that end outside the regular session carry `EXTENDED`; the bar that ends at the close is
//!   regular, the one that ends at the open is not. Options follow their class's hours (16:15 for
//!   index options), equities and indices the stock market's.
//! - Session phases are the stock market's, for each date with data; the `futures` module has those of futures.
//! - An instrument is defined at the New York midnight that begins the first date on which the
//!   source has a file of it: underlyings first, then options by symbol as requested, expiry,
//!   strike and right (call first).
//! - Penny and nickel classes are not listed anywhere by date: a class without a row of its own
//!   counts as penny when its first date has a price below 3.00 off the 0.05 grid.
//! - Option universes state the morning's open interest, implied volatilities and Greeks ([`universe`]).
//! - The interest rates in force stand in the data file `interest_rates.csv` of option sessions.
//! - A security is read from the files of the ticker that it bears on each date (`tickers`); its name on
//!   the tape is the symbol asked for, and `tickers.csv` says what it was called when.
//! - The sessions before the tape stand in `history.csv` (`import::history`).
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
mod futures;
mod history;
mod plan;
pub mod reference;
mod rows;
mod spans;
mod tick_book;
mod tickers;
mod ticks;
pub mod universe;

use super::delay::{Delayed, Delays};
use super::terms::{number_of, underlying_of};
use super::{ImportError, InputSink, OnProgress, Origin, Progress};
use crate::import::nbbo::SizeRule;
use crate::quality::{Policies, Screen};
use crate::session::{Finished, SessionMeta, SessionWriter, already_made};
use define::Definer;
use onetape_calendar::{Date, Zone};
use onetape_engine::input::Cold;
use onetape_engine::instrument::InstrumentDef;
use onetape_engine::record::Record;
use plan::{Plan, SymbolPlan, plan};
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
    /// Futures, every contract that the files hold.
    Future,
    /// Options on futures, with the futures that they deliver.
    FutureOption,
}

impl LeanKind {
    /// The source's folder name, which is also the name on the command line.
    pub fn folder(self) -> &'static str {
        match self {
            LeanKind::Equity => "equity",
            LeanKind::Index => "index",
            LeanKind::Option => "option",
            LeanKind::IndexOption => "indexoption",
            LeanKind::Future => "future",
            LeanKind::FutureOption => "futureoption",
        }
    }

    /// The kind of a folder name.
    pub fn from_folder(name: &str) -> Option<LeanKind> {
        use LeanKind::{Equity, Future, FutureOption, Index, IndexOption, Option};
        [Equity, Index, Option, IndexOption, Future, FutureOption]
            .into_iter()
            .find(|kind| kind.folder() == name)
    }

    /// Whether its instruments are futures or options on them.
    fn is_of_futures(self) -> bool {
        matches!(self, LeanKind::Future | LeanKind::FutureOption)
    }

    /// The symbol whose options a symbol's are.
    fn underlying_symbol(self, symbol: &str) -> &str {
        if self == LeanKind::FutureOption { futures::future_of(symbol) } else { underlying_of(symbol) }
    }

    fn underlying(self) -> Option<LeanKind> {
        match self {
            LeanKind::Equity | LeanKind::Index | LeanKind::Future => None,
            LeanKind::FutureOption => Some(LeanKind::Future),
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
            LeanKind::Future => "future",
            LeanKind::FutureOption => "future_option",
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
    /// Feed delays by kind (`equity`, `option` …).
    pub delays: Delays,
    /// Files belong to the ticker they are named by, on all dates: map files are not read.
    pub as_filed: bool,
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
            delays: Delays::default(),
            as_filed: false,
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

const FUTURES_POLICIES: [&str; 2] = [
    "a future and an option on it stop trading at the close of the electronic session of their last date, 16:00 Chicago",
    "session phases are those of CME's equity-index futures on market cme, and none elsewhere",
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
    if request.kind.is_of_futures() {
        meta.importer.policies.extend(FUTURES_POLICIES.map(str::to_string));
    }
    if request.nbbo_size == SizeRule::Sum {
        meta.importer
            .policies
            .push("the size beside the best price is the sum over exchanges at it".to_string());
    }
    meta.importer.policies.extend(request.delays.sentence());
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
    let span = if request.delays.is_none() {
        read_records(plan, request, definer, sink, on_progress)?
    } else {
        let (are_ticks, are_daily) =
            (request.resolution == Resolution::Tick, request.resolution == Resolution::Daily);
        let mut delayed = Delayed::new(sink, &request.delays, kind_of, are_ticks, are_daily);
        let span = read_records(plan, request, definer, &mut delayed, on_progress)?;
        delayed.finish()?;
        span
    };
    add_reference_files(plan, request, span, sink, on_progress)
}

/// The folder name of an instrument's kind, from where its definition says that it was read.
fn kind_of(def: &InstrumentDef) -> &str {
    let place = def.source.strip_prefix("lean:").unwrap_or_default();
    place.split('/').next().unwrap_or_default()
}

/// Reads definitions, records and phases; returns the times of the first and last.
fn read_records(
    plan: &Plan,
    request: &LeanRequest,
    definer: Definer,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<Option<(u64, u64)>, ImportError> {
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
    Ok(sink.span)
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

/// Adds `interest_rates.csv` to options; `corporate_actions.csv`: splits and dividends of the shares with
/// ex-dates on the tape; `tickers.csv`: what they were called when; and the history before the tape.
fn add_reference_files(
    plan: &Plan,
    request: &LeanRequest,
    span: Option<(u64, u64)>,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    let shares: Vec<(&str, &str)> = plan
        .symbols
        .iter()
        .filter(|known| known.kind == LeanKind::Equity)
        .map(|known| (known.symbol.as_str(), known.security.stem.as_str()))
        .collect();
    let Some((first, last)) = span else { return Ok(()) };
    let dates = (Zone::NewYork.date_at(first), Zone::NewYork.date_at(last));
    let root = files::data_root(&request.root);
    if plan.symbols.iter().any(|known| known.underlying.is_some())
        && let Some(csv) = reference::rates_csv(&root, &request.market, dates)?
    {
        sink.data_file("interest_rates.csv", csv.as_bytes())?;
    }
    if let Some(csv) = reference::actions_csv(&root, &request.market, &shares, dates)? {
        sink.data_file("corporate_actions.csv", csv.as_bytes())?;
    }
    if let Some(csv) = tickers_csv(plan, dates) {
        sink.data_file("tickers.csv", csv.as_bytes())?;
    }
    let days = history::days(plan, request, dates.0)?;
    super::history::add(days, first, sink, on_progress)
}

/// The tickers of symbols that were called otherwise on a date of the tape, as a CSV of
/// `symbol,ticker,from,until`; `None` without any.
fn tickers_csv(plan: &Plan, (first, last): (Date, Date)) -> Option<String> {
    let mut csv = String::new();
    for known in &plan.symbols {
        let tickers: Vec<_> =
            known.security.tickers.iter().filter(|ticker| ticker.overlaps(Some(first), Some(last))).collect();
        if tickers.iter().all(|ticker| ticker.name == known.symbol) {
            continue;
        }
        for ticker in tickers {
            let from = ticker.from.map_or(first, |from| from.max(first));
            let until = ticker.until.map_or(last, |until| until.min(last));
            let row = format!("{},{},{},{}\n", known.symbol, ticker.name, number_of(from), number_of(until));
            // An option root has the ticker of its underlying.
            if !csv.contains(&row) {
                csv.push_str(&row);
            }
        }
    }
    (!csv.is_empty()).then(|| format!("symbol,ticker,from,until\n{csv}"))
}
