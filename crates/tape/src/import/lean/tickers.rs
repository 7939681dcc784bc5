//! Which files hold a security's records: map files say what its ticker was on each date.
//!
//! A ticker means another security before and after it was handed on (GOOG was Google's class A until
//! 2014-04-02, its class C, until then GOOCV, from the next day). A symbol asked for is the security that
//! bears it on the last date asked for; else the one that bears it on the first; else one that bears it
//! between. A symbol that no map file knows is the ticker of its files on all dates.

use super::reference::{TickerSpan, read_ticker_spans, ticker_on};
use crate::import::ImportError;
use onetape_calendar::Date;
use std::path::{Path, PathBuf};

/// A ticker and the dates on which a security bears it, both included; `None`: without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticker {
    /// Upper case.
    pub(super) name: String,
    pub(super) from: Option<Date>,
    pub(super) until: Option<Date>,
}

impl Ticker {
    /// Whether the ticker is the security's on a date.
    pub(super) fn covers(&self, date: Date) -> bool {
        self.from.is_none_or(|from| from <= date) && self.until.is_none_or(|until| date <= until)
    }

    /// Whether it is on any date of a range.
    pub(super) fn overlaps(&self, from: Option<Date>, to: Option<Date>) -> bool {
        let begins = self.from.zip(to).is_none_or(|(own, to)| own <= to);
        begins && self.until.zip(from).is_none_or(|(own, from)| from <= own)
    }
}

/// A security by the name of its map and factor files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Security {
    /// Lower case.
    pub(super) stem: String,
    /// By date.
    pub(super) tickers: Vec<Ticker>,
}

impl Security {
    /// A security that is known by its ticker alone.
    pub(super) fn plain(ticker: &str) -> Security {
        let name = ticker.to_ascii_uppercase();
        let stem = ticker.to_ascii_lowercase();
        Security { stem, tickers: vec![Ticker { name, from: None, until: None }] }
    }

    /// From a map file's rows: each ticker holds from the day after the row before, the first from its own date.
    fn of_rows(stem: &str, rows: &[TickerSpan]) -> Security {
        let mut tickers: Vec<Ticker> = Vec::new();
        let mut from = rows.first().map(|row| row.until);
        for row in rows {
            match tickers.last_mut() {
                Some(last) if last.name == row.ticker => last.until = Some(row.until),
                _ => tickers.push(Ticker { name: row.ticker.clone(), from, until: Some(row.until) }),
            }
            from = row.until.tomorrow().ok();
        }
        Security { stem: stem.to_string(), tickers }
    }
}

/// The map files of a market, read as far as they are needed.
pub(super) struct Maps {
    folder: PathBuf,
    all: Option<Vec<(String, Vec<TickerSpan>)>>,
}

impl Maps {
    pub(super) fn new(root: &Path, market: &str) -> Maps {
        Maps { folder: root.join("equity").join(market).join("map_files"), all: None }
    }

    /// The path of a security's map file.
    pub(super) fn path_of(&self, security: &Security) -> PathBuf {
        self.folder.join(format!("{}.csv", security.stem))
    }

    /// The security that a ticker means in a range of dates.
    pub(super) fn security(
        &mut self,
        ticker: &str,
        (from, to): (Option<Date>, Option<Date>),
    ) -> Result<Security, ImportError> {
        let ticker = ticker.to_ascii_uppercase();
        let stem = ticker.to_ascii_lowercase();
        let last = to.unwrap_or(Date::MAX);
        let own = self.folder.join(format!("{stem}.csv"));
        if own.is_file() {
            let rows = read_ticker_spans(&own)?;
            // A range without an end ends with the ticker's last row.
            let last = to.or(rows.last().map(|row| row.until)).unwrap_or(last);
            if ticker_on(&rows, last) == Some(&ticker) {
                return Ok(Security::of_rows(&stem, &rows));
            }
        }
        let all = self.all()?;
        let bears_on = |date: Option<Date>| {
            all.iter().find(|(_, rows)| date.is_some_and(|date| ticker_on(rows, date) == Some(&ticker)))
        };
        let bears_between = || {
            all.iter().find(|(stem, rows)| {
                let of = Security::of_rows(stem, rows);
                (from.is_some() || to.is_some())
                    && of.tickers.iter().any(|known| known.name == ticker && known.overlaps(from, to))
            })
        };
        let found = bears_on(to).or_else(|| bears_on(from)).or_else(bears_between);
        Ok(found.map_or_else(|| Security::plain(&ticker), |(stem, rows)| Security::of_rows(stem, rows)))
    }

