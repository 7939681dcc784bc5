//! Closed forms and one-dimensional solvers for path-dependent options: exact values
//! beside which the simulations are tested.

pub mod asian;
pub mod barrier;
