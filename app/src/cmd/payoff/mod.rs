//! `onetape payoff`.

mod of_run;

use super::audit::find_run;
use crate::Session;
use crate::cmd::picture;
use crate::failure::Failure;
use crate::report;
use clap::Args;
use jiff::civil::Date;
use onetape_analytics::payoff::{Contract, Extreme, Leg, Position, STRATEGIES, Summary};
use onetape_analytics::picture::{Chart, Line};
use onetape_pricing::Right;
use onetape_pricing::bsm::{self, BsmInputs, IvInputs};
use onetape_session::settings::nearest;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape payoff --spot 101 --at 2025-05-02 --leg -1,P,100,2025-05-16,1.20 --leg 1,P,95,2025-05-16,0.35\n  onetape payoff --spot 100 --years 0.1 --vol 0.2 --strategy iron-condor --strikes 90,95,105,110 --svg condor.svg\n  onetape payoff --run 3f2a --at 2025-05-16T15:00:00Z --html position.html\n\nA leg is QUANTITY,C|P,STRIKE,EXPIRY[,PRICE] or QUANTITY,S[,PRICE] for stock; EXPIRY is a date (with --at)\nor years. Without a price a leg costs its theoretical value at --vol; with one and without --vol it\nhas the volatility that the price implies. Quantities of stock count units of --multiplier."
)]
pub(crate) struct PayoffArgs {
    /// Leg, repeatable: QUANTITY,C|P,STRIKE,EXPIRY[,PRICE] or QUANTITY,S[,PRICE].
    #[arg(long = "leg", allow_hyphen_values = true, value_name = "LEG")]
    legs: Vec<String>,
    /// Named strategy (iron-condor, short-strangle, bull-call-spread, …) with --strikes.
    #[arg(long, conflicts_with = "legs", requires = "strikes")]
    strategy: Option<String>,
    /// Strikes of the named strategy, ascending.
    #[arg(long, value_delimiter = ',', value_name = "K,K…")]
    strikes: Vec<f64>,
    /// Expiry of the named strategy (date).
    #[arg(long, value_name = "DATE", conflicts_with = "years")]
    expiry: Option<String>,
    /// Years to expiry of the named strategy.
    #[arg(long)]
    years: Option<f64>,
    /// Position of a journalled run (folder, id or unique prefix) at --at, valued at the quotes then.
    #[arg(long, value_name = "RUN", requires = "at", conflicts_with_all = ["legs", "strategy", "spot", "div"])]
    run: Option<String>,
    /// Folder that holds run folders.
    #[arg(long, value_name = "DIR", default_value = "runs", env = "ONETAPE_OUT")]
    out: PathBuf,
    /// Underlying of the run's positions, where they are on several.
    #[arg(long, requires = "run")]
    symbol: Option<String>,
    /// Price of the underlying.
    #[arg(long, required_unless_present = "run", allow_negative_numbers = true)]
    spot: Option<f64>,
    /// Day of valuation (2025-05-02), needed for expiries that are dates; with --run a seq or a time.
    #[arg(long, value_name = "DATE|SEQ|TIME")]
    at: Option<String>,
    /// Volatility per 1.00.
    #[arg(long)]
    vol: Option<f64>,
    /// Interest rate per year, per 1.00 [default: 0, or the run's].
    #[arg(long, allow_negative_numbers = true)]
    rate: Option<f64>,
    /// Dividend yield per year, per 1.00.
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    div: f64,
    /// Number of the named strategy; negative sells it.
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    quantity: f64,
    /// Currency units per 1.00 of price and contract.
    #[arg(long, default_value_t = 100.0)]
    multiplier: f64,
    /// Write the picture as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the picture as an HTML page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl PayoffArgs {
    fn spot(&self) -> f64 {
        self.spot.unwrap_or(f64::NAN)
    }

    fn rate(&self) -> f64 {
        self.rate.unwrap_or(0.0)
    }
}

