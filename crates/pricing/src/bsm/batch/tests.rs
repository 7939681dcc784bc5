use super::*;
use crate::bsm::{self, BsmInputs};
use crate::simd::{Level, dispatch_at};

/// Ordinary and awkward options, enough for full blocks and a tail.
fn inputs() -> Vec<(BsmInputs, Right)> {
    let mut rows = Vec::new();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / 9_007_199_254_740_992.0
    };
    for i in 0..1003 {
        let mut row = BsmInputs {
            spot: 50.0 + 100.0 * uniform(),
            strike: 50.0 + 100.0 * uniform(),
            years: 3.0 * uniform(),
            rate: 0.1 * uniform() - 0.02,
            dividend_yield: 0.08 * uniform() - 0.01,
            vol: 0.01 + uniform(),
        };
        match i % 40 {
            1 => row.vol = 0.0,
            2 => row.years = 0.0,
            3 => row.spot = f64::NAN,
            4 => row.strike = 0.0,
            5 => row.spot = 0.0,
            6 => row.vol = f64::INFINITY,
            7 => row.strike = -1.0,
            8 => row.spot = 1e-310,
            9 => row.vol = 1e-9,
            10 => (row.strike, row.years) = (row.spot, 0.0),
            11 => row.rate = 30.0,
            12 => (row.years, row.dividend_yield) = (20.0, -0.9),
            13 | 14 => {
                row.strike = row.spot * libm::exp((row.rate - row.dividend_yield) * row.years);
                row.vol = if i % 80 < 40 { 1e-5 } else { 1e-3 };
            }
            15 => row.rate = f64::INFINITY,
            _ => {}
        }
        rows.push((row, if i % 3 == 0 { Right::Put } else { Right::Call }));
    }
    rows
}

fn bits(x: f64) -> u64 {
    if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() }
}

#[test]
fn every_instruction_set_gives_the_bits_of_the_scalar_function() {
    let rows = inputs();
    let column = |f: fn(&BsmInputs) -> f64| rows.iter().map(|(row, _)| f(row)).collect::<Vec<_>>();
    let (spot, strike, years) = (column(|r| r.spot), column(|r| r.strike), column(|r| r.years));
    let (rate, dividend_yield, vol) = (column(|r| r.rate), column(|r| r.dividend_yield), column(|r| r.vol));
    let right: Vec<Right> = rows.iter().map(|row| row.1).collect();
    let options = Columns {
        spot: &spot,
        strike: &strike,
        years: &years,
        rate: &rate,
        dividend_yield: &dividend_yield,
        vol: &vol,
        right: &right,
    };
    for &level in Level::ALL {
        let mut c = vec![vec![0.0; rows.len()]; 17];
        let [
            price,
            delta,
            gamma,
            vega,
            theta,
            rho,
            phi,
            vanna,
            charm,
            vomma,
            veta,
            speed,
            zomma,
            color,
            ultima,
            dual_delta,
            dual_gamma,
        ] = &mut c[..]
        else {
            unreachable!()
        };
        let mut out = GreekColumns {
            price,
            delta,
            gamma,
            vega,
            theta,
            rho,
            phi,
            vanna,
            charm,
            vomma,
            veta,
            speed,
            zomma,
            color,
            ultima,
            dual_delta,
            dual_gamma,
        };
        dispatch_at(level, ColumnsGreeks(&options, &mut out));
        let mut five = vec![vec![0.0; rows.len()]; 6];
        let [price, delta, gamma, vega, theta, rho] = &mut five[..] else { unreachable!() };
        dispatch_at(level, ColumnsRisk(&options, &mut RiskColumns { price, delta, gamma, vega, theta, rho }));
        for (i, (row, right)) in rows.iter().enumerate() {
            let g = bsm::greeks(row, *right);
            let scalar = [
                g.price,
                g.delta,
                g.gamma,
                g.vega,
                g.theta,
                g.rho,
                g.phi,
                g.vanna,
                g.charm,
                g.vomma,
                g.veta,
                g.speed,
                g.zomma,
                g.color,
                g.ultima,
                g.dual_delta,
                g.dual_gamma,
            ];
            for (j, value) in scalar.iter().enumerate() {
                assert_eq!(bits(c[j][i]), bits(*value), "{level:?} row {i} quantity {j} {row:?}");
                assert!(j >= 6 || bits(five[j][i]) == bits(*value), "{level:?} row {i} quantity {j}");
            }
        }
    }
}

#[test]
fn a_chain_gives_the_bits_of_the_scalar_function() {
    let strike: Vec<f64> = (0..77).map(|i| 60.0 + f64::from(i)).collect();
    let vol: Vec<f64> = (0..77).map(|i| 0.1 + 0.005 * f64::from(i)).collect();
    let right: Vec<Right> = (0..77).map(|i| if i % 2 == 0 { Right::Call } else { Right::Put }).collect();
    let expiry = Expiry {
        spot: 99.5,
        years: 0.37,
        rate: 0.041,
        dividend_yield: 0.012,
        strike: &strike,
        vol: &vol,
        right: &right,
    };
    let mut c = vec![vec![0.0; 77]; 6];
    let [price, delta, gamma, vega, theta, rho] = &mut c[..] else { unreachable!() };
    chain_risk(&expiry, &mut RiskColumns { price, delta, gamma, vega, theta, rho }).expect("equal lengths");
    for i in 0..77 {
        let inputs = BsmInputs {
            spot: 99.5,
            strike: strike[i],
            years: 0.37,
            rate: 0.041,
            dividend_yield: 0.012,
            vol: vol[i],
        };
        let g = bsm::greeks(&inputs, right[i]);
        let row: Vec<f64> = c.iter().map(|column| column[i]).collect();
        assert_eq!(row, [g.price, g.delta, g.gamma, g.vega, g.theta, g.rho]);
    }
}

#[test]
fn unequal_columns_are_refused() {
    let expiry = Expiry {
        spot: 1.0,
        years: 1.0,
        rate: 0.0,
        dividend_yield: 0.0,
        strike: &[1.0, 2.0],
        vol: &[0.2],
        right: &[Right::Call; 2],
    };
    let out = &mut RiskColumns {
        price: &mut [0.0; 2],
        delta: &mut [0.0; 2],
        gamma: &mut [0.0; 2],
        vega: &mut [0.0; 2],
        theta: &mut [0.0; 2],
        rho: &mut [0.0; 2],
    };
    assert_eq!(chain_risk(&expiry, out), Err(LengthError { column: "vol", expected: 2, found: 1 }));
}
