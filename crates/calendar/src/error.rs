//! What can go wrong: a date or class outside the tables.

use jiff::civil::Date;

/// Errors of this crate; each one means that a table has no row for the question asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The date lies outside the range that the calendar or the clock knows.
    #[error("date {date} is outside the known range {first}..={last}")]
    DateOutOfRange {
        /// The date asked for.
        date: Date,
        /// First known date.
        first: Date,
        /// Last known date.
        last: Date,
    },
    /// No class row of this root was in force on the date (not listed yet, or renamed).
    #[error(
        "no option class row for root {root:?} on {date}: check the root, or add a dated row with its source"
    )]
    NoClass {
        /// Option root as given.
        root: String,
        /// Trade date asked for.
        date: Date,
    },
    /// Year and month do not name a calendar month.
    #[error("{year}-{month} is not a calendar month")]
    BadMonth {
        /// Year as given.
        year: i16,
        /// Month as given (1..=12 expected).
        month: i8,
    },
}
