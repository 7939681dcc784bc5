//! Rows of LEAN's CSV files, parsed from bytes without allocating.
//!
//! A number is digits with at most nine after a point. Prices are integers of 1/10,000 dollar,
//! of indices plain decimals; both become 1e-9. Limits: values beyond 9.2e9 whole units are refused.

use onetape_engine::num::SCALE;

/// Why a row was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// Column by name.
    pub(super) field: &'static str,
    /// What it should hold.
    pub(super) expected: &'static str,
}

/// How a file writes prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PriceScale {
    /// Dollars × 10,000.
    TenThousandths,
    /// Plain decimals.
    Plain,
}

/// Open, high, low, close in 1e-9.
pub(super) type Ohlc = [i64; 4];

/// Reads a row's columns from left to right.
pub(super) struct Columns<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Columns<'a> {
    pub(super) fn new(row: &'a [u8]) -> Columns<'a> {
        Columns { rest: Some(row) }
    }

    /// The next column's bytes; `None` past the last.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        match rest.iter().position(|b| *b == b',') {
            Some(comma) => {
                self.rest = Some(&rest[comma + 1..]);
                Some(&rest[..comma])
            }
            None => {
                self.rest = None;
                Some(rest)
            }
        }
    }

    /// Whole milliseconds.
    pub(super) fn millis(&mut self) -> Result<u32, Fault> {
        let fault = Fault { field: "time", expected: "milliseconds since local midnight" };
        let value = whole(self.text().ok_or(fault)?).ok_or(fault)?;
        u32::try_from(value).ok().filter(|ms| *ms <= 86_400_000).ok_or(fault)
    }

    /// Date and minute of the day of `YYYYMMDD HH:MM`.
    pub(super) fn date_minute(&mut self) -> Result<(u32, u32), Fault> {
        let fault = Fault { field: "time", expected: "YYYYMMDD HH:MM" };
        let text = self.text().ok_or(fault)?;
        if text.len() != 14 || text[8] != b' ' || text[11] != b':' {
            return Err(fault);
        }
        let part = |range: std::ops::Range<usize>| whole(&text[range]).ok_or(fault);
        let (date, hour, minute) = (part(0..8)?, part(9..11)?, part(12..14)?);
        if hour > 23 || minute > 59 {
            return Err(fault);
        }
        Ok((date as u32, (hour * 60 + minute) as u32))
    }

    /// A quantity in 1e-9.
    pub(super) fn quantity(&mut self, field: &'static str) -> Result<i64, Fault> {
        let fault = Fault { field, expected: "a decimal number" };
        decimal(self.text().ok_or(fault)?).ok_or(fault)
    }

    /// A price in 1e-9.
    pub(super) fn price(&mut self, field: &'static str, scale: PriceScale) -> Result<i64, Fault> {
        let fault = Fault { field, expected: "a price" };
        price(self.text().ok_or(fault)?, scale).ok_or(fault)
    }

    /// Four prices; `None` when all four are empty.
    pub(super) fn ohlc(&mut self, field: &'static str, scale: PriceScale) -> Result<Option<Ohlc>, Fault> {
        let fault = Fault { field, expected: "four prices or four empty columns" };
        let mut prices = [0i64; 4];
        let mut empty = 0;
        for slot in &mut prices {
            let text = self.text().ok_or(fault)?;
            if text.is_empty() {
                empty += 1;
            } else {
                *slot = price(text, scale).ok_or(fault)?;
            }
        }
        match empty {
            0 => Ok(Some(prices)),
            4 => Ok(None),
            _ => Err(fault),
        }
    }
}

fn price(text: &[u8], scale: PriceScale) -> Option<i64> {
    match scale {
        PriceScale::Plain => decimal(text),
        // Whole numbers are the rule; a fraction of 1/10,000 dollar is kept while it is exact.
        PriceScale::TenThousandths => match whole(text) {
            Some(value) => i64::try_from(value).ok()?.checked_mul(SCALE / 10_000),
            None => decimal(text).filter(|value| value % 10_000 == 0).map(|value| value / 10_000),
        },
    }
}

/// At most 15 digits and nothing else.
pub(super) fn whole(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    let mut value = 0u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    Some(value)
}

/// A decimal number in 1e-9, exact.
pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let point = digits.iter().position(|b| *b == b'.');
    let (integer, fraction) = match point {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &digits[..0]),
    };
    if fraction.len() > 9 || (point.is_some() && fraction.is_empty()) {
        return None;
    }
    let mut nanos = i64::try_from(whole(integer)?).ok()?.checked_mul(SCALE)?;
    if !fraction.is_empty() {
        let scale = 10i64.pow(9 - fraction.len() as u32);
        nanos = nanos.checked_add(i64::try_from(whole(fraction)?).ok()? * scale)?;
    }
    Some(if is_negative { -nanos } else { nanos })
}

/// The non-empty lines of a text with their numbers from 1.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    text.split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .zip(1..)
        .filter(|(line, _)| !line.is_empty())
        .map(|(line, number)| (number, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_or_refused() {
        for (text, expected) in [
            ("3764.61", Some(3_764_610_000_000)),
            ("0", Some(0)),
            ("-1.5", Some(-1_500_000_000)),
            ("9223372036.854775807", Some(i64::MAX)),
            ("9223372036.854775808", None),
            ("1.0000000001", None),
            ("", None),
            ("1e3", None),
            ("1.", None),
            (".5", None),
            ("12345678901234567890", None),
        ] {
            assert_eq!(decimal(text.as_bytes()), expected, "{text}");
        }
        for (text, expected) in [
            ("584000", Some(58_400_000_000)),
            ("1", Some(100_000)),
            ("5.5", Some(550_000)),
            ("0.00001", Some(1)),
            ("0.000001", None),
            ("x", None),
        ] {
            assert_eq!(price(text.as_bytes(), PriceScale::TenThousandths), expected, "{text}");
        }
    }

    #[test]
    fn columns_name_what_is_wrong() {
        let mut row = Columns::new(b"34200000,,,,,0,21500,21500,5000,5000,19");
        assert_eq!(row.millis(), Ok(34_200_000));
        assert_eq!(row.ohlc("bid", PriceScale::TenThousandths), Ok(None));
        assert_eq!(row.quantity("bid size"), Ok(0));
        let ask = row.ohlc("ask", PriceScale::TenThousandths);
        assert_eq!(ask, Ok(Some([2_150_000_000, 2_150_000_000, 500_000_000, 500_000_000])));
        assert_eq!(row.quantity("ask size"), Ok(19_000_000_000));
        assert_eq!(row.text(), None);

        assert_eq!(Columns::new(b"86400001").millis().map_err(|fault| fault.field), Err("time"));
        assert!(Columns::new(b"1,,3,4").ohlc("bid", PriceScale::Plain).is_err());
        assert_eq!(Columns::new(b"20151223 09:30,1").date_minute(), Ok((20151223, 570)));
        assert!(Columns::new(b"20151223 24:00,1").date_minute().is_err());
    }

    #[test]
    fn lines_are_numbered_and_blank_ones_skipped() {
        let found: Vec<_> = lines(b"a\r\n\nb\n").collect();
        assert_eq!(found, [(1, &b"a"[..]), (3, &b"b"[..])]);
    }
}
