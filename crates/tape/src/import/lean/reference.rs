//! LEAN's reference files: factors (splits and dividends), maps (tickers over time), interest rates
//! and option universes.
//!
//! ```text
//! factor_files/<symbol>.csv   date,price factor,split factor,close   up to and including date
//! map_files/<symbol>.csv      date,ticker[,exchange]                 up to and including date
//! interest-rate.csv           DATE,rate in percent                   from date on
//! universes/<symbol>/<date>.csv   contracts with the previous session's values, known at the open
//! ```
//! A factor row ends the day before something changed: the ratio of the next row's split factor to
//! its own is the split of the next trading day, and `close × (1 − price factor ÷ next price
//! factor)` the dividend that goes ex that day. Amounts come out of rounded factors: they are
//! rounded to a cent, split ratios to four digits.

use super::rows::{decimal, lines, whole};
use crate::import::ImportError;
use crate::import::terms::{date_of, number_of};
use onetape_calendar::{Date, Market, next_session};
use onetape_engine::instrument::Right;
use onetape_engine::num::{Price, SCALE, div_half_even};
use std::path::{Path, PathBuf};

/// What changes on an ex-date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CorporateAction {
    /// New shares for one old one, in 1e-9 (7:1 is 7e9).
    Split(i64),
    /// Cash a share.
    Dividend(Price),
}

/// Splits and dividends of a factor file by ex-date, ascending.
///
/// # Errors
/// The file cannot be read or a row does not follow the layout.
pub fn read_corporate_actions(path: &Path) -> Result<Vec<(Date, CorporateAction)>, ImportError> {
    let rows = read_rows(path, |columns, row| {
        let price_factor = row.number(columns, 1, "price factor")?;
        let split_factor = row.number(columns, 2, "split factor")?;
        Ok((row.date(columns, 0)?, price_factor, split_factor, row.number(columns, 3, "close")?))
    })?;
    let mut actions = Vec::new();
    for pair in rows.windows(2) {
        let [(last_day, price_factor, split_factor, close), (_, next_price, next_split, _)] = pair else {
            continue;
        };
        let Some(ex) = next_session(Market::UsEquity, *last_day).map(|session| session.trade_date) else {
            continue;
        };
        if *split_factor > 0 && split_factor != next_split {
            let ratio = div_half_even(i128::from(*next_split) * i128::from(SCALE), i128::from(*split_factor));
            actions.push((ex, CorporateAction::Split(rounded(ratio, 100_000))));
        }
        if *next_price > 0 && price_factor < next_price {
            let kept = div_half_even(i128::from(*close) * i128::from(*price_factor), i128::from(*next_price));
            let amount = rounded(i128::from(*close) - kept, 10_000_000);
            if amount > 0 {
                actions.push((ex, CorporateAction::Dividend(Price(amount))));
            }
        }
    }
    Ok(actions)
}

fn rounded(value: i128, unit: i128) -> i64 {
    i64::try_from(div_half_even(value, unit) * unit).unwrap_or(i64::MAX)
}

/// A ticker and the last date on which it is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickerSpan {
    /// Last valid date.
    pub until: Date,
    /// Ticker, upper case.
    pub ticker: String,
    /// Primary exchange letter, where stated.
    pub exchange: Option<String>,
}

/// Tickers of a map file in order of their dates.
///
/// # Errors
/// The file cannot be read or a row does not follow the layout.
pub fn read_ticker_spans(path: &Path) -> Result<Vec<TickerSpan>, ImportError> {
    read_rows(path, |columns, row| {
        Ok(TickerSpan {
            until: row.date(columns, 0)?,
            ticker: row.text(columns, 1, "ticker")?.to_ascii_uppercase(),
            exchange: columns.get(2).filter(|text| !text.is_empty()).map(|text| text.to_string()),
        })
    })
}

/// The ticker valid on a date; `None` before the first row's date and after the last.
pub fn ticker_on(spans: &[TickerSpan], date: Date) -> Option<&str> {
    let first = spans.first()?.until;
    let span = spans.iter().find(|span| date <= span.until).filter(|_| date >= first)?;
    Some(&span.ticker)
}

/// Rates in percent (1e-9) by the date they begin.
///
/// # Errors
/// The file cannot be read or a row does not follow the layout.
pub fn read_interest_rates(path: &Path) -> Result<Vec<(Date, i64)>, ImportError> {
    read_rows(path, |columns, row| Ok((row.date(columns, 0)?, row.number(columns, 1, "rate")?)))
}

