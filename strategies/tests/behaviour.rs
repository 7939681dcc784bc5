//! What each strategy does on a day made for it.

mod common;

use common::{CLOSE, at, falling_day, quiet_day, run, run_with, strategy};
use onetape_engine::Qty;
use onetape_engine::config::RunConfig;
use onetape_engine::num::SECOND;

fn qty(whole: i64) -> Qty {
    Qty::from_whole(whole).unwrap()
}

#[test]
fn buy_and_hold_buys_once_on_the_first_two_sided_quote() {
    let run = run(strategy("buy-and-hold", &[]), &quiet_day());
    // 50 shares are offered at a time.
    let sizes: Vec<(String, Qty)> = run.fills().into_iter().map(|fill| (fill.1, fill.2)).collect();
    assert_eq!(sizes, [("ONE".to_string(), qty(50)), ("ONE".to_string(), qty(50))]);
    assert_eq!(run.kernel.orders().len(), 1);
    assert_eq!(run.position("ONE"), qty(100));
}

#[test]
fn buy_and_hold_takes_a_named_series() {
    let symbol = "ONE   250523C00100000";
    let run = run(strategy("buy-and-hold", &[("symbol", symbol), ("quantity", "3")]), &quiet_day());
    assert_eq!(run.position(symbol), qty(3));
}

#[test]
fn ema_cross_reverses_its_position() {
    let run = run(strategy("ema-cross", &[("fast", "5"), ("slow", "20"), ("quantity", "10")]), &quiet_day());
    let sizes: Vec<i64> = run.fills().iter().map(|fill| fill.2.whole()).collect();
    assert!(sizes.len() >= 3, "{sizes:?}");
    assert_eq!(sizes[0].abs(), 10);
    for pair in sizes.windows(2) {
        assert!(pair[1].abs() == 20 && pair[0].signum() != pair[1].signum(), "{sizes:?}");
    }
}

#[test]
fn dense_alternates() {
    let run = run(strategy("dense", &[]), &quiet_day());
    let sizes: Vec<i64> = run.fills().iter().map(|fill| fill.2.whole()).collect();
    // The order of the last quote arrives after the close.
    assert_eq!((run.kernel.orders().len(), sizes.len()), (780 / 20, 780 / 20 - 1));
    assert!(sizes.iter().enumerate().all(|(n, size)| *size == if n % 2 == 0 { 1 } else { -1 }));
}

#[test]
fn market_maker_keeps_its_limits_and_ends_flat() {
    for tape in [quiet_day(), falling_day()] {
        let params = [("size", "50"), ("max_position", "150"), ("requote", "0.03")];
        let run = run(strategy("market-maker", &params), &tape);
        let fills = run.fills();
        assert!(fills.len() >= 6, "{}", fills.len());
        assert!(fills.iter().any(|fill| fill.2 > qty(0)) && fills.iter().any(|fill| fill.2 < qty(0)));
        let mut held = Qty::ZERO;
        for (ts, _, quantity, _) in &fills {
            held = held + *quantity;
            assert!(held.abs() <= qty(150), "{held} at {ts:?}");
        }
        assert_eq!(held, Qty::ZERO);
        assert!(fills[0].0 >= at(9, 35));
        assert_eq!(run.refusals(), 0);
        assert!(run.kernel.orders().iter().all(|order| order.state.is_final()));
    }
}

#[test]
fn short_strangle_sells_next_weeks_wings_and_is_flat_before_the_close() {
    let run = run(strategy("short-strangle", &[("profit_target", "1")]), &quiet_day());
    let fills = run.fills();
    assert_eq!(fills.len(), 4, "{:?}", run.notes());
    assert!(fills.iter().all(|fill| fill.1.contains("250523")));
    assert!(fills[..2].iter().all(|fill| fill.2 == qty(-1) && fill.0 >= at(10, 0) && fill.0 < at(10, 5)));
    assert!(fills[2..].iter().all(|fill| fill.2 == qty(1) && fill.0 >= at(15, 55) && fill.0.0 <= CLOSE));
    assert!(run.notes().last().unwrap().contains("Closed (time)"));
    assert_eq!(run.kernel.accounts()[0].positions().count(), 0);
}

#[test]
fn short_strangle_cuts_its_loss_on_a_falling_day() {
    let run = run(strategy("short-strangle", &[("loss_multiple", "0.5")]), &falling_day());
    let notes = run.notes();
    assert!(notes.last().unwrap().contains("Closed (loss limit)"), "{notes:?}");
    assert_eq!(run.kernel.accounts()[0].positions().count(), 0);
}

#[test]
fn demo_tells_six_lines_and_keeps_half_the_credit_on_a_quiet_day() {
    let run = run(strategy("demo", &[]), &quiet_day());
    let notes = run.notes();
    assert_eq!(notes.len(), 6, "{notes:#?}");
    for (line, part) in notes.iter().zip([
        "09:45:00 ONE at",
        "Condor filled for",
        "Put sold: 1 at strike",
        "No side was tested",
        "50 % of the credit is kept",
        "ONE ended at",
    ]) {
        assert!(line.contains(part), "{line}\n{part}");
    }
    assert_eq!(run.refusals(), 0);
}

