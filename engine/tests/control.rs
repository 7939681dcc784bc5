//! Commands, misbehaving strategies, isolation, budgets, state hashes, profiles, stops.

mod common;

use common::*;
use onetape_engine::block::{DERIVED_PER_INPUT_MAX, DERIVED_SEAL};
use onetape_engine::config::{FillProfile, MarkPolicy};
use onetape_engine::event::{Event, StopReason};
use onetape_engine::ids::{OrderIx, StrategyIx};
use onetape_engine::input::Command;
use onetape_engine::order::{OrderState, OrderType, Package, StopSource, TimeInForce, Trigger};
use onetape_engine::record::TradeClass;
use onetape_engine::strategy::Strategy;

use Ask::{Cancel, Flood, Note, Panic, Stop, Submit};
use When::{EachQuote, Ms, Quote};

fn resting() -> Ask {
    Submit(Package::limit(CALL, qty(1), price("0.90")))
}

fn quotes(tape: &mut Tape, times: &[u64]) {
    for ms in times {
        tape.at(*ms).quote(CALL, ("1.00", 20), ("1.10", 20));
    }
}

fn state(run: &Run, order: usize) -> OrderState {
    run.orders()[order].state
}

#[test]
fn a_panic_discards_the_callbacks_intents_and_stops_that_strategy_alone() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    quotes(&mut tape, &[10, 20, 30, 40]);
    let scripts = vec![
        Script::new(vec![(Quote(1), resting()), (Quote(2), resting()), (Quote(2), Panic)]),
        Script::new(vec![(Quote(1), resting()), (Quote(3), Note("alive"))]),
    ];
    let run = run(config, scripts, &tape);
    let story = run.story();
    assert!(story.contains("20.000 stopped 0 Panic"), "{story}");
    assert!(story.contains("note alive"), "{story}");
    assert_eq!(run.orders().len(), 2, "the order of the panicking callback does not exist");
    assert_eq!((state(&run, 0), state(&run, 1)), (OrderState::Cancelled, OrderState::Working));
    assert_eq!((run.strategy(0).quotes, run.strategy(1).quotes), (2, 4));
}

#[test]
fn stopping_by_flow_cancels_open_orders() {
    let run = play(|tape| quotes(tape, &[10, 20, 30, 40]), vec![(Quote(1), resting()), (Quote(2), Stop)]);
    assert!(run.story().contains("20.000 stopped 0 Flow"), "{}", run.story());
    assert_eq!(state(&run, 0), OrderState::Cancelled);
}

#[test]
fn the_kill_command_stops_everything() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    quotes(&mut tape, &[10, 20]);
    tape.at(25).command(Command::Kill { reason: "test".to_string() });
    quotes(&mut tape, &[30, 40]);
    let scripts = vec![Script::new(vec![(Quote(1), resting())]), Script::new(vec![(EachQuote, Note("q"))])];
    let run = run(config, scripts, &tape);
    let story = run.story();
    assert!(story.contains("state 0 Working->PendingCancel Kill"), "{story}");
    assert_eq!(state(&run, 0), OrderState::Cancelled);
    assert_eq!(story.matches("note q").count(), 2, "no callback after the kill");
    assert_eq!(story.matches("Kill\n").count(), 3, "two strategies and one order");
}

#[test]
fn pause_resume_set_and_cancel_commands_apply_or_say_why_not() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    let set = |key: &str, value: &str| Command::Set {
        strategy: StrategyIx(0),
        key: key.to_string(),
        value: value.to_string(),
    };
    quotes(&mut tape, &[10, 20]);
    tape.at(21).command(Command::Pause { strategy: StrategyIx(0) });
    quotes(&mut tape, &[30]);
    tape.at(31).command(Command::Resume { strategy: StrategyIx(0) });
    quotes(&mut tape, &[40]);
    tape.at(41).command(set("knob", "7"));
    tape.command(set("knob", "x"));
    tape.command(set("nob", "7"));
    tape.command(Command::Cancel { order: OrderIx(0) });
    tape.command(Command::Cancel { order: OrderIx(9) });
    tape.command(Command::Pause { strategy: StrategyIx(4) });
    quotes(&mut tape, &[50, 60]);
    let run = run(config, vec![Script::new(vec![(Quote(1), resting())])], &tape);
    let story = run.story();
    let answers: Vec<&str> = story
        .lines()
        .filter(|l| l.contains("command"))
        .map(|l| l.split_once("command ").unwrap().1)
        .collect();
    assert_eq!(
        answers,
        [
            "\"\"",
            "\"\"",
            "\"\"",
            "\"parameter 'knob': 'x' is not a number\"",
            "\"unknown parameter 'nob'; known: knob\"",
            "\"\"",
            "\"no order 9\"",
            "\"no strategy 4\"",
        ]
    );
    assert_eq!(run.strategy(0).quotes, 5, "one quote fell into the pause");
    assert_eq!(run.strategy(0).knob, 7);
    assert!(story.contains("PendingCancel Operator"), "{story}");
    assert_eq!(state(&run, 0), OrderState::Cancelled);
}

