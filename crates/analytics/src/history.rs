//! A session's `history.csv`: daily bars and volatilities of the sessions before it.

use onetape_pricing::vol::realised::Bar;

/// One prior session.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// `yyyy-mm-dd`.
    pub date: String,
    /// Prices.
    pub bar: Bar,
    /// At-the-money volatility of 30 days per 1.00, where recorded.
    pub iv30: Option<f64>,
    /// VIX-style index in points, where recorded.
    pub vix: Option<f64>,
}

/// Reads columns date, open, high, low, close and, where there, iv30 and vix; other columns are ignored.
///
/// # Errors
/// In words, with file and line: a missing column, or a cell that is no number.
pub fn read(name: &str, bytes: &[u8]) -> Result<Vec<Day>, String> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(|error| format!("{name}: {error}"))?.clone();
    let place = |column: &str| header.iter().position(|found| found == column);
    let needed = |column: &str| {
        place(column).ok_or_else(|| format!("{name}: no column '{column}'; it has date,open,high,low,close"))
    };
    let date = needed("date")?;
    let prices = [needed("open")?, needed("high")?, needed("low")?, needed("close")?];
    let (iv30, vix) = (place("iv30"), place("vix"));
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
            date: record.get(date).unwrap_or_default().to_string(),
            bar: Bar { open: number(open)?, high: number(high)?, low: number(low)?, close: number(close)? },
            iv30: optional(iv30)?,
            vix: optional(vix)?,
        });
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_and_a_bad_cell_is_named() {
        let text = b"date,open,high,low,close,volume,iv30\n2025-05-14,1,2,0.5,1.5,10,0.2\n2025-05-15,1,2,0.5,1.5,10,\n";
        let days = read("history.csv", text).unwrap();
        assert_eq!((days.len(), days[0].iv30, days[1].iv30, days[0].vix), (2, Some(0.2), None, None));
        let error = read("history.csv", b"date,open,high,low,close\n2025-05-14,1,x,1,1\n").unwrap_err();
        assert_eq!(error, "history.csv, line 2: high is not a number: 'x'");
        assert!(read("history.csv", b"day,open\n").unwrap_err().contains("no column 'date'"));
    }
}
