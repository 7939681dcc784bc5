//! Figures of a file beside those of the model: the validation of quoted prices and Greeks.

use super::{BatchError, Value};
use csv::ByteRecord;

/// How far a file's figure may lie from the model's: |file − model| ≤ tolerance × max(1, |file|).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tolerances {
    /// For every result that the file has a column for; `None` compares the named ones alone.
    pub all: Option<f64>,
    /// For results by name.
    pub named: Vec<(String, f64)>,
}

/// What the comparison of one column found.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The column.
    pub column: &'static str,
    /// The tolerance.
    pub tolerance: f64,
    /// Rows in which file and model both have a figure.
    pub rows: u64,
    /// Rows beyond the tolerance.
    pub outside: u64,
    /// Largest |file − model| / max(1, |file|); infinite where a word differs.
    pub worst: f64,
    /// Its line in the file.
    pub worst_line: u64,
}

impl Compared {
    pub(super) fn merge(&mut self, next: &Compared) {
        self.rows += next.rows;
        self.outside += next.outside;
        if next.worst > self.worst {
            (self.worst, self.worst_line) = (next.worst, next.worst_line);
        }
    }
}

/// The results to compare: position among the results, position in the file, tolerance.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pairs: Vec<(usize, usize, Compared)>,
}

impl Comparison {
    pub(super) fn new(
        wanted: &Tolerances,
        header: &ByteRecord,
        results: &[&'static str],
    ) -> Result<Comparison, BatchError> {
        let place = |name: &str| header.iter().position(|column| column == name.as_bytes());
        for (name, _) in &wanted.named {
            if !results.contains(&name.as_str()) || place(name).is_none() {
                let columns: Vec<_> =
                    results.iter().copied().filter(|result| place(result).is_some()).collect();
                return Err(BatchError::NotCompared { column: name.clone(), columns: columns.join(",") });
            }
        }
        let named = |result: &str| wanted.named.iter().find(|(name, _)| name == result).map(|(_, t)| *t);
        let pairs = results.iter().enumerate().filter_map(|(n, result)| {
            let (at, tolerance) = (place(result)?, named(result).or(wanted.all)?);
            let fresh =
                Compared { column: result, tolerance, rows: 0, outside: 0, worst: 0.0, worst_line: 0 };
            Some((n, at, fresh))
        });
        let pairs: Vec<_> = pairs.collect();
        if pairs.is_empty() {
            return Err(BatchError::NotCompared { column: results.join(","), columns: String::new() });
        }
        Ok(Comparison { pairs })
    }

    pub(super) fn start(&self) -> Vec<Compared> {
        self.pairs.iter().map(|(_, _, fresh)| fresh.clone()).collect()
    }

    /// Names of the results beyond their tolerance, separated by semicolons.
    pub(super) fn row(
        &self,
        record: &ByteRecord,
        line: u64,
        values: &[Value],
        sums: &mut [Compared],
    ) -> String {
        let mut outside = String::new();
        for ((result, at, _), sum) in self.pairs.iter().zip(sums) {
            let cell = record.get(*at).unwrap_or_default().trim_ascii();
            let Some(distance) = distance(cell, values[*result]) else { continue };
            sum.rows += 1;
            if sum.rows == 1 || distance > sum.worst {
                (sum.worst, sum.worst_line) = (distance, line);
            }
            // A NaN on one side alone is a difference.
            if distance.is_nan() || distance > sum.tolerance {
                sum.outside += 1;
                outside.push_str(if outside.is_empty() { "" } else { ";" });
                outside.push_str(sum.column);
            }
        }
        outside
    }
}

/// |file − model| / max(1, |file|); `None` where one of them has nothing.
fn distance(cell: &[u8], found: Value) -> Option<f64> {
    match found {
        Value::Number(found) => {
            let expected: f64 = std::str::from_utf8(cell).ok()?.parse().ok()?;
            if expected == found || (expected.is_nan() && found.is_nan()) {
                return Some(0.0);
            }
            let distance = (expected - found).abs() / expected.abs().max(1.0);
            Some(if distance.is_nan() { f64::INFINITY } else { distance })
        }
        Value::Word(word) if !cell.is_empty() => {
            Some(if cell.eq_ignore_ascii_case(word.as_bytes()) { 0.0 } else { f64::INFINITY })
        }
        _ => None,
    }
}
