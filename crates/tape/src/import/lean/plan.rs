//! What an import will read: symbols with their securities and archives, and the hash over it all.

use super::files::{self, DataType, SourceFile};
use super::futures::{self, Product};
use super::tickers::{Maps, Security, Ticker};
use super::{LeanKind, LeanRequest, history, reference, universe};
use crate::codec::Hash;
use crate::import::ImportError;
use crate::session::Fingerprint;
use onetape_calendar::{Date, Market, Zone, sessions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A symbol with its archives.
#[derive(Debug)]
pub(super) struct SymbolPlan {
    /// Upper case.
    pub(super) symbol: String,
    pub(super) kind: LeanKind,
    /// Place of the underlying in the plan.
    pub(super) underlying: Option<usize>,
    /// Zone of the time stamps.
    pub(super) zone: Zone,
    /// Whose files they are.
    pub(super) security: Security,
    pub(super) files: Vec<SourceFile>,
    /// Size and tick of futures.
    pub(super) product: Option<Product>,
}

/// What will be read.
#[derive(Debug)]
pub(super) struct Plan {
    /// Underlyings first.
    pub(super) symbols: Vec<SymbolPlan>,
    pub(super) notes: Vec<String>,
}

impl Plan {
    /// Hash over the options and every file that decides what the session holds.
    pub(super) fn fingerprint(&self, request: &LeanRequest) -> Result<Hash, ImportError> {
        let root = files::data_root(&request.root);
        let mut fingerprint = Fingerprint::new("lean", env!("CARGO_PKG_VERSION"));
        fingerprint.option("request", &request.session_name());
        fingerprint.option("market", &request.market);
        fingerprint.option("policies", &request.policies.sentence());
        fingerprint.option("nbbo size", &format!("{:?}", request.nbbo_size));
        fingerprint.option("delays", &request.delays.sentence().unwrap_or_default());
        fingerprint.option("as filed", &request.as_filed.to_string());
        let mut add = |path: &Path| {
            let name = path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/");
            if path.is_file() {
                fingerprint.file(&name, path).map_err(ImportError::io("open", path))
            } else {
                Ok(())
            }
        };
        add(&files::market_hours(&root))?;
        if request.kind.is_of_futures() {
            add(&futures::properties_file(&root))?;
        }
        add(&reference::rates_file(&root, &request.market))?;
        let maps = Maps::new(&root, &request.market);
        for known in &self.symbols {
            known.files.iter().try_for_each(|file| add(&file.path))?;
            // Those after the tape decide nothing; those before it are its history.
            let is_used = |(date, _): &(Date, PathBuf)| request.to.is_none_or(|to| *date <= to);
            for (_, path) in universe::listed(request, known)?.into_iter().filter(is_used) {
                add(&path)?;
            }
            if known.kind == LeanKind::Equity {
                add(&reference::factor_file(&root, &request.market, &known.security.stem))?;
                add(&maps.path_of(&known.security))?;
            }
            if known.underlying.is_none() {
                history::archives(request, known)?.iter().try_for_each(|(_, path)| add(path))?;
            }
        }
        Ok(fingerprint.finish())
    }
}

fn check(request: &LeanRequest) -> Result<(), ImportError> {
    if !request.root.is_dir() {
        let root = request.root.display();
        let what = format!("no folder {root}: name LEAN's `Data` folder, or the one that holds it");
        return Err(ImportError::Request { what });
    }
    if let (Some(from), Some(to)) = (request.from, request.to)
        && to < from
    {
        let what = format!("the last date {to} is before the first, {from}; exchange them");
        return Err(ImportError::Request { what });
    }
    let kinds: Vec<&str> =
        [Some(request.kind), request.kind.underlying()].into_iter().flatten().map(LeanKind::folder).collect();
    request.delays.check(&kinds)
}

/// Finds the archives of a request.
pub(super) fn plan(request: &LeanRequest) -> Result<Plan, ImportError> {
    let root = files::data_root(&request.root);
    check(request)?;
    let mut maps = Maps::new(&root, &request.market);
    let mut requested = Vec::new();
    for symbol in &request.symbols {
        let upper = symbol.to_ascii_uppercase();
        if requested.iter().any(|(known, _, _)| *known == upper) {
            continue;
        }
        let security = security_of(&mut maps, request, request.kind, &upper)?;
        let found = files::find_security(&root, request, request.kind, &security)?;
        let files: Vec<SourceFile> =
            found.into_iter().filter(|file| file.date.is_none_or(|date| request.includes(date))).collect();
        if files.is_empty() {
            return Err(nothing_found(&root, request, symbol));
        }
        requested.push((upper, security, files));
    }
    if requested.is_empty() {
        let what = "name at least one symbol".to_string();
        return Err(ImportError::Request { what });
    }
    let dates: BTreeSet<Date> =
        requested.iter().flat_map(|(_, _, files)| files.iter().filter_map(|file| file.date)).collect();
    let range = request.from.or(dates.first().copied()).zip(request.to.or(dates.last().copied()));
    let zones = files::Zones::read(&root)?;
    let mut plan = Plan { symbols: Vec::new(), notes: Vec::new() };
    if let Some(kind) = request.kind.underlying() {
        for (symbol, _, _) in &requested {
            let symbol = request.kind.underlying_symbol(symbol);
            let security = security_of(&mut maps, request, kind, symbol)?;
            add_underlying(&mut plan, request, kind, (symbol, security), range)?;
        }
    }
    if request.kind == LeanKind::FutureOption {
        for (symbol, _, _) in &requested {
            plan.notes.extend(files::unread_months(&root, request, symbol)?);
        }
    }
    let underlyings = plan.symbols.len();
    for (symbol, security, files) in requested {
        let name = request.kind.underlying_symbol(&symbol);
        let underlying = plan.symbols[..underlyings].iter().position(|known| known.symbol == name);
        let zone = zones.of(request.kind, &request.market, &symbol);
        let is_read = |ticker: &&Ticker| {
            let has = |file: &SourceFile| (file.from, file.until) == (ticker.from, ticker.until);
            ticker.name != symbol && files.iter().any(has)
        };
        for ticker in security.tickers.iter().filter(is_read) {
            let until = ticker.until.map_or(String::new(), |until| format!(" until {until}"));
            plan.notes.push(format!("{symbol} was {}{until}: read from files of that name", ticker.name));
        }
        let product = futures::product_of(&root, &request.market, request.kind, &symbol)?;
        plan.symbols.push(SymbolPlan {
            symbol,
            kind: request.kind,
            underlying,
            zone,
            security,
            files,
            product,
        });
    }
    if let Some((first, last)) = range.filter(|_| request.resolution.is_daily_file()) {
        plan.notes.extend(plan.symbols.iter().flat_map(|symbol| gaps(symbol, first, last)));
    }
    for symbol in plan.symbols.iter_mut() {
        symbol.files.sort_by_key(|file| (file.date, file.data));
    }
    Ok(plan)
}

/// Whose files a symbol's are; only shares and their options change tickers.
fn security_of(
    maps: &mut Maps,
    request: &LeanRequest,
    kind: LeanKind,
    symbol: &str,
) -> Result<Security, ImportError> {
    match kind {
        LeanKind::Equity | LeanKind::Option if !request.as_filed => {
            maps.security(symbol, (request.from, request.to))
        }
        _ => Ok(Security::plain(symbol)),
    }
}

fn add_underlying(
    plan: &mut Plan,
    request: &LeanRequest,
    kind: LeanKind,
    (symbol, security): (&str, Security),
    range: Option<(Date, Date)>,
) -> Result<(), ImportError> {
    let root = &files::data_root(&request.root);
    if plan.symbols.iter().any(|known| known.symbol == symbol) {
        return Ok(());
    }
    let found = files::find_security(root, request, kind, &security)?;
    let is_in = |date: Date| range.is_none_or(|(first, last)| first <= date && date <= last);
    let files: Vec<SourceFile> = found.into_iter().filter(|file| file.date.is_none_or(is_in)).collect();
    if files.is_empty() {
        plan.notes.push(format!(
            "no {} {} file of the underlying {symbol}: it is defined but has no prices",
            kind.folder(),
            request.resolution.folder()
        ));
    }
    let zone = files::Zones::read(root)?.of(kind, &request.market, symbol);
    let product = futures::product_of(root, &request.market, kind, symbol)?;
    plan.symbols.push(SymbolPlan {
        symbol: symbol.to_string(),
        kind,
        underlying: None,
        zone,
        security,
        files,
        product,
    });
    Ok(())
}

/// Trading days without a file, and days that lack quotes or trades.
fn gaps(symbol: &SymbolPlan, first: Date, last: Date) -> Vec<String> {
    let mut by_date: BTreeMap<Date, BTreeSet<DataType>> = BTreeMap::new();
    for file in &symbol.files {
        by_date.entry(file.date.unwrap_or(first)).or_default().insert(file.data);
    }
    let mut notes = Vec::new();
    let market = if symbol.kind.is_of_futures() { Market::CmeEquityIndex } else { Market::UsEquity };
    for session in sessions(market, first..=last) {
        let date = session.trade_date;
        let missing: Vec<&str> = match by_date.get(&date) {
            None => vec![""],
            Some(found) => [DataType::Trade, DataType::Quote]
                .into_iter()
                .filter(|data| !(found.contains(data) || symbol.kind == LeanKind::Index))
                .map(|data| match data {
                    DataType::Trade => "trade ",
                    _ => "quote ",
                })
                .collect(),
        };
        for data in missing {
            notes.push(format!("{} {}: no {data}file for {date}", symbol.kind.folder(), symbol.symbol));
        }
    }
    notes
}

fn nothing_found(root: &Path, request: &LeanRequest, symbol: &str) -> ImportError {
    let wanted = format!(
        "{}/{}/{}/{}",
        request.kind.folder(),
        request.market,
        request.resolution.folder(),
        symbol.to_ascii_lowercase()
    );
    let dates = match (request.from, request.to) {
        (None, None) => String::new(),
        (from, to) => {
            let text = |date: Option<Date>| date.map_or("…".to_string(), |date| date.to_string());
            format!(" between {} and {}", text(from), text(to))
        }
    };
    let what = format!(
        "no file of {symbol} in {wanted}{dates} under {}; check the symbol, the kind (equity, index, option, \
         indexoption, future, futureoption), --market, the resolution and the dates",
        root.display()
    );
    ImportError::NothingFound { what }
}
