//! The transcendental functions behind the formulas: the same bits on every processor.
//!
//! [`kernel`] holds branch-free forms that a compiler can turn into vector instructions; they use only
//! `+ − × ÷ √` and integer operations, all correctly rounded by IEEE 754, and never a fused
//! multiply–add. [`normal`] holds the standard normal distribution. `extended` has twice the digits for the few
//! options that need them.
pub(crate) mod extended;
pub mod kernel;
pub mod normal;
