//! One file per command.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod chain;
mod csv_file;
pub(crate) mod data;
pub(crate) mod doctor;
mod market;
pub(crate) mod new;
pub(crate) mod paper;
pub(crate) mod payoff;
mod picture;
pub(crate) mod price;
pub(crate) mod replay;
pub(crate) mod run_flags;
pub(crate) mod strategies;
pub(crate) mod vol;
