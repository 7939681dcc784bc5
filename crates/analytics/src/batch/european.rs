//! Black–Scholes–Merton, Black-76 and Bachelier: price and Greeks of each row.

use super::{Column, Formula, Row, RowError, Value};
use onetape_pricing::bachelier::{self, BachelierInputs};
use onetape_pricing::black76::{self, BlackInputs};
use onetape_pricing::bsm::{self, BsmInputs};

pub(super) const TYPE: Column =
    Column::new("type", "c or p").also(&["right", "option_type", "cp_flag", "call_put"]);
pub(super) const SPOT: Column =
    Column::new("S", "price of the underlying").also(&["spot", "underlying_price"]);
pub(super) const FORWARD: Column = Column::new("F", "forward price for the expiry").also(&["forward"]);
pub(super) const STRIKE: Column = Column::new("K", "strike").also(&["strike"]);
pub(super) const YEARS: Column = Column::new("T", "years to expiry").also(&["years", "ttm", "tte"]);
pub(super) const RATE: Column =
    Column::new("r", "interest rate per year, continuously compounded, per 1.00").also(&["rate"]);
pub(super) const YIELD: Column =
    Column::new("q", "dividend yield per year, continuously compounded, per 1.00")
        .also(&["div", "dividend_yield"]);
pub(super) const VOL: Column =
    Column::new("sigma", "volatility per 1.00").also(&["vol", "volatility", "iv", "implied_vol"]);

/// The columns of a European or American option on a spot price.
pub(super) const SPOT_COLUMNS: [Column; 7] = [TYPE, SPOT, STRIKE, YEARS, RATE, YIELD, VOL];
const FORWARD_COLUMNS: [Column; 6] = [TYPE, FORWARD, STRIKE, YEARS, RATE, VOL];

const FORWARD_GREEKS: [&str; 8] =
    ["price", "delta_fwd", "gamma_fwd", "vega", "theta_fixed_fwd", "rho_fixed_fwd", "vanna_fwd", "vomma"];

/// The cells of [`SPOT_COLUMNS`] but the type.
pub(super) fn spot_inputs(row: &Row<'_>) -> Result<BsmInputs, RowError> {
    Ok(BsmInputs {
        spot: row.non_negative("S")?,
        strike: row.non_negative("K")?,
        years: row.non_negative("T")?,
        rate: row.finite("r")?,
        dividend_yield: row.finite("q")?,
        vol: row.non_negative("sigma")?,
    })
}

pub(super) struct Bsm {
    pub(super) price_only: bool,
}

impl Formula for Bsm {
    fn columns(&self) -> &[Column] {
        &SPOT_COLUMNS
    }

    fn results(&self) -> &[&'static str] {
        const ALL: [&str; 17] = [
            "price",
            "delta",
            "gamma",
            "vega",
            "theta",
            "rho",
            "phi",
            "vanna",
            "charm",
            "vomma",
            "veta",
            "speed",
            "zomma",
            "color",
            "ultima",
            "dual_delta",
            "dual_gamma",
        ];
        if self.price_only { &ALL[..1] } else { &ALL }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (inputs, right) = (spot_inputs(row)?, row.right()?);
        if self.price_only {
            out.push(bsm::price(&inputs, right).into());
            return Ok(());
        }
        let g = bsm::greeks(&inputs, right);
        let values = [
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
        out.extend(values.map(Value::Number));
        Ok(())
    }
}

pub(super) struct Black76 {
    pub(super) price_only: bool,
}

impl Formula for Black76 {
    fn columns(&self) -> &[Column] {
        &FORWARD_COLUMNS
    }

    fn results(&self) -> &[&'static str] {
        if self.price_only { &FORWARD_GREEKS[..1] } else { &FORWARD_GREEKS }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let inputs = BlackInputs {
            forward: row.non_negative("F")?,
            strike: row.non_negative("K")?,
            years: row.non_negative("T")?,
            rate: row.finite("r")?,
            vol: row.non_negative("sigma")?,
        };
        let g = black76::greeks(&inputs, row.right()?);
        let values = [g.price, g.delta, g.gamma, g.vega, g.theta, g.rho, g.vanna, g.vomma];
        out.extend(values.map(Value::Number).into_iter().take(self.results().len()));
        Ok(())
    }
}

pub(super) struct Bachelier {
    pub(super) price_only: bool,
}

impl Formula for Bachelier {
    fn is_normal(&self) -> bool {
        true
    }

    fn columns(&self) -> &[Column] {
        &FORWARD_COLUMNS
    }

    fn results(&self) -> &[&'static str] {
        if self.price_only { &FORWARD_GREEKS[..1] } else { &FORWARD_GREEKS }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let inputs = BachelierInputs {
            forward: row.finite("F")?,
            strike: row.finite("K")?,
            years: row.non_negative("T")?,
            rate: row.finite("r")?,
            vol: row.non_negative("sigma")?,
        };
        let g = bachelier::greeks(&inputs, row.right()?);
        let values = [g.price, g.delta, g.gamma, g.vega, g.theta, g.rho, g.vanna, g.vomma];
        out.extend(values.map(Value::Number).into_iter().take(self.results().len()));
        Ok(())
    }
}
