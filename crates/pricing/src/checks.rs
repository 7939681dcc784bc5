//! Market data against theory: executable arbitrage, and quoted Greeks and prices
//! outside their tolerance.
//!
//! Arbitrage is judged at natural prices (buy at the ask, sell at the bid), so a listed
//! violation is a trade with a positive edge before costs, not a noisy mid price.
//! The bounds are those of European options on the forward; for American chains pass
//! prices without their exercise premium, or expect early-exercise parity gaps.

use crate::model_error::{ModelError, in_range, non_negative, positive, same_length};

/// Bid and ask of both rights at one strike; NaN or zero where a side is not live.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainQuote {
    /// Strike.
    pub strike: f64,
    /// Call bid.
    pub call_bid: f64,
    /// Call ask.
    pub call_ask: f64,
    /// Put bid.
    pub put_bid: f64,
    /// Put ask.
    pub put_ask: f64,
}

/// The law that a violation breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// `max(D (F - K), 0) <= C <= D F`.
    CallBounds,
    /// `max(D (K - F), 0) <= P <= D K`.
    PutBounds,
    /// Calls fall with the strike.
    CallMonotonicity,
    /// Puts rise with the strike.
    PutMonotonicity,
    /// A vertical spread is worth at most its discounted width.
    VerticalWidth,
    /// Prices are convex in the strike.
    Convexity,
    /// `C - P = D (F - K)`: conversion or reversal.
    Parity,
    /// Total variance does not fall with time at equal moneyness.
    Calendar,
}

/// One violation, with the strikes that trade and the edge per unit of the underlying.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Violation {
    /// The law broken.
    pub law: Law,
    /// Strikes involved, unused places NaN.
    pub strikes: [f64; 3],
    /// Profit at natural prices, > the tolerance.
    pub edge: f64,
}

/// Forward, discount factor and tolerance of one expiry's checks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SliceTerms {
    /// Forward price.
    pub forward: f64,
    /// Discount factor.
    pub discount: f64,
    /// Edges up to this are ignored (price units), for instance half a tick.
    pub tolerance: f64,
}

/// All violations within one expiry; `quotes` in ascending strike order.
///
/// # Errors
/// [`ModelError`] when strikes are not ascending or a term is out of range.
pub fn slice_violations(quotes: &[ChainQuote], terms: &SliceTerms) -> Result<Vec<Violation>, ModelError> {
    positive("forward", terms.forward)?;
    positive("discount factor", terms.discount)?;
    non_negative("tolerance", terms.tolerance)?;
    let mut last = 0.0;
    for quote in quotes {
        in_range("strike", quote.strike, "ascending and greater than 0", |k| k > last)?;
        last = quote.strike;
    }
    let mut found = Vec::new();
    let mut see = |law: Law, strikes: [f64; 3], edge: f64| {
        // NaN edges (a side that is not live) compare false.
        if edge > terms.tolerance {
            found.push(Violation { law, strikes, edge });
        }
    };
    let calls: Vec<Side> = quotes.iter().map(|q| Side::new(q.strike, q.call_bid, q.call_ask)).collect();
    let puts: Vec<Side> = quotes.iter().map(|q| Side::new(q.strike, q.put_bid, q.put_ask)).collect();
    for (c, p) in calls.iter().zip(&puts) {
        let parity = terms.discount * (terms.forward - c.strike);
        let at = [c.strike, f64::NAN, f64::NAN];
        see(Law::CallBounds, at, parity.max(0.0) - c.ask);
        see(Law::CallBounds, at, c.bid - terms.discount * terms.forward);
        see(Law::PutBounds, at, (-parity).max(0.0) - p.ask);
        see(Law::PutBounds, at, p.bid - terms.discount * p.strike);
        see(Law::Parity, at, c.bid - p.ask - parity);
        see(Law::Parity, at, parity - (c.ask - p.bid));
    }
    for (side, is_call) in [(&calls, true), (&puts, false)] {
        let live: Vec<&Side> = side.iter().filter(|s| s.bid.is_finite() || s.ask.is_finite()).collect();
        for w in live.windows(2) {
            let at = [w[0].strike, w[1].strike, f64::NAN];
            let width = terms.discount * (w[1].strike - w[0].strike);
            let (rich, cheap) = if is_call { (w[0], w[1]) } else { (w[1], w[0]) };
            let law = if is_call { Law::CallMonotonicity } else { Law::PutMonotonicity };
            see(law, at, cheap.bid - rich.ask);
            see(Law::VerticalWidth, at, rich.bid - cheap.ask - width);
        }
        for w in live.windows(3) {
            let share = (w[2].strike - w[1].strike) / (w[2].strike - w[0].strike);
            let wings = share * w[0].ask + (1.0 - share) * w[2].ask;
            see(Law::Convexity, [w[0].strike, w[1].strike, w[2].strike], w[1].bid - wings);
        }
    }
    found.sort_by(|a, b| b.edge.total_cmp(&a.edge));
    Ok(found)
}

