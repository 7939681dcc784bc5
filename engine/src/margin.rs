//! Regulation T initial requirements of one underlying's stock and options.
//!
//! Rules (FINRA Rule 4210(f)(2) as summarised by the Cboe margin manual):
//! - stock: 50 % of its value, long or short;
//! - an option bought is paid in full and needs nothing more;
//! - a naked short: premium + max(20 % S − out-of-the-money amount, 10 % S for a call or 10 % K for a put),
//!   15 % instead of 20 % for broad indices;
//! - a short relieved by a long of the same right that expires no earlier: the spread's largest
//!   loss at the short's expiry. Spreads of one expiry are judged together, so an iron condor
//!   needs its larger side, a butterfly or box bought needs nothing;
//! - short straddle or strangle: the larger naked requirement plus the other side's premium;
//! - a short call against long stock, a short put against short stock: nothing for the option.
//!
//! Limits: a covered call's stock is not capped at the strike; portfolio margin is a separate rule.
//!
//! The requirement counts premium received as available, as the rule does: compare it with
//! cash plus the signed value of stock.

use crate::instrument::Right;
use crate::num::{Money, Price, Qty, SCALE};

/// An option position, or an open order counted as filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionLine {
    /// Call or put.
    pub right: Right,
    /// Strike.
    pub strike: Price,
    /// Expiry date as yyyymmdd.
    pub expiry_date: u32,
    /// Signed contracts.
    pub quantity: Qty,
    /// Premium per share of the last mark.
    pub premium: Price,
    /// Shares per contract.
    pub multiplier: i64,
}

/// Everything held on one underlying.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnderlyingHoldings {
    /// Price of the underlying.
    pub price: Price,
    /// Whether it is a broad index (15 % instead of 20 %).
    pub is_index: bool,
    /// Signed shares.
    pub shares: Qty,
    /// Options, in any order.
    pub options: Vec<OptionLine>,
}

/// Requirement of one naked short contract line (absolute quantity of `line`).
pub fn naked_short(line: &OptionLine, underlying: Price, is_index: bool) -> Money {
    let out_of_the_money = match line.right {
        Right::Call => line.strike - underlying,
        Right::Put => underlying - line.strike,
    }
    .max(Price::ZERO);
    let fraction = if is_index { 15 } else { 20 };
    let floor_base = if line.right == Right::Call { underlying } else { line.strike };
    let full = i128::from(underlying.0) * fraction - i128::from(out_of_the_money.0) * 100;
    let floor = i128::from(floor_base.0) * 10;
    let per_share_hundredths = i128::from(line.premium.0) * 100 + full.max(floor);
    let quantity = i128::from(line.quantity.0.abs()) * i128::from(line.multiplier);
    Money(crate::num::div_half_even(per_share_hundredths * quantity, 100 * i128::from(SCALE)))
}

/// A short with the long that relieves it, both of `quantity` contracts.
#[derive(Debug, Clone, Copy)]
struct Spread {
    short: OptionLine,
    long: OptionLine,
    quantity: i64,
}

/// Initial requirement of everything held on one underlying.
pub fn requirement(holdings: &UnderlyingHoldings) -> Money {
    let stock = holdings.price.notional(Qty(holdings.shares.0.saturating_abs()), 1).scaled(1, 2);
    let mut naked: Vec<OptionLine> = Vec::new();
    let mut spreads: Vec<Spread> = Vec::new();
    for right in [Right::Call, Right::Put] {
        pair_shorts_with_longs(holdings, right, &mut spreads, &mut naked);
    }
    cover_with_stock(holdings, &mut naked);
    stock + spreads_requirement(&spreads) + naked_requirement(holdings, &naked)
}

/// Gives each short, most dangerous first, the cheapest long that expires no earlier.
fn pair_shorts_with_longs(
    holdings: &UnderlyingHoldings,
    right: Right,
    spreads: &mut Vec<Spread>,
    naked: &mut Vec<OptionLine>,
) {
    let of_right = |long: bool| {
        let mut lines: Vec<OptionLine> = holdings
            .options
            .iter()
            .filter(|l| l.right == right && l.quantity.0 != 0 && (l.quantity.0 > 0) == long)
            .copied()
            .collect();
        // Most valuable first: low call strikes, high put strikes; later expiries of longs are kept for later shorts.
        lines.sort_by_key(|l| {
            let strike = if right == Right::Call { l.strike.0 } else { -l.strike.0 };
            (l.expiry_date, strike)
        });
        lines
    };
    let mut longs = of_right(true);
    for mut short in of_right(false) {
        // The longs come by expiry, then value: the first choice is the same expiry's most valuable one.
        for long in longs
            .iter_mut()
            .filter(|l| l.expiry_date >= short.expiry_date && l.multiplier == short.multiplier)
        {
            let quantity = long.quantity.0.min(-short.quantity.0);
            if quantity > 0 {
                spreads.push(Spread { short, long: *long, quantity });
                long.quantity.0 -= quantity;
                short.quantity.0 += quantity;
            }
        }
        if short.quantity.0 != 0 {
            naked.push(short);
        }
    }
}