/// A contract of a universe file, with the previous session's values.
#[derive(Debug, Clone, PartialEq)]
pub struct UniverseContract {
    /// Expiry.
    pub expiry: Date,
    /// Strike.
    pub strike: Price,
    /// Call or put.
    pub right: Right,
    /// Close.
    pub close: Price,
    /// Contracts open; `None` where the row leaves them out.
    pub open_interest: Option<i64>,
    /// Implied volatility; delta, gamma, vega, theta (a day) and rho follow.
    pub implied_volatility: f64,
    /// Delta, gamma, vega, theta, rho as stated.
    pub greeks: [f64; 5],
}

/// A universe file: the underlying's previous close and the contracts.
///
/// # Errors
/// The file cannot be read or a row does not follow the layout.
pub fn read_universe(path: &Path) -> Result<(Option<Price>, Vec<UniverseContract>), ImportError> {
    let mut close = None;
    let rows = read_rows(path, |columns, row| {
        if columns.first().is_none_or(|text| text.is_empty()) {
            close = Some(Price(row.number(columns, 6, "close")?));
            return Ok(None);
        }
        let right = match row.text(columns, 2, "right")? {
            "C" => Right::Call,
            "P" => Right::Put,
            _ => return Err(row.fault("right", "C or P")),
        };
        let float = |place: usize, field| {
            row.text(columns, place, field)?.parse::<f64>().map_err(|_| row.fault(field, "a number"))
        };
        Ok(Some(UniverseContract {
            expiry: row.date(columns, 0)?,
            strike: Price(row.number(columns, 1, "strike")?),
            right,
            close: Price(row.number(columns, 6, "close")?),
            open_interest: columns.get(8).and_then(|text| whole(text.as_bytes())).map(|value| value as i64),
            implied_volatility: float(9, "implied volatility")?,
            greeks: [
                float(10, "delta")?,
                float(11, "gamma")?,
                float(12, "vega")?,
                float(13, "theta")?,
                float(14, "rho")?,
            ],
        }))
    })?;
    Ok((close, rows.into_iter().flatten().collect()))
}

/// Where the interest rates lie.
pub(super) fn rates_file(root: &Path, market: &str) -> PathBuf {
    root.join("alternative").join("interest-rate").join(market).join("interest-rate.csv")
}

/// The rates in force from `first` to `last` as a CSV of `date,percent`; `None` without any.
pub(super) fn rates_csv(
    root: &Path,
    market: &str,
    (first, last): (Date, Date),
) -> Result<Option<String>, ImportError> {
    let path = rates_file(root, market);
    if !path.is_file() {
        return Ok(None);
    }
    let rates = read_interest_rates(&path)?;
    // The rate of the first date is the last that began by then.
    let begin = rates.iter().rposition(|(date, _)| *date <= first).unwrap_or(0);
    let known = rates.iter().skip(begin).filter(|(date, _)| *date <= last);
    let rows: String = known.map(|(date, rate)| format!("{},{}\n", number_of(*date), Price(*rate))).collect();
    Ok((!rows.is_empty()).then(|| format!("date,percent\n{rows}")))
}

/// Where a share's factors lie.
pub(super) fn factor_file(root: &Path, market: &str, security: &str) -> PathBuf {
    let name = format!("{security}.csv");
    root.join("equity").join(market).join("factor_files").join(name)
}

/// Splits and dividends of the symbols whose securities have a factor file under `root`, with ex-dates from
/// `first` to `last`, as a CSV of `symbol,ex_date,kind,value`; `None` without any.
pub(super) fn actions_csv(
    root: &Path,
    market: &str,
    symbols: &[(&str, &str)],
    (first, last): (Date, Date),
) -> Result<Option<String>, ImportError> {
    let mut csv = String::new();
    for (symbol, security) in symbols {
        let path = factor_file(root, market, security);
        if !path.is_file() {
            continue;
        }
        for (ex_date, action) in read_corporate_actions(&path)? {
            if ex_date < first || ex_date > last {
                continue;
            }
            let (kind, value) = match action {
                CorporateAction::Split(ratio) => ("split", Price(ratio)),
                CorporateAction::Dividend(amount) => ("dividend", amount),
            };
            csv.push_str(&format!("{symbol},{},{kind},{value}\n", number_of(ex_date)));
        }
    }
    Ok((!csv.is_empty()).then(|| format!("symbol,ex_date,kind,value\n{csv}")))
}