struct Side {
    strike: f64,
    bid: f64,
    ask: f64,
}

impl Side {
    /// A bid that is not live cannot be hit, an ask that is not live cannot be lifted.
    fn new(strike: f64, bid: f64, ask: f64) -> Self {
        let live = |x: f64| if x > 0.0 && x.is_finite() { x } else { f64::NAN };
        Self { strike, bid: live(bid), ask: live(ask) }
    }
}

/// Calendar violations between two expiries at equal log-moneyness: `near` and `far`
/// are `(k, total variance low, total variance high)` bands from bid and ask, and a
/// violation is a near low above a far high. Edges are in total variance.
///
/// # Errors
/// [`ModelError::LengthMismatch`] when the slices differ in length or moneyness.
pub fn calendar_violations(
    near: &[(f64, f64, f64)],
    far: &[(f64, f64, f64)],
    tolerance: f64,
) -> Result<Vec<Violation>, ModelError> {
    same_length("near and far slices", near.len(), far.len())?;
    let mut found = Vec::new();
    for (n, f) in near.iter().zip(far) {
        if (n.0 - f.0).abs() > 1e-12 {
            return Err(ModelError::OutOfRange {
                what: "far log-moneyness",
                expected: "equal to the near one",
                value: f.0,
            });
        }
        let edge = n.1 - f.2;
        if edge > tolerance {
            found.push(Violation { law: Law::Calendar, strikes: [n.0, f64::NAN, f64::NAN], edge });
        }
    }
    Ok(found)
}

/// A tolerance band: a quoted number passes within `absolute + relative |theory|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Absolute part, in the quantity's unit.
    pub absolute: f64,
    /// Relative part.
    pub relative: f64,
}

/// A quoted number outside its band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outlier {
    /// Position in the slices.
    pub index: usize,
    /// The market's number.
    pub quoted: f64,
    /// The theoretical number.
    pub theory: f64,
    /// Distance as a multiple of the band, > 1; infinite for a NaN on either side.
    pub severity: f64,
}

