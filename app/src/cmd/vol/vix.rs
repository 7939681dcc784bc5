//! `onetape vol vix`.

use crate::Session;
use crate::cmd::market::{MarketArgs, date_text};
use crate::failure::Failure;
use crate::report;
use clap::Args;
use onetape_analytics::chain::ExpirySlice;
use onetape_pricing::vol::vix::{StrikeQuotes, TermVariance, index, term_variance};
use serde_json::{Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  onetape vol vix --at 10:00\n  onetape vol vix --csv quotes.csv --near 0.0683486,0.000305 --next 0.0882686,0.000286\n  onetape vol vix --csv all.csv --dataset 2014 --near 0.0683486,0.000305 --next 0.0882686,0.000286,0.01882101\n\nThe file has columns term (1 or 2), strike, call_bid, call_ask, put_bid, put_ask and, with --dataset,\ndataset. Method: Cboe's (out-of-the-money quotes until two in a row have no bid, interpolated to 30 days).\nOnly SPX options give the VIX; other names give a VIX-style figure."
)]
pub(crate) struct VixArgs {
    #[command(flatten)]
    market: MarketArgs,
    /// Quotes of two terms from a CSV file instead of a session.
    #[arg(long, value_name = "FILE", requires_all = ["near", "next"])]
    csv: Option<PathBuf>,
    /// Rows of the file to use.
    #[arg(long, requires = "csv")]
    dataset: Option<String>,
    /// Years and rate of the near term; a third figure is its variance, if its quotes are not in the file.
    #[arg(long, value_name = "YEARS,RATE[,VARIANCE]")]
    near: Option<String>,
    /// Years and rate of the next term, and its variance likewise.
    #[arg(long, value_name = "YEARS,RATE[,VARIANCE]")]
    next: Option<String>,
}

pub(crate) fn run(args: &VixArgs, session: &Session<'_>) -> Result<u8, Failure> {
    let (terms, caption) = match &args.csv {
        Some(path) => (from_file(path, args)?, path.display().to_string()),
        None => from_session(&args.market)?,
    };
    let figure = figure(&terms)?;
    if session.json {
        let terms: Vec<Value> = terms.iter().map(|(name, term)| term_json(name, term)).collect();
        report::json(&json!({ "index": figure, "terms": terms }))?;
        return Ok(0);
    }
    report::line(&format!("{caption}: VIX-style index {figure:.6}"));
    report::line("term            days     forward        K0  strikes  variance per year     vol");
    for (name, term) in &terms {
        let shown = |value: f64| if value.is_nan() { "given".to_string() } else { format!("{value:.4}") };
        report::line(&format!(
            "{name:<12} {:>7.2} {:>11} {:>9} {:>8} {:>18.10} {:>6.2} %",
            term.years * 365.0,
            shown(term.forward),
            shown(term.k0),
            term.contributions.len(),
            term.variance,
            100.0 * term.variance.max(0.0).sqrt()
        ));
    }
    Ok(0)
}

/// The index of two terms.
pub(super) fn figure(terms: &[(String, TermVariance)]) -> Result<f64, Failure> {
    let of = |n: usize| (terms[n].1.years, terms[n].1.variance);
    index(of(0), of(1)).map_err(|error| Failure::input(error.to_string()))
}

fn term_json(name: &str, term: &TermVariance) -> Value {
    let contributions: Vec<Value> = term
        .contributions
        .iter()
        .map(|c| json!({ "strike": c.strike, "delta_k": c.delta_k, "quote": c.quote, "value": c.value }))
        .collect();
    json!({
        "term": name,
        "years": term.years,
        "forward": term.forward,
        "k0": term.k0,
        "variance": term.variance,
        "contributions": contributions,
    })
}

/// The terms around 30 days: between 23 and 37 days where there are two, else the nearest on each side.
fn choose(slices: &[ExpirySlice]) -> Option<[&ExpirySlice; 2]> {
    let days = |slice: &&ExpirySlice| slice.years * 365.0;
    let near = slices.iter().rfind(|s| days(s) > 23.0 && days(s) <= 30.0);
    let next = slices.iter().find(|s| days(s) > 30.0 && days(s) < 37.0);
    let near = near.or_else(|| slices.iter().rfind(|s| days(s) <= 30.0));
    let next = next.or_else(|| slices.iter().find(|s| days(s) > 30.0));
    near.zip(next).map(|(near, next)| [near, next])
}

pub(super) fn from_session(market: &MarketArgs) -> Result<(Vec<(String, TermVariance)>, String), Failure> {
    let at = market.take()?;
    let slices = at.slices();
    let chosen = choose(&slices).ok_or_else(|| {
        Failure::input("no expiries on both sides of 30 days have live quotes at this time")
    })?;
    let mut terms = Vec::new();
    for slice in chosen {
        // A side that is not live has no bid, and no midpoint to contribute.
        let side = |price: f64| if price.is_nan() { 0.0 } else { price };
        let quotes: Vec<StrikeQuotes> = slice
            .chain_quotes()
            .iter()
            .map(|q| StrikeQuotes {
                strike: q.strike,
                call_bid: side(q.call_bid),
                call_ask: q.call_ask,
                put_bid: side(q.put_bid),
                put_ask: q.put_ask,
            })
            .collect();
        let name = date_text(slice.key.0);
        let term = term_variance(&quotes, slice.years, slice.carry.rate)
            .map_err(|error| Failure::input(format!("{name}: {error}")))?;
        terms.push((name, term));
    }
    Ok((terms, format!("{}, {}", at.symbol, at.caption())))
}

/// Years, rate and, where given, variance of a term.
fn term_figures(flag: &str, text: Option<&str>) -> Result<(f64, f64, Option<f64>), Failure> {
    let text = text.unwrap_or_default();
    let bad = || {
        Failure::usage(format!("{flag}: '{text}' is not YEARS,RATE[,VARIANCE] such as 0.0683486,0.000305"))
    };
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    match numbers.map_err(|_| bad())?[..] {
        [years, rate] => Ok((years, rate, None)),
        [years, rate, variance] => Ok((years, rate, Some(variance))),
        _ => Err(bad()),
    }
}

fn from_file(path: &Path, args: &VixArgs) -> Result<Vec<(String, TermVariance)>, Failure> {
    let file = File::open(path).map_err(|error| Failure::io(path, &error))?;
    let rows =
        onetape_analytics::vix_quotes::read(&path.display().to_string(), file, args.dataset.as_deref())
            .map_err(Failure::input)?;
    let specs = [("1", "--near", args.near.as_deref()), ("2", "--next", args.next.as_deref())];
    let mut terms = Vec::new();
    for (term, flag, spec) in specs {
        let (years, rate, known) = term_figures(flag, spec)?;
        if let Some(variance) = known {
            let given =
                TermVariance { years, forward: f64::NAN, k0: f64::NAN, variance, contributions: vec![] };
            terms.push((format!("term {term}"), given));
            continue;
        }
        let quotes: Vec<StrikeQuotes> =
            rows.iter().filter(|(of, _)| of == term).map(|(_, quotes)| *quotes).collect();
        let found = term_variance(&quotes, years, rate)
            .map_err(|error| Failure::input(format!("{}, term {term}: {error}", path.display())))?;
        terms.push((format!("term {term}"), found));
    }
    Ok(terms)
}