/// A row under reading, for errors.
struct Row<'a> {
    path: &'a Path,
    line: u64,
    text: &'a str,
}

impl Row<'_> {
    fn fault(&self, field: &'static str, expected: &'static str) -> ImportError {
        ImportError::Row {
            path: self.path.to_path_buf(),
            entry: "text".to_string(),
            line: self.line,
            field,
            expected,
            found: self.text.to_string(),
        }
    }

    fn text<'c>(
        &self,
        columns: &[&'c str],
        place: usize,
        field: &'static str,
    ) -> Result<&'c str, ImportError> {
        columns.get(place).copied().ok_or_else(|| self.fault(field, "a column"))
    }

    fn number(&self, columns: &[&str], place: usize, field: &'static str) -> Result<i64, ImportError> {
        let text = self.text(columns, place, field)?;
        decimal(text.as_bytes()).ok_or_else(|| self.fault(field, "a decimal number"))
    }

    /// `YYYYMMDD` or `YYYY-MM-DD`.
    fn date(&self, columns: &[&str], place: usize) -> Result<Date, ImportError> {
        let text = self.text(columns, place, "date")?;
        let plain = whole(text.as_bytes()).and_then(date_of);
        plain.or_else(|| text.parse().ok()).ok_or_else(|| self.fault("date", "YYYYMMDD or YYYY-MM-DD"))
    }
}

/// Reads a small CSV; a first line that begins with a letter or `#` is a header.
fn read_rows<T>(
    path: &Path,
    mut parse: impl FnMut(&[&str], &Row<'_>) -> Result<T, ImportError>,
) -> Result<Vec<T>, ImportError> {
    let bytes = std::fs::read(path).map_err(ImportError::io("read", path))?;
    let mut rows = Vec::new();
    for (line, row) in lines(&bytes) {
        let text = std::str::from_utf8(row).unwrap_or("?");
        if line == 1 && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '#') {
            continue;
        }
        let columns: Vec<&str> = text.split(',').collect();
        rows.push(parse(&columns, &Row { path, line, text })?);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use onetape_calendar::date;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        file
    }

    #[test]
    fn factors_give_splits_and_dividends() {
        // A dividend of 2.00 on a close of 100 (ex 2024-07-03), then a 4:1 split (ex 2024-07-05).
        let factors =
            file("20240101,0.98,0.25,50\n20240702,0.98,0.25,100\n20240703,1,0.25,101\n20501231,1,1,0\n");
        let expected = [
            (date(2024, 7, 3), CorporateAction::Dividend("2".parse().unwrap())),
            (date(2024, 7, 5), CorporateAction::Split(4_000_000_000)),
        ];
        assert_eq!(read_corporate_actions(factors.path()).unwrap(), expected);
        let bad = file("20240101,1,1\n");
        assert!(read_corporate_actions(bad.path()).unwrap_err().to_string().contains("close"));
    }

    #[test]
    fn maps_rates_and_universes() {
        let map = file("20140327,goocv,Q\n20140402,goocv,Q\n20501231,goog,Q\n");
        let spans = read_ticker_spans(map.path()).unwrap();
        for (on, ticker) in
            [(date(2014, 3, 1), None), (date(2014, 4, 2), Some("GOOCV")), (date(2014, 4, 3), Some("GOOG"))]
        {
            assert_eq!(ticker_on(&spans, on), ticker, "{on}");
        }
        let rates = file("DATE,PCREDIT8\n2003-01-09,2.25\n");
        assert_eq!(read_interest_rates(rates.path()).unwrap(), [(date(2003, 1, 9), 2_250_000_000)]);
        let universe = file(
            "#expiry,strike,right,open,high,low,close,volume,open_interest,implied_volatility,delta,gamma,vega,theta,rho\n\
             ,,,747.93,748.77,747.86,748.4,106129,,,,,,,\n\
             20151231,450,C,300.05,301.15,296.75,298.3,0,,1.7405772,0.9915959,0.0001368,0.0219203,-0.3277778,0.0728466\n",
        );
        let (close, contracts) = read_universe(universe.path()).unwrap();
        assert_eq!(close, Some("748.4".parse().unwrap()));
        assert_eq!((contracts[0].strike, contracts[0].right), ("450".parse().unwrap(), Right::Call));
        assert_eq!(contracts[0].greeks[3], -0.327_777_8);
    }
}
