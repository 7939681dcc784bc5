//! One row: its cells by column name, and what may be wrong with them.

use super::digits;
use csv::ByteRecord;
use onetape_pricing::{IvError, ModelError, Right};

/// A column that a formula reads.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name in the header.
    pub name: &'static str,
    /// What it holds, with the unit.
    pub meaning: &'static str,
    /// The value of a file without it; `None` makes the column necessary.
    pub default: Option<&'static str>,
    /// Other names that it is found by where no column has `name`.
    pub aliases: &'static [&'static str],
}

impl Column {
    pub(super) const fn new(name: &'static str, meaning: &'static str) -> Column {
        Column { name, meaning, default: None, aliases: &[] }
    }

    pub(super) const fn also(self, aliases: &'static [&'static str]) -> Column {
        Column { aliases, ..self }
    }

    pub(super) const fn or(self, default: &'static str) -> Column {
        Column { default: Some(default), ..self }
    }
}

/// A result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A word such as `yes`.
    Word(&'static str),
    /// Not available for this row, though the leading result is.
    Blank,
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Number(value)
    }
}

impl Value {
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Value::Number(value) => digits(*value, out),
            Value::Word(word) => out.push_str(word),
            Value::Blank => {}
        }
    }
}

/// Why a row has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RowError {
    /// More or fewer fields than the header.
    #[error("the row has {found} fields, the header {expected}")]
    Fields {
        /// Fields of the header.
        expected: usize,
        /// Fields of the row.
        found: usize,
    },
    /// An empty cell.
    #[error("{column} is empty")]
    Empty {
        /// The column.
        column: &'static str,
    },
    /// Not a number.
    #[error("{column} is not a number: '{text}'")]
    NotANumber {
        /// The column.
        column: &'static str,
        /// The cell, at most 40 characters of it.
        text: String,
    },
    /// A number outside the formula's domain.
    #[error("{column} must be {expected}, found {value}")]
    OutOfRange {
        /// The column.
        column: &'static str,
        /// The admissible range in words.
        expected: &'static str,
        /// The number.
        value: f64,
    },
    /// A word that the column does not know.
    #[error("{column} must be {expected}, found '{text}'")]
    Word {
        /// The column.
        column: &'static str,
        /// The words it knows.
        expected: &'static str,
        /// The cell, at most 40 characters of it.
        text: String,
    },
    /// The formula gives no finite number.
    #[error("the model has no finite {result} for these inputs (it gives {value})")]
    NoValue {
        /// The result.
        result: &'static str,
        /// What it is instead.
        value: f64,
    },
    /// No implied volatility.
    #[error(transparent)]
    Iv(#[from] IvError),
    /// A model says why.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Where a column's cells are.
#[derive(Debug)]
pub(super) enum Place {
    /// Position in the record.
    Field(usize),
    /// The same for every row.
    Constant(String),
}

/// A formula's columns in a file.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) places: Vec<(&'static str, Place)>,
    /// Fields of the header.
    pub(super) width: usize,
}

/// The cells of one row by column name.
#[derive(Debug)]
pub struct Row<'a> {
    layout: &'a Layout,
    record: &'a ByteRecord,
}

/// Enough of a hostile cell to recognise it.
fn excerpt(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut short: String = text.chars().take(40).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    short
}

