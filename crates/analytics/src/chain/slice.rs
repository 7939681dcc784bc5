//! One expiry: quotes, forward and carry, implied volatilities and Greeks.

use super::snapshot::{ExpiryKey, Snapshot};
use onetape_engine::instrument::{ExerciseStyle, OptionTerms};
use onetape_engine::num::Price;
use onetape_pricing::american::{Pricer, Scheme};
use onetape_pricing::bsm::{self, BsmInputs, IvInputs, Risk};
use onetape_pricing::checks::ChainQuote;
use onetape_pricing::forward::american::{AmericanTerms, implied_forward_of_american};
use onetape_pricing::forward::{
    Carry, CashDividend, ForwardSource, ImpliedForward, ParityPair, ParitySettings, implied_forward,
};
use onetape_pricing::surface::fit::SmileQuote;
use onetape_pricing::{ModelError, Right};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What the caller knows about carry.
#[derive(Debug, Clone, PartialEq)]
pub struct CarryTerms {
    /// Interest rate per year, continuously compounded. American quotes cannot tell it from the
    /// dividend yield; European ones imply it where enough strikes are quoted.
    pub rate: f64,
    /// Known cash dividends.
    pub dividends: Vec<CashDividend>,
}

/// A quoted series with its volatilities and Greeks.
#[derive(Debug, Clone)]
pub struct Series {
    /// Symbol.
    pub symbol: String,
    /// Strike.
    pub strike: f64,
    /// Call or put.
    pub right: Right,
    /// Live bid.
    pub bid: Option<f64>,
    /// Live ask.
    pub ask: Option<f64>,
    /// Smaller of the two displayed sizes.
    pub size: f64,
    /// Last eligible trade.
    pub last: Option<f64>,
    /// Quantity traded on the present trade date.
    pub volume: f64,
    /// Contracts open at the previous close.
    pub open_interest: Option<f64>,
    /// Implied volatility of bid, midpoint and ask; `None` where the price has none.
    pub vols: [Option<f64>; 3],
    /// Price and Greeks at the midpoint's volatility, raw units.
    pub risk: Option<Risk>,
}

impl Series {
    /// The midpoint, where both sides are live and not crossed.
    #[must_use]
    pub fn mid(&self) -> Option<f64> {
        let (bid, ask) = (self.bid?, self.ask?);
        (bid <= ask).then_some(0.5 * (bid + ask))
    }
}

/// Forward and carry with where they come from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarryInputs {
    /// Forward price for the expiry.
    pub forward: ImpliedForward,
    /// Interest rate per year that the discount factor means.
    pub rate: f64,
    /// Yield (dividends and borrow) that carries spot to the forward.
    pub carry_yield: f64,
    /// Present value of the known cash dividends up to the expiry.
    pub dividend_value: f64,
    /// Borrow cost per year that is left over once the known dividends are taken into account.
    pub borrow: Option<f64>,
}

/// One expiry of a class.
#[derive(Debug, Clone)]
pub struct ExpirySlice {
    /// Date (yyyymmdd) and class root.
    pub key: ExpiryKey,
    /// ACT/365F years to the settlement instant.
    pub years: f64,
    /// Exercise style.
    pub style: ExerciseStyle,
    /// Currency units per 1.00 of price and contract.
    pub multiplier: f64,
    /// Price of the underlying.
    pub spot: f64,
    /// Forward and carry.
    pub carry: CarryInputs,
    /// Series in order of strike, call before put.
    pub series: Vec<Series>,
}

/// Why an expiry has no chain.
#[derive(Debug, thiserror::Error)]
pub enum SliceError {
    /// No series of that expiry is defined.
    #[error("no series of {root} expires on {date}")]
    NoSeries {
        /// Class root.
        root: String,
        /// yyyymmdd.
        date: u32,
    },
    /// The expiry lies behind the instant.
    #[error("{root} {date} has settled at this time")]
    Settled {
        /// Class root.
        root: String,
        /// yyyymmdd.
        date: u32,
    },
    /// The underlying has neither a quote nor a trade, and the options do not imply a forward.
    #[error("{underlying} has no price at this time, and its options give no forward: {source}")]
    NoForward {
        /// The underlying's symbol.
        underlying: String,
        /// Why not.
        source: ModelError,
    },
}

