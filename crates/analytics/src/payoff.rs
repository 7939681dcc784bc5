//! Pay-offs of positions: profit and loss by price of the underlying, break-evens, extremes,
//! probability of profit, Greeks.
//!
//! The horizon is the nearest expiry of the legs. A leg that lives longer is valued there by
//! Black–Scholes–Merton with its own volatility, so a calendar spread has a smooth "pay-off".

use onetape_pricing::bsm::{self, BsmInputs};
use onetape_pricing::chain::exposure::DollarGreeks;
use onetape_pricing::{ModelError, Right};

/// What a leg is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Contract {
    /// The underlying itself.
    Stock,
    /// An option.
    Option {
        /// Call or put.
        right: Right,
        /// Strike.
        strike: f64,
        /// Years to its expiry.
        years: f64,
        /// Volatility per 1.00.
        vol: f64,
    },
}

/// A leg of a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leg {
    /// Signed contracts (shares per multiplier for stock).
    pub quantity: f64,
    /// What it is.
    pub contract: Contract,
    /// Price paid or received per unit of the underlying.
    pub price: f64,
}

/// A position with its market.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// Legs.
    pub legs: Vec<Leg>,
    /// Price of the underlying.
    pub spot: f64,
    /// Interest rate per year, continuously compounded.
    pub rate: f64,
    /// Dividend yield per year.
    pub dividend_yield: f64,
    /// Currency units per 1.00 of price and contract.
    pub multiplier: f64,
}

/// A bound of profit or loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Extreme {
    /// Reached at this price of the underlying.
    At {
        /// Profit (negative: loss).
        value: f64,
        /// Price of the underlying.
        spot: f64,
    },
    /// Grows without bound as the underlying rises.
    Unlimited,
}

/// What a position promises.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Years to the horizon.
    pub years: f64,
    /// Cash received (paid: negative) when the position was opened.
    pub credit: f64,
    /// Prices at which profit changes sign at the horizon, ascending.
    pub break_evens: Vec<f64>,
    /// Largest profit at the horizon.
    pub max_profit: Extreme,
    /// Largest loss at the horizon.
    pub max_loss: Extreme,
    /// Risk-neutral probability of a profit at the horizon; lognormal with `vol`.
    pub probability_of_profit: f64,
    /// The volatility of that distribution.
    pub vol: f64,
    /// Profit now, at theoretical prices.
    pub profit_today: f64,
    /// Greeks now.
    pub greeks: DollarGreeks,
}

/// Points of the scan for break-evens and extremes.
const SCAN: usize = 4_000;
/// Half-width of the scan in standard deviations.
const REACH: f64 = 8.0;

impl Position {
    /// Checks that every number can be priced.
    ///
    /// # Errors
    /// [`ModelError`] naming the first that cannot.
    pub fn validate(&self) -> Result<(), ModelError> {
        let range = |what, value: f64, expected, ok: bool| {
            if value.is_finite() && ok {
                Ok(())
            } else {
                Err(ModelError::OutOfRange { what, expected, value })
            }
        };
        range("spot", self.spot, "greater than 0", self.spot > 0.0)?;
        range("rate", self.rate, "a finite number", true)?;
        range("dividend yield", self.dividend_yield, "a finite number", true)?;
        range("multiplier", self.multiplier, "greater than 0", self.multiplier > 0.0)?;
        if self.legs.is_empty() {
            return Err(ModelError::TooFew { what: "legs of the position", needed: 1, found: 0 });
        }
        for leg in &self.legs {
            range("quantity of a leg", leg.quantity, "a number other than 0", leg.quantity != 0.0)?;
            range("price of a leg", leg.price, "a finite number", true)?;
            if let Contract::Option { strike, years, vol, .. } = leg.contract {
                range("strike", strike, "greater than 0", strike > 0.0)?;
                range("years to expiry", years, "0 or greater", years >= 0.0)?;
                range("volatility", vol, "0 or greater", vol >= 0.0)?;
            }
        }
        Ok(())
    }

    fn inputs(&self, spot: f64, strike: f64, years: f64, vol: f64) -> BsmInputs {
        BsmInputs { spot, strike, years, rate: self.rate, dividend_yield: self.dividend_yield, vol }
    }

