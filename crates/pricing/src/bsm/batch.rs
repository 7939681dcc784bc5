//! Whole columns of options at once, bit for bit what the scalar functions return.
//!
//! Inputs and outputs are columns (structure of arrays), all of one length. [`risk`] and [`greeks`]
//! take options that share nothing; [`chain_risk`] and [`chain_greeks`] take the strikes of one expiry,
//! whose discount factors are computed once.
use super::BsmInputs;
use super::core::{Carry, Core};
use super::greeks::{Greeks, Risk};
pub use crate::columns::LengthError;
use crate::columns::{BLOCK, TAIL, load, load_signs, same_length};
use crate::{Right, simd};

/// Options that share nothing.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    /// Price of the underlying.
    pub spot: &'a [f64],
    /// Strike.
    pub strike: &'a [f64],
    /// Time to expiry in years.
    pub years: &'a [f64],
    /// Interest rate per year.
    pub rate: &'a [f64],
    /// Dividend yield per year.
    pub dividend_yield: &'a [f64],
    /// Volatility per 1.00.
    pub vol: &'a [f64],
    /// Call or put.
    pub right: &'a [Right],
}

/// The strikes of one underlying and expiry.
#[derive(Clone, Copy, Debug)]
pub struct Expiry<'a> {
    /// Price of the underlying.
    pub spot: f64,
    /// Time to expiry in years.
    pub years: f64,
    /// Interest rate per year.
    pub rate: f64,
    /// Dividend yield per year.
    pub dividend_yield: f64,
    /// Strikes.
    pub strike: &'a [f64],
    /// Volatilities per 1.00.
    pub vol: &'a [f64],
    /// Call or put.
    pub right: &'a [Right],
}

lanes_of!(
    CarryLanes,
    Carry {
        spot,
        inverse_spot,
        years,
        rate,
        dividend_yield,
        sqrt_years,
        drift,
        spot_discount,
        strike_discount
    },
    get
);
lanes_of!(
    CoreLanes,
    Core {
        sign,
        strike,
        vol,
        discounted_spot,
        discounted_strike,
        inverse_total_vol,
        d1,
        d2,
        bell1,
        bell2,
        n1,
        n2
    },
    get
);

impl<const N: usize> CoreLanes<N> {
    /// Which rows' d1 and d2 need more digits (not 0), if any do.
    #[inline(always)]
    pub(crate) fn inexact_rows(&self, carry: impl Fn(usize) -> Carry) -> Option<[u64; N]> {
        let (mut rows, mut any) = ([0; N], 0);
        for (i, row) in rows.iter_mut().enumerate() {
            *row = u64::from(self.get(i).needs_exact_distances(&carry(i)));
            any |= *row;
        }
        (any != 0).then_some(rows)
    }

    /// The second and third step of every row.
    #[inline(always)]
    pub(crate) fn add_normals(&mut self) {
        for i in 0..N {
            let with = self.get(i).with_bells();
            (self.bell1[i], self.bell2[i]) = (with.bell1, with.bell2);
        }
        for i in 0..N {
            let with = self.get(i).with_probabilities();
            (self.n1[i], self.n2[i]) = (with.n1, with.n2);
        }
    }
}

output_columns!(
    /// Columns for [`risk`] and [`chain_risk`].
    RiskColumns, RiskBlock, Risk { price, delta, gamma, vega, theta, rho }
);
output_columns!(
    /// Columns for [`greeks`] and [`chain_greeks`].
    GreekColumns, GreekBlock, Greeks {
        price, delta, gamma, vega, theta, rho, phi, vanna, charm, vomma, veta, speed, zomma, color, ultima,
        dual_delta, dual_gamma
    }
);

