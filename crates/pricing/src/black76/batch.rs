//! Columns of options on forwards, bit for bit what the scalar functions return.
//!
//! Implied volatilities of columns of undiscounted prices: [`crate::iv::batch::black_vols`].
use super::{BlackGreeks, BlackInputs, sensitivities};
use crate::Right;
use crate::bsm::batch::{CarryLanes, CoreLanes};
use crate::bsm::core::{Carry, Core};
pub use crate::columns::LengthError;
use crate::columns::{BLOCK, TAIL, load, load_signs, same_length};

/// Options on forwards, one column per input of [`super::BlackInputs`].
#[derive(Clone, Copy, Debug)]
pub struct BlackColumns<'a> {
    /// Forward or futures prices.
    pub forward: &'a [f64],
    /// Strikes.
    pub strike: &'a [f64],
    /// Times to expiry in years.
    pub years: &'a [f64],
    /// Rates of the discount factors.
    pub rate: &'a [f64],
    /// Volatilities per 1.00.
    pub vol: &'a [f64],
    /// Calls or puts.
    pub right: &'a [Right],
}

output_columns!(
    /// Columns for [`greeks`].
    BlackGreekColumns, BlackGreekBlock, BlackGreeks {
        price, delta, gamma, vega, theta, rho, vanna, vomma, dual_delta, dual_gamma
    }
);

forward_kernels!(BlackColumns, BlackGreekColumns);

#[inline(always)]
fn cores<const N: usize>(options: &BlackColumns<'_>, at: usize) -> (CarryLanes<N>, CoreLanes<N>, bool) {
    let forward = load::<N>(options.forward, at);
    let strike = load::<N>(options.strike, at);
    let years = load::<N>(options.years, at);
    let rate = load::<N>(options.rate, at);
    let vol = load::<N>(options.vol, at);
    let sign = load_signs::<N>(options.right, at);
    let mut carries = CarryLanes::new();
    let mut special = false;
    for i in 0..N {
        let carry = Carry::plain(forward[i], years[i], rate[i], rate[i]);
        special |= carry.is_large() | !Core::is_plain(&carry, strike[i], vol[i]);
        carries.set(i, &carry);
    }
    let mut cores = CoreLanes::new();
    for i in 0..N {
        cores.set(i, &Core::standardised_plain(&carries.get(i), strike[i], vol[i], sign[i]));
    }
    cores.add_normals();
    (carries, cores, special)
}

#[inline(always)]
fn price_block<const N: usize>(options: &BlackColumns<'_>, price: &mut [f64], at: usize, rows: usize) {
    let (_, cores, special) = cores::<N>(options, at);
    if special {
        return price_rows(options, price, at, rows);
    }
    let mut block = [0.0; N];
    for (i, value) in block.iter_mut().enumerate() {
        *value = cores.get(i).price();
    }
    price[at..at + rows].copy_from_slice(&block[..rows]);
}

#[inline(always)]
fn greeks_block<const N: usize>(
    options: &BlackColumns<'_>,
    out: &mut BlackGreekColumns<'_>,
    at: usize,
    rows: usize,
) {
    let (carries, cores, special) = cores::<N>(options, at);
    if special {
        return greeks_rows(options, out, at, rows);
    }
    let mut block = BlackGreekBlock::<N>::new();
    for i in 0..N {
        block.set(i, &sensitivities(&carries.get(i), &cores.get(i)));
    }
    out.store(at, rows, &block);
    let inexact = cores.inexact_rows(|i| carries.get(i));
    for i in inexact.iter().flat_map(|inexact| (0..rows).filter(|i| inexact[*i] != 0)) {
        let carry = carries.get(i);
        out.set(at + i, &sensitivities(&carry, &cores.get(i).with_exact_distances(&carry)));
    }
}

// Blocks with rows from the edges of the domain, or whose discount factors need more digits.

#[cold]
#[inline(never)]
fn price_rows(options: &BlackColumns<'_>, price: &mut [f64], at: usize, rows: usize) {
    for (i, price) in price[at..at + rows].iter_mut().enumerate() {
        let (inputs, right) = options.row(at + i);
        *price = super::price(&inputs, right);
    }
}

#[cold]
#[inline(never)]
fn greeks_rows(options: &BlackColumns<'_>, out: &mut BlackGreekColumns<'_>, at: usize, rows: usize) {
    for i in at..at + rows {
        let (inputs, right) = options.row(i);
        out.set(i, &super::greeks(&inputs, right));
    }
}

impl BlackColumns<'_> {
    fn row(&self, i: usize) -> (BlackInputs, Right) {
        let inputs = BlackInputs {
            forward: self.forward[i],
            strike: self.strike[i],
            years: self.years[i],
            rate: self.rate[i],
            vol: self.vol[i],
        };
        (inputs, self.right[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::black76;
    use crate::columns::testing::{awkward, bits};
    use crate::simd::{Level, dispatch_at};

    #[test]
    fn every_instruction_set_gives_the_bits_of_the_scalar_function() {
        let [forward, strike, years, rate, vol] = awkward::<5>(403);
        let right: Vec<Right> = (0..403).map(|i| if i % 3 == 0 { Right::Put } else { Right::Call }).collect();
        let options = BlackColumns {
            forward: &forward,
            strike: &strike,
            years: &years,
            rate: &rate,
            vol: &vol,
            right: &right,
        };
        for &level in Level::ALL {
            let mut c = vec![vec![0.0; 403]; 11];
            let [price, delta, gamma, vega, theta, rho, vanna, vomma, dual_delta, dual_gamma, alone] =
                &mut c[..]
            else {
                unreachable!()
            };
            let mut out = BlackGreekColumns {
                price,
                delta,
                gamma,
                vega,
                theta,
                rho,
                vanna,
                vomma,
                dual_delta,
                dual_gamma,
            };
            dispatch_at(level, All(&options, &mut out));
            dispatch_at(level, Prices(&options, alone));
            for i in 0..403 {
                let inputs = BlackInputs {
                    forward: forward[i],
                    strike: strike[i],
                    years: years[i],
                    rate: rate[i],
                    vol: vol[i],
                };
                let g = black76::greeks(&inputs, right[i]);
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
                    g.dual_gamma,
                    black76::price(&inputs, right[i]),
                ];
                for (column, value) in c.iter().zip(expected) {
                    assert_eq!(bits(column[i]), bits(value), "{level:?} {inputs:?}");
                }
            }
        }
        assert!(price(&options, &mut [0.0]).is_err());
    }
}
