//! A real option chain: GOOG on 2015-12-24, 2,192 contracts.

use onetape_engine::ids::OrderIx;
use onetape_engine::num::Money;
use onetape_journal::JournalReader;
use onetape_session::audit::explain;
use onetape_session::{Outcome, Rederivation};
use onetape_strategies::Registry;
use onetape_tape::import::lean::{LeanKind, LeanRequest, import_lean};
use onetape_tests::{run, settings, shared};
use std::path::Path;

fn import(root: &Path, out: &Path) -> onetape_tape::session::Manifest {
    let mut request = LeanRequest::new(root, LeanKind::Option, &["GOOG"]);
    request.from = Some(jiff::civil::date(2015, 12, 24));
    request.to = request.from;
    import_lean(&request, out, &mut |_| {}).unwrap().manifest
}

#[test]
fn the_chain_imports_whole_and_a_short_strangle_on_it_re_derives() {
    let Some(root) = shared("data/lean") else { return };
    let work = tempfile::tempdir().unwrap();
    let session = work.path().join("goog");
    let manifest = import(&root, &session);
    assert_eq!(manifest.source_records["option_quote_bar"], 275_552);
    assert_eq!(manifest.source_records["option_trade_bar"], 958);
    assert_eq!(manifest.source_records["open_interest"], 2_058);
    assert_eq!(manifest.instruments, 2_192 + 1);

    let mut settings = settings("short-strangle", &[]);
    settings.run.cash = "200000".parse().unwrap();
    let runs = work.path().join("runs");
    let first = run(&session, &settings, &runs);
    assert!(first.fills > 0);
    assert_eq!(first.profit, first.realized_pnl + first.unrealized_pnl - first.fees);
    assert_eq!(first.equity, first.cash_initial + first.profit);
    let flat = first.positions.is_empty();
    assert!(!flat || first.cash == first.equity, "without positions, equity is cash");
    assert!(first.fees > Money::ZERO);
    assert_eq!(run(&session, &settings, &runs).outcome, Outcome::Reproduced);

    let reader = JournalReader::open(&Path::new(&first.run_dir).join("journal")).unwrap();
    let report = reader.verify();
    assert!(report.ok, "{}", report.message);
    assert_eq!((report.head, report.derived_hash), (first.head_hash, first.derived_hash));
    let mut blocks = reader.blocks();
    let mut rederivation: Option<Rederivation> = None;
    for block in &mut blocks {
        let block = block.unwrap();
        let ready = rederivation
            .get_or_insert_with(|| Rederivation::begin(&block, &Registry::builtin(), reader.path()).unwrap());
        ready.block(&block).unwrap();
    }
    let result = rederivation.unwrap().result().clone();
    assert_eq!((result.mismatches, result.derived), (0, first.derived));

    // Each order has its chain: both sides of the series and of the stock, limits, what was read, and the
    // record behind each fill; and the orders' profits sum to the run's.
    let mut profit = Money::ZERO;
    assert!(first.orders >= 10, "{}", first.orders);
    for order in 0..first.orders as u32 {
        let told = explain(&reader, &Registry::builtin(), OrderIx(order)).unwrap();
        assert!(told.trigger.last().unwrap().get("cause").is_none(), "order {order} goes back to an input");
        assert_eq!(told.books.len(), 2, "order {order}");
        assert!(told.books.iter().all(|book| book.bid.is_some() && book.ask.is_some()), "order {order}");
        assert!(told.strategy.reads.books > 0 && !told.strategy.params.is_empty(), "order {order}");
        let funds = told.risk.unwrap().checks.into_iter().last().unwrap();
        assert!(funds.headroom.unwrap() > Money::ZERO && funds.is_within, "order {order}");
        for fill in &told.fills {
            assert_eq!(fill.justified_by.len(), 1, "order {order}");
            assert_eq!(fill.fee_row.unwrap().total, "1".parse().unwrap(), "order {order}");
        }
        profit += told.total;
    }
    assert_eq!(profit, first.profit);
}