impl Columns<'_> {
    fn rows(&self) -> Result<usize, LengthError> {
        let rows = self.spot.len();
        same_length("strike", self.strike.len(), rows)?;
        same_length("years", self.years.len(), rows)?;
        same_length("rate", self.rate.len(), rows)?;
        same_length("dividend_yield", self.dividend_yield.len(), rows)?;
        same_length("vol", self.vol.len(), rows)?;
        same_length("right", self.right.len(), rows)?;
        Ok(rows)
    }

    fn row(&self, i: usize) -> (BsmInputs, Right) {
        let inputs = BsmInputs {
            spot: self.spot[i],
            strike: self.strike[i],
            years: self.years[i],
            rate: self.rate[i],
            dividend_yield: self.dividend_yield[i],
            vol: self.vol[i],
        };
        (inputs, self.right[i])
    }
}

impl Expiry<'_> {
    fn rows(&self) -> Result<usize, LengthError> {
        let rows = self.strike.len();
        same_length("vol", self.vol.len(), rows)?;
        same_length("right", self.right.len(), rows)?;
        Ok(rows)
    }

    fn row(&self, i: usize) -> (BsmInputs, Right) {
        let Self { spot, years, rate, dividend_yield, strike, vol, right } = *self;
        (BsmInputs { spot, strike: strike[i], years, rate, dividend_yield, vol: vol[i] }, right[i])
    }
}

/// Price and five Greeks of every option.
///
/// # Errors
/// [`LengthError`] if the columns differ in length; nothing is written then.
pub fn risk(options: &Columns<'_>, out: &mut RiskColumns<'_>) -> Result<(), LengthError> {
    out.check(options.rows()?)?;
    simd::dispatch(ColumnsRisk(options, out));
    Ok(())
}

/// Price and all sixteen Greeks of every option.
///
/// # Errors
/// [`LengthError`] if the columns differ in length; nothing is written then.
pub fn greeks(options: &Columns<'_>, out: &mut GreekColumns<'_>) -> Result<(), LengthError> {
    out.check(options.rows()?)?;
    simd::dispatch(ColumnsGreeks(options, out));
    Ok(())
}

/// Price and five Greeks of every strike of one expiry.
///
/// # Errors
/// [`LengthError`] if the columns differ in length; nothing is written then.
pub fn chain_risk(expiry: &Expiry<'_>, out: &mut RiskColumns<'_>) -> Result<(), LengthError> {
    out.check(expiry.rows()?)?;
    simd::dispatch(ChainRisk(expiry, out));
    Ok(())
}

/// Price and all sixteen Greeks of every strike of one expiry.
///
/// # Errors
/// [`LengthError`] if the columns differ in length; nothing is written then.
pub fn chain_greeks(expiry: &Expiry<'_>, out: &mut GreekColumns<'_>) -> Result<(), LengthError> {
    out.check(expiry.rows()?)?;
    simd::dispatch(ChainGreeks(expiry, out));
    Ok(())
}

/// Blocks with a row from the edges of the domain, or whose discount factors need more digits than the loops
/// keep, are computed by the scalar functions; so are, of rows whose d1 and d2 alone need them, the steps after.
macro_rules! columns_kernel {
    ($name:ident, $out:ident, $block:ident, $method:ident, $sharpen:literal, $function:ident, $scalar:ident) => {
        struct $name<'a, 'b>(&'a Columns<'a>, &'a mut $out<'b>);

        impl simd::Kernel for $name<'_, '_> {
            #[inline(always)]
            fn run(self) {
                for_blocks!(self.0.spot.len(), $function(self.0, self.1));
            }
        }

        #[cold]
        #[inline(never)]
        fn $scalar(options: &Columns<'_>, out: &mut $out<'_>, at: usize, rows: usize) {
            for i in at..at + rows {
                let (inputs, right) = options.row(i);
                out.set(i, &super::$method(&inputs, right));
            }
        }

        #[inline(always)]
        fn $function<const N: usize>(options: &Columns<'_>, out: &mut $out<'_>, at: usize, rows: usize) {
            let spot = load::<N>(options.spot, at);
            let strike = load::<N>(options.strike, at);
            let years = load::<N>(options.years, at);
            let rate = load::<N>(options.rate, at);
            let dividend_yield = load::<N>(options.dividend_yield, at);
            let vol = load::<N>(options.vol, at);
            let sign = load_signs::<N>(options.right, at);
            let mut carries = CarryLanes::<N>::new();
            let mut special = false;
            for i in 0..N {
                let carry = Carry::plain(spot[i], years[i], rate[i], dividend_yield[i]);
                special |= carry.is_large() | !Core::is_plain(&carry, strike[i], vol[i]);
                carries.set(i, &carry);
            }
            if special {
                return $scalar(options, out, at, rows);
            }
            let mut cores = CoreLanes::<N>::new();
            for i in 0..N {
                cores.set(i, &Core::standardised_plain(&carries.get(i), strike[i], vol[i], sign[i]));
            }
            cores.add_normals();
            let mut block = $block::<N>::new();
            for i in 0..N {
                block.set(i, &cores.get(i).$method(&carries.get(i)));
            }
            out.store(at, rows, &block);
            if $sharpen {
                let inexact = cores.inexact_rows(|i| carries.get(i));
                for i in inexact.iter().flat_map(|inexact| (0..rows).filter(|i| inexact[*i] != 0)) {
                    let carry = carries.get(i);
                    out.set(at + i, &cores.get(i).with_exact_distances(&carry).$method(&carry));
                }
            }
        }
    };
}

