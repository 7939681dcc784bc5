//! Volatility analysis: realised estimators, implied-volatility history, expected
//! moves, term structure, VIX and variance swaps, regimes.
//!
//! | module | what |
//! |---|---|
//! | [`realised`] | close-to-close, Parkinson, Garman–Klass, Rogers–Satchell, Yang–Zhang |
//! | [`rank`] | IV rank and percentile over previous sessions |
//! | [`expected_move`] | from volatility, from the straddle method, from a smile |
//! | [`term`] | constant-maturity volatility, forward volatility, kinks |
//! | [`vix`] | the Cboe method, to the printed digits |
//! | [`variance_swap`] | replication by a strip of options |
//! | [`regime`] | rule-based volatility regimes |

pub mod expected_move;
pub mod rank;
pub mod realised;
pub mod regime;
pub mod term;
pub mod variance_swap;
pub mod vix;