    fn all(&mut self) -> Result<&[(String, Vec<TickerSpan>)], ImportError> {
        if self.all.is_none() {
            let mut read = Vec::new();
            let listing = match std::fs::read_dir(&self.folder) {
                Ok(listing) => Some(listing),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(ImportError::io("list", &self.folder)(error)),
            };
            for entry in listing.into_iter().flatten() {
                let path = entry.map_err(ImportError::io("list", &self.folder))?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if let Some(stem) = name.strip_suffix(".csv") {
                    read.push((stem.to_ascii_lowercase(), read_ticker_spans(&path)?));
                }
            }
            read.sort_by(|a, b| a.0.cmp(&b.0));
            self.all = Some(read);
        }
        Ok(self.all.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;

    fn google() -> (tempfile::TempDir, Maps) {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("equity/usa/map_files");
        std::fs::create_dir_all(&folder).unwrap();
        for (stem, rows) in [
            ("goog", "20140327,goocv,Q\n20140402,goocv,Q\n20501231,goog,Q\n"),
            ("googl", "20040819,goog,Q\n20140402,goog,Q\n20501231,googl,Q\n"),
        ] {
            std::fs::write(folder.join(format!("{stem}.csv")), rows).unwrap();
        }
        let maps = Maps::new(root.path(), "usa");
        (root, maps)
    }

    #[test]
    fn a_ticker_means_who_bears_it_then() {
        let (_root, mut maps) = google();
        let (before, between, after) = (date(2014, 3, 20), date(2014, 3, 28), date(2014, 4, 10));
        for (ticker, from, to, stem) in [
            ("GOOG", None, None, "goog"),
            ("goog", Some(before), Some(after), "goog"),
            ("GOOG", Some(before), Some(between), "googl"),
            ("GOOG", Some(after), None, "goog"),
            ("GOOGL", Some(before), Some(after), "googl"),
            ("GOOCV", Some(between), Some(between), "goog"),
            ("GOOCV", Some(between), Some(after), "goog"),
            ("GOOCV", Some(before), Some(after), "goog"),
            ("GOOCV", None, None, "goocv"),
            ("SPY", Some(before), Some(after), "spy"),
        ] {
            let found = maps.security(ticker, (from, to)).unwrap();
            assert_eq!(found.stem, stem, "{ticker} {from:?} {to:?}");
        }
    }

    #[test]
    fn tickers_hold_from_the_day_after_the_row_before() {
        let (_root, mut maps) = google();
        let security = maps.security("GOOG", (None, None)).unwrap();
        let tickers: Vec<_> =
            security.tickers.iter().map(|ticker| (ticker.name.as_str(), ticker.from, ticker.until)).collect();
        assert_eq!(
            tickers,
            [
                ("GOOCV", Some(date(2014, 3, 27)), Some(date(2014, 4, 2))),
                ("GOOG", Some(date(2014, 4, 3)), Some(date(2050, 12, 31)))
            ]
        );
        assert!(!security.tickers[0].overlaps(Some(date(2014, 4, 3)), None));
        assert!(security.tickers[0].overlaps(None, Some(date(2014, 3, 27))));
        assert!(!security.tickers[0].covers(date(2014, 4, 3)));
    }
}
