//! `onetape vol surface` and `onetape vol smile`: fits, evidence, pictures.

use super::models;
use super::page::surface_page;
use crate::Session;
use crate::cmd::market::{MarketArgs, MarketAt, date_text};
use crate::cmd::picture;
use crate::failure::Failure;
use crate::report;
use clap::{Args, ValueEnum};
use onetape_analytics::chain::ExpirySlice;
use onetape_analytics::chain::fit::{Fitted, FittedChain, FittedExpiry, Model, StochasticVol, fit};
use onetape_analytics::picture::{Band, Chart, Line};
use onetape_pricing::surface::Smile;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModelArg {
    Svi,
    Ssvi,
    Sabr,
    Heston,
    Bates,
}

impl From<ModelArg> for Model {
    fn from(model: ModelArg) -> Model {
        match model {
            ModelArg::Svi => Model::Svi,
            ModelArg::Ssvi => Model::Ssvi,
            ModelArg::Sabr => Model::Sabr,
            ModelArg::Heston => Model::Heston,
            ModelArg::Bates => Model::Bates,
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape vol surface --at 10:00 --html surface.html\n  onetape vol smile --expiry 2025-06-20 --svg smile.svg\n  onetape vol surface sessions/goog --symbol GOOG --at '2015-12-24 10:00' --model ssvi --json\n  onetape vol surface --model bates\n  onetape vol surface --compare\n  onetape vol surface --local"
)]
pub(crate) struct SurfaceArgs {
    #[command(flatten)]
    market: MarketArgs,
    /// Model: svi (by expiry, without arbitrage), ssvi (one surface), sabr (by expiry), heston (one model),
    /// bates (one model with jumps).
    #[arg(long, value_enum, default_value = "svi")]
    model: ModelArg,
    /// SABR's elasticity.
    #[arg(long, default_value_t = 1.0)]
    beta: f64,
    /// Fit every model and show them side by side.
    #[arg(long, conflicts_with_all = ["model", "svg", "html", "local"])]
    compare: bool,
    /// Dupire's local volatility on the fitted SVI surface, by strike and expiry.
    #[arg(long, conflicts_with_all = ["model", "svg"])]
    local: bool,
    /// Expiry of a smile [default: the nearest with five quotes].
    #[arg(long, value_name = "DATE")]
    expiry: Option<String>,
    /// Write the smiles with their bid–ask bands as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write a page: the surface of volatility and Greeks in 3-D, or the smile.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn fitted(args: &SurfaceArgs, slices: &[ExpirySlice]) -> Result<FittedChain, Failure> {
    if !(0.0..=1.0).contains(&args.beta) {
        return Err(Failure::usage(format!("--beta: {} is not between 0 and 1", args.beta)));
    }
    fit(slices, args.model.into(), args.beta).map_err(|error| Failure::input(error.to_string()))
}

pub(crate) fn surface(args: &SurfaceArgs, session: &Session<'_>) -> Result<u8, Failure> {
    if args.expiry.is_some() {
        return Err(Failure::usage("--expiry belongs to `onetape vol smile`"));
    }
    let market = args.market.take()?;
    let slices = market.slices();
    if args.compare {
        return models::compare(&market, &slices, args.beta, session);
    }
    let found = fitted(args, &slices)?;
    if args.local && args.html.is_none() {
        return models::local(&market, &slices, &found, session);
    }
    if let Some(path) = &args.svg {
        picture::write(&smiles(&market, &slices, &found), Some(path), None, session)?;
    }
    if let Some(path) = &args.html {
        picture::file(path, &surface_page(&market, &slices, &found).html(), session)?;
    }
    print(&market, &found, session)
}

pub(crate) fn smile(args: &SurfaceArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let market = args.market.take()?;
    let slices = match &args.expiry {
        Some(wanted) => vec![market.slice(&market.expiry(Some(wanted))?)?],
        None => market.slices().into_iter().find(|s| s.smile_quotes().len() >= 5).into_iter().collect(),
    };
    if args.compare {
        return models::compare(&market, &slices, args.beta, session);
    }
    if args.local {
        return Err(Failure::usage("--local needs several expiries: `onetape vol surface --local`"));
    }
    let found = fitted(args, &slices)?;
    if args.svg.is_some() || args.html.is_some() {
        let chart = smiles(&market, &slices, &found);
        picture::write(&chart, args.svg.as_deref(), args.html.as_deref(), session)?;
    }
    let code = print(&market, &found, session)?;
    if !session.json {
        for (slice, expiry) in slices.iter().zip(&found.expiries) {
            print_quotes(slice, expiry);
        }
    }
    Ok(code)
}

fn parameters(smile: &Fitted) -> Vec<(&'static str, f64)> {
    match smile {
        Fitted::Svi(fit) => {
            let s = &fit.slice;
            vec![("a", s.a), ("b", s.b), ("rho", s.rho), ("m", s.m), ("sigma", s.sigma)]
        }
        Fitted::Ssvi(s) => vec![("theta", s.theta), ("phi", s.phi), ("rho", s.rho)],
        Fitted::Sabr(fit) => {
            let m = &fit.model;
            vec![("alpha", m.alpha), ("beta", m.beta), ("nu", m.nu), ("rho", m.rho)]
        }
        Fitted::Heston(smile) => smile.model.parameters(),
    }
}

fn print(market: &MarketAt, found: &FittedChain, session: &Session<'_>) -> Result<u8, Failure> {
    if session.json {
        report::json(&to_json(market, found))?;
        return Ok(0);
    }
    report::line(&format!("{}, {}", market.symbol, market.caption()));
    report::line("RMSE and worst in volatility points; in band = share of quotes fitted inside bid and ask;");
    report::line("min g < 0 butterfly, gap < 0 calendar arbitrage (on the quotes' range); * repaired");
    report::line("expiry        days    forward  ATM %   RMSE  worst  in band   min g        gap  quotes");
    for e in &found.expiries {
        report::line(&format!(
            "{} {:>7.2} {:>10.4} {:>6.2} {:>6.3} {:>6.3} {:>6.0} % {:>7.4} {:>10} {:>6}{}",
            date_text(e.key.0),
            e.years * 365.0,
            e.forward,
            100.0 * e.smile.implied_vol(0.0, e.years),
            100.0 * e.rmse_vol,
            100.0 * e.worst_vol,
            100.0 * e.inside_band,
            e.min_g,
            e.calendar_gap.map_or("-".to_string(), |gap| format!("{gap:.2e}")),
            e.quotes,
            if e.was_repaired { " *" } else { "" }
        ));
    }
    // One model for all expiries is printed once.
    let is_one_model = found.heston.is_some() || found.bates.is_some();
    let by_expiry = if is_one_model { &found.expiries[..0] } else { &found.expiries[..] };
    for e in by_expiry {
        let shown: Vec<String> =
            parameters(&e.smile).iter().map(|(name, value)| format!("{name} {value:.6}")).collect();
        report::line(&format!("{}  {}", date_text(e.key.0), shown.join("  ")));
    }
    if let Some(fit) = &found.ssvi {
        let s = &fit.surface;
        report::line(&format!(
            "SSVI rho {:.6}  eta {:.6}  gamma {:.6}  {}",
            s.rho,
            s.eta,
            s.gamma,
            if fit.is_arbitrage_free { "free of static arbitrage" } else { "NOT free of arbitrage" }
        ));
    }
    if let Some(fit) = &found.heston {
        models::print_calibration("Heston", StochasticVol::Heston(fit.model), fit);
    }
    if let Some(fit) = &found.bates {
        models::print_calibration("Bates", StochasticVol::Bates(fit.model), fit);
        models::print_jumps(&fit.model);
    }
    Ok(0)
}

fn print_quotes(slice: &ExpirySlice, expiry: &FittedExpiry) {
    report::line("  strike       k   vol-b   vol-m   vol-a     fit  error (points)");
    for series in slice.out_of_the_money() {
        let [Some(bid), Some(mid), Some(ask)] = series.vols else { continue };
        let k = (series.strike / expiry.forward).ln();
        let vol = expiry.smile.implied_vol(k, expiry.years);
        report::line(&format!(
            "{:>8} {k:>7.4} {:>7.2} {:>7.2} {:>7.2} {:>7.2} {:>+7.3}",
            series.strike,
            100.0 * bid,
            100.0 * mid,
            100.0 * ask,
            100.0 * vol,
            100.0 * (vol - mid)
        ));
    }
}

fn to_json(market: &MarketAt, found: &FittedChain) -> Value {
    let expiries: Vec<Value> = found
        .expiries
        .iter()
        .map(|e| {
            let named =
                parameters(&e.smile).into_iter().map(|(name, value)| (name.to_string(), json!(value)));
            json!({
                "root": e.key.1,
                "expiry": date_text(e.key.0),
                "years": e.years,
                "forward": e.forward,
                "atm_vol": e.smile.implied_vol(0.0, e.years),
                "parameters": named.collect::<serde_json::Map<_, _>>(),
                "rmse_vol": e.rmse_vol,
                "worst_vol": e.worst_vol,
                "inside_band": e.inside_band,
                "min_g": e.min_g,
                "calendar_gap": e.calendar_gap,
                "was_repaired": e.was_repaired,
                "quotes": e.quotes,
            })
        })
        .collect();
    let ssvi = found.ssvi.as_ref().map(|fit| {
        let s = &fit.surface;
        json!({ "rho": s.rho, "eta": s.eta, "gamma": s.gamma, "is_arbitrage_free": fit.is_arbitrage_free })
    });
    json!({
        "session": market.source,
        "at_ns": market.snapshot.at.0,
        "underlying": market.symbol,
        "expiries": expiries,
        "ssvi": ssvi,
        "heston": found.heston.as_ref().map(|f| models::calibration_json(StochasticVol::Heston(f.model), f)),
        "bates": found.bates.as_ref().map(|f| models::calibration_json(StochasticVol::Bates(f.model), f)),
    })
}

/// Most lines that a chart can tell apart.
const LINES_MAX: usize = 5;

fn smiles(market: &MarketAt, slices: &[ExpirySlice], found: &FittedChain) -> Chart {
    let (mut lines, mut bands) = (Vec::new(), Vec::new());
    // The last hours would flatten everything else.
    let months: Vec<&FittedExpiry> = found.expiries.iter().filter(|e| e.years > 1.0 / 365.0).collect();
    let shown = if months.is_empty() { found.expiries.iter().collect() } else { months };
    let step = shown.len().div_ceil(LINES_MAX).max(1);
    for expiry in shown.into_iter().step_by(step) {
        let Some(slice) = slices.iter().find(|slice| slice.key == expiry.key) else { continue };
        let n = lines.len();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for series in slice.out_of_the_money() {
            let [Some(bid), Some(_), Some(ask)] = series.vols else { continue };
            (low, high) = (low.min(series.strike), high.max(series.strike));
            bands.push(Band { x: series.strike, low: 100.0 * bid, high: 100.0 * ask, line: n });
        }
        let points = (0..=120).map(|i| {
            let strike = low + (high - low) * f64::from(i) / 120.0;
            (strike, 100.0 * expiry.smile.implied_vol((strike / expiry.forward).ln(), expiry.years))
        });
        lines.push(Line { name: date_text(expiry.key.0), points: points.collect(), is_dashed: false });
    }
    Chart {
        title: format!("{}: implied volatility", market.symbol),
        source: format!("{}; bars: bid to ask; onetape", market.caption()),
        x_label: "strike".into(),
        y_label: "volatility, % per year".into(),
        lines,
        bands,
        marks: Vec::new(),
        has_zero: false,
    }
}