    /// Years to the nearest expiry; zero for stock alone.
    #[must_use]
    pub fn horizon(&self) -> f64 {
        let years = self.legs.iter().filter_map(|leg| match leg.contract {
            Contract::Option { years, .. } => Some(years),
            Contract::Stock => None,
        });
        years.fold(f64::INFINITY, f64::min).min(1e6) * f64::from(u8::from(self.has_options()))
    }

    fn has_options(&self) -> bool {
        self.legs.iter().any(|leg| matches!(leg.contract, Contract::Option { .. }))
    }

    /// Profit after `elapsed` years with the underlying at `spot`, in currency units.
    #[must_use]
    pub fn profit(&self, spot: f64, elapsed: f64) -> f64 {
        let value = |leg: &Leg| match leg.contract {
            Contract::Stock => spot,
            Contract::Option { right, strike, years, vol } => {
                bsm::price(&self.inputs(spot, strike, (years - elapsed).max(0.0), vol), right)
            }
        };
        self.legs.iter().map(|leg| leg.quantity * (value(leg) - leg.price)).sum::<f64>() * self.multiplier
    }

    /// Mean volatility of the option legs; zero without one.
    #[must_use]
    pub fn mean_vol(&self) -> f64 {
        let vols: Vec<f64> = self
            .legs
            .iter()
            .filter_map(|leg| match leg.contract {
                Contract::Option { vol, .. } => Some(vol),
                Contract::Stock => None,
            })
            .collect();
        if vols.is_empty() { 0.0 } else { vols.iter().sum::<f64>() / vols.len() as f64 }
    }

    /// Prices worth a look: eight standard deviations around the spot, and all strikes.
    #[must_use]
    pub fn range(&self, deviations: f64) -> (f64, f64) {
        let total = (self.mean_vol() * self.horizon().sqrt()).clamp(0.01, 2.0);
        let (mut low, mut high) =
            (self.spot * (-deviations * total).exp(), self.spot * (deviations * total).exp());
        for leg in &self.legs {
            if let Contract::Option { strike, .. } = leg.contract {
                (low, high) = (low.min(0.9 * strike), high.max(1.1 * strike));
            }
        }
        (low, high)
    }

    /// Net contracts that gain with the underlying when it rises without bound.
    fn upside(&self) -> f64 {
        let gains = self.legs.iter().map(|leg| match leg.contract {
            Contract::Stock | Contract::Option { right: Right::Call, .. } => leg.quantity,
            Contract::Option { right: Right::Put, .. } => 0.0,
        });
        gains.sum()
    }

    fn grid(&self) -> Vec<f64> {
        let (low, high) = self.range(REACH);
        let mut grid: Vec<f64> = (0..=SCAN)
            .map(|i| low * (high / low).powf(i as f64 / SCAN as f64))
            .chain(self.legs.iter().filter_map(|leg| match leg.contract {
                Contract::Option { strike, .. } => Some(strike),
                Contract::Stock => None,
            }))
            .collect();
        // The worst case of a long position is a worthless underlying.
        grid.push(0.0);
        grid.sort_by(f64::total_cmp);
        grid.dedup();
        grid
    }

    /// Everything about the position; `vol` is that of the distribution at the horizon (the legs' mean
    /// when `None`).
    ///
    /// # Errors
    /// As [`Position::validate`].
    pub fn summary(&self, vol: Option<f64>) -> Result<Summary, ModelError> {
        self.validate()?;
        let (horizon, grid) = (self.horizon(), self.grid());
        let profits: Vec<f64> = grid.iter().map(|spot| self.profit(*spot, horizon)).collect();
        let mut break_evens = Vec::new();
        for n in 1..grid.len() {
            if (profits[n - 1] > 0.0) != (profits[n] > 0.0) {
                break_evens.push(self.root(grid[n - 1], grid[n], horizon));
            }
        }
        let at = |n: usize| Extreme::At { value: profits[n], spot: grid[n] };
        let best = self.nearest_of(&grid, &profits, 1.0).map_or(Extreme::Unlimited, at);
        let worst = self.nearest_of(&grid, &profits, -1.0).map_or(Extreme::Unlimited, at);
        let upside = self.upside();
        let vol = vol.unwrap_or_else(|| self.mean_vol());
        let greeks = self.greeks();
        Ok(Summary {
            years: horizon,
            credit: -self.legs.iter().map(|leg| leg.quantity * leg.price).sum::<f64>() * self.multiplier,
            probability_of_profit: self.probability(&break_evens, horizon, vol),
            break_evens,
            max_profit: if upside > 0.0 { Extreme::Unlimited } else { best },
            max_loss: if upside < 0.0 { Extreme::Unlimited } else { worst },
            vol,
            profit_today: self.profit(self.spot, 0.0),
            greeks,
        })
    }

