//! What `onetape vol surface` says about models: Heston's parameters, models side by side, local volatility.

use crate::Session;
use crate::cmd::market::{MarketAt, date_text};
use crate::failure::Failure;
use crate::report;
use onetape_analytics::chain::ExpirySlice;
use onetape_analytics::chain::fit::{Fitted, FittedChain, Model, StochasticVol, fit};
use onetape_pricing::heston::Bates;
use onetape_pricing::heston::calibrate::Calibration;
use onetape_pricing::surface::local::SviSurface;
use serde_json::{Value, json};

pub(super) fn print_calibration<M, const N: usize>(
    name: &str,
    model: StochasticVol,
    fit: &Calibration<M, N>,
) {
    let named = model.parameters();
    let shown: Vec<String> = named
        .iter()
        .map(|(name, value)| match *name {
            "v0" | "theta" => format!("{name} {value:.6}"),
            _ => format!("{name} {value:.4}"),
        })
        .collect();
    for (n, line) in shown.chunks(5).enumerate() {
        let head = if n == 0 { name } else { "  jumps" };
        report::line(&format!("{head} {}", line.join("  ")));
    }
    let feller = if fit.feller.holds { "holds" } else { "fails: the variance touches zero" };
    let bound: Vec<&str> =
        named.iter().zip(fit.at_bound).filter(|(_, is_at)| *is_at).map(|((name, _), _)| *name).collect();
    report::line(&format!(
        "weighted RMSE {:.3} points, {} evaluations{}; Feller 2κθ/σ² = {:.3} {feller}{}",
        100.0 * fit.rmse_vol,
        fit.evaluations,
        if fit.has_converged { "" } else { ", NOT converged" },
        fit.feller.ratio,
        if bound.is_empty() { String::new() } else { format!(";\nat a bound: {}", bound.join(", ")) }
    ));
    report::line("expiries within a day are left out: no diffusion of months fits their wings");
}

/// What the jumps amount to; the three parameters alone are hard to tell apart.
pub(super) fn print_jumps(model: &Bates) {
    let second = model.jump_mean * model.jump_mean + model.jump_vol * model.jump_vol;
    let mean = (model.jump_mean + 0.5 * model.jump_vol * model.jump_vol).exp_m1();
    report::line(&format!(
        "a jump of {:+.1} % on average every {:.2} years; jumps add {:.2} volatility points squared a year",
        100.0 * mean,
        1.0 / model.intensity,
        1e4 * model.intensity * second
    ));
}

pub(super) fn calibration_json<M, const N: usize>(model: StochasticVol, fit: &Calibration<M, N>) -> Value {
    let mut object: serde_json::Map<String, Value> =
        model.parameters().into_iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
    let evidence = json!({
        "rmse_vol_weighted": fit.rmse_vol,
        "evaluations": fit.evaluations,
        "has_converged": fit.has_converged,
        "feller_ratio": fit.feller.ratio,
        "feller_holds": fit.feller.holds,
        "at_bound": fit.at_bound.to_vec(),
    });
    if let Value::Object(evidence) = evidence {
        object.extend(evidence);
    }
    Value::Object(object)
}

/// A model's evidence over the expiries that it fits.
struct Side {
    name: &'static str,
    parameters: usize,
    fit: Result<FittedChain, String>,
}

/// Every model on the same quotes; expiries within a day are left out for all.
pub(super) fn compare(
    market: &MarketAt,
    slices: &[ExpirySlice],
    beta: f64,
    session: &Session<'_>,
) -> Result<u8, Failure> {
    let months: Vec<ExpirySlice> = slices.iter().filter(|s| s.years > 1.0 / 365.0).cloned().collect();
    let slices = if months.is_empty() { slices } else { &months };
    let count = slices.iter().filter(|s| s.smile_quotes().len() >= 5).count();
    let models = [
        ("svi", Model::Svi, 5 * count),
        ("ssvi", Model::Ssvi, 3 + count),
        ("sabr", Model::Sabr, 3 * count),
        ("heston", Model::Heston, 5),
        ("bates", Model::Bates, 8),
    ];
    let sides = models.map(|(name, model, parameters)| {
        let fit = fit(slices, model, beta).map_err(|error| error.to_string());
        Side { name, parameters, fit }
    });
    if session.json {
        let models: Vec<Value> = sides.iter().map(side_json).collect();
        report::json(&json!({
            "session": market.source,
            "at_ns": market.snapshot.at.0,
            "underlying": market.symbol,
            "models": models,
        }))?;
        return Ok(0);
    }
    report::line(&format!("{}, {}; {count} expiries", market.symbol, market.caption()));
    report::line("RMSE by expiry and worst error in volatility points; in band = fitted inside bid and ask;");
    report::line("min g < 0 butterfly, gap < 0 calendar arbitrage on the quotes' range");
    report::line("model   parameters    RMSE   worst  in band     min g        gap");
    for side in &sides {
        match &side.fit {
            Err(error) => report::line(&format!("{:<8} no fit: {error}", side.name)),
            Ok(fit) => {
                let e = evidence(fit);
                report::line(&format!(
                    "{:<8} {:>9} {:>7.3} {:>7.3} {:>6.0} % {:>9.4} {:>10}",
                    side.name,
                    side.parameters,
                    100.0 * e.rmse,
                    100.0 * e.worst,
                    100.0 * e.inside,
                    e.min_g,
                    e.gap.map_or("-".to_string(), |gap| format!("{gap:.2e}"))
                ));
            }
        }
    }
    for expiry in sides[0].fit.iter().flat_map(|fit| &fit.expiries) {
        let of = |side: &Side| {
            let found = side.fit.as_ref().ok()?.expiries.iter().find(|e| e.key == expiry.key)?;
            Some(format!("{} {:.3}", side.name, 100.0 * found.rmse_vol))
        };
        let parts: Vec<String> = sides.iter().filter_map(of).collect();
        report::line(&format!("{}  RMSE  {}", date_text(expiry.key.0), parts.join("  ")));
    }
    Ok(0)
}

