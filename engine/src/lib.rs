//! The deterministic event loop.

pub mod account;
pub mod block;
pub mod book;
pub mod chain;
pub mod config;
pub mod event;
mod exposure;
pub mod fees;
mod fixed_map;
pub mod ids;
pub mod input;
pub mod instrument;
mod kernel;
mod lifecycle;
pub mod margin;
pub mod num;
mod oms;
pub mod order;
pub mod record;
mod risk;
mod schedule;
mod state;
mod state_hash;
mod stops;
pub mod strategy;
mod venue;

pub use kernel::{Kernel, KernelError};
pub use num::{Money, Nanos, Price, Qty};
pub use strategy::{Ctx, Flow, Strategy};
