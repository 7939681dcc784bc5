//! LEAN's published option cases, replayed from order scripts under the `lean` profile.
//!
//! The published end equity is rounded to the dollar where a case's fees leave odd cents, so the
//! comparison is fees to the cent and equity to the published digits.

use onetape_engine::config::{BuyingPower, FillProfile};
use onetape_engine::num::{Money, div_half_even};
use onetape_tape::import::lean::{LeanKind, LeanRequest, import_lean};
use onetape_tests::{run, settings, shared};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

struct Case {
    name: String,
    data: String,
    cash: Money,
    equity: Money,
    fees: Money,
}

fn cases(path: &Path) -> Vec<Case> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let row = |record: csv::StringRecord| Case {
        name: record[0].to_string(),
        data: record[1].to_string(),
        cash: record[2].parse().unwrap(),
        equity: record[5].parse().unwrap(),
        fees: record[6].parse().unwrap(),
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// `GOOG 2015-12-23..28` → symbol, first date, last date.
fn span(data: &str) -> (String, String, String) {
    let (symbol, dates) = data.split_once(' ').unwrap();
    let (first, last_day) =
        dates.split_once("..").or_else(|| dates.split_once(',')).unwrap_or((dates, &dates[8..]));
    (symbol.to_string(), first.to_string(), format!("{}{last_day}", &first[..8]))
}

fn import(root: &Path, data: &str, out: &Path) {
    let (symbol, first, last) = span(data);
    let kind = if symbol == "SPX" { LeanKind::IndexOption } else { LeanKind::Option };
    let mut request = LeanRequest::new(root, kind, &[&symbol]);
    request.from = Some(first.parse().unwrap());
    request.to = Some(last.parse().unwrap());
    import_lean(&request, out, &mut |_| {}).unwrap();
}

fn is_equal_to_published(value: Money, published: Money) -> bool {
    const DOLLAR: i128 = 1_000_000_000;
    let is_whole = published.0 % DOLLAR == 0;
    value == published || (is_whole && div_half_even(value.0, DOLLAR) * DOLLAR == published.0)
}

#[test]
fn scripts_reproduce_the_published_equity_and_fees() {
    let (Some(table), Some(root)) = (shared("conformance/lean_cases.csv"), shared("data/lean")) else {
        return;
    };
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/scripts");
    let work = tempfile::tempdir().unwrap();
    let mut sessions: BTreeMap<String, PathBuf> = BTreeMap::new();
    let (mut exact, mut wrong) = (Vec::new(), Vec::new());
    for case in cases(&table) {
        let Ok(script) = std::fs::read_to_string(scripts.join(format!("{}.toml", case.name))) else {
            continue;
        };
        let session = sessions.entry(case.data.clone()).or_insert_with(|| {
            let out = work.path().join(case.data.replace([' ', ','], "_"));
            import(&root, &case.data, &out);
            out
        });
        let mut settings = settings("script", &[("script", &script)]);
        settings.run.fills = FillProfile::Lean;
        settings.run.cash = case.cash;
        settings.run.session = session.clone();
        if script.contains("buying_power = \"off\"") {
            settings.risk.buying_power = BuyingPower::Off;
        }
        let summary = run(session, &settings, &work.path().join("runs"));
        let line = format!(
            "{:<34} equity {:>12} published {:>12}   fees {:>7} published {:>7}",
            case.name,
            summary.equity.to_string(),
            case.equity.to_string(),
            summary.fees.to_string(),
            case.fees.to_string()
        );
        println!("{line}");
        let is_exact = is_equal_to_published(summary.equity, case.equity) && summary.fees == case.fees;
        if is_exact { exact.push(line) } else { wrong.push(line) }
    }
    assert!(wrong.is_empty(), "differ from the published case:\n{}", wrong.join("\n"));
    assert!(exact.len() >= 10, "only {} cases ran", exact.len());
}
