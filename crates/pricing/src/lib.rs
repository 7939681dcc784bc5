//! Option mathematics: pure functions on `f64`.
