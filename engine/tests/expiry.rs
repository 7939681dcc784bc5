//! Expiry: exercise by exception, advice, assignment at notice, settlement values, cash and physical.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use onetape_engine::instrument::{
    InstrumentDef, InstrumentKind, Right, Settlement, SettlementTime, TickRule,
};
use onetape_engine::order::Package;
use onetape_engine::record::{Phase, StatisticKind, TradeClass};

use Ask::{Exercise, Submit};
use When::Quote;

/// Buys or sells the series at 1.00 with the stock at 101, then the stock's last print of the day.
fn hold(contracts: i64, last: &str, more: Vec<(When, Ask)>) -> Run {
    let steps = [vec![(Quote(1), Submit(Package::market(CALL, qty(contracts))))], more].concat();
    play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.00", 20));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.00", 20));
            tape.at(CLOSE_MS).trade(STOCK, last, 1, TradeClass::Regular);
            tape.phase(Phase::Close);
            tape.end();
        },
        steps,
    )
}

fn ends(run: &Run) -> Vec<String> {
    let story = run.story();
    let after = story.split_once("cash ").map_or("", |(_, rest)| rest);
    let words = ["expired", "position", "cash"];
    after
        .lines()
        .filter(|l| words.iter().any(|w| l.contains(w)))
        .map(|l| l[l.find(' ').unwrap() + 1..].to_string())
        .collect()
}

#[test]
fn longs_in_the_money_are_exercised_by_exception_and_deliver_stock_at_the_strike() {
    let run = hold(2, "101.00", vec![]);
    assert_eq!(
        ends(&run),
        [
            "expired 1 2 Exercised at 101.00",
            "position 1 0 cost 0.00 realized -200.00",
            "position 0 200 cost 20000.00 realized 0.00",
            "cash -20000.00 Settlement = 79800.00",
        ]
    );
    assert_eq!(run.kernel.equity(), "100000".parse().unwrap(), "200 shares at 101 for 100 less the premium");
    assert!(run.strategy(0).seen.iter().any(|line| line.ends_with("expiry 1")));
}

#[test]
fn a_cent_in_the_money_decides() {
    assert!(hold(1, "100.01", vec![]).story().contains("expired 1 1 Exercised"));
    assert_eq!(
        ends(&hold(1, "100.00", vec![])),
        ["expired 1 1 Worthless at 100.00", "position 1 0 cost 0.00 realized -100.00"]
    );
}

#[test]
fn advice_overrides_the_exception_and_never_exceeds_the_position() {
    let advise = |contracts| vec![(Quote(2), Exercise(CALL, qty(contracts)))];
    let outcomes = |run: Run| -> Vec<String> {
        ends(&run).into_iter().filter(|line| line.starts_with("expired")).collect()
    };
    assert_eq!(outcomes(hold(3, "101.00", advise(0))), ["expired 1 3 Worthless at 101.00"]);
    assert_eq!(
        outcomes(hold(3, "101.00", advise(1))),
        ["expired 1 1 Exercised at 101.00", "expired 1 2 Worthless at 101.00"]
    );
    assert_eq!(outcomes(hold(3, "99.00", advise(9))), ["expired 1 3 Exercised at 99.00"]);
    assert_eq!(outcomes(hold(3, "101.00", advise(-2))), ["expired 1 3 Worthless at 101.00"]);
}

#[test]
fn shorts_in_the_money_learn_at_the_notice_and_others_expire_at_the_cutoff() {
    let run = hold(-1, "101.00", vec![]);
    let story = run.story();
    let notice = clock(at_ms(CLOSE_MS + 14 * HOUR));
    assert!(story.contains(&format!("{notice} expired 1 -1 Assigned at 101.00")), "{story}");
    assert_eq!(run.kernel.accounts()[0].quantity(STOCK), qty(-100));
    let run = hold(-1, "99.00", vec![]);
    let cutoff = clock(at_ms(CLOSE_MS + HOUR + HOUR / 2));
    assert!(run.story().contains(&format!("{cutoff} expired 1 -1 Worthless at 99.00")), "{}", run.story());
}

#[test]
fn what_trades_after_the_settlement_instant_decides_nothing() {
    let mut config = bare();
    config.extended_hours = true;
    let run = play_with(
        config,
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.00", 20));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.00", 20));
            tape.at(CLOSE_MS).trade(STOCK, "99.00", 1, TradeClass::Regular);
            tape.at(CLOSE_MS + 5).trade(STOCK, "105.00", 1, TradeClass::Regular);
            tape.at(CLOSE_MS + 4 * HOUR).end();
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(1))))],
    );
    assert!(run.story().contains("expired 1 1 Worthless at 99.00"), "{}", run.story());
}

#[test]
fn the_official_close_beats_the_last_print_and_yesterdays_is_ignored() {
    let with_close = |at: u64, value: &'static str| {
        play(
            |tape| {
                tape.at(10).quote(CALL, ("1.00", 20), ("1.00", 20));
                tape.at(13).quote(CALL, ("1.00", 20), ("1.00", 20));
                tape.at(at).statistic(STOCK, StatisticKind::ClosePrice, value);
                // A series' own closing price is a premium, not a price of the underlying.
                tape.at(CLOSE_MS).statistic(CALL, StatisticKind::ClosePrice, "1.05");
                tape.trade(STOCK, "99.00", 1, TradeClass::Regular);
                tape.at(CLOSE_MS + 2 * HOUR).end();
            },
            vec![(Quote(1), Submit(Package::market(CALL, qty(1))))],
        )
        .story()
    };
    assert!(with_close(CLOSE_MS, "101.50").contains("Exercised at 101.50"));
    assert!(with_close(20, "101.50").contains("Worthless at 99.00"));
}

