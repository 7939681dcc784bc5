//! CSV and Parquet files through profiles: vendors' layouts, books, hostile files, Parquet, round trip.
//!
//! The rows of vendors' layouts are made up; their columns are those that each profile's `layout` names.
#![allow(clippy::unwrap_used)]

mod books;
mod common;
mod hostile;
mod merge;
mod parquet;
mod round_trip;
mod vendors;