pub(crate) fn run(args: &PayoffArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let (position, title) = match &args.run {
        Some(run) => {
            let folder = find_run(run, &args.out)?;
            let asked = of_run::RunPosition {
                folder: &folder,
                at: args.at.as_deref().unwrap_or_default(),
                symbol: args.symbol.as_deref(),
                rate: args.rate,
                vol: args.vol,
            };
            of_run::position(&asked, session)?
        }
        None => stated(args)?,
    };
    // The run's legs have their own volatilities; the distribution's is their mean.
    let vol = if args.run.is_some() { None } else { args.vol };
    let summary = position.summary(vol).map_err(|error| Failure::usage(error.to_string()))?;
    if args.svg.is_some() || args.html.is_some() {
        let chart = chart(&position, &summary, &title);
        picture::write(&chart, args.svg.as_deref(), args.html.as_deref(), session)?;
    }
    if session.json {
        report::json(&to_json(&position, &summary))?;
    } else {
        if args.run.is_some() {
            report::line(&title);
        }
        print(&position, &summary);
    }
    Ok(0)
}

/// The position that the flags state, and what it is called.
fn stated(args: &PayoffArgs) -> Result<(Position, String), Failure> {
    let legs = match &args.strategy {
        Some(name) => named(name, args)?,
        None if args.legs.is_empty() => {
            return Err(Failure::usage(
                "give legs with --leg, --strategy NAME with --strikes, or --run RUN with --at",
            ));
        }
        None => args.legs.iter().map(|text| leg(text, args)).collect::<Result<_, _>>()?,
    };
    let position = Position {
        legs,
        spot: args.spot(),
        rate: args.rate(),
        dividend_yield: args.div,
        multiplier: args.multiplier,
    };
    let title = args.strategy.as_deref().map_or("position".to_string(), |name| name.replace('-', " "));
    Ok((position, title))
}

fn named(name: &str, args: &PayoffArgs) -> Result<Vec<Leg>, Failure> {
    let known = || STRATEGIES.iter().map(|(name, _)| *name);
    let Some((_, pattern)) = STRATEGIES.iter().find(|(known, _)| *known == name) else {
        let hint = nearest(name, known()).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
        let known: Vec<_> = known().collect();
        return Err(Failure::usage(format!(
            "--strategy: unknown '{name}'{hint} Known: {}",
            known.join(", ")
        )));
    };
    let needed = pattern.iter().map(|(_, _, strike)| strike + 1).max().unwrap_or(1);
    if args.strikes.len() != needed || !args.strikes.is_sorted_by(|a, b| a < b) {
        return Err(Failure::usage(format!("--strikes: {name} takes {needed} ascending strikes")));
    }
    let years = match (&args.expiry, args.years) {
        (Some(date), _) => years_to(date, args)?,
        (None, Some(years)) => years,
        (None, None) => return Err(Failure::usage("give --expiry DATE with --at DATE, or --years")),
    };
    let legs = pattern.iter().map(|(quantity, kind, strike)| {
        let quantity = quantity * args.quantity;
        match kind {
            'S' => Ok(Leg { quantity, contract: Contract::Stock, price: args.spot() }),
            kind => {
                let right = if *kind == 'C' { Right::Call } else { Right::Put };
                option(quantity, right, args.strikes[*strike], years, None, args)
            }
        }
    });
    legs.collect()
}

fn day(flag: &str, text: &str) -> Result<Date, Failure> {
    text.parse().map_err(|_| Failure::usage(format!("{flag}: '{text}' is not a date such as 2025-05-16")))
}

/// ACT/365 from the day of valuation.
fn years_to(date: &str, args: &PayoffArgs) -> Result<f64, Failure> {
    let expiry = day("expiry", date)?;
    let at = args.at.as_deref().ok_or_else(|| {
        Failure::usage(format!("--at DATE is needed to know how long it is to {date} (or give years)"))
    })?;
    let days = (expiry - day("--at", at)?).get_days();
    if days < 0 {
        return Err(Failure::usage(format!("the expiry {date} lies before --at {at}")));
    }
    Ok(f64::from(days) / 365.0)
}