/// Quoted prices or Greeks that lie outside the band around theory, worst first.
///
/// # Errors
/// [`ModelError`] when the slices differ in length or the band is negative or empty.
pub fn outliers(quoted: &[f64], theory: &[f64], band: Band) -> Result<Vec<Outlier>, ModelError> {
    same_length("quoted and theory", quoted.len(), theory.len())?;
    non_negative("absolute band", band.absolute)?;
    non_negative("relative band", band.relative)?;
    let mut found = Vec::new();
    for (index, (&quoted, &theory)) in quoted.iter().zip(theory).enumerate() {
        let width = band.absolute + band.relative * theory.abs();
        let gap = (quoted - theory).abs();
        let severity = if gap.is_finite() && gap == 0.0 { 0.0 } else { gap / width };
        let severity = if severity.is_nan() { f64::INFINITY } else { severity };
        if severity > 1.0 {
            found.push(Outlier { index, quoted, theory, severity });
        }
    }
    found.sort_by(|a, b| b.severity.total_cmp(&a.severity).then(a.index.cmp(&b.index)));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Right;
    use crate::bsm::{BsmInputs, price};
    use proptest::prelude::*;

    const TERMS: SliceTerms = SliceTerms { forward: 100.0, discount: 0.99, tolerance: 1e-9 };

    fn fair(half: f64, vol: impl Fn(f64) -> f64) -> Vec<ChainQuote> {
        (0..9)
            .map(|i| {
                let strike = 80.0 + 5.0 * f64::from(i);
                let rate = -libm::log(0.99) / 0.25;
                let inputs = BsmInputs {
                    spot: 99.0,
                    strike,
                    years: 0.25,
                    rate,
                    dividend_yield: 0.0,
                    vol: vol(strike),
                };
                let (c, p) = (price(&inputs, Right::Call), price(&inputs, Right::Put));
                ChainQuote {
                    strike,
                    call_bid: c - half,
                    call_ask: c + half,
                    put_bid: p - half,
                    put_ask: p + half,
                }
            })
            .collect()
    }

    #[test]
    fn a_fair_chain_is_clean_and_each_fault_is_named() {
        assert!(slice_violations(&fair(0.01, |_| 0.3), &TERMS).unwrap().is_empty());
        let laws = |change: &dyn Fn(&mut Vec<ChainQuote>)| {
            let mut quotes = fair(0.01, |_| 0.3);
            change(&mut quotes);
            slice_violations(&quotes, &TERMS).unwrap().into_iter().map(|v| v.law).collect::<Vec<_>>()
        };
        assert!(laws(&|q| q[0].call_ask = 10.0).contains(&Law::CallBounds));
        assert!(laws(&|q| q[8].call_bid = 10.0).contains(&Law::CallMonotonicity));
        assert!(laws(&|q| q[0].put_bid = 10.0).contains(&Law::PutMonotonicity));
        assert!(laws(&|q| q[4].call_bid += 2.0).contains(&Law::Convexity));
        assert!(laws(&|q| q[4].put_ask -= 1.0).contains(&Law::Parity));
        assert!(laws(&|q| q[0].call_bid += 7.0).contains(&Law::VerticalWidth));
        assert!(
            laws(&|q| {
                q[4].call_bid = 0.0;
                q[4].put_ask = f64::NAN;
            })
            .is_empty()
        );
    }

    #[test]
    fn calendar_and_outliers() {
        let found = calendar_violations(&[(0.0, 0.05, 0.06)], &[(0.0, 0.03, 0.04)], 1e-6).unwrap();
        assert_eq!(found[0].law, Law::Calendar);
        let listed =
            outliers(&[0.5, 0.9, f64::NAN], &[0.5, 0.5, 0.5], Band { absolute: 0.01, relative: 0.0 })
                .unwrap();
        assert_eq!(listed.iter().map(|o| o.index).collect::<Vec<_>>(), [2, 1]);
        assert!(outliers(&[1.0], &[], Band { absolute: 1.0, relative: 0.0 }).is_err());
    }

    proptest! {
        #[test]
        fn any_flat_volatility_is_free_of_arbitrage(vol in 0.01..2.0f64) {
            prop_assert!(slice_violations(&fair(0.0, |_| vol), &TERMS).unwrap().is_empty());
        }

        #[test]
        fn any_number_is_survived(n in prop::array::uniform5(prop::num::f64::ANY)) {
            let q = ChainQuote { strike: n[0], call_bid: n[1], call_ask: n[2], put_bid: n[3], put_ask: n[4] };
            let _ = slice_violations(&[q, q], &TERMS);
            let _ = outliers(&n, &[1.0; 5], Band { absolute: n[0], relative: n[1] });
        }
    }
}