impl Snapshot {
    /// The chain of one expiry.
    ///
    /// # Errors
    /// [`SliceError`] when it has no series, has settled, or no forward can be found.
    pub fn slice(&self, key: &ExpiryKey, terms: &CarryTerms) -> Result<ExpirySlice, SliceError> {
        let (date, root) = (key.0, key.1.clone());
        let members: Vec<_> =
            self.options().filter(|(_, t)| t.expiry_date == date && t.root == root).collect();
        let Some((first, option)) = members.first() else { return Err(SliceError::NoSeries { root, date }) };
        let years = option.years_to_expiry(self.at);
        if years <= 0.0 {
            return Err(SliceError::Settled { root, date });
        }
        let quotes: Vec<Series> = {
            let mut quotes: Vec<Series> = members.iter().map(|(ix, t)| self.series(ix.index(), t)).collect();
            let order = |s: &Series| (s.strike, s.right == Right::Put);
            quotes.sort_by(|a, b| order(a).0.total_cmp(&order(b).0).then(order(a).1.cmp(&order(b).1)));
            quotes
        };
        let spot = self.price(option.underlying);
        let carry = carry(&quotes, spot, years, option.style, terms).map_err(|source| {
            let underlying = self.instruments[option.underlying.index()].symbol.clone();
            SliceError::NoForward { underlying, source }
        })?;
        let spot = spot.unwrap_or(carry.forward.forward * carry.forward.discount);
        let mut slice = ExpirySlice {
            key: key.clone(),
            years,
            style: option.style,
            multiplier: self.instruments[first.index()].multiplier as f64,
            spot,
            carry,
            series: Vec::new(),
        };
        slice.series = quotes.into_par_iter().map(|series| slice.valued(series)).collect();
        Ok(slice)
    }

    fn series(&self, n: usize, terms: &OptionTerms) -> Series {
        let (market, now) = (&self.markets[n], self.at);
        let (bid, ask) = (market.top.live_bid(now), market.top.live_ask(now));
        let size = bid.map_or(0, |side| side.size.0).min(ask.map_or(0, |side| side.size.0));
        Series {
            symbol: self.instruments[n].symbol.clone(),
            strike: terms.strike.to_f64(),
            right: terms.right,
            bid: bid.map(|side| side.price.to_f64()),
            ask: ask.map(|side| side.price.to_f64()),
            size: size as f64 / 1e9,
            last: (market.top.last.0 > 0).then(|| Price::to_f64(market.top.last)),
            volume: market.volume,
            open_interest: market.open_interest,
            vols: [None; 3],
            risk: None,
        }
    }
}

/// Call and put of each strike that has both, NaN for sides that are not live.
fn pairs(series: &[Series]) -> Vec<ParityPair> {
    let mut strikes: BTreeMap<u64, [Option<&Series>; 2]> = BTreeMap::new();
    for one in series {
        // Positive floats order as their bits do.
        strikes.entry(one.strike.to_bits()).or_default()[usize::from(one.right == Right::Put)] = Some(one);
    }
    let side = |one: &Series| (one.bid.unwrap_or(f64::NAN), one.ask.unwrap_or(f64::NAN));
    let both = strikes.values().filter_map(|[call, put]| {
        let (call, put) = ((*call)?, (*put)?);
        Some(ParityPair { strike: call.strike, call: side(call), put: side(put) })
    });
    both.collect()
}

/// The forward by parity (American quotes without their premium), else from spot and carry.
fn carry(
    series: &[Series],
    spot: Option<f64>,
    years: f64,
    style: ExerciseStyle,
    terms: &CarryTerms,
) -> Result<CarryInputs, ModelError> {
    let known =
        spot.map(|spot| Carry { spot, years, rate: terms.rate, dividends: &terms.dividends, borrow: 0.0 });
    let discount = (-terms.rate * years).exp();
    let settings = ParitySettings {
        discount: Some(discount),
        carry_forward: known.and_then(|known| known.forward().ok()),
        ..ParitySettings::default()
    };
    let pairs = pairs(series);
    let forward = match (style, spot) {
        (ExerciseStyle::American, Some(spot)) => {
            let yield_guess = settings.carry_forward.map_or(0.0, |f| terms.rate - (f / spot).ln() / years);
            let american = AmericanTerms { spot, years, rate: terms.rate, yield_guess };
            match implied_forward_of_american(&pairs, &american, &settings) {
                Ok(found) => found.forward,
                // Without usable pairs the carry link of the chain answers.
                Err(_) => implied_forward(&[], &settings)?,
            }
        }
        _ => {
            let regressed = implied_forward(&pairs, &settings)?;
            // A few strikes far apart in price cannot tell the rate: over hours a cent of noise is
            // hundreds of per cent. Outside ±20 % of the stated one the stated rate holds.
            let rate = -regressed.discount.ln() / years;
            if regressed.source == ForwardSource::ParityRegression && (rate - terms.rate).abs() > 0.2 {
                implied_forward(&pairs, &ParitySettings { pairs_min: usize::MAX, ..settings })?
            } else {
                regressed
            }
        }
    };
    let rate = -forward.discount.ln() / years;
    let base = spot.unwrap_or(forward.forward * forward.discount);
    Ok(CarryInputs {
        forward,
        rate,
        carry_yield: rate - (forward.forward / base).ln() / years,
        dividend_value: known.map_or(0.0, |known| known.dividend_value()),
        borrow: known.and_then(|known| Carry { rate, ..known }.implied_borrow(forward.forward).ok()),
    })
}