#[test]
fn a_panic_while_a_parameter_is_set_stops_that_strategy() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    let (key, value) = ("burn".to_string(), "1".to_string());
    tape.at(5).command(Command::Set { strategy: StrategyIx(0), key, value });
    let run = run(config, vec![Script::default()], &tape);
    assert!(run.story().contains("stopped 0 Panic"), "{}", run.story());
}

#[test]
fn a_strategy_cannot_cancel_anothers_order() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    quotes(&mut tape, &[10, 20, 30, 40]);
    let scripts = vec![
        Script::new(vec![(Quote(1), resting())]),
        Script::new(vec![(Quote(3), Cancel(0)), (Quote(3), Cancel(77))]),
    ];
    let run = run(config, scripts, &tape);
    assert_eq!(state(&run, 0), OrderState::Working);
    assert!(!run.story().contains("cancel"), "{}", run.story());
}

#[test]
fn reports_reach_their_owner_only() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    quotes(&mut tape, &[10, 20, 30]);
    let buy = Submit(Package::market(CALL, qty(1)));
    let scripts = vec![Script::new(vec![(Quote(1), buy)]), Script::default()];
    let run = run(config, scripts, &tape);
    assert_eq!(run.strategy(0).seen.len(), 2);
    assert!(run.strategy(1).seen.is_empty());
}

#[test]
fn a_flood_of_orders_stops_the_strategy_and_leaves_the_block_within_its_bound() {
    let config = bare();
    let mut tape = Tape::with_options(&config);
    quotes(&mut tape, &[10, 20, 30, 40]);
    let scripts = vec![
        Script::new(vec![(Quote(1), resting()), (Quote(2), Flood(100_000))]),
        Script::new(vec![(EachQuote, Note("calm"))]),
    ];
    let run = run(config, scripts, &tape);
    let events = run.events();
    let stopped = |e: &&Event| matches!(e, Event::StrategyStopped { reason: StopReason::EventBudget, .. });
    assert_eq!(events.iter().copied().filter(stopped).count(), 1);
    assert_eq!(run.story().matches("note calm").count(), 4);
    assert!(run.blocks.iter().all(|b| b.derived.len() < DERIVED_SEAL + DERIVED_PER_INPUT_MAX));
    assert!(run.orders().iter().all(|order| order.state.is_final()), "nothing of the flood is left");
}

/// Rings itself again at once, for ever.
#[test]
fn a_timer_that_renews_itself_at_one_instant_is_stopped() {
    let run = play(
        |tape| quotes(tape, &[10, 20, 30]),
        vec![(Ms(5), Ask::Timer(5)), (Quote(2), Note("still here"))],
    );
    assert!(run.story().contains("5.000 stopped 0 EventBudget"), "{}", run.story().len());
    assert!(!run.story().contains("still here"));
}

#[test]
fn many_due_timers_are_spread_over_inputs_and_none_is_lost() {
    let times: Vec<(When, Ask)> = (0..50_000).map(|n| (Ms(100 + n / 10), Note("."))).collect();
    // One script holds every tenth of them once: timers are set per step, each rings ten notes.
    let run = play(
        |tape| quotes(tape, &[10, 100_000, 100_001, 100_002, 100_003, 100_004, 100_005, 100_006, 100_007]),
        times.into_iter().step_by(10).collect(),
    );
    let derived = run.derived();
    let timers = derived.iter().filter(|d| matches!(d.event, Event::Timer { .. })).count();
    assert_eq!(timers, 5_000);
    assert!(!run.story().contains("stopped"));
}