fn cover_with_stock(holdings: &UnderlyingHoldings, naked: &mut Vec<OptionLine>) {
    let covers = if holdings.shares.0 > 0 { Right::Call } else { Right::Put };
    let mut shares = i128::from(holdings.shares.0.abs());
    naked.sort_by_key(|line| std::cmp::Reverse(naked_short(line, holdings.price, holdings.is_index)));
    for line in naked.iter_mut().filter(|line| line.right == covers) {
        let coverable = i64::try_from(shares / i128::from(line.multiplier)).unwrap_or(i64::MAX);
        // Only whole contracts are covered.
        let contracts = (coverable / SCALE * SCALE).min(-line.quantity.0);
        line.quantity.0 += contracts;
        shares -= i128::from(contracts) * i128::from(line.multiplier);
    }
    naked.retain(|line| line.quantity.0 != 0);
}

/// Largest loss at the short's expiry of all spreads whose shorts share it, summed over expiries.
fn spreads_requirement(spreads: &[Spread]) -> Money {
    let mut expiries: Vec<u32> = spreads.iter().map(|spread| spread.short.expiry_date).collect();
    expiries.sort_unstable();
    expiries.dedup();
    let loss_of = |expiry: u32| {
        let group: Vec<&Spread> =
            spreads.iter().filter(|spread| spread.short.expiry_date == expiry).collect();
        // Between strikes the payoff is linear, beyond the outermost it is flat: shorts never outnumber longs.
        let mut prices: Vec<Price> = group.iter().flat_map(|s| [s.short.strike, s.long.strike]).collect();
        prices.push(Price::ZERO);
        let loss_at = |price: Price| {
            group.iter().fold(0i128, |sum, spread| {
                let width = intrinsic(&spread.short, price) - intrinsic(&spread.long, price);
                sum + i128::from(width) * i128::from(spread.quantity) * i128::from(spread.short.multiplier)
            })
        };
        prices.into_iter().map(loss_at).max().unwrap_or(0).max(0)
    };
    let total: i128 = expiries.into_iter().map(loss_of).sum();
    Money(crate::num::div_half_even(total, i128::from(SCALE)))
}

fn intrinsic(line: &OptionLine, underlying: Price) -> i64 {
    match line.right {
        Right::Call => underlying.0.saturating_sub(line.strike.0).max(0),
        Right::Put => line.strike.0.saturating_sub(underlying.0).max(0),
    }
}

