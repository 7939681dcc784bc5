//! Quotes of two terms from a CSV file, for the VIX-style index.

use onetape_pricing::vol::vix::StrikeQuotes;
use std::io::Read;

/// Rows as (term, quotes), in the file's order: columns term, strike, call_bid, call_ask, put_bid, put_ask.
/// An empty cell is a side that was never quoted. With `dataset` only rows whose column dataset has that value.
///
/// # Errors
/// In words, with file and line: a missing column, or a cell that is no number.
pub fn read<R: Read>(
    name: &str,
    reader: R,
    dataset: Option<&str>,
) -> Result<Vec<(String, StrikeQuotes)>, String> {
    let mut reader = csv::Reader::from_reader(reader);
    let header = reader.headers().map_err(|error| format!("{name}: {error}"))?.clone();
    let place = |column: &str| {
        header.iter().position(|found| found == column).ok_or_else(|| {
            format!("{name}: no column '{column}'; expected term,strike,call_bid,call_ask,put_bid,put_ask")
        })
    };
    let term = place("term")?;
    let places =
        [place("strike")?, place("call_bid")?, place("call_ask")?, place("put_bid")?, place("put_ask")?];
    let set = dataset.map(|wanted| place("dataset").map(|at| (at, wanted))).transpose()?;
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{name}: {error}"))?;
        if set.is_some_and(|(at, wanted)| record.get(at) != Some(wanted)) {
            continue;
        }
        let mut numbers = [0.0; 5];
        for (number, at) in numbers.iter_mut().zip(places) {
            let text = record.get(at).unwrap_or_default().trim();
            if text.is_empty() {
                *number = f64::NAN;
                continue;
            }
            *number = text.parse().map_err(|_| {
                let line = record.position().map_or(0, csv::Position::line);
                format!("{name}, line {line}: {} is not a number: '{text}'", &header[at])
            })?;
        }
        let [strike, call_bid, call_ask, put_bid, put_ask] = numbers;
        let quotes = StrikeQuotes { strike, call_bid, call_ask, put_bid, put_ask };
        rows.push((record.get(term).unwrap_or_default().to_string(), quotes));
    }
    Ok(rows)
}
