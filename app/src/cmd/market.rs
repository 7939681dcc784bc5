//! The market of a recorded session at a time: flags that `chain` and `vol` share.

use crate::demo;
use crate::failure::Failure;
use clap::Args;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use onetape_analytics::chain::{CarryTerms, ExpiryKey, ExpirySlice, Snapshot};
use onetape_engine::num::Nanos;
use onetape_pricing::forward::CashDividend;
use onetape_session::settings::nearest;
use onetape_tape::session::SessionReader;
use std::path::PathBuf;

/// Where a dividend's ex-date begins.
const ZONE: &str = "America/New_York";

#[derive(Debug, Args)]
pub(crate) struct MarketArgs {
    /// Session folder [default: the demo session].
    pub(crate) session: Option<PathBuf>,
    /// Underlying [default: the only one with options].
    #[arg(long)]
    pub(crate) symbol: Option<String>,
    /// `2025-05-16 10:00`, `10:00` (New York, last trade date) or `2025-05-16T14:00:00Z` [default: 15:45].
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Interest rate per year, per 1.00; European chains imply their own.
    #[arg(long, default_value_t = 0.04, allow_negative_numbers = true)]
    pub(crate) rate: f64,
    /// Known cash dividend, repeatable: days from the time and amount, or ex-date and amount.
    #[arg(long, value_name = "DAYS|DATE=AMOUNT")]
    pub(crate) dividend: Vec<String>,
}

/// A snapshot with what the flags say about it.
pub(crate) struct MarketAt {
    pub(crate) snapshot: Snapshot,
    pub(crate) symbol: String,
    pub(crate) expiries: Vec<ExpiryKey>,
    pub(crate) terms: CarryTerms,
    /// The session's name.
    pub(crate) source: String,
}

impl MarketArgs {
    pub(crate) fn open(&self) -> Result<SessionReader, Failure> {
        match &self.session {
            Some(path) => Ok(SessionReader::open(path)?),
            None => demo::open(),
        }
    }

    /// A time as a flag gives it, on the session's last trade date where it names no day.
    pub(crate) fn instant(&self, text: &str, reader: &SessionReader) -> Result<Nanos, Failure> {
        instant(text, reader.manifest().trade_dates.last().copied())
    }

    /// Runs the session to the time.
    pub(crate) fn take(&self) -> Result<MarketAt, Failure> {
        if !self.rate.is_finite() || self.rate.abs() > 10.0 {
            return Err(Failure::usage(format!("--rate: {} is not a rate per 1.00 such as 0.04", self.rate)));
        }
        let mut reader = self.open()?;
        let last_date = reader.manifest().trade_dates.last().copied();
        let at = instant(self.at.as_deref().unwrap_or("15:45"), last_date)?;
        let dividends = self.dividend.iter().map(|text| dividend(text, at)).collect::<Result<_, _>>()?;
        let source = reader.manifest().name.clone();
        let snapshot = Snapshot::take(&mut reader, at).map_err(|error| Failure::input(error.to_string()))?;
        let underlyings = snapshot.underlyings();
        let symbols = || underlyings.keys().map(String::as_str);
        let symbol = match &self.symbol {
            Some(symbol) => symbol.clone(),
            None if underlyings.len() == 1 => symbols().next().unwrap_or_default().to_string(),
            None if underlyings.is_empty() => {
                return Err(Failure::input(format!("{source} has no options that trade at this time")));
            }
            None => {
                let known: Vec<_> = symbols().collect();
                return Err(Failure::usage(format!("--symbol: choose one of {}", known.join(", "))));
            }
        };
        let Some(expiries) = underlyings.get(&symbol).cloned() else {
            let hint = nearest(&symbol, symbols()).map(|near| format!("; did you mean '{near}'?"));
            let known: Vec<_> = symbols().collect();
            return Err(Failure::input(format!(
                "{source} has no options on '{symbol}' at this time{}; it has {}",
                hint.unwrap_or_default(),
                known.join(", ")
            )));
        };
        Ok(MarketAt { snapshot, symbol, expiries, terms: CarryTerms { rate: self.rate, dividends }, source })
    }
}

