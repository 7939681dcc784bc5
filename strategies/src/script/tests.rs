//! Reading scripts.

use super::*;
use onetape_engine::order::{OrderType, Trigger};

fn refusal(text: &str) -> String {
    Script::default().set("script", text).unwrap_err().to_string()
}

#[test]
fn the_documented_script_is_read() {
    let documented: Vec<&str> = include_str!("mod.rs")
        .lines()
        .skip_while(|line| *line != "//! ```toml")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.trim_start_matches("//!"))
        .collect();
    let mut script = Script::default();
    script.set("script", &documented.join("\n")).unwrap();
    assert_eq!(script.actions.len(), 5);
    assert_eq!(script.actions[0].at, Moment::Local { date: 20151224, time: clock::TimeOfDay::at(9, 31) });
    let Deed::Order { legs, .. } = &script.actions[1].deed else { panic!("an order") };
    assert_eq!(legs[1].name.to_string(), "GOOG 20160115 750.00C");
    assert_eq!(legs[1].limit, Some("14.2".parse().unwrap()));
}

#[test]
fn stops_and_lifetimes_are_read() {
    let order = |more: &str| {
        let mut script = Script::default();
        let text = format!("[[order]]\nat = \"2015-12-24 09:31\"\nsymbol = \"GOOG\"\nquantity = 1\n{more}\n");
        script.set("script", &text).map(|()| {
            let Deed::Order { legs, tif } = &script.actions[0].deed else { panic!("an order") };
            (legs[0].order_type(), *tif)
        })
    };
    let price = |text: &str| text.parse::<Price>().unwrap();
    let until = TimeInForce::Gtd(Nanos(1_450_976_400_000_000_000));
    let trigger = Trigger::at(price("5"));
    for (more, order_type, tif) in [
        ("stop = 5", OrderType::Stop(trigger), TimeInForce::Day),
        (
            "stop = 5\nlimit = 5.1\ntif = \"gtc\"",
            OrderType::StopLimit(trigger, price("5.1")),
            TimeInForce::Gtc,
        ),
        ("limit = 6\ntif = \"fok\"", OrderType::Limit(price("6")), TimeInForce::Fok),
        ("until = \"2015-12-24T17:00:00Z\"", OrderType::Market, until),
        ("limit = 6\ntif = \"gtd\"\nuntil = \"2015-12-24T17:00:00Z\"", OrderType::Limit(price("6")), until),
    ] {
        assert_eq!(order(more).unwrap(), (order_type, tif), "{more}");
    }
    for (more, expected) in [
        ("tif = \"gtd\"", "given an end"),
        ("tif = \"day\"\nuntil = \"2015-12-24T17:00:00Z\"", "\"gtd\" (or no tif)"),
        ("until = \"2015-12-24 12:00\"", "an instant in UTC"),
        ("stop = \"low\"", "a price"),
    ] {
        let refused = order(more).unwrap_err().to_string();
        assert!(refused.contains(expected), "{more}: {refused}");
    }
}

#[test]
fn csv_scripts_are_read() {
    let mut script = Script::default();
    let text = "# two orders\nat,symbol,quantity,limit\n2015-12-24 09:31,GOOG,100,\n2015-12-24 09:32:30,GOOG,-100,749.5\n";
    script.set("script", text).unwrap();
    assert_eq!(script.actions.len(), 2);
    assert_eq!((script.actions[0].line, script.actions[1].line), (3, 4));
    let message = refusal("at,symbol,quantity\n2015-12-24 09:31,GOOG,ten");
    assert!(message.contains("line 2: 2015-12-24 09:31,GOOG,ten"), "{message}");
}

#[test]
fn refusals_name_the_line_and_what_was_expected() {
    let leg = "at = \"2015-12-24 09:31\"\nsymbol = \"GOOG\"\nquantity = 1\n";
    for (text, line, expected) in [
        (format!("[[order]]\n{leg}quantiy = 2"), "line 5: quantiy = 2", "nearest: 'quantity'"),
        ("[[ordr]]\nat = 1".to_string(), "line 1: [[ordr]]", "nearest: 'order'"),
        ("[[order]]\nsymbol = \"GOOG\"\nquantity = 1".to_string(), "line 1", "an order with a time"),
        (format!("[[order]]\n{leg}").replace("2015-12-24 09:31", "9:31"), "line 2: at = \"9:31\"", "a time"),
        (format!("[[order]]\n{leg}").replace("quantity = 1", "quantity = 0"), "line 4", "other than zero"),
        (format!("[[order]]\n{leg}type = \"stop\""), "line 5", "\"market\" or \"limit\""),
        (format!("[[order]]\n{leg}type = \"limit\""), "line 1", "limit for every leg"),
        (format!("[[order]]\n{leg}type = \"market\"\nlimit = 1.5"), "line 1", "without limits"),
        (format!("[[order]]\n{leg}limit = \"x\""), "line 5", "a price"),
        (format!("[[order]]\n{leg}tif = \"forever\""), "line 5", "\"gtc\""),
        (format!("[[order]]\n{leg}strike = 5"), "line 5", "beside a symbol"),
        ("[[order]\n".to_string(), "line 1", "TOML"),
        ("order = 5\n".to_string(), "line 1", "[[order]]"),
    ] {
        let message = refusal(&text);
        assert!(message.contains(line) && message.contains(expected), "{text}\n{message}");
    }
}

#[test]
fn a_refused_script_leaves_the_old_one() {
    let mut script = Script::default();
    let good = "[[order]]\nwhen = \"quoted\"\nsymbol = \"GOOG\"\nquantity = 1";
    script.set("script", good).unwrap();
    assert!(script.set("script", "[[order]]").is_err());
    assert_eq!(script.params()[0].value, good);
}
