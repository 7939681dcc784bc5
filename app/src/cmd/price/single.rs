//! One option: price and Greeks from flags.

use crate::Session;
use crate::failure::Failure;
use crate::report;
use clap::{Args, ValueEnum};
use onetape_pricing::american::{self, Scheme};
use onetape_pricing::bachelier::{self, BachelierInputs};
use onetape_pricing::black76::{self, BlackInputs};
use onetape_pricing::bsm::{self, BsmInputs};
use onetape_pricing::finite_difference::{self, Dividend, DividendModel, Exercise};
use onetape_pricing::{Right, bermudan};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(crate) enum RightArg {
    Call,
    Put,
}

impl From<RightArg> for Right {
    fn from(right: RightArg) -> Right {
        match right {
            RightArg::Call => Right::Call,
            RightArg::Put => Right::Put,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum, PartialEq, Eq)]
pub(crate) enum Style {
    European,
    American,
    Bermudan,
}

#[derive(Debug, Args)]
pub(crate) struct SingleArgs {
    /// Price of the underlying (of the forward for black76 and bachelier).
    #[arg(long, conflicts_with = "csv", allow_negative_numbers = true, required_unless_present = "csv")]
    spot: Option<f64>,
    /// Strike.
    #[arg(long, conflicts_with = "csv", allow_negative_numbers = true, required_unless_present = "csv")]
    strike: Option<f64>,
    /// Call or put.
    #[arg(long, value_enum, conflicts_with = "csv", required_unless_present = "csv")]
    right: Option<RightArg>,
    /// Years to expiry.
    #[arg(long, conflicts_with = "csv")]
    years: Option<f64>,
    /// Expiry date, with --at.
    #[arg(long, value_name = "DATE", conflicts_with_all = ["csv", "years"], requires = "at")]
    expiry: Option<jiff::civil::Date>,
    /// Day of valuation, with --expiry.
    #[arg(long, value_name = "DATE", conflicts_with = "csv")]
    at: Option<jiff::civil::Date>,
    /// Interest rate per year, continuously compounded, per 1.00.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true, conflicts_with = "csv")]
    rate: f64,
    /// Dividend yield per year, continuously compounded, per 1.00.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true, conflicts_with = "csv")]
    div: f64,
    /// Cash dividend, repeatable: years to the ex-date and amount.
    #[arg(long, value_name = "T=AMOUNT", conflicts_with = "csv")]
    dividend: Vec<String>,
    /// When the holder may exercise.
    #[arg(long, value_enum, default_value = "european", conflicts_with = "csv")]
    style: Style,
    /// Equally spaced exercise dates of the Bermudan style.
    #[arg(long, default_value_t = 12, conflicts_with = "csv")]
    exercises: usize,
}

/// The flags that inputs other than price or volatility come from.
impl SingleArgs {
    pub(crate) fn right(&self) -> Right {
        self.right.map_or(Right::Call, Into::into)
    }

    pub(crate) fn inputs(&self, vol: f64) -> Result<BsmInputs, Failure> {
        let years = match (self.years, self.expiry, self.at) {
            (Some(years), _, _) => years,
            (None, Some(expiry), Some(at)) => f64::from((expiry - at).get_days()) / 365.0,
            _ => return Err(Failure::usage("give --years, or --expiry DATE with --at DATE")),
        };
        let inputs = BsmInputs {
            spot: self.spot.unwrap_or(f64::NAN),
            strike: self.strike.unwrap_or(f64::NAN),
            years,
            rate: self.rate,
            dividend_yield: self.div,
            vol,
        };
        for (flag, value, most) in [
            ("--spot", inputs.spot, 1e100),
            ("--strike", inputs.strike, 1e100),
            ("--rate", self.rate, 1e2),
            ("--div", self.div, 1e2),
        ] {
            if !value.is_finite() || value.abs() > most {
                return Err(Failure::usage(format!("{flag}: {value} is not a number up to {most:e}")));
            }
        }
        for (flag, value) in [("--years", years), ("--vol", vol)] {
            if !(0.0..=1e3).contains(&value) && flag == "--years" || !(0.0..=1e6).contains(&value) {
                return Err(Failure::usage(format!(
                    "{flag}: {value} must be 0 or more (years at most 1000)"
                )));
            }
        }
        Ok(inputs)
    }

    pub(crate) fn style(&self) -> Style {
        self.style
    }

