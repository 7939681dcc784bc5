//! Conformance against recorded data and published cases.
#![allow(clippy::unwrap_used)]

mod databento_csv;
mod depth;
mod goog;
mod lean_cases;
mod no_look_ahead;
mod price_files;
