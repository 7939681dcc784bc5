//! Where LEAN keeps its files, and what their names say.
//!
//! ```text
//! <root>/<kind>/<market>/<minute|second|tick>/<symbol>/<YYYYMMDD>_<type>[_<style>].zip
//! <root>/<kind>/<market>/<hour|daily>/<symbol>[_<year>_<type>_<style>].zip
//! <root>/futureoption/<market>/<resolution>/<symbol>/<last date of the future>/<as above>.zip
//! entry of a future's archive: [<date>_]<symbol>_[minute_]<type>_<contract month>_<last date>.csv
//! entry of an option archive: [<date>_]<symbol>_[minute_]<type>_<style>_<right>_<strike × 10,000>_<expiry>.csv
//! ```
//! `<root>` is LEAN's `Data` folder or the folder that holds it. A doubled `.zip.zip` counts as `.zip`.

use super::rows::whole;
use super::tickers::Security;
use super::{LeanKind, LeanRequest, Resolution};
use crate::import::ImportError;
use crate::import::terms::date_of;
use onetape_calendar::{Date, Zone};
use onetape_engine::instrument::{ExerciseStyle, Right};
use onetape_engine::num::Price;
use std::path::{Path, PathBuf};

/// What a file's rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum DataType {
    Trade,
    Quote,
    OpenInterest,
}

impl DataType {
    fn from_name(name: &str) -> Option<DataType> {
        Some(match name {
            "trade" => DataType::Trade,
            "quote" => DataType::Quote,
            "openinterest" => DataType::OpenInterest,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            DataType::Trade => "trade",
            DataType::Quote => "quote",
            DataType::OpenInterest => "openinterest",
        }
    }
}

/// One archive of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) kind: LeanKind,
    /// Dates whose rows are the symbol's; `None`: without end.
    pub(super) from: Option<Date>,
    pub(super) until: Option<Date>,
    /// Day of a day file; `None` of hour and daily files, whose rows carry their dates.
    pub(super) date: Option<Date>,
    pub(super) data: DataType,
    /// Last date of the future that the options deliver.
    pub(super) future: Option<Date>,
}

impl SourceFile {
    /// Whether a date's rows are the symbol's.
    pub(super) fn covers(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date <= until)
    }
}

/// The folder that holds `equity`, `option` …: `root` itself or its `Data`.
pub(super) fn data_root(root: &Path) -> PathBuf {
    let inner = root.join("Data");
    if inner.is_dir() { inner } else { root.to_path_buf() }
}

/// The archives of a security under each ticker that it bears in a range of dates.
pub(super) fn find_security(
    root: &Path,
    request: &LeanRequest,
    kind: LeanKind,
    security: &Security,
) -> Result<Vec<SourceFile>, ImportError> {
    let mut files = Vec::new();
    for ticker in security.tickers.iter().filter(|ticker| ticker.overlaps(request.from, request.to)) {
        let found = find(root, &request.market, kind, request.resolution, &ticker.name)?;
        let (from, until) = (ticker.from, ticker.until);
        files.extend(found.into_iter().map(|file| SourceFile { from, until, ..file }));
    }
    files.retain(|file| file.date.is_none_or(|date| file.covers(date)));
    Ok(files)
}

/// The archives of one ticker, ordered by date, then type.
pub(super) fn find(
    root: &Path,
    market: &str,
    kind: LeanKind,
    resolution: Resolution,
    symbol: &str,
) -> Result<Vec<SourceFile>, ImportError> {
    let folder = root.join(kind.folder()).join(market).join(resolution.folder());
    let lower = symbol.to_ascii_lowercase();
    let mut files = Vec::new();
    if kind == LeanKind::FutureOption {
        for path in listing(&folder.join(&lower))? {
            let future = path.file_name().and_then(|name| name.to_str()).and_then(date_of_name);
            if let Some(future) = future.filter(|_| path.is_dir()) {
                let found = archives(&path, kind, resolution, &lower)?;
                files.extend(found.into_iter().map(|file| SourceFile { future: Some(future), ..file }));
            }
        }
    } else {
        let folder = if resolution.is_daily_file() { folder.join(&lower) } else { folder };
        files = archives(&folder, kind, resolution, &lower)?;
    }
    files.sort_by(|a, b| (a.date, a.data, &a.path).cmp(&(b.date, b.data, &b.path)));
    Ok(files)
}

/// A note for each folder of options that is named by its future's month instead of its last date.
pub(super) fn unread_months(
    root: &Path,
    request: &LeanRequest,
    symbol: &str,
) -> Result<Vec<String>, ImportError> {
    let folder = root.join(request.kind.folder()).join(&request.market).join(request.resolution.folder());
    let folders = listing(&folder.join(symbol.to_ascii_lowercase()))?;
    let is_month = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.len() == 6 && name.bytes().all(|digit| digit.is_ascii_digit())
    };
    let note = |path: PathBuf| {
        format!("{}: not read; name the folder by the last date of its future, YYYYMMDD", path.display())
    };
    Ok(folders.into_iter().filter(is_month).map(note).collect())
}

/// What a folder holds; nothing when it is not there.
fn listing(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let failed = ImportError::io("list", folder);
    match std::fs::read_dir(folder) {
        Ok(listing) => {
            listing.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(failed)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed(error)),
    }
}

