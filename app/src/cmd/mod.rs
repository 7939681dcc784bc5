//! One file per command.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod data;
pub(crate) mod doctor;
pub(crate) mod new;
pub(crate) mod paper;
pub(crate) mod replay;
pub(crate) mod run_flags;
pub(crate) mod strategies;