#[test]
fn saved_state_loads_and_foreign_bytes_are_refused() {
    let mut script = Script { quotes: 3, fills: 2, knob: 9, ..Script::default() };
    let mut bytes = Vec::new();
    script.save(&mut bytes);
    let mut copy = Script::default();
    copy.load(&bytes).unwrap();
    assert_eq!((copy.quotes, copy.fills, copy.knob), (3, 2, 9));
    assert!(script.load(&bytes[..5]).is_err());
}

#[test]
fn equal_runs_have_equal_state_hashes_and_any_difference_shows() {
    let hash = |steps: Vec<(When, Ask)>, last: &'static str| {
        let run = play(
            |tape| {
                quotes(tape, &[10, 20]);
                tape.at(30).quote(CALL, ("1.00", 20), (last, 20));
                tape.at(40).end();
            },
            steps,
        );
        run.kernel.last_state_hash().expect("the end emits one")
    };
    let base = || vec![(Quote(1), resting())];
    assert_eq!(hash(base(), "1.10"), hash(base(), "1.10"));
    assert_ne!(hash(base(), "1.10"), hash(base(), "1.11"), "a book differs");
    let other = vec![(Quote(1), Submit(Package::limit(CALL, qty(1), price("0.91"))))];
    assert_ne!(hash(base(), "1.10"), hash(other, "1.10"), "a resting order differs");
    let gtc =
        vec![(Quote(1), Submit(Package::limit(CALL, qty(1), price("0.90")).with_tif(TimeInForce::Gtc)))];
    assert_ne!(hash(base(), "1.10"), hash(gtc, "1.10"), "its lifetime differs");
}

fn fills_under(profile: FillProfile, limit: Option<&str>) -> Vec<String> {
    let mut config = bare();
    config.profile = profile;
    if profile == FillProfile::Lean {
        config.marks = MarkPolicy::LastTrade;
    }
    let package = limit
        .map_or_else(|| Package::market(CALL, qty(30)), |limit| Package::limit(CALL, qty(30), price(limit)));
    let run = play_with(
        config,
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("1.10", 5));
            tape.at(13).quote(CALL, ("1.00", 20), ("1.10", 5));
            tape.at(20).quote(CALL, ("0.90", 20), ("1.02", 5));
            tape.at(30).tick();
        },
        vec![(Quote(1), Submit(package))],
    );
    let story = run.story();
    story.lines().filter(|line| line.contains("executed")).map(str::to_string).collect()
}

#[test]
fn profiles_fill_by_their_own_rule() {
    assert_eq!(fills_under(FillProfile::Mid, None), ["11.000 executed 0 30@1.05 at 11.000 Profile"]);
    assert_eq!(fills_under(FillProfile::Natural, None), ["11.000 executed 0 30@1.10 at 11.000 Profile"]);
    assert_eq!(
        fills_under(FillProfile::Lean, None),
        ["10.000 executed 0 30@1.10 at 10.000 Profile"],
        "in the step that created it, without a volume limit"
    );
    assert_eq!(
        fills_under(FillProfile::Mid, Some("1.00")),
        ["20.000 executed 0 30@0.96 at 20.000 Profile"],
        "the midpoint reaches the limit"
    );
    assert_eq!(
        fills_under(FillProfile::Natural, Some("1.02")),
        ["20.000 executed 0 30@1.02 at 20.000 Profile"]
    );
}

#[test]
fn lean_buys_at_a_bid_when_no_offer_was_ever_seen() {
    let mut config = bare();
    config.profile = FillProfile::Lean;
    let run = play_with(
        config,
        |tape| {
            tape.at(10).quote(CALL, ("1.00", 20), ("", 0));
            tape.at(11).tick();
        },
        vec![(Quote(1), Submit(Package::market(CALL, qty(1))))],
    );
    assert!(run.story().contains("executed 0 1@1.00 at 10.000 Profile"), "{}", run.story());
}