columns_kernel!(ColumnsRisk, RiskColumns, RiskBlock, risk, false, columns_risk_block, columns_risk_rows);
columns_kernel!(
    ColumnsGreeks,
    GreekColumns,
    GreekBlock,
    greeks,
    true,
    columns_greeks_block,
    columns_greeks_rows
);

macro_rules! chain_kernel {
    ($name:ident, $out:ident, $block:ident, $method:ident, $sharpen:literal, $function:ident, $scalar:ident) => {
        struct $name<'a, 'b>(&'a Expiry<'a>, &'a mut $out<'b>);

        impl simd::Kernel for $name<'_, '_> {
            #[inline(always)]
            fn run(self) {
                let Expiry { spot, years, rate, dividend_yield, .. } = *self.0;
                let carry = Carry::plain(spot, years, rate, dividend_yield);
                if carry.is_large() {
                    return $scalar(self.0, self.1, 0, self.0.strike.len());
                }
                for_blocks!(self.0.strike.len(), $function(self.0, &carry, self.1));
            }
        }

        #[cold]
        #[inline(never)]
        fn $scalar(expiry: &Expiry<'_>, out: &mut $out<'_>, at: usize, rows: usize) {
            for i in at..at + rows {
                let (inputs, right) = expiry.row(i);
                out.set(i, &super::$method(&inputs, right));
            }
        }

        #[inline(always)]
        fn $function<const N: usize>(
            expiry: &Expiry<'_>,
            carry: &Carry,
            out: &mut $out<'_>,
            at: usize,
            rows: usize,
        ) {
            let strike = load::<N>(expiry.strike, at);
            let vol = load::<N>(expiry.vol, at);
            let sign = load_signs::<N>(expiry.right, at);
            let mut special = false;
            for i in 0..N {
                special |= !Core::is_plain(carry, strike[i], vol[i]);
            }
            if special {
                return $scalar(expiry, out, at, rows);
            }
            let mut cores = CoreLanes::<N>::new();
            for i in 0..N {
                cores.set(i, &Core::standardised_plain(carry, strike[i], vol[i], sign[i]));
            }
            cores.add_normals();
            let mut block = $block::<N>::new();
            for i in 0..N {
                block.set(i, &cores.get(i).$method(carry));
            }
            out.store(at, rows, &block);
            if $sharpen {
                let inexact = cores.inexact_rows(|_| *carry);
                for i in inexact.iter().flat_map(|inexact| (0..rows).filter(|i| inexact[*i] != 0)) {
                    out.set(at + i, &cores.get(i).with_exact_distances(carry).$method(carry));
                }
            }
        }
    };
}

chain_kernel!(ChainRisk, RiskColumns, RiskBlock, risk, false, chain_risk_block, chain_risk_rows);
chain_kernel!(ChainGreeks, GreekColumns, GreekBlock, greeks, true, chain_greeks_block, chain_greeks_rows);

#[cfg(test)]
mod tests;
