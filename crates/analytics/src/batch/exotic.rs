//! Barrier options in closed form and Asian options by a partial differential equation.

use super::european::{RATE, SPOT, STRIKE, TYPE, VOL, YEARS, YIELD};
use super::{Column, Formula, Row, RowError, Value};
use onetape_pricing::Right;
use onetape_pricing::exotic::asian::{AsianGrid, arithmetic_call};
use onetape_pricing::exotic::barrier::BarrierOption;
use onetape_pricing::heston::Market;
use onetape_pricing::mc::payoff::Knock;

pub(super) const KIND: Column = Column::new("kind", "DownOut, DownIn, UpOut or UpIn");
pub(super) const BARRIER: Column = Column::new("barrier", "level of the barrier").also(&["H"]);
pub(super) const REBATE: Column = Column::new("rebate", "cash paid when the option is dead");

/// Whether the barrier lies above, and what happens there.
pub(super) fn kind(row: &Row<'_>) -> Result<(bool, Knock), RowError> {
    let words = [
        ("DownOut", (false, Knock::Out)),
        ("DownIn", (false, Knock::In)),
        ("UpOut", (true, Knock::Out)),
        ("UpIn", (true, Knock::In)),
        ("down-and-out", (false, Knock::Out)),
        ("down-and-in", (false, Knock::In)),
        ("up-and-out", (true, Knock::Out)),
        ("up-and-in", (true, Knock::In)),
    ];
    row.word("kind", "DownOut, DownIn, UpOut or UpIn", &words)
}

pub(super) struct Barrier;

impl Formula for Barrier {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 10] =
            [KIND, TYPE, BARRIER, REBATE.or("0"), SPOT, STRIKE, YEARS, RATE, YIELD.or("0"), VOL];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &["price"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let (is_up, knock) = kind(row)?;
        let option = BarrierOption {
            spot: row.positive("S")?,
            strike: row.positive("K")?,
            barrier: row.positive("barrier")?,
            is_up,
            knock,
            right: row.right()?,
            rebate: row.non_negative("rebate")?,
            years: row.positive("T")?,
            rate: row.finite("r")?,
            dividend_yield: row.finite("q")?,
            vol: row.positive("sigma")?,
        };
        out.push(option.price()?.into());
        Ok(())
    }
}

pub(super) struct Asian;

impl Formula for Asian {
    fn columns(&self) -> &[Column] {
        const ALL: [Column; 7] = [SPOT, STRIKE, YEARS, RATE, VOL, YIELD.or("0"), TYPE.or("c")];
        &ALL
    }

    fn results(&self) -> &[&'static str] {
        &["price"]
    }

    fn evaluate(&self, row: &Row<'_>, out: &mut Vec<Value>) -> Result<(), RowError> {
        let market =
            Market { spot: row.positive("S")?, rate: row.finite("r")?, dividend_yield: row.finite("q")? };
        let (strike, years) = (row.non_negative("K")?, row.positive("T")?);
        let call = arithmetic_call(&market, strike, years, row.positive("sigma")?, AsianGrid::default())?;
        out.push(match row.right()? {
            Right::Call => call.into(),
            Right::Put => (call - forward_value(&market, strike, years)).max(0.0).into(),
        });
        Ok(())
    }
}

/// Present value of the mean of the price over the life, less the strike: parity of Asian options.
fn forward_value(market: &Market, strike: f64, years: f64) -> f64 {
    let carry = (market.rate - market.dividend_yield) * years;
    let mean = if carry.abs() > 1e-12 { libm::expm1(carry) / carry } else { 1.0 };
    market.discount(years) * (market.spot * mean - strike)
}
