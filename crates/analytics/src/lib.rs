//! What an options desk computes from files and recorded sessions.
//!
//! The formulas are in `onetape-pricing`; this crate feeds them: whole CSV files ([`batch`]).
//!
//! **Invariant:** the same input gives the same bytes, whatever the number of threads.
#![deny(missing_docs)]

pub mod batch;
