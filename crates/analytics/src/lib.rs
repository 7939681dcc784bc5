//! What an options desk computes from files and recorded sessions.
//!
//! The formulas are in `onetape-pricing`; this crate feeds them: whole CSV files ([`batch`]), the chain
//! of a session at an instant ([`chain`]), its daily history ([`history`]), positions ([`payoff`]); and
//! draws the answers ([`picture`]).
//!
//! **Invariant:** the same input gives the same bytes, whatever the number of threads.
#![deny(missing_docs)]

pub mod batch;
pub mod chain;
pub mod history;
pub mod payoff;
pub mod picture;
pub mod vix_quotes;
