//! A whole chain: live Greeks, positioning, exposure, skew, liquidity.
//!
//! | module | what |
//! |---|---|
//! | [`live`] | prices and Greeks of all series re-marked on each tick of the underlying |
//! | [`positioning`] | max pain, put/call ratios, open-interest and volume profiles |
//! | [`exposure`] | Greeks by strike, expiry and in total; dealer gamma exposure |
//! | [`skew`] | 25-delta risk reversal and butterfly, at-the-money slope |
//! | [`liquidity`] | liquidity score, unusual activity |

pub mod exposure;
pub mod liquidity;
pub mod live;
pub mod positioning;
pub mod skew;
