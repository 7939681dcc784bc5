//! Models, surfaces and volatility analysis against the high-precision reference
//! tables. The tables live outside the repository: `ONETAPE_SHARED` names their
//! folder, default `<workspace>/../shared`; without them each test prints one line
//! and passes.
#![allow(clippy::print_stdout)] // a test's figures are its output

mod heston;
mod simulation;
mod surface;
mod table;
mod vol;
