//! `history.csv`: daily bars and volatilities of the sessions before a tape, from what was known
//! before its first instant.
//!
//! ```text
//! symbol,date,open,high,low,close,volume,iv30,iv60,skew25
//! ```
//! Prices are currency on the split basis of the tape's first date: splits that went ex after a row's
//! date, up to that date, are applied to the row (rounded to 1e-9), later ones are not. Dividends are
//! not. Volatilities are per 1.00 and empty where the source has none. At most [`HISTORY_DAYS`] rows a
//! symbol, oldest first; symbols in the order of the request.

use super::{ImportError, InputSink, OnProgress, Progress};
use onetape_calendar::{Date, Zone};
use onetape_engine::input::Cold;
use onetape_engine::num::Price;
use onetape_engine::record::{Body, Record};

/// Name of the data file.
pub const HISTORY_FILE: &str = "history.csv";
/// Most sessions kept of a symbol, as many as generated sessions carry.
pub const HISTORY_DAYS: usize = 300;

/// Volatilities at the close of a session, per 1.00.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct DayVols {
    /// At the money in 30 and in 60 days.
    pub(crate) iv30: Option<f64>,
    pub(crate) iv60: Option<f64>,
    /// Put less call at a delta of 0.25, in 30 days.
    pub(crate) skew25: Option<f64>,
}

/// A session before the tape.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HistoryDay {
    pub(crate) symbol: String,
    pub(crate) date: Date,
    /// When the bar was known, UTC nanoseconds.
    pub(crate) known_ns: u64,
    /// Open, high, low, close in 1e-9.
    pub(crate) prices: [i64; 4],
    /// In 1e-9.
    pub(crate) volume: i64,
    pub(crate) vols: DayVols,
}

/// Adds `history.csv` with what was known before `first_ns`; notes what was not, and an empty history.
pub(crate) fn add(
    days: Vec<HistoryDay>,
    first_ns: u64,
    sink: &mut dyn InputSink,
    on_progress: OnProgress<'_>,
) -> Result<(), ImportError> {
    let given = days.len();
    let known: Vec<HistoryDay> = days.into_iter().filter(|day| day.known_ns < first_ns).collect();
    let late = given - known.len();
    if late > 0 {
        let note =
            format!("{late} daily bars were known only after the tape begins: left out of {HISTORY_FILE}");
        on_progress(Progress::Note(note));
    }
    match csv(known) {
        Some(text) => sink.data_file(HISTORY_FILE, text.as_bytes()),
        None => {
            let note = format!("no {HISTORY_FILE}: no daily bar of before the tape was found");
            on_progress(Progress::Note(note));
            Ok(())
        }
    }
}

fn csv(days: Vec<HistoryDay>) -> Option<String> {
    let mut symbols: Vec<(String, Vec<HistoryDay>)> = Vec::new();
    for day in days {
        match symbols.iter_mut().find(|(symbol, _)| *symbol == day.symbol) {
            Some((_, of)) => of.push(day),
            None => symbols.push((day.symbol.clone(), vec![day])),
        }
    }
    let mut text = String::from("symbol,date,open,high,low,close,volume,iv30,iv60,skew25\n");
    for (_, of) in &mut symbols {
        of.sort_by_key(|day| (day.date, day.known_ns));
        // Of two rows of a date the later known one stands.
        of.reverse();
        of.dedup_by_key(|day| day.date);
        of.truncate(HISTORY_DAYS);
        of.reverse();
        of.iter().for_each(|day| row(day, &mut text));
    }
    (!symbols.is_empty()).then_some(text)
}

fn row(day: &HistoryDay, text: &mut String) {
    let [open, high, low, close] = day.prices.map(Price);
    let vol = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    let DayVols { iv30, iv60, skew25 } = day.vols;
    text.push_str(&format!(
        "{},{},{open},{high},{low},{close},{},{},{},{}\n",
        day.symbol,
        day.date,
        Price(day.volume),
        vol(iv30),
        vol(iv60),
        vol(skew25)
    ));
}