impl ExpirySlice {
    /// The terms of a strike at a volatility.
    #[must_use]
    pub fn inputs(&self, strike: f64, vol: f64) -> BsmInputs {
        BsmInputs {
            spot: self.spot,
            strike,
            years: self.years,
            rate: self.carry.rate,
            dividend_yield: self.carry.carry_yield,
            vol,
        }
    }

    /// The volatility that gives a price, in the exercise style of the class.
    #[must_use]
    pub fn vol(&self, price: f64, strike: f64, right: Right) -> Option<f64> {
        let inputs = IvInputs::from_price(price, &self.inputs(strike, 0.0));
        match self.style {
            ExerciseStyle::American => Pricer::new(Scheme::Fast).implied_vol(&inputs, right).ok(),
            ExerciseStyle::European => bsm::implied_vol(&inputs, right).ok(),
        }
    }

    /// Price and Greeks at a volatility, in the exercise style of the class.
    #[must_use]
    pub fn risk(&self, strike: f64, vol: f64, right: Right) -> Risk {
        let inputs = self.inputs(strike, vol);
        match self.style {
            ExerciseStyle::American => {
                let g = Pricer::new(Scheme::Fast).greeks(&inputs, right);
                Risk {
                    price: g.price,
                    delta: g.delta,
                    gamma: g.gamma,
                    vega: g.vega,
                    theta: g.theta,
                    rho: g.rho,
                }
            }
            ExerciseStyle::European => bsm::risk(&inputs, right),
        }
    }

    fn valued(&self, mut series: Series) -> Series {
        let prices = [series.bid, series.mid(), series.ask];
        series.vols = prices.map(|price| self.vol(price?, series.strike, series.right));
        series.risk = series.vols[1].map(|vol| self.risk(series.strike, vol, series.right));
        series
    }

    /// The series of a strike and right.
    #[must_use]
    pub fn find(&self, strike: f64, right: Right) -> Option<&Series> {
        self.series.iter().find(|series| series.strike == strike && series.right == right)
    }

    /// Out-of-the-money series with two-sided volatilities: puts below the forward, calls above.
    pub fn out_of_the_money(&self) -> impl Iterator<Item = &Series> {
        let forward = self.carry.forward.forward;
        self.series.iter().filter(move |series| match series.right {
            Right::Put => series.strike < forward,
            Right::Call => series.strike >= forward,
        })
    }

    /// The smile to fit: midpoint volatilities of the out-of-the-money side, weighted by the inverse
    /// square of half the bid–ask width (at least a tenth of a volatility point).
    #[must_use]
    pub fn smile_quotes(&self) -> Vec<SmileQuote> {
        let forward = self.carry.forward.forward;
        let quotes = self.out_of_the_money().filter_map(|series| {
            let [Some(low), Some(vol), Some(high)] = series.vols else { return None };
            let half = (0.5 * (high - low)).max(1e-3);
            Some(SmileQuote { k: (series.strike / forward).ln(), vol, weight: 1.0 / (half * half) })
        });
        quotes.collect()
    }

    /// At-the-money-forward volatility: linear in the strike between the neighbours of the forward.
    #[must_use]
    pub fn atm_vol(&self) -> Option<f64> {
        let forward = self.carry.forward.forward;
        let usable = || self.out_of_the_money().filter_map(|s| Some((s.strike, s.vols[1]?)));
        let below = usable().filter(|(strike, _)| *strike <= forward).last();
        let above = usable().find(|(strike, _)| *strike >= forward);
        match (below, above) {
            (Some((k0, v0)), Some((k1, v1))) if k1 > k0 => Some(v0 + (v1 - v0) * (forward - k0) / (k1 - k0)),
            (Some((_, vol)), _) | (None, Some((_, vol))) => Some(vol),
            (None, None) => None,
        }
    }

    /// Both rights of each strike as the no-arbitrage checks take them; NaN where a side is not live.
    #[must_use]
    pub fn chain_quotes(&self) -> Vec<ChainQuote> {
        let quotes = pairs(&self.series).into_iter().map(|pair| ChainQuote {
            strike: pair.strike,
            call_bid: pair.call.0,
            call_ask: pair.call.1,
            put_bid: pair.put.0,
            put_ask: pair.put.1,
        });
        quotes.collect()
    }
}