    /// The point of largest `sign` × profit; of a plateau, the point nearest to the spot.
    fn nearest_of(&self, grid: &[f64], profits: &[f64], sign: f64) -> Option<usize> {
        let most = profits.iter().map(|profit| sign * profit).max_by(f64::total_cmp)?;
        let slack = 1e-9 * most.abs().max(self.multiplier);
        let distance = |n: &usize| (grid[*n] - self.spot).abs();
        let level = (0..grid.len()).filter(|n| sign * profits[*n] >= most - slack);
        level.min_by(|a, b| distance(a).total_cmp(&distance(b)))
    }

    /// Bisection: the profit is continuous.
    fn root(&self, mut low: f64, mut high: f64, horizon: f64) -> f64 {
        let is_low_positive = self.profit(low, horizon) > 0.0;
        for _ in 0..200 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if (self.profit(middle, horizon) > 0.0) == is_low_positive { low = middle } else { high = middle }
        }
        0.5 * (low + high)
    }

    /// Risk-neutral mass between the break-evens where profit is positive.
    fn probability(&self, break_evens: &[f64], horizon: f64, vol: f64) -> f64 {
        let below = |spot: f64| {
            if spot == 0.0 {
                return 0.0;
            }
            // Probability of ending below: minus the dual delta of a digital, from the put's dual delta.
            let put = bsm::greeks(&self.inputs(self.spot, spot, horizon, vol), Right::Put);
            put.dual_delta * (self.rate * horizon).exp()
        };
        let mut edges = vec![0.0];
        edges.extend_from_slice(break_evens);
        let mut sum = 0.0;
        for n in 0..edges.len() {
            let high = edges.get(n + 1).copied();
            let inside = high.map_or(2.0 * edges[n] + self.spot, |high| 0.5 * (edges[n] + high));
            if self.profit(inside, horizon) > 0.0 {
                sum += high.map_or(1.0, below) - below(edges[n]);
            }
        }
        sum.clamp(0.0, 1.0)
    }

    fn greeks(&self) -> DollarGreeks {
        self.legs.iter().fold(DollarGreeks::default(), |sum, leg| {
            let units = leg.quantity * self.multiplier;
            let risk = match leg.contract {
                Contract::Stock => bsm::Risk { price: self.spot, delta: 1.0, ..bsm::Risk::default() },
                Contract::Option { right, strike, years, vol } => {
                    bsm::risk(&self.inputs(self.spot, strike, years, vol), right)
                }
            };
            sum.plus(&DollarGreeks::new(&risk, self.spot, units))
        })
    }
}

/// Legs of a named strategy: signed quantity, `C`, `P` or `S` (stock), and which of the strikes.
pub type Pattern = &'static [(f64, char, usize)];