/// Collects the daily bars of an import that is read for its history alone.
#[derive(Debug, Default)]
pub(crate) struct DailyBars {
    symbols: Vec<String>,
    pub(crate) days: Vec<HistoryDay>,
    /// A bar that is none of a day: when it was known.
    pub(crate) odd: Option<u64>,
    /// Records that are no bars.
    pub(crate) others: u64,
}

impl InputSink for DailyBars {
    fn push(&mut self, record: Record, cold: Option<Cold>) -> Result<(), ImportError> {
        if let Some(Cold::Definition(def)) = cold {
            let place = record.instrument as usize;
            self.symbols.resize(self.symbols.len().max(place + 1), String::new());
            self.symbols[place] = def.symbol;
            return Ok(());
        }
        match record.body() {
            Some(Body::TradeBar(bar)) => {
                let symbol = self.symbols.get(record.instrument as usize).cloned().unwrap_or_default();
                // The bar ends at the close or at the UTC midnight after the date.
                let date = Zone::Utc.date_at(record.ts_src.saturating_sub(1));
                if self.days.last().is_some_and(|last| last.symbol == symbol && last.date == date) {
                    self.odd.get_or_insert(record.ts);
                }
                let prices = [bar.open, bar.high, bar.low, bar.close];
                let (known_ns, volume, vols) = (record.ts, bar.volume, DayVols::default());
                self.days.push(HistoryDay { symbol, date, known_ns, prices, volume, vols });
            }
            Some(Body::SessionPhase(_)) | None => {}
            Some(_) => self.others += 1,
        }
        Ok(())
    }

    fn count_source(&mut self, _: &str, _: u64) {}

    fn data_file(&mut self, _: &str, _: &[u8]) -> Result<(), ImportError> {
        Ok(())
    }
}

impl DailyBars {
    /// The days, or why the files hold something else.
    pub(crate) fn finish(self) -> Result<Vec<HistoryDay>, ImportError> {
        let fail = |what: &str| {
            let what = format!("--history takes daily trade bars; {what}");
            Err(ImportError::Request { what })
        };
        match (self.odd, self.others) {
            (Some(_), _) => fail("its files hold several bars of one symbol and date"),
            (None, others) if others > 0 => fail("its files hold other records too"),
            (None, _) if self.days.is_empty() => fail("its files hold none"),
            _ => Ok(self.days),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::MemorySink;
    use onetape_calendar::date;

    fn day(symbol: &str, on: i8, known_ns: u64, iv30: Option<f64>) -> HistoryDay {
        HistoryDay {
            symbol: symbol.to_string(),
            date: date(2025, 5, on),
            known_ns,
            prices: [1_000_000_000, 2_000_000_000, 500_000_000, 1_500_000_000],
            volume: 7_000_000_000,
            vols: DayVols { iv30, ..DayVols::default() },
        }
    }

    #[test]
    fn only_what_was_known_before_the_tape_enters() {
        let days = vec![
            day("B", 2, 20, None),
            day("A", 1, 10, Some(0.25)),
            day("B", 1, 10, None),
            day("B", 3, 30, None),
        ];
        let (mut sink, mut notes) = (MemorySink::default(), Vec::new());
        add(days, 30, &mut sink, &mut |progress| notes.push(progress)).unwrap();
        assert_eq!(
            String::from_utf8(sink.data_files[HISTORY_FILE].clone()).unwrap(),
            "symbol,date,open,high,low,close,volume,iv30,iv60,skew25\n\
             B,2025-05-01,1.00,2.00,0.50,1.50,7.00,,,\n\
             B,2025-05-02,1.00,2.00,0.50,1.50,7.00,,,\n\
             A,2025-05-01,1.00,2.00,0.50,1.50,7.00,0.250000,,\n"
        );
        assert_eq!(notes.len(), 1, "the bar known at the first instant is named");

        let (mut sink, mut notes) = (MemorySink::default(), Vec::new());
        add(Vec::new(), 30, &mut sink, &mut |progress| notes.push(progress)).unwrap();
        assert!(sink.data_files.is_empty() && notes.len() == 1);
    }
}
