//! A session's `history.csv`: daily bars and volatilities of the sessions before it.

use onetape_pricing::vol::realised::Bar;

/// One prior session.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// Symbol, where the file names one.
    pub symbol: Option<String>,
    /// `yyyy-mm-dd`.
    pub date: String,
    /// Prices.
    pub bar: Bar,
    /// At-the-money volatility of 30 days per 1.00, where recorded.
    pub iv30: Option<f64>,
    /// VIX-style index in points, where recorded.
    pub vix: Option<f64>,
}

/// Reads columns date, open, high, low, close and, where there, symbol, iv30 and vix; other columns are
/// ignored. Of a file that names symbols the rows of `symbol` are read, which may be left out where there is
/// one only; a file that names none is of whatever was asked for.
///
/// # Errors
/// In words, with file and line: a missing column, a cell that is no number, or a symbol that is not there.
pub fn read(name: &str, bytes: &[u8], symbol: Option<&str>) -> Result<Vec<Day>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| format!("{name}: {error}"))?.clone();
    let place = |column: &str| header.iter().position(|found| found == column);
    let needed = |column: &str| {
        place(column).ok_or_else(|| format!("{name}: no column '{column}'; it has date,open,high,low,close"))
    };
    let date = needed("date")?;
    let prices = [needed("open")?, needed("high")?, needed("low")?, needed("close")?];
    let (iv30, vix, named) = (place("iv30"), place("vix"), place("symbol"));
    let mut days = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{name}: {error}"))?;
        let line = record.position().map_or(0, csv::Position::line);
        let number = |at: usize| -> Result<f64, String> {
            let text = record.get(at).unwrap_or_default().trim();
            text.parse()
                .map_err(|_| format!("{name}, line {line}: {} is not a number: '{text}'", &header[at]))
        };
        let optional = |at: Option<usize>| match at {
            Some(at) if !record.get(at).unwrap_or_default().trim().is_empty() => number(at).map(Some),
            _ => Ok(None),
        };
        let [open, high, low, close] = prices;
        days.push(Day {
            symbol: named.map(|at| record.get(at).unwrap_or_default().to_string()),
            date: record.get(date).unwrap_or_default().to_string(),
            bar: Bar { open: number(open)?, high: number(high)?, low: number(low)?, close: number(close)? },
            iv30: optional(iv30)?,
            vix: optional(vix)?,
        });
    }
    of_symbol(name, days, symbol)
}

fn of_symbol(name: &str, mut days: Vec<Day>, symbol: Option<&str>) -> Result<Vec<Day>, String> {
    let mut known: Vec<String> = Vec::new();
    for symbol in days.iter().filter_map(|day| day.symbol.as_ref()) {
        if !known.contains(symbol) {
            known.push(symbol.clone());
        }
    }
    match (symbol, known.as_slice()) {
        (_, []) | (None, [_]) => Ok(days),
        (None, several) => Err(format!("{name} holds {}: choose one by --symbol", several.join(", "))),
        (Some(symbol), known) => {
            days.retain(|day| day.symbol.as_deref() == Some(symbol));
            match days.is_empty() {
                true => Err(format!("{name} has no row of {symbol}; it holds {}", known.join(", "))),
                false => Ok(days),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_a_bad_cell_is_named() {
        let text = b"date,open,high,low,close,volume,iv30\n2025-05-14,1,2,0.5,1.5,10,0.2\n2025-05-15,1,2,0.5,1.5,10,\n";
        let days = read("history.csv", text, Some("ONE")).unwrap();
        assert_eq!((days.len(), days[0].iv30, days[1].iv30, days[0].vix), (2, Some(0.2), None, None));
        let error = read("history.csv", b"date,open,high,low,close\n2025-05-14,1,x,1,1\n", None).unwrap_err();
        assert_eq!(error, "history.csv, line 2: high is not a number: 'x'");
        assert!(read("history.csv", b"day,open\n", None).unwrap_err().contains("no column 'date'"));
    }

    #[test]
    fn rows_of_a_symbol_are_told_apart() {
        let text = b"symbol,date,open,high,low,close\nA,2025-05-14,1,2,0.5,1.5\nB,2025-05-14,3,3,3,3\n";
        let read = |symbol| read("history.csv", text, symbol);
        assert_eq!(read(Some("B")).unwrap()[0].bar.open, 3.0);
        assert_eq!(read(None).unwrap_err(), "history.csv holds A, B: choose one by --symbol");
        assert_eq!(read(Some("C")).unwrap_err(), "history.csv has no row of C; it holds A, B");
    }
}