/// Named strategies with one expiry; strikes ascend.
pub const STRATEGIES: [(&str, Pattern); 14] = [
    ("long-call", &[(1.0, 'C', 0)]),
    ("long-put", &[(1.0, 'P', 0)]),
    ("short-put", &[(-1.0, 'P', 0)]),
    ("covered-call", &[(1.0, 'S', 0), (-1.0, 'C', 0)]),
    ("protective-put", &[(1.0, 'S', 0), (1.0, 'P', 0)]),
    ("long-straddle", &[(1.0, 'P', 0), (1.0, 'C', 0)]),
    ("short-strangle", &[(-1.0, 'P', 0), (-1.0, 'C', 1)]),
    ("bull-call-spread", &[(1.0, 'C', 0), (-1.0, 'C', 1)]),
    ("bear-put-spread", &[(-1.0, 'P', 0), (1.0, 'P', 1)]),
    ("bull-put-spread", &[(1.0, 'P', 0), (-1.0, 'P', 1)]),
    ("bear-call-spread", &[(-1.0, 'C', 0), (1.0, 'C', 1)]),
    ("call-butterfly", &[(1.0, 'C', 0), (-2.0, 'C', 1), (1.0, 'C', 2)]),
    ("iron-butterfly", &[(1.0, 'P', 0), (-1.0, 'P', 1), (-1.0, 'C', 1), (1.0, 'C', 2)]),
    ("iron-condor", &[(1.0, 'P', 0), (-1.0, 'P', 1), (-1.0, 'C', 2), (1.0, 'C', 3)]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn option(quantity: f64, right: Right, strike: f64, price: f64) -> Leg {
        Leg { quantity, contract: Contract::Option { right, strike, years: 0.1, vol: 0.2 }, price }
    }

    fn position(legs: Vec<Leg>) -> Position {
        Position { legs, spot: 100.0, rate: 0.0, dividend_yield: 0.0, multiplier: 100.0 }
    }

    /// By hand: credit 2.00, wings 5 wide: profit 200, loss 300, break-evens 93 and 107.
    #[test]
    fn an_iron_condor_by_hand() {
        let condor = position(vec![
            option(1.0, Right::Put, 90.0, 0.5),
            option(-1.0, Right::Put, 95.0, 1.5),
            option(-1.0, Right::Call, 105.0, 1.5),
            option(1.0, Right::Call, 110.0, 0.5),
        ]);
        let found = condor.summary(None).unwrap();
        assert!((found.credit - 200.0).abs() < 1e-9);
        assert_eq!(found.break_evens.len(), 2);
        assert!((found.break_evens[0] - 93.0).abs() < 1e-9 && (found.break_evens[1] - 107.0).abs() < 1e-9);
        for (extreme, expected) in [(found.max_profit, 200.0), (found.max_loss, -300.0)] {
            assert!(
                matches!(extreme, Extreme::At { value, .. } if (value - expected).abs() < 1e-9),
                "{extreme:?}"
            );
        }
        // N(ln(107/100)/s − …) − N(ln(93/100)/s − …) with s = 0.2 √0.1 and drift −s²/2.
        let s = 0.2 * 0.1_f64.sqrt();
        let cdf = |x: f64| 0.5 * libm::erfc(-x / 2.0_f64.sqrt());
        let below = |k: f64| cdf(((k / 100.0).ln() + 0.5 * s * s) / s);
        assert!((found.probability_of_profit - (below(107.0) - below(93.0))).abs() < 1e-12);
    }

    #[test]
    fn a_short_call_loses_without_bound_and_a_long_one_gains() {
        let short = position(vec![option(-1.0, Right::Call, 100.0, 2.0)]).summary(None).unwrap();
        assert_eq!(short.max_loss, Extreme::Unlimited);
        assert!(matches!(short.max_profit, Extreme::At { value, .. } if (value - 200.0).abs() < 1e-9));
        let long = position(vec![option(1.0, Right::Call, 100.0, 2.0)]).summary(None).unwrap();
        assert_eq!(long.max_profit, Extreme::Unlimited);
        assert!((long.break_evens[0] - 102.0).abs() < 1e-9);
        let put = position(vec![option(-1.0, Right::Put, 100.0, 2.0)]).summary(None).unwrap();
        assert!(
            matches!(put.max_loss, Extreme::At { value, spot } if (value + 9800.0).abs() < 1e-9 && spot == 0.0)
        );
    }

    #[test]
    fn impossible_legs_are_refused() {
        assert!(position(vec![]).summary(None).is_err());
        assert!(position(vec![option(0.0, Right::Call, 100.0, 1.0)]).summary(None).is_err());
        assert!(position(vec![option(1.0, Right::Call, f64::NAN, 1.0)]).summary(None).is_err());
    }
}
