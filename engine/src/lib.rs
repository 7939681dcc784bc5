//! The deterministic event loop.

pub mod block;
pub mod config;
pub mod event;
pub mod ids;
pub mod input;
pub mod instrument;
pub mod num;
pub mod order;
pub mod record;

pub use num::{Money, Nanos, Price, Qty};