impl<'a> Row<'a> {
    pub(super) fn new(layout: &'a Layout, record: &'a ByteRecord) -> Row<'a> {
        Row { layout, record }
    }

    pub(super) fn check_width(&self) -> Result<(), RowError> {
        let (expected, found) = (self.layout.width, self.record.len());
        if expected == found { Ok(()) } else { Err(RowError::Fields { expected, found }) }
    }

    /// The cell, without the spaces around it.
    #[must_use]
    pub fn cell(&self, column: &'static str) -> &[u8] {
        let place = self.layout.places.iter().find(|(name, _)| *name == column);
        let cell = match place {
            Some((_, Place::Field(at))) => self.record.get(*at).unwrap_or_default(),
            Some((_, Place::Constant(text))) => text.as_bytes(),
            None => unreachable!("a formula reads the columns it names"),
        };
        cell.trim_ascii()
    }

    /// Any number.
    ///
    /// # Errors
    /// Empty or not a number.
    pub fn number(&self, column: &'static str) -> Result<f64, RowError> {
        let cell = self.cell(column);
        if cell.is_empty() {
            return Err(RowError::Empty { column });
        }
        std::str::from_utf8(cell)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| RowError::NotANumber { column, text: excerpt(cell) })
    }

    fn in_range(
        &self,
        column: &'static str,
        expected: &'static str,
        holds: impl Fn(f64) -> bool,
    ) -> Result<f64, RowError> {
        let value = self.number(column)?;
        if value.is_finite() && holds(value) {
            Ok(value)
        } else {
            Err(RowError::OutOfRange { column, expected, value })
        }
    }

    /// Any number; `None` in an empty cell.
    ///
    /// # Errors
    /// Not a number.
    pub fn optional(&self, column: &'static str) -> Result<Option<f64>, RowError> {
        if self.cell(column).is_empty() { Ok(None) } else { self.number(column).map(Some) }
    }

    /// Finite numbers separated by semicolons.
    ///
    /// # Errors
    /// Empty, or a part that is no finite number.
    pub fn list(&self, column: &'static str) -> Result<Vec<f64>, RowError> {
        let cell = self.cell(column);
        if cell.is_empty() {
            return Err(RowError::Empty { column });
        }
        let bad = || RowError::NotANumber { column, text: excerpt(cell) };
        let text = std::str::from_utf8(cell).map_err(|_| bad())?;
        let number = |part: &str| part.trim().parse().ok().filter(|value: &f64| value.is_finite());
        text.split(';').map(|part| number(part).ok_or_else(bad)).collect()
    }

    /// A finite number.
    ///
    /// # Errors
    /// As [`Row::number`], or NaN or infinite.
    pub fn finite(&self, column: &'static str) -> Result<f64, RowError> {
        self.in_range(column, "a finite number", |_| true)
    }

    /// A finite number ≥ 0.
    ///
    /// # Errors
    /// As [`Row::number`], or out of that range.
    pub fn non_negative(&self, column: &'static str) -> Result<f64, RowError> {
        self.in_range(column, "0 or greater, and finite", |value| value >= 0.0)
    }

    /// A finite number > 0.
    ///
    /// # Errors
    /// As [`Row::number`], or out of that range.
    pub fn positive(&self, column: &'static str) -> Result<f64, RowError> {
        self.in_range(column, "greater than 0, and finite", |value| value > 0.0)
    }

    /// A whole number from 1 to `most`, whose range `expected` says in words.
    ///
    /// # Errors
    /// As [`Row::number`], or out of that range.
    pub fn count(&self, column: &'static str, most: u32, expected: &'static str) -> Result<usize, RowError> {
        let value = self.in_range(column, expected, |value| {
            value >= 1.0 && value <= f64::from(most) && value.fract() == 0.0
        })?;
        Ok(value as usize)
    }

    /// The entry of `words` that the cell names, in upper or lower case.
    ///
    /// # Errors
    /// Another word; `expected` says which ones are known.
    pub fn word<T: Copy>(
        &self,
        column: &'static str,
        expected: &'static str,
        words: &[(&str, T)],
    ) -> Result<T, RowError> {
        let cell = self.cell(column);
        let known = words.iter().find(|(word, _)| cell.eq_ignore_ascii_case(word.as_bytes()));
        known.map(|(_, meaning)| *meaning).ok_or_else(|| RowError::Word {
            column,
            expected,
            text: excerpt(cell),
        })
    }

    /// Call or put, from column `type`.
    ///
    /// # Errors
    /// Another word.
    pub fn right(&self) -> Result<Right, RowError> {
        let words = [("c", Right::Call), ("p", Right::Put), ("call", Right::Call), ("put", Right::Put)];
        self.word("type", "c or p", &words)
    }
}
