//! Conformance against recorded data and published cases.

mod goog;
mod lean_cases;
