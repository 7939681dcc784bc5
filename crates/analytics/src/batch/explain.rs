//! P&L explain of each row: from one state of the market to the next.

use super::european::{STRIKE, TYPE, YIELD};
use super::{Column, Formula, Row, RowError, Value};
use onetape_pricing::bsm::{self, BsmInputs};
use onetape_pricing::explain::{Cause, Move, USUAL_ORDER, sequential, taylor};

/// How the P&L is split.
#[derive(Clone, Copy)]
pub(super) enum ExplainScheme {
    /// Greeks at the start times the move.
    Taylor,
    /// Full revaluation, one cause after the other.
    Sequential,
}

impl ExplainScheme {
    pub(super) const ALL: [(&'static str, ExplainScheme); 2] =
        [("taylor", ExplainScheme::Taylor), ("sequential", ExplainScheme::Sequential)];
}

pub(super) struct Explain {
    pub(super) scheme: ExplainScheme,
}

impl Formula for Explain {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 13] = [
            TYPE,
            Column::new("S0", "price of the underlying at the start"),
            STRIKE,
            Column::new("T0", "years to expiry at the start"),
            Column::new("r0", "interest rate at the start, per 1.00"),
            YIELD,
            Column::new("sigma0", "volatility at the start, per 1.00"),
            Column::new("S1", "price of the underlying at the end"),
            Column::new("dt", "years that pass"),
            Column::new("r1", "interest rate at the end, per 1.00"),
            Column::new("sigma1", "volatility at the end, per 1.00"),
            Column::new("q1", "dividend yield at the end, per 1.00; q where empty").or(""),
            Column::new("quantity", "units held, negative when short").or("1"),
        ];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        match self.scheme {
            ExplainScheme::Taylor => &[
                "price0",
                "price1",
                "pnl",
                "delta_pnl",
                "gamma_pnl",
                "vega_pnl",
                "theta_pnl",
                "rho_pnl",
                "vanna_pnl",
                "vomma_pnl",
                "charm_pnl",
                "veta_pnl",
                "speed_pnl",
                "unexplained",
            ],
            ExplainScheme::Sequential => &[
                "price0",
                "price1",
                "pnl",
                "time_pnl",
                "spot_pnl",
                "vol_pnl",
                "rate_pnl",
                "yield_pnl",
                "residual",
            ],
        }
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (right, quantity) = (row.right()?, row.finite("quantity")?);
        let from = BsmInputs {
            spot: row.non_negative("S0")?,
            strike: row.non_negative("K")?,
            years: row.non_negative("T0")?,
            rate: row.finite("r0")?,
            dividend_yield: row.finite("q")?,
            vol: row.non_negative("sigma0")?,
        };
        let passed = row.non_negative("dt")?;
        if passed > from.years {
            let expected = "at most T0, the option's life";
            return Err(RowError::OutOfRange { column: "dt", expected, value: passed });
        }
        let to = BsmInputs {
            spot: row.non_negative("S1")?,
            years: from.years - passed,
            rate: row.finite("r1")?,
            dividend_yield: row.optional("q1")?.unwrap_or(from.dividend_yield),
            vol: row.non_negative("sigma1")?,
            ..from
        };
        let (greeks, end) = (bsm::greeks(&from, right), bsm::price(&to, right));
        let pnl = end - greeks.price;
        out.extend([greeks.price, end, quantity * pnl].map(Value::Number));
        match self.scheme {
            ExplainScheme::Taylor => {
                let step = Move {
                    spot: to.spot - from.spot,
                    vol: to.vol - from.vol,
                    years: passed,
                    rate: to.rate - from.rate,
                };
                let t = taylor(&greeks, &step);
                let terms =
                    [t.delta, t.gamma, t.vega, t.theta, t.rho, t.vanna, t.vomma, t.charm, t.veta, t.speed];
                out.extend(terms.map(|term| Value::Number(quantity * term)));
                out.push(Value::Number(quantity * t.unexplained(pnl)));
            }
            ExplainScheme::Sequential => {
                let parts = sequential(&from, &to, USUAL_ORDER, |state| bsm::price(state, right))?;
                let of = |cause| parts.parts.iter().find(|(c, _)| *c == cause).map_or(0.0, |(_, p)| *p);
                let causes = [Cause::Time, Cause::Spot, Cause::Vol, Cause::Rate, Cause::DividendYield];
                out.extend(causes.map(|cause| Value::Number(quantity * of(cause))));
                out.push(Value::Number(quantity * parts.residual));
            }
        }
        Ok(())
    }
}