#[test]
fn demo_is_stopped_and_assigned_on_a_falling_day() {
    let run = run(strategy("demo", &[]), &falling_day());
    let notes = run.notes();
    assert!(notes.iter().any(|line| line.contains("the loss reached 2 credits")), "{notes:#?}");
    assert!(notes.last().unwrap().contains("assigned, 100 shares"), "{notes:#?}");
    assert_eq!(run.position("ONE"), qty(100));
    assert_eq!(run.refusals(), 0);
}

#[test]
fn demo_tells_of_a_test_before_the_exit() {
    let run = run(strategy("demo", &[("loss_multiple", "100")]), &falling_day());
    let notes = run.notes();
    assert!(notes.iter().any(|line| line.contains("tests the short")), "{notes:#?}");
    assert!(notes.iter().any(|line| line.contains("time is up")), "{notes:#?}");
}

#[test]
fn demo_waits_for_the_last_expiry_of_the_week_unless_told_otherwise() {
    let day = quiet_day();
    let refused = run(strategy("demo", &[("date", "20250515")]), &day);
    assert!(refused.notes()[0].starts_with("No trade"), "{:?}", refused.notes());
    for date in ["any", "2025-05-16"] {
        assert_eq!(run(strategy("demo", &[("date", date)]), &day).notes().len(), 6, "{date}");
    }
}

#[test]
fn demo_without_buying_power_says_so() {
    let mut config = RunConfig::default();
    config.accounts[0].cash = "100".parse().unwrap();
    let run = run_with(config, strategy("demo", &[]), &quiet_day(), true);
    let notes = run.notes();
    assert!(notes.iter().any(|line| line.contains("No condor: an order was refused")), "{notes:#?}");
    assert!(notes.iter().any(|line| line.contains("No put: securing it takes")), "{notes:#?}");
    assert!(run.kernel.accounts()[0].positions().next().is_none());
}

#[test]
fn scripted_times_are_exchange_times() {
    let script = "[[order]]\nat = \"2025-05-16 10:00:00\"\nsymbol = \"ONE\"\nquantity = 7\n\
                  [[order]]\nat = \"2025-05-16T14:30:30Z\"\nsymbol = \"ONE\"\nquantity = -3\n\
                  [[order]]\nat = \"2025-05-16 08:00\"\nsymbol = \"ONE\"\nquantity = 1\n";
    let run = run(strategy("script", &[("script", script)]), &quiet_day());
    let fills: Vec<(u64, i64)> = run.fills().iter().map(|fill| (fill.0.0, fill.2.whole())).collect();
    assert_eq!(fills.len(), 3);
    // A time before the open runs at the open and waits for the first quote.
    assert_eq!(fills[0].1, 1);
    let (seven, three) = (fills[1], fills[2]);
    assert_eq!((seven.1, three.1), (7, -3));
    assert!(seven.0 >= at(10, 0).0 && seven.0 < at(10, 0).0 + 31 * SECOND);
    assert!(three.0 >= at(10, 30).0 + 30 * SECOND && three.0 < at(10, 31).0 + SECOND);
}

#[test]
fn scripted_liquidation_leaves_nothing_open() {
    let script = "liquidate_at = \"2025-05-16 15:00\"\n\
                  [[order]]\nat = \"2025-05-16 10:00\"\nsymbol = \"ONE\"\nquantity = 7\n\
                  [[order]]\nat = \"2025-05-16 10:00\"\nsymbol = \"ONE\"\nquantity = -7\nlimit = 140\ntif = \"gtc\"\n";
    let run = run(strategy("script", &[("script", script)]), &quiet_day());
    assert!(run.kernel.accounts()[0].positions().next().is_none());
    assert!(run.kernel.orders().iter().all(|order| order.state.is_final()), "{:?}", run.kernel.orders());
    assert_eq!(run.fills().len(), 2);
}

#[test]
fn scripted_orders_that_cannot_be_sent_are_told() {
    let script = "[[order]]\nat = \"2025-05-16 10:00\"\nsymbol = \"TWO\"\nquantity = 7\n\
                  [[order]]\nat = \"2025-06-16 10:00\"\nsymbol = \"ONE\"\nquantity = 7\n";
    let notes = run(strategy("script", &[("script", script)]), &quiet_day()).notes();
    assert_eq!(
        notes,
        ["script line 1: TWO is not defined, no order", "script line 5: not run before the tape ended"]
    );
}

#[test]
fn advice_not_to_exercise_is_followed() {
    let long = "[[order]]\nat = \"2025-05-16 10:00\"\nroot = \"ONE\"\nexpiry = \"2025-05-16\"\nstrike = 97\nright = \"C\"\nquantity = 1\n";
    let advice =
        "[[exercise]]\nroot = \"ONE\"\nexpiry = \"2025-05-16\"\nstrike = 97\nright = \"C\"\ncontracts = 0\n";
    let exercised = run(strategy("script", &[("script", long)]), &quiet_day());
    assert_eq!(exercised.position("ONE"), qty(100));
    let advised = advice.replace("[[exercise]]\n", "[[exercise]]\nat = \"2025-05-16 10:00\"\n");
    let abandoned = run(strategy("script", &[("script", &format!("{long}{advised}"))]), &quiet_day());
    assert_eq!(abandoned.position("ONE"), qty(0));
}