impl MarketAt {
    /// The expiry that a flag names (`2025-05-16`, or with a root `SPXW:2025-05-16`); the nearest without.
    pub(crate) fn expiry(&self, wanted: Option<&str>) -> Result<ExpiryKey, Failure> {
        let list = || {
            let shown: Vec<_> =
                self.expiries.iter().map(|key| format!("{}:{}", key.1, date_text(key.0))).collect();
            shown.join(", ")
        };
        let Some(wanted) = wanted else {
            return self.expiries.first().cloned().ok_or_else(|| Failure::input("no expiry is open"));
        };
        let (root, day) = wanted.split_once(':').map_or((None, wanted), |(root, day)| (Some(root), day));
        let date = date(day).ok_or_else(|| {
            Failure::usage(format!(
                "--expiry: '{wanted}' is not a date such as 2025-05-16 or ROOT:2025-05-16"
            ))
        })?;
        let is_wanted = |key: &&ExpiryKey| key.0 == date && root.is_none_or(|root| key.1 == root);
        let found: Vec<_> = self.expiries.iter().filter(is_wanted).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(Failure::input(format!("--expiry: no open expiry {wanted}; there are {}", list()))),
            _ => Err(Failure::usage(format!("--expiry: {wanted} is listed in several classes: {}", list()))),
        }
    }

    pub(crate) fn slice(&self, key: &ExpiryKey) -> Result<ExpirySlice, Failure> {
        self.snapshot.slice(key, &self.terms).map_err(|error| Failure::input(error.to_string()))
    }

    /// Every open expiry that has a forward.
    pub(crate) fn slices(&self) -> Vec<ExpirySlice> {
        self.expiries.iter().filter_map(|key| self.snapshot.slice(key, &self.terms).ok()).collect()
    }

    /// `ONE generated, seed 2225, 2025-05-16 14:00:00.000 UTC`.
    pub(crate) fn caption(&self) -> String {
        format!("{}, {} UTC", self.source, crate::times::utc(self.snapshot.at))
    }
}

/// `2025-05-16` of 20250516.
pub(crate) fn date_text(date: u32) -> String {
    format!("{:04}-{:02}-{:02}", date / 10_000, date / 100 % 100, date % 100)
}

fn civil(text: &str) -> Option<Date> {
    text.parse().ok()
}

/// 20250516 of `2025-05-16`.
fn date(text: &str) -> Option<u32> {
    let day = civil(text)?;
    let year = u32::try_from(day.year()).ok()?;
    Some(year * 10_000 + day.month().unsigned_abs() as u32 * 100 + day.day().unsigned_abs() as u32)
}

fn instant(text: &str, last_date: Option<u32>) -> Result<Nanos, Failure> {
    let bad = || {
        Failure::usage(format!(
            "--at: '{text}' is not a time such as '2025-05-16 10:00', '10:00' or 2025-05-16T14:00:00Z"
        ))
    };
    let day = last_date.filter(|_| !text.contains('-')).map(date_text);
    let text = day.map_or_else(|| text.to_string(), |day| format!("{day} {text}"));
    onetape_journal::instant(&text).map(Nanos).ok_or_else(bad)
}

/// `30=0.52` or `2025-06-20=0.52`.
fn dividend(text: &str, at: Nanos) -> Result<CashDividend, Failure> {
    let bad =
        || Failure::usage(format!("--dividend: '{text}' is not DAYS=AMOUNT such as 30=0.52 or DATE=AMOUNT"));
    let (when, amount) = text.split_once('=').ok_or_else(bad)?;
    let amount: f64 = amount.trim().parse().map_err(|_| bad())?;
    let days = match when.trim().parse::<f64>() {
        Ok(days) => days,
        Err(_) => {
            let day = civil(when.trim()).ok_or_else(bad)?;
            let zone = TimeZone::get(ZONE).map_err(|_| bad())?;
            let open = day.to_datetime(Time::midnight()).to_zoned(zone).map_err(|_| bad())?.timestamp();
            (open.as_nanosecond() as f64 - at.0 as f64) / 86_400e9
        }
    };
    if !(amount.is_finite() && amount >= 0.0 && days.is_finite()) {
        return Err(bad());
    }
    Ok(CashDividend { years: days / 365.0, amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_forms() {
        let expected = Nanos(1_747_404_000_000_000_000);
        for text in ["2025-05-16T14:00:00Z", "2025-05-16 10:00", "2025-05-16 10:00:00", "10:00"] {
            assert_eq!(instant(text, Some(20_250_516)).unwrap(), expected, "{text}");
        }
        for bad in ["", "noon", "25:00", "2025-13-01 10:00"] {
            assert!(instant(bad, Some(20_250_516)).is_err(), "{bad}");
        }
    }

    #[test]
    fn dividends_are_read_by_day_or_date() {
        let at = Nanos(1_747_404_000_000_000_000);
        assert_eq!(dividend("30=0.5", at).unwrap(), CashDividend { years: 30.0 / 365.0, amount: 0.5 });
        // From 10:00 to midnight of the next day in New York: 14 hours.
        let found = dividend("2025-05-17=1", at).unwrap();
        assert!((found.years * 365.0 - 14.0 / 24.0).abs() < 1e-9, "{found:?}");
        for bad in ["x", "30=", "30=-1", "=1"] {
            assert!(dividend(bad, at).is_err(), "{bad}");
        }
    }
}
