//! One file per command.

pub(crate) mod audit;
pub(crate) mod bench;
mod csv_file;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod new;
pub(crate) mod paper;
pub(crate) mod price;
pub(crate) mod replay;
pub(crate) mod run_flags;
pub(crate) mod strategies;
pub(crate) mod vol;