fn leg(text: &str, args: &PayoffArgs) -> Result<Leg, Failure> {
    let bad = |what: &str| {
        Failure::usage(format!(
            "--leg: '{text}': {what}; a leg is QUANTITY,C|P,STRIKE,EXPIRY[,PRICE] or QUANTITY,S[,PRICE]"
        ))
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let number = |n: usize, what: &str| -> Result<f64, Failure> {
        let cell = parts.get(n).copied().unwrap_or_default();
        cell.parse::<f64>()
            .ok()
            .filter(|x| x.is_finite())
            .ok_or_else(|| bad(&format!("{what} '{cell}' is not a number")))
    };
    let quantity = number(0, "quantity")?;
    let right = match parts.get(1).map(|kind| kind.to_ascii_uppercase()).as_deref() {
        Some("C") => Right::Call,
        Some("P") => Right::Put,
        Some("S") if parts.len() <= 3 => {
            let price = if parts.len() == 3 { number(2, "price")? } else { args.spot() };
            return Ok(Leg { quantity, contract: Contract::Stock, price });
        }
        _ => return Err(bad("the kind must be C, P or S")),
    };
    if !(4..=5).contains(&parts.len()) {
        return Err(bad("an option leg has four or five parts"));
    }
    let strike = number(2, "strike")?;
    let years = match parts[3].parse::<f64>() {
        Ok(years) => years,
        Err(_) => years_to(parts[3], args)?,
    };
    let price = if parts.len() == 5 { Some(number(4, "price")?) } else { None };
    option(quantity, right, strike, years, price, args)
}

/// A leg with its price and volatility, each from the other when only one is given.
fn option(
    quantity: f64,
    right: Right,
    strike: f64,
    years: f64,
    price: Option<f64>,
    args: &PayoffArgs,
) -> Result<Leg, Failure> {
    let inputs = BsmInputs {
        spot: args.spot(),
        strike,
        years,
        rate: args.rate(),
        dividend_yield: args.div,
        vol: args.vol.unwrap_or(0.0),
    };
    let (vol, price) = match (args.vol, price) {
        (Some(vol), Some(price)) => (vol, price),
        (Some(vol), None) => (vol, bsm::price(&inputs, right)),
        (None, Some(price)) => {
            let vol = bsm::implied_vol(&IvInputs::from_price(price, &inputs), right).map_err(|error| {
                Failure::usage(format!("strike {strike}: {error}; give --vol to price it all the same"))
            })?;
            (vol, price)
        }
        (None, None) => {
            return Err(Failure::usage(format!("strike {strike}: give its price in the leg, or --vol")));
        }
    };
    Ok(Leg { quantity, contract: Contract::Option { right, strike, years, vol }, price })
}

fn extreme(value: Extreme) -> String {
    match value {
        Extreme::Unlimited => "unlimited".to_string(),
        Extreme::At { value, spot } => format!("{value:.2} at {spot:.2}"),
    }
}

fn print(position: &Position, s: &Summary) {
    report::line("quantity  contract      strike     days   vol %      price");
    for leg in &position.legs {
        report::line(&match leg.contract {
            Contract::Stock => format!("{:>8}  stock {:>39.4}", leg.quantity, leg.price),
            Contract::Option { right, strike, years, vol } => format!(
                "{:>8}  {:<8} {:>11} {:>8.1} {:>7.2} {:>10.4}",
                leg.quantity,
                if right == Right::Call { "call" } else { "put" },
                strike,
                years * 365.0,
                100.0 * vol,
                leg.price
            ),
        });
    }
    let evens: Vec<String> = s.break_evens.iter().map(|at| format!("{at:.4}")).collect();
    report::line(&format!("spot {}, horizon {}", position.spot, horizon(s.years)));
    let cost = if s.credit < 0.0 { "debit" } else { "credit" };
    report::line(&format!(
        "{cost} {:.2}, profit today at theory {:.2}",
        s.credit.abs(),
        cents(s.profit_today)
    ));
    report::line(&format!(
        "break-evens   {}",
        if evens.is_empty() { "none".into() } else { evens.join("  ") }
    ));
    report::line(&format!("max profit    {}", extreme(s.max_profit)));
    let loss = match s.max_loss {
        Extreme::At { value, spot } if value > 0.0 => format!("none (at least {value:.2} at {spot:.2})"),
        other => extreme(other),
    };
    report::line(&format!("max loss      {loss}"));
    report::line(&format!(
        "POP           {:.2} % (lognormal, vol {:.2} %, risk-neutral)",
        100.0 * s.probability_of_profit,
        100.0 * s.vol
    ));
    let g = &s.greeks;
    report::line(&format!(
        "Greeks in $   delta {:.2} (shares x spot), gamma {:.2} per 1 %, vega {:.2} per point,",
        g.delta, g.gamma_per_percent, g.vega_per_point
    ));
    report::line(&format!(
        "              theta {:.2} per day, rho {:.2} per 1 %",
        g.theta_per_day, g.rho_per_percent
    ));
}

/// To the cent, without a negative zero.
fn cents(value: f64) -> f64 {
    if value.abs() < 0.005 { 0.0 } else { value }
}

fn to_json(position: &Position, s: &Summary) -> Value {
    let extreme = |value: Extreme| match value {
        Extreme::Unlimited => json!("unlimited"),
        Extreme::At { value, spot } => json!({ "value": value, "spot": spot }),
    };
    let legs: Vec<Value> = position
        .legs
        .iter()
        .map(|leg| match leg.contract {
            Contract::Stock => json!({ "quantity": leg.quantity, "contract": "stock", "price": leg.price }),
            Contract::Option { right, strike, years, vol } => json!({
                "quantity": leg.quantity, "contract": right, "strike": strike, "years": years, "vol": vol,
                "price": leg.price,
            }),
        })
        .collect();
    json!({
        "legs": legs,
        "spot": position.spot,
        "years": s.years,
        "credit": s.credit,
        "break_evens": s.break_evens,
        "max_profit": extreme(s.max_profit),
        "max_loss": extreme(s.max_loss),
        "probability_of_profit": s.probability_of_profit,
        "vol": s.vol,
        "profit_today": s.profit_today,
        "dollar_greeks": {
            "delta": s.greeks.delta,
            "gamma_per_percent": s.greeks.gamma_per_percent,
            "vega_per_point": s.greeks.vega_per_point,
            "theta_per_day": s.greeks.theta_per_day,
            "rho_per_percent": s.greeks.rho_per_percent,
        },
    })
}

/// Time to the horizon in words.
fn horizon(years: f64) -> String {
    let days = years * 365.0;
    if days < 2.0 { format!("{:.1} hours", 24.0 * days) } else { format!("{days:.0} days") }
}

/// Points of each line.
const POINTS: usize = 240;

fn chart(position: &Position, s: &Summary, title: &str) -> Chart {
    let (low, high) = position.range(3.0);
    let mut spots: Vec<f64> = (0..=POINTS).map(|i| low + (high - low) * i as f64 / POINTS as f64).collect();
    spots.extend(position.legs.iter().filter_map(|leg| match leg.contract {
        Contract::Option { strike, .. } => Some(strike),
        Contract::Stock => None,
    }));
    spots.sort_by(f64::total_cmp);
    let line = |name: &str, elapsed: f64, is_dashed| Line {
        name: name.to_string(),
        points: spots.iter().map(|spot| (*spot, position.profit(*spot, elapsed))).collect(),
        is_dashed,
    };
    let mut marks = vec![(position.spot, format!("spot {}", position.spot))];
    marks.extend(s.break_evens.iter().map(|at| (*at, format!("{at:.2}"))));
    Chart {
        title: format!("Pay-off: {title}"),
        source: format!(
            "Black–Scholes–Merton, vol {:.1} %, {}; probability of profit {:.1} %; onetape",
            100.0 * s.vol,
            horizon(s.years),
            100.0 * s.probability_of_profit
        ),
        x_label: "price of the underlying".into(),
        y_label: "profit, $".into(),
        lines: vec![line("at expiry", s.years, false), line("today", 0.0, true)],
        bands: Vec::new(),
        marks,
        has_zero: true,
    }
}