fn index_series(settlement_time: SettlementTime) -> Vec<InstrumentDef> {
    let index =
        InstrumentDef { kind: InstrumentKind::Index, tick: TickRule::Free, ..InstrumentDef::equity("STK") };
    let mut call = series(Right::Call, 100);
    let terms = call.option.as_mut().unwrap();
    terms.settlement = Settlement::Cash;
    terms.settlement_time = settlement_time;
    if settlement_time == SettlementTime::Am {
        // Trading ended the evening before; the value comes from the next open.
        terms.expiry = at_ms(DAY_MS);
        terms.exercise_cutoff = at_ms(DAY_MS + HOUR);
        terms.notice = at_ms(DAY_MS + 2 * HOUR);
    }
    vec![index, call]
}

fn settle_index(time: SettlementTime, contracts: i64, last_day: impl FnOnce(&mut Tape)) -> String {
    let config = bare();
    let mut tape = Tape::with(&config, index_series(time));
    tape.at(10).quote(CALL, ("1.00", 20), ("1.00", 20));
    tape.at(13).quote(CALL, ("1.00", 20), ("1.00", 20));
    tape.at(CLOSE_MS).trade(STOCK, "101.00", 1, TradeClass::Regular);
    tape.statistic(STOCK, StatisticKind::ClosePrice, "101.00");
    last_day(&mut tape);
    tape.end();
    let steps = vec![(Quote(1), Submit(Package::market(CALL, qty(contracts))))];
    run(config, vec![Script::new(steps)], &tape).story()
}

#[test]
fn cash_settlement_pays_intrinsic_value() {
    let story = settle_index(SettlementTime::Pm, 2, |_| {});
    assert!(story.contains("expired 1 2 Exercised at 101.00\n"), "{story}");
    assert!(story.contains("cash 200.00 Settlement"), "{story}");
    let story = settle_index(SettlementTime::Pm, -1, |_| {});
    assert!(story.contains("expired 1 -1 Assigned at 101.00\n"), "{story}");
    assert!(story.contains("cash -100.00 Settlement"), "{story}");
}

#[test]
fn am_series_settle_on_the_published_value_or_are_flagged() {
    let published = settle_index(SettlementTime::Am, 1, |tape| {
        tape.at(DAY_MS).phase(Phase::Open);
        tape.at(DAY_MS + 10).statistic(STOCK, StatisticKind::ExerciseSettlement, "103.00");
        tape.at(DAY_MS + 3 * HOUR);
    });
    assert!(published.contains("expired 1 1 Exercised at 103.00\n"), "{published}");
    // The close is not an AM settlement value.
    let missing = settle_index(SettlementTime::Am, 1, |_| {});
    assert!(missing.contains("expired 1 1 Exercised at 101.00 estimated\n"), "{missing}");
    // Both sides of one series settle on one value, also when another is stated between cut-off and notice.
    let late = settle_index(SettlementTime::Am, -1, |tape| {
        tape.at(DAY_MS + 10).statistic(STOCK, StatisticKind::ExerciseSettlement, "103.00");
        tape.at(DAY_MS + HOUR + 10).statistic(STOCK, StatisticKind::ExerciseSettlement, "999.00");
        tape.at(DAY_MS + 3 * HOUR);
    });
    assert!(late.contains("expired 1 -1 Assigned at 103.00\n"), "{late}");
}

#[test]
fn an_underlying_never_seen_settles_nothing_and_says_so() {
    let run = play(
        |tape| {
            tape.at(10).quote(PUT, ("1.00", 20), ("1.00", 20));
            tape.at(13).quote(PUT, ("1.00", 20), ("1.00", 20));
            tape.at(CLOSE_MS + 2 * HOUR).end();
        },
        vec![(Quote(1), Submit(Package::market(PUT, qty(1))))],
    );
    assert!(run.story().contains("expired 2 1 Worthless at 0.00 estimated"), "{}", run.story());
}

#[test]
fn series_that_expire_after_the_tape_stay_open_and_marked() {
    let run = play(
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 20));
            tape.at(HOUR).end();
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(1))))],
    );
    assert!(!run.story().contains("expired"), "{}", run.story());
    assert!(
        run.story().ends_with("mark equity 99995.00 liquidation 99990.00 requirement 0.00\n"),
        "{}",
        run.story()
    );
}

#[test]
fn an_option_on_a_future_delivers_one_future() {
    let config = bare();
    let future =
        InstrumentDef { kind: InstrumentKind::Future, multiplier: 50, ..InstrumentDef::equity("FUT") };
    let call = InstrumentDef { multiplier: 50, ..series(Right::Call, 100) };
    let mut tape = Tape::with(&config, vec![future, call]);
    tape.at(10).quote(CALL, ("1.00", 20), ("1.00", 20));
    tape.at(13).quote(CALL, ("1.00", 20), ("1.00", 20));
    tape.at(CLOSE_MS).trade(STOCK, "101.00", 1, TradeClass::Regular);
    tape.at(CLOSE_MS + 2 * HOUR).quote(STOCK, ("101.00", 5), ("101.00", 5));
    tape.end();
    let steps = vec![(Quote(1), Submit(Package::market(CALL, qty(2))))];
    let run = run(config, vec![Script::new(steps)], &tape);
    let story = run.story();
    assert!(story.contains("expired 1 2 Exercised at 101.00\n"), "{story}");
    assert!(story.contains("position 0 2 cost 10000.00 realized 0.00"), "{story}");
    // 2 × 50 × (101 − 100) gained on the futures, 2 × 50 × 1.00 paid for the calls.
    assert_eq!(run.kernel.equity(), "100000".parse().unwrap(), "{story}");
}