/// Straddle and strangle relief: pairs of a naked call and a naked put need the larger plus the other's premium.
fn naked_requirement(holdings: &UnderlyingHoldings, naked: &[OptionLine]) -> Money {
    let side =
        |right: Right| -> Vec<OptionLine> { naked.iter().filter(|l| l.right == right).copied().collect() };
    let (mut calls, mut puts) = (side(Right::Call), side(Right::Put));
    let need = |line: &OptionLine, quantity: i64| {
        naked_short(&OptionLine { quantity: Qty(-quantity), ..*line }, holdings.price, holdings.is_index)
    };
    let premium = |line: &OptionLine, quantity: i64| line.premium.notional(Qty(quantity), line.multiplier);
    let mut total = Money::ZERO;
    let (mut c, mut p) = (0, 0);
    while c < calls.len() || p < puts.len() {
        match (calls.get_mut(c), puts.get_mut(p)) {
            (Some(call), Some(put)) => {
                let quantity = (-call.quantity.0).min(-put.quantity.0);
                let (call_need, put_need) = (need(call, quantity), need(put, quantity));
                total += if call_need >= put_need {
                    call_need + premium(put, quantity)
                } else {
                    put_need + premium(call, quantity)
                };
                call.quantity.0 += quantity;
                put.quantity.0 += quantity;
                c += usize::from(call.quantity.0 == 0);
                p += usize::from(put.quantity.0 == 0);
            }
            (Some(line), None) | (None, Some(line)) => {
                total += need(line, -line.quantity.0);
                line.quantity.0 = 0;
                c += 1;
                p += 1;
            }
            (None, None) => break,
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(right: Right, strike: &str, expiry_date: u32, contracts: i64, premium: &str) -> OptionLine {
        OptionLine {
            right,
            strike: strike.parse().unwrap(),
            expiry_date,
            quantity: Qty::from_whole(contracts).unwrap(),
            premium: premium.parse().unwrap(),
            multiplier: 100,
        }
    }

    fn need(shares: i64, options: Vec<OptionLine>) -> String {
        let shares = Qty::from_whole(shares).unwrap();
        requirement(&UnderlyingHoldings {
            price: "748.54".parse().unwrap(),
            is_index: false,
            shares,
            options,
        })
        .to_string()
    }

    use Right::{Call, Put};

    #[test]
    fn published_requirements_of_named_strategies() {
        // LEAN's regression cases on GOOG, 2015-12-24 (initial = maintenance for these).
        let (jan, feb) = (20160115, 20160219);
        let condor = vec![
            line(Put, "745", jan, 10, "12"),
            line(Put, "747.5", jan, -10, "12"),
            line(Call, "750", jan, -10, "13"),
            line(Call, "752.5", jan, 10, "12"),
        ];
        assert_eq!(need(0, condor), "2500.00");
        assert_eq!(
            need(0, vec![line(Put, "752.5", jan, -10, "15"), line(Put, "745", jan, 10, "12")]),
            "7500.00"
        );
        assert_eq!(
            need(0, vec![line(Call, "745", jan, -5, "16"), line(Call, "747.5", jan, 10, "15")]),
            "1250.00"
        );
        let ladder = vec![
            line(Call, "745", jan, -5, "16"),
            line(Call, "747.5", jan, 5, "15"),
            line(Call, "750", jan, 5, "14"),
        ];
        assert_eq!(need(0, ladder), "1250.00");
        let butterfly = vec![
            line(Call, "745", jan, 10, "17"),
            line(Call, "747.5", jan, -20, "15"),
            line(Call, "750", jan, 10, "14"),
        ];
        assert_eq!(need(0, butterfly), "0.00");
        assert_eq!(need(0, vec![line(Put, "745", jan, -10, "11"), line(Put, "745", feb, 10, "31")]), "0.00");
        let box_bought = vec![
            line(Call, "745", jan, 10, "17"),
            line(Put, "745", jan, -10, "11"),
            line(Call, "752.5", jan, -10, "12"),
            line(Put, "752.5", jan, 10, "16"),
        ];
        assert_eq!(need(0, box_bought), "0.00");
    }

    #[test]
    fn naked_shorts_straddles_and_covered_writes() {
        // 20 % of 748.54 = 149.708; the 760 call is 11.46 out of the money.
        assert_eq!(need(0, vec![line(Call, "760", 20160115, -1, "9.00")]), "14724.80");
        // Floor: 10 % of the strike for a far put.
        assert_eq!(need(0, vec![line(Put, "500", 20160115, -1, "0.10")]), "5010.00");
        let strangle = vec![line(Call, "760", 20160115, -1, "9.00"), line(Put, "500", 20160115, -1, "0.10")];
        assert_eq!(need(0, strangle), "14734.80");
        assert_eq!(need(100, vec![line(Call, "760", 20160115, -1, "9.00")]), "37427.00");
        assert_eq!(need(-100, vec![line(Put, "740", 20160115, -1, "9.00")]), "37427.00");
        assert_eq!(need(99, vec![line(Call, "760", 20160115, -1, "9.00")]), "51777.53");
        // A long that expires earlier relieves nothing.
        let early = vec![line(Call, "760", 20160219, -1, "9.00"), line(Call, "760", 20160115, 1, "8.00")];
        assert_eq!(need(0, early), "14724.80");
    }

    proptest::proptest! {
        #[test]
        fn the_order_of_legs_never_matters(
            legs in proptest::collection::vec((proptest::bool::ANY, 0i64..8, 0u32..3, -4i64..5), 1..7),
            shares in -300i64..300, rotate in 0usize..6
        ) {
            let options: Vec<OptionLine> = legs
                .iter()
                .enumerate()
                .map(|(n, (call, strike, expiry, quantity))| OptionLine {
                    right: if *call { Call } else { Put },
                    strike: Price((700 + 10 * strike) * SCALE),
                    expiry_date: 20160115 + expiry,
                    quantity: Qty(quantity * SCALE),
                    premium: Price(5 * SCALE + n as i64),
                    multiplier: 100,
                })
                .collect();
            // Equal series in two lines are merged by callers, so premium ties cannot differ.
            let mut merged: Vec<OptionLine> = Vec::new();
            for line in options {
                match merged.iter_mut().find(|m| (m.right, m.strike, m.expiry_date) == (line.right, line.strike, line.expiry_date)) {
                    Some(same) => same.quantity = same.quantity + line.quantity,
                    None => merged.push(line),
                }
            }
            let mut rotated = merged.clone();
            rotated.rotate_left(rotate % merged.len().max(1));
            rotated.reverse();
            let holdings = |options| UnderlyingHoldings { price: Price(748 * SCALE), is_index: false, shares: Qty(shares * SCALE), options };
            let (a, b) = (requirement(&holdings(merged)), requirement(&holdings(rotated)));
            proptest::prop_assert_eq!(a, b);
            proptest::prop_assert!(a.0 >= 0);
        }
    }
}