    fn dividends(&self) -> Result<Vec<Dividend>, Failure> {
        let parse = |text: &String| {
            let bad =
                || Failure::usage(format!("--dividend: '{text}' is not YEARS=AMOUNT such as 0.25=0.52"));
            let (years, amount) = text.split_once('=').ok_or_else(bad)?;
            let number = |cell: &str| cell.trim().parse::<f64>().ok().filter(|x| x.is_finite() && *x >= 0.0);
            let (years, amount) = number(years).zip(number(amount)).ok_or_else(bad)?;
            Ok(Dividend { years, amount })
        };
        self.dividend.iter().map(parse).collect()
    }
}

/// A result with its trader unit: raw value, factor, unit.
type Row = (&'static str, f64, f64, &'static str);

/// Raw units to what a trader reads.
const UNITS: [(&str, f64, &str); 17] = [
    ("price", 1.0, "per unit of the underlying"),
    ("delta", 1.0, "bs, per $1 of the underlying"),
    ("gamma", 1.0, "delta per $1"),
    ("vega", 0.01, "per volatility point"),
    ("theta", 1.0 / 365.0, "per day"),
    ("rho", 0.01, "per 1 % of the rate"),
    ("phi", 0.01, "per 1 % of the dividend yield"),
    ("vanna", 0.01, "delta per volatility point"),
    ("charm", 1.0 / 365.0, "delta per day"),
    ("vomma", 0.0001, "vega (per point) per volatility point"),
    ("veta", 0.01 / 365.0, "vega (per point) per day"),
    ("speed", 1.0, "gamma per $1"),
    ("zomma", 0.01, "gamma per volatility point"),
    ("color", 1.0 / 365.0, "gamma per day"),
    ("ultima", 1e-6, "vomma (per point) per volatility point"),
    ("dual_delta", 1.0, "per $1 of strike"),
    ("dual_gamma", 1.0, "dual delta per $1 of strike"),
];

fn rows(values: &[(&'static str, f64)]) -> Vec<Row> {
    let find = |name: &str| UNITS.iter().find(|(known, ..)| *known == name);
    values.iter().filter_map(|(name, value)| find(name).map(|u| (*name, *value, u.1, u.2))).collect()
}

pub(crate) fn run(
    args: &SingleArgs,
    model: &str,
    scheme: Option<&str>,
    vol: f64,
    session: &Session<'_>,
) -> Result<u8, Failure> {
    let (inputs, right, dividends) = (args.inputs(vol)?, args.right(), args.dividends()?);
    let (method, rows) = match (model, args.style) {
        ("bsm" | "american", _) if !dividends.is_empty() => {
            cash_dividends(&inputs, right, args.style, &dividends, scheme)?
        }
        ("american", _) | ("bsm", Style::American) => american_rows(&inputs, right, scheme)?,
        (_, _) if !dividends.is_empty() => {
            return Err(Failure::usage("--dividend goes with --model bsm or american"));
        }
        (_, _) if scheme.is_some() => {
            return Err(Failure::usage("--scheme belongs to American exercise or cash dividends"));
        }
        ("bsm", Style::European) => ("Black-Scholes-Merton", bsm_rows(&inputs, right)),
        ("bsm", Style::Bermudan) => bermudan_rows(&inputs, right, args.exercises)?,
        ("black76" | "bachelier", Style::European) => forward_rows(model, &inputs, right),
        _ => {
            return Err(Failure::usage(format!(
                "--model {model} prices whole files (--csv); one option takes bsm, black76, bachelier or american"
            )));
        }
    };
    if rows.first().is_none_or(|(_, price, ..)| !price.is_finite()) {
        return Err(Failure::usage("these terms have no finite price: check spot, strike, years and vol"));
    }
    if session.json {
        let values: Map<String, Value> =
            rows.iter().map(|(name, raw, ..)| ((*name).to_string(), json!(raw))).collect();
        report::json(&json!({
            "method": method,
            "units": "raw: per 1.00 of volatility and rate, per year",
            "inputs": {
                "spot": inputs.spot, "strike": inputs.strike, "years": inputs.years, "rate": inputs.rate,
                "dividend_yield": inputs.dividend_yield, "vol": inputs.vol, "right": right,
            },
            "result": values,
        }))?;
        return Ok(0);
    }
    report::line(&format!(
        "{method}, S {} K {} T {:.6} r {} q {} vol {}",
        inputs.spot, inputs.strike, inputs.years, inputs.rate, inputs.dividend_yield, inputs.vol
    ));
    for (name, raw, factor, unit) in rows {
        report::line(&format!("{name:<11}{:>18.8}  {unit}", raw * factor));
    }
    Ok(0)
}

fn bsm_rows(inputs: &BsmInputs, right: Right) -> Vec<Row> {
    let g = bsm::greeks(inputs, right);
    rows(&[
        ("price", g.price),
        ("delta", g.delta),
        ("gamma", g.gamma),
        ("vega", g.vega),
        ("theta", g.theta),
        ("rho", g.rho),
        ("phi", g.phi),
        ("vanna", g.vanna),
        ("charm", g.charm),
        ("vomma", g.vomma),
        ("veta", g.veta),
        ("speed", g.speed),
        ("zomma", g.zomma),
        ("color", g.color),
        ("ultima", g.ultima),
        ("dual_delta", g.dual_delta),
        ("dual_gamma", g.dual_gamma),
    ])
}

fn american_rows(
    inputs: &BsmInputs,
    right: Right,
    scheme: Option<&str>,
) -> Result<(&'static str, Vec<Row>), Failure> {
    let (method, scheme) = match scheme.unwrap_or("high") {
        "high" => ("American, spectral collocation (high)", Scheme::High),
        "accurate" => ("American, spectral collocation (accurate)", Scheme::Accurate),
        "fast" => ("American, spectral collocation (fast)", Scheme::Fast),
        other => {
            return Err(Failure::usage(format!(
                "--scheme: unknown '{other}'; one option takes high, accurate, fast"
            )));
        }
    };
    let g = american::greeks(inputs, right, scheme);
    let values = [
        ("price", g.price),
        ("delta", g.delta),
        ("gamma", g.gamma),
        ("vega", g.vega),
        ("theta", g.theta),
        ("rho", g.rho),
        ("phi", g.phi),
    ];
    Ok((method, rows(&values)))
}

fn forward_rows(model: &str, inputs: &BsmInputs, right: Right) -> (&'static str, Vec<Row>) {
    let BsmInputs { spot: forward, strike, years, rate, vol, .. } = *inputs;
    if model == "black76" {
        let g = black76::greeks(&BlackInputs { forward, strike, years, rate, vol }, right);
        let values = [
            ("price", g.price),
            ("delta", g.delta),
            ("gamma", g.gamma),
            ("vega", g.vega),
            ("theta", g.theta),
            ("rho", g.rho),
            ("vanna", g.vanna),
            ("vomma", g.vomma),
        ];
        return ("Black-76, Greeks at a fixed forward", rows(&values));
    }
    let g = bachelier::greeks(&BachelierInputs { forward, strike, years, rate, vol }, right);
    let mut found = rows(&[
        ("price", g.price),
        ("delta", g.delta),
        ("gamma", g.gamma),
        ("vega", g.vega),
        ("theta", g.theta),
        ("rho", g.rho),
    ]);
    // A normal volatility is in price units, not in points.
    if let Some(vega) = found.iter_mut().find(|row| row.0 == "vega") {
        (vega.2, vega.3) = (1.0, "per 1.00 of normal volatility");
    }
    ("Bachelier, Greeks at a fixed forward", found)
}

fn bermudan_rows(
    inputs: &BsmInputs,
    right: Right,
    exercises: usize,
) -> Result<(&'static str, Vec<Row>), Failure> {
    if !(1..=2_500).contains(&exercises) {
        return Err(Failure::usage("--exercises must be from 1 to 2500"));
    }
    if inputs.vol * inputs.years.sqrt() < 1e-3 {
        return Err(Failure::usage("the Bermudan engine needs a total volatility of at least 0.001"));
    }
    Ok(("Bermudan, backward quadrature", rows(&[("price", bermudan::price(inputs, right, exercises))])))
}

/// Price, and delta and gamma by a difference of 1 % of the spot.
fn cash_dividends(
    inputs: &BsmInputs,
    right: Right,
    style: Style,
    dividends: &[Dividend],
    scheme: Option<&str>,
) -> Result<(&'static str, Vec<Row>), Failure> {
    let exercise = match style {
        Style::European => Exercise::European,
        Style::American => Exercise::American,
        Style::Bermudan => return Err(Failure::usage("--dividend goes with --style european or american")),
    };
    let (method, model) = match scheme.unwrap_or("spot") {
        "spot" => ("finite differences, the spot falls by the cash dividends", DividendModel::Spot),
        "escrowed" => ("finite differences, escrowed cash dividends", DividendModel::Escrowed),
        other => {
            return Err(Failure::usage(format!(
                "--scheme: unknown '{other}'; cash dividends take spot or escrowed"
            )));
        }
    };
    let at = |spot: f64| {
        finite_difference::price(&BsmInputs { spot, ..*inputs }, right, exercise, dividends, model)
    };
    let h = 0.01 * inputs.spot;
    let (up, price, down) = (at(inputs.spot + h), at(inputs.spot), at(inputs.spot - h));
    let values = [
        ("price", price),
        ("delta", (up - down) / (2.0 * h)),
        ("gamma", (up - 2.0 * price + down) / (h * h)),
    ];
    Ok((method, rows(&values)))
}
