//! The deterministic event loop.
