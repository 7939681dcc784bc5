//! Columns of options under the normal model, bit for bit what the scalar functions return.
//!
//! Normal implied volatilities of columns: [`crate::iv::batch::normal_vols`].
use super::{BachelierGreeks, BachelierInputs, evaluate};
use crate::Right;
pub use crate::columns::LengthError;
use crate::columns::{BLOCK, TAIL, load, load_signs, same_length};

/// Options on forwards, one column per input of [`BachelierInputs`].
#[derive(Clone, Copy, Debug)]
pub struct BachelierColumns<'a> {
    /// Forward prices, any sign.
    pub forward: &'a [f64],
    /// Strikes, any sign.
    pub strike: &'a [f64],
    /// Times to expiry in years.
    pub years: &'a [f64],
    /// Rates of the discount factors.
    pub rate: &'a [f64],
    /// Volatilities in price units per √year.
    pub vol: &'a [f64],
    /// Calls or puts.
    pub right: &'a [Right],
}

output_columns!(
    /// Columns for [`greeks`].
    BachelierGreekColumns, BachelierGreekBlock, BachelierGreeks {
        price, delta, gamma, vega, theta, rho, vanna, vomma, dual_delta
    }
);

forward_kernels!(BachelierColumns, BachelierGreekColumns);

#[inline(always)]
fn block<const N: usize>(options: &BachelierColumns<'_>, at: usize) -> BachelierGreekBlock<N> {
    let forward = load::<N>(options.forward, at);
    let strike = load::<N>(options.strike, at);
    let years = load::<N>(options.years, at);
    let rate = load::<N>(options.rate, at);
    let vol = load::<N>(options.vol, at);
    let sign = load_signs::<N>(options.right, at);
    let mut block = BachelierGreekBlock::new();
    for i in 0..N {
        let inputs = BachelierInputs {
            forward: forward[i],
            strike: strike[i],
            years: years[i],
            rate: rate[i],
            vol: vol[i],
        };
        block.set(i, &evaluate(&inputs, sign[i]));
    }
    block
}

#[inline(always)]
fn price_block<const N: usize>(options: &BachelierColumns<'_>, price: &mut [f64], at: usize, rows: usize) {
    price[at..at + rows].copy_from_slice(&block::<N>(options, at).price[..rows]);
}

#[inline(always)]
fn greeks_block<const N: usize>(
    options: &BachelierColumns<'_>,
    out: &mut BachelierGreekColumns<'_>,
    at: usize,
    rows: usize,
) {
    out.store(at, rows, &block::<N>(options, at));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bachelier;
    use crate::columns::testing::{awkward, bits};
    use crate::simd::{Level, dispatch_at};

    #[test]
    fn every_instruction_set_gives_the_bits_of_the_scalar_function() {
        let [forward, strike, years, rate, vol] = awkward::<5>(403);
        let right: Vec<Right> = (0..403).map(|i| if i % 3 == 0 { Right::Put } else { Right::Call }).collect();
        let options = BachelierColumns {
            forward: &forward,
            strike: &strike,
            years: &years,
            rate: &rate,
            vol: &vol,
            right: &right,
        };
        for &level in Level::ALL {
            let mut c = vec![vec![0.0; 403]; 10];
            let [price, delta, gamma, vega, theta, rho, vanna, vomma, dual_delta, alone] = &mut c[..] else {
                unreachable!()
            };
            let mut out =
                BachelierGreekColumns { price, delta, gamma, vega, theta, rho, vanna, vomma, dual_delta };
            dispatch_at(level, All(&options, &mut out));
            dispatch_at(level, Prices(&options, alone));
            for i in 0..403 {
                let inputs = BachelierInputs {
                    forward: forward[i],
                    strike: strike[i],
                    years: years[i],
                    rate: rate[i],
                    vol: vol[i],
                };
                let g = bachelier::greeks(&inputs, right[i]);
                let expected = [
                    g.price,
                    g.delta,
                    g.gamma,
                    g.vega,
                    g.theta,
                    g.rho,
                    g.vanna,
                    g.vomma,
                    g.dual_delta,
                    bachelier::price(&inputs, right[i]),
                ];
                for (column, value) in c.iter().zip(expected) {
                    assert_eq!(bits(column[i]), bits(value), "{level:?} {inputs:?}");
                }
            }
        }
        assert!(price(&options, &mut [0.0]).is_err());
    }
}