/// The archives of a ticker in one folder.
fn archives(
    folder: &Path,
    kind: LeanKind,
    resolution: Resolution,
    ticker: &str,
) -> Result<Vec<SourceFile>, ImportError> {
    let mut files = Vec::new();
    for path in listing(folder)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let name = name.to_ascii_lowercase();
        let Some(stem) = name.strip_suffix(".zip") else { continue };
        let stem = stem.strip_suffix(".zip").unwrap_or(stem);
        let parts: Vec<&str> = stem.split('_').collect();
        let found = if resolution.is_daily_file() {
            day_file(&parts)
        } else if parts[0] == ticker {
            span_file(&parts)
        } else {
            None
        };
        if let Some((date, data)) = found {
            files.push(SourceFile { path, kind, from: None, until: None, date, data, future: None });
        }
    }
    Ok(files)
}

/// The date of a file name `YYYYMMDD`.
pub(super) fn date_of_name(text: &str) -> Option<Date> {
    date_of(whole(text.as_bytes())?)
}

fn day_file(parts: &[&str]) -> Option<(Option<Date>, DataType)> {
    let date = date_of(whole(parts.first()?.as_bytes())?)?;
    Some((Some(date), DataType::from_name(parts.get(1)?)?))
}

/// `symbol` of equities and indices holds trades; options state year, type and style.
fn span_file(parts: &[&str]) -> Option<(Option<Date>, DataType)> {
    match parts.len() {
        1 => Some((None, DataType::Trade)),
        _ => parts[1..].iter().find_map(|part| DataType::from_name(part)).map(|data| (None, data)),
    }
}

/// The file with hours and zones.
pub(super) fn market_hours(root: &Path) -> PathBuf {
    root.join("market-hours").join("market-hours-database.json")
}

/// Zones of the time stamps, from `market-hours/market-hours-database.json` where there is one.
pub(super) struct Zones(Option<serde_json::Value>);

impl Zones {
    pub(super) fn read(root: &Path) -> Result<Zones, ImportError> {
        let path = market_hours(root);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Zones(None)),
            Err(error) => return Err(ImportError::io("read", &path)(error)),
        };
        let json = serde_json::from_slice(&bytes).map_err(|error| ImportError::Request {
            what: format!("{} is not JSON: {error}; restore it or remove it", path.display()),
        })?;
        Ok(Zones(Some(json)))
    }

    /// The symbol's row, else its kind's, else New York (indices Chicago).
    pub(super) fn of(&self, kind: LeanKind, market: &str, symbol: &str) -> Zone {
        let class = match kind {
            LeanKind::Equity => "Equity",
            LeanKind::Index => "Index",
            LeanKind::Option => "Option",
            LeanKind::IndexOption => "IndexOption",
            // Options on futures keep the hours of their future.
            LeanKind::Future | LeanKind::FutureOption => "Future",
        };
        let row = |name: &str| {
            let entries = self.0.as_ref()?.get("entries")?;
            entries.get(format!("{class}-{market}-{name}"))?.get("dataTimeZone")?.as_str()
        };
        match row(symbol).or_else(|| row("[*]")) {
            Some("America/Chicago") => Zone::Chicago,
            Some("UTC") => Zone::Utc,
            None if kind == LeanKind::Index => Zone::Chicago,
            _ => Zone::NewYork,
        }
    }
}

/// What the name of an option's entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contract {
    pub(super) expiry: Date,
    pub(super) strike: Price,
    pub(super) right: Right,
    pub(super) style: ExerciseStyle,
}

/// Form of option entry names, for errors.
pub(super) const CONTRACT_NAME: &str =
    "…_<american|european>_<call|put>_<strike × 10000>_<expiry YYYYMMDD>.csv";

/// Reads an option entry's name; `None` when it does not follow the form.
pub(super) fn contract_of(entry: &str) -> Option<Contract> {
    let stem = entry.rsplit('/').next()?.strip_suffix(".csv")?;
    let mut parts = stem.rsplit('_');
    let expiry = date_of(whole(parts.next()?.as_bytes())?)?;
    let strike = i64::try_from(whole(parts.next()?.as_bytes())?).ok()?.checked_mul(100_000)?;
    let right = match parts.next()? {
        "call" => Right::Call,
        "put" => Right::Put,
        _ => return None,
    };
    let style = match parts.next()? {
        "american" => ExerciseStyle::American,
        "european" => ExerciseStyle::European,
        _ => return None,
    };
    (strike > 0).then_some(Contract { expiry, strike: Price(strike), right, style })
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;

    #[test]
    fn entry_names_give_contracts() {
        let expected = Contract {
            expiry: date(2016, 1, 15),
            strike: "747.5".parse().unwrap(),
            right: Right::Call,
            style: ExerciseStyle::American,
        };
        for name in [
            "20151224_goog_minute_quote_american_call_7475000_20160115.csv",
            "goog_quote_american_call_7475000_20160115.csv",
        ] {
            assert_eq!(contract_of(name), Some(expected), "{name}");
        }
        for name in ["goog.csv", "goog_quote_american_call_x_20160115.csv", "a_american_call_1_20161315.csv"]
        {
            assert_eq!(contract_of(name), None, "{name}");
        }
    }

    #[test]
    fn file_names_give_dates_and_types() {
        let day = Some((Some(date(2021, 1, 4)), DataType::OpenInterest));
        assert_eq!(day_file(&["20210104", "openinterest", "european"]), day);
        assert_eq!(day_file(&["20211304", "trade"]), None);
        assert_eq!(span_file(&["aapl"]), Some((None, DataType::Trade)));
        assert_eq!(span_file(&["aapl", "2014", "quote", "american"]), Some((None, DataType::Quote)));
        assert_eq!(span_file(&["aapl", "2014"]), None);
    }
}
