//! Whole columns of options at once, bit for bit what the scalar functions return.
//!
//! Inputs and outputs are columns (structure of arrays), all of one length. [`risk`] and [`greeks`]
//! take options that share nothing; [`chain_risk`] and [`chain_greeks`] take the strikes of one expiry,
//! whose discount factors are computed once.
use super::core::{Carry, Core};
use super::greeks::{Greeks, Risk};
use crate::{Right, simd};

/// Columns of unequal length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` has {found} rows where {expected} were expected: give columns of one length")]
pub struct LengthError {
    /// The column that differs.
    pub column: &'static str,
    /// Rows of the first column.
    pub expected: usize,
    /// Rows of this one.
    pub found: usize,
}

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

macro_rules! output_columns {
    ($(#[$doc:meta])* $name:ident, $block:ident, $row:ident { $($field:ident),+ }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<'a> {
            $(#[doc = concat!("Where `", stringify!($field), "` goes.")] pub $field: &'a mut [f64],)+
        }

        impl $name<'_> {
            fn check(&self, rows: usize) -> Result<(), LengthError> {
                $(same_length(stringify!($field), self.$field.len(), rows)?;)+
                Ok(())
            }

            #[inline(always)]
            fn store<const N: usize>(&mut self, at: usize, rows: usize, block: &$block<N>) {
                $(self.$field[at..at + rows].copy_from_slice(&block.$field[..rows]);)+
            }
        }

        struct $block<const N: usize> {
            $($field: [f64; N],)+
        }

        impl<const N: usize> $block<N> {
            #[inline(always)]
            fn new() -> Self {
                Self { $($field: [0.0; N],)+ }
            }

            #[inline(always)]
            fn set(&mut self, i: usize, row: &$row) {
                $(self.$field[i] = row.$field;)+
            }
        }
    };
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

pub(crate) fn same_length(column: &'static str, found: usize, expected: usize) -> Result<(), LengthError> {
    if found == expected { Ok(()) } else { Err(LengthError { column, expected, found }) }
}

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
}

impl Expiry<'_> {
    fn rows(&self) -> Result<usize, LengthError> {
        let rows = self.strike.len();
        same_length("vol", self.vol.len(), rows)?;
        same_length("right", self.right.len(), rows)?;
        Ok(rows)
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

/// Rows handled together: local arrays of this size stay in the first-level cache and let the compiler
/// prove that inputs and outputs do not overlap.
const BLOCK: usize = 32;
/// Rows of the blocks at the end of a column, padded with the last rows' neighbours.
const TAIL: usize = 8;

/// `N` rows from `at`, repeating the last row where the column ends.
#[inline(always)]
fn load<const N: usize>(column: &[f64], at: usize) -> [f64; N] {
    if let Some(full) = column[at..].first_chunk::<N>() {
        return *full;
    }
    let mut block = [column[column.len() - 1]; N];
    block[..column.len() - at].copy_from_slice(&column[at..]);
    block
}

#[inline(always)]
fn load_signs<const N: usize>(column: &[Right], at: usize) -> [f64; N] {
    let mut block = [1.0; N];
    for (sign, right) in block.iter_mut().zip(&column[at..]) {
        *sign = right.sign();
    }
    block
}

/// Calls `$body` for full blocks, then for the padded blocks of the tail.
macro_rules! for_blocks {
    ($rows:expr, $function:ident ( $($argument:expr),* )) => {
        let rows = $rows;
        let mut at = 0;
        while at + BLOCK <= rows {
            $function::<BLOCK>($($argument,)* at, BLOCK);
            at += BLOCK;
        }
        while at < rows {
            $function::<TAIL>($($argument,)* at, TAIL.min(rows - at));
            at += TAIL;
        }
    };
}

macro_rules! columns_kernel {
    ($name:ident, $out:ident, $block:ident, $method:ident, $function:ident) => {
        struct $name<'a, 'b>(&'a Columns<'a>, &'a mut $out<'b>);

        impl simd::Kernel for $name<'_, '_> {
            #[inline(always)]
            fn run(self) {
                for_blocks!(self.0.spot.len(), $function(self.0, self.1));
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
            let mut block = $block::<N>::new();
            for i in 0..N {
                let carry = Carry::new(spot[i], years[i], rate[i], dividend_yield[i]);
                block.set(i, &Core::new(&carry, strike[i], vol[i], sign[i]).$method(&carry));
            }
            out.store(at, rows, &block);
        }
    };
}

columns_kernel!(ColumnsRisk, RiskColumns, RiskBlock, risk, columns_risk_block);
columns_kernel!(ColumnsGreeks, GreekColumns, GreekBlock, greeks, columns_greeks_block);

macro_rules! chain_kernel {
    ($name:ident, $out:ident, $block:ident, $method:ident, $function:ident) => {
        struct $name<'a, 'b>(&'a Expiry<'a>, &'a mut $out<'b>);

        impl simd::Kernel for $name<'_, '_> {
            #[inline(always)]
            fn run(self) {
                let Expiry { spot, years, rate, dividend_yield, .. } = *self.0;
                let carry = Carry::new(spot, years, rate, dividend_yield);
                for_blocks!(self.0.strike.len(), $function(self.0, &carry, self.1));
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
            let mut block = $block::<N>::new();
            for i in 0..N {
                block.set(i, &Core::new(carry, strike[i], vol[i], sign[i]).$method(carry));
            }
            out.store(at, rows, &block);
        }
    };
}

chain_kernel!(ChainRisk, RiskColumns, RiskBlock, risk, chain_risk_block);
chain_kernel!(ChainGreeks, GreekColumns, GreekBlock, greeks, chain_greeks_block);

#[cfg(test)]
mod tests;