fn stop_run(order_type: OrderType, tape: impl FnOnce(&mut Tape)) -> Vec<String> {
    let package = Package { order_type, ..Package::market(CALL, qty(-2)) };
    let run = play(
        |t| {
            t.at(10).quote(CALL, ("2.00", 20), ("2.10", 20));
            t.at(20).quote(CALL, ("2.00", 20), ("2.10", 20));
            tape(t);
            t.at(90_000).tick();
        },
        vec![(Quote(1), Submit(package))],
    );
    assert!(!run.story().contains("illegal"), "{}", run.story());
    let story = run.story();
    let words = ["triggered", "executed"];
    story.lines().filter(|l| words.iter().any(|w| l.contains(w))).map(str::to_string).collect()
}

#[test]
fn a_stop_wants_its_condition_to_hold_on_a_sane_market() {
    let stop = OrderType::Stop(Trigger::at(price("1.50")));
    let none: [&str; 0] = [];
    let held = stop_run(stop, |t| {
        t.at(1_000).quote(CALL, ("1.40", 20), ("1.50", 20));
        t.at(2_999).quote(CALL, ("1.42", 20), ("1.50", 20));
        t.at(3_000).quote(CALL, ("1.38", 20), ("1.48", 20));
    });
    assert_eq!(held, ["3000.000 triggered 0 at 1.43", "3000.000 executed 0 -2@1.38 at 3000.000 Taker"]);
    let flicker = stop_run(stop, |t| {
        t.at(1_000).quote(CALL, ("1.40", 20), ("1.50", 20));
        t.at(1_500).quote(CALL, ("1.60", 20), ("1.70", 20));
        t.at(3_000).quote(CALL, ("1.38", 20), ("1.48", 20));
    });
    assert_eq!(flicker, none, "the condition was contradicted between");
    let wide = stop_run(stop, |t| {
        t.at(1_000).quote(CALL, ("0.10", 20), ("2.10", 20));
        t.at(9_000).quote(CALL, ("0.10", 20), ("2.10", 20));
    });
    assert_eq!(wide, none, "a wide market triggers nothing");
}

#[test]
fn stops_look_at_what_they_were_told_to() {
    let trigger = |source| Trigger { source, persist_ns: 0, ..Trigger::at(price("1.50")) };
    let touch = stop_run(OrderType::Stop(trigger(StopSource::Touch)), |t| {
        t.at(1_000).quote(CALL, ("1.50", 20), ("1.60", 20));
    });
    assert_eq!(touch[0], "1000.000 triggered 0 at 1.50");
    let last = stop_run(OrderType::Stop(trigger(StopSource::Last)), |t| {
        t.at(1_000).trade(CALL, "1.45", 1, TradeClass::MultiLeg);
        t.at(2_000).trade(CALL, "1.49", 1, TradeClass::Regular);
    });
    assert_eq!(last, ["2000.000 triggered 0 at 1.49", "2000.000 executed 0 -2@2.00 at 2000.000 Taker"]);
    let limited = stop_run(OrderType::StopLimit(trigger(StopSource::Mid), price("1.40")), |t| {
        t.at(1_000).quote(CALL, ("1.30", 20), ("1.40", 20));
        t.at(2_000).quote(CALL, ("1.40", 20), ("1.50", 20));
    });
    assert_eq!(limited, ["1000.000 triggered 0 at 1.35", "2000.000 executed 0 -2@1.40 at 2000.000 Crossed"]);
}

#[test]
fn a_waiting_stop_can_be_cancelled_and_ends_with_the_day() {
    let package = || Package {
        order_type: OrderType::Stop(Trigger::at(price("1.50"))),
        ..Package::market(CALL, qty(-2))
    };
    let run = play(
        |tape| quotes(tape, &[10, 20, 30, 40]),
        vec![(Quote(1), Submit(package())), (Quote(2), Cancel(0))],
    );
    assert_eq!(state(&run, 0), OrderState::Cancelled);
    let run = play(
        |tape| {
            quotes(tape, &[10, 20, 30]);
            tape.at(CLOSE_MS).phase(onetape_engine::record::Phase::Close);
            tape.at(CLOSE_MS + 10).tick();
        },
        vec![(Quote(1), Submit(package()))],
    );
    assert_eq!(state(&run, 0), OrderState::Expired);
}