struct Evidence {
    rmse: f64,
    worst: f64,
    inside: f64,
    min_g: f64,
    gap: Option<f64>,
}

fn evidence(fit: &FittedChain) -> Evidence {
    let quotes: f64 = fit.expiries.iter().map(|e| e.quotes as f64).sum();
    let mean = |of: &dyn Fn(usize) -> f64| {
        let sum: f64 = (0..fit.expiries.len()).map(|n| of(n) * fit.expiries[n].quotes as f64).sum();
        sum / quotes.max(1.0)
    };
    let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::INFINITY, f64::min);
    let gap = least(&mut fit.expiries.iter().filter_map(|e| e.calendar_gap));
    Evidence {
        rmse: mean(&|n| fit.expiries[n].rmse_vol * fit.expiries[n].rmse_vol).sqrt(),
        worst: fit.expiries.iter().map(|e| e.worst_vol).fold(0.0, f64::max),
        inside: mean(&|n| fit.expiries[n].inside_band),
        min_g: least(&mut fit.expiries.iter().map(|e| e.min_g)),
        gap: gap.is_finite().then_some(gap),
    }
}

fn side_json(side: &Side) -> Value {
    match &side.fit {
        Err(error) => json!({ "model": side.name, "error": error }),
        Ok(fit) => {
            let e = evidence(fit);
            json!({
                "model": side.name,
                "parameters": side.parameters,
                "rmse_vol": e.rmse,
                "worst_vol": e.worst,
                "inside_band": e.inside,
                "min_g": e.min_g,
                "calendar_gap": e.gap,
            })
        }
    }
}

/// The fitted slices as a surface, where they are SVI.
pub(super) fn svi_surface(found: &FittedChain) -> Option<SviSurface> {
    let slices = found.expiries.iter().map(|expiry| match &expiry.smile {
        Fitted::Svi(fit) => Some((expiry.years, fit.slice)),
        _ => None,
    });
    SviSurface::new(&slices.collect::<Option<Vec<_>>>()?).ok()
}

/// Strikes shown on each side of the spot, in percent of it.
const STEPS: [f64; 9] = [-20.0, -15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0];

pub(super) fn local(
    market: &MarketAt,
    slices: &[ExpirySlice],
    found: &FittedChain,
    session: &Session<'_>,
) -> Result<u8, Failure> {
    let surface =
        svi_surface(found).ok_or_else(|| Failure::input("no surface in ascending time was fitted"))?;
    let spot = slices.first().map_or(f64::NAN, |slice| slice.spot);
    let row = |expiry: &onetape_analytics::chain::fit::FittedExpiry| -> Vec<Option<f64>> {
        let at = |step: &f64| (spot * (1.0 + step / 100.0) / expiry.forward).ln();
        STEPS.iter().map(|step| surface.local_vol(at(step), expiry.years).ok()).collect()
    };
    if session.json {
        let rows: Vec<Value> = found
            .expiries
            .iter()
            .map(|e| json!({ "expiry": date_text(e.key.0), "years": e.years, "local_vol": row(e) }))
            .collect();
        let strikes: Vec<f64> = STEPS.iter().map(|step| spot * (1.0 + step / 100.0)).collect();
        report::json(&json!({
            "session": market.source,
            "at_ns": market.snapshot.at.0,
            "underlying": market.symbol,
            "spot": spot,
            "strikes": strikes,
            "expiries": rows,
        }))?;
        return Ok(0);
    }
    report::line(&format!("{}, {}", market.symbol, market.caption()));
    report::line("Dupire's local volatility on the SVI surface, % per year, at strikes in % of the spot;");
    report::line("- where the surface has no local volatility");
    let head: Vec<String> = STEPS.iter().map(|step| format!("{:>8}", format!("{step:+.0} %"))).collect();
    report::line(&format!("expiry    {}", head.concat()));
    for expiry in &found.expiries {
        let cells: Vec<String> = row(expiry)
            .into_iter()
            .map(|vol| vol.map_or(format!("{:>8}", "-"), |vol| format!("{:>8.2}", 100.0 * vol)))
            .collect();
        report::line(&format!("{}{}", date_text(expiry.key.0), cells.concat()));
    }
    Ok(0)
}
