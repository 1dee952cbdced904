//! The parts of a view come one after the other, and what one can't use falls under the rule.

use murre_protocol::{
    Format,
    packet::{Deadband, Figure, LeastChange, OnError, ViewOptions, Window, WindowTime},
};
use murre_view::{Limits, Plan, Unusable};

use crate::driver::{Driver, message};

fn deadband(path: &'static str, least: f64) -> Option<Deadband<'static>> {
    Some(Deadband { path: path.into(), least: LeastChange::Absolute(least), silence_max_ms: None })
}

fn window(of: &'static str) -> Option<Window<'static>> {
    let (length_ms, give) = (1000, vec![Figure::Max]);
    Some(Window { length_ms, step_ms: 1000, of: vec![of.into()], give, by: WindowTime::Broker, empty: false })
}

#[test]
fn a_condition_then_a_selection_then_a_deadband_then_a_rate_then_a_patch() {
    let mut driver = Driver::new(&ViewOptions {
        condition: Some("payload.ok".into()),
        select: vec!["c".into(), "unit".into()],
        deadband: deadband("c", 1.0),
        max_rate: Some(1.0),
        patch: true,
        ..Default::default()
    });
    for (at, c, ok) in
        [(0, 1.0, true), (100, 9.0, false), (200, 1.5, true), (300, 2.0, true), (400, 3.0, true)]
    {
        driver.publish(at, "t", format!(r#"{{"c":{c},"ok":{ok},"unit":"C","n":{at}}}"#));
    }
    driver.run_until(2_000);
    assert_eq!(driver.texts(), [r#"{"c":1,"unit":"C"}"#, r#"{"c":3}"#]);
    assert_eq!(driver.sent[1].at_ms, 1_000);
}

#[test]
fn windows_are_of_what_the_parts_before_let_through_and_fall_under_the_rate() {
    let mut driver = Driver::new(&ViewOptions {
        condition: Some("payload.v < 100".into()),
        window: window("v"),
        max_rate: Some(0.5),
        ..Default::default()
    });
    for (at, v) in [(0, 1), (500, 200), (1_100, 2), (2_100, 3), (3_100, 4)] {
        driver.publish(at, "t", format!(r#"{{"v":{v}}}"#));
    }
    driver.run_until(10_000);
    let ends: Vec<_> = driver.values().iter().map(|(at, value)| (*at, value["v"]["max"].clone())).collect();
    assert_eq!(ends, [(1_000, 1.0.into()), (3_000, 2.0.into()), (5_000, 4.0.into())]);
}

#[test]
fn what_a_part_can_t_use_is_left_out_or_passes_and_is_counted() {
    for (rule, expected) in [(OnError::Skip, 0), (OnError::Pass, 4)] {
        let mut driver = Driver::new(&ViewOptions {
            condition: Some("payload.a > 1".into()),
            select: vec!["a".into()],
            deadband: deadband("a", 1.0),
            on_error: Some(rule),
            ..Default::default()
        });
        for payload in ["{}", "oops", r#"{"a":"high"}"#, r#"{"a":"low"}"#] {
            driver.publish(0, "t", payload);
        }
        assert_eq!(driver.sent.len(), expected, "{rule:?}");
        let troubles = driver.troubles().unwrap();
        assert_eq!(troubles.first, Some(("t".into(), Unusable::Missing)));
        assert!(troubles.unusable >= 4);
        assert_eq!(driver.troubles(), None);
    }
}

#[test]
fn topics_past_the_number_that_is_remembered_are_left_out_and_counted() {
    let options = ViewOptions { max_rate: Some(1.0), ..Default::default() };
    let mut driver = Driver::with_topics_max(&options, 2);
    for topic in ["a", "b", "c", "a", "d"] {
        driver.publish(0, topic, "1");
    }
    driver.run_until(5_000);
    let topics: Vec<_> = driver.sent.iter().map(|sent| &*sent.topic).collect();
    assert_eq!(topics, ["a", "b", "a"]);
    assert_eq!(driver.troubles().unwrap().past_limits, 2);
}

#[test]
fn a_deletion_passes_at_once_and_takes_what_waits_along() {
    let mut driver = Driver::new(&ViewOptions {
        condition: Some("payload.v > 0".into()),
        max_rate: Some(1.0),
        ..Default::default()
    });
    driver.publish(0, "t", r#"{"v":1}"#);
    driver.publish(10, "t", r#"{"v":2}"#);
    driver.publish(20, "t", "");
    driver.run_until(5_000);
    assert_eq!(driver.texts(), [r#"{"v":1}"#, ""]);
}

#[test]
fn a_message_that_a_view_lets_through_keeps_its_options() {
    let options = murre_protocol::packet::MessageOptions { reply_to: Some("r".into()), ..Default::default() };
    let mut replies = Vec::new();
    let plan = Plan::compile(&ViewOptions { max_rate: Some(1.0), ..Default::default() }).unwrap();
    let mut view = murre_view::View::new(plan.into(), Limits { topics_max: 10, bytes_max: 1000 });
    for offset in 1..=2 {
        let message = message(offset, "t", Format::Json, b"1".to_vec(), offset);
        let message = crate::driver::with_options(message, options.clone());
        view.offer(&message, &mut |sent| {
            replies.push(sent.options.as_deref().cloned().map(|o| o.into_owned()))
        });
    }
    let now = view.next_due().unwrap();
    view.due(now, &mut |sent| replies.push(sent.options.as_deref().cloned().map(|o| o.into_owned())));
    assert_eq!(replies, [Some(options.clone()), Some(options)]);
}

#[test]
fn an_option_that_can_t_be_done_is_named_with_the_reason() {
    let selecting = |view: ViewOptions<'static>| ViewOptions { select: vec!["a.b".into()], ..view };
    for (view, reason) in [
        (
            ViewOptions { condition: Some("payload.a >".into()), ..Default::default() },
            "where: line 1, column 12: Syntax",
        ),
        (
            ViewOptions { select: vec!["a..b".into()], ..Default::default() },
            "select: \"a..b\" has an empty key",
        ),
        (
            ViewOptions { deadband: deadband("a.", 1.0), ..Default::default() },
            "deadband.path: \"a.\" has an empty key",
        ),
        (ViewOptions { window: window(".a"), ..Default::default() }, "window.of: \".a\" has an empty key"),
        (
            selecting(ViewOptions { deadband: deadband("a", 1.0), ..Default::default() }),
            "deadband.path: select leaves \"a\" out, and comes before it",
        ),
        (
            selecting(ViewOptions { window: window("c"), ..Default::default() }),
            "window.of: select leaves \"c\" out, and comes before it",
        ),
    ] {
        let error = Plan::compile(&view).unwrap_err().to_string();
        assert!(error.starts_with(reason), "{error}");
    }
    assert!(
        Plan::compile(&selecting(ViewOptions { deadband: deadband("a.b.c", 1.0), ..Default::default() }))
            .is_ok()
    );
}

#[test]
fn what_waits_takes_no_more_bytes_than_it_may() {
    let options = ViewOptions { max_rate: Some(1.0), ..Default::default() };
    let limits = Limits { topics_max: 10, bytes_max: 10 };
    let mut view = murre_view::View::new(Plan::compile(&options).unwrap().into(), limits);
    let mut sent = Vec::new();
    for (offset, topic) in (1..).zip(["a", "b", "a", "b", "a"]) {
        let message = message(offset, topic, Format::Json, b"123456".to_vec(), offset);
        view.offer(&message, &mut |message| sent.push(message.topic.to_string()));
    }
    assert_eq!(view.take_troubles().unwrap().past_limits, 1);
    while let Some(due) = view.next_due() {
        view.due(due, &mut |message| sent.push(message.topic.to_string()));
    }
    assert_eq!(sent, ["a", "b", "a"]);
}
