//! A subscription with a view gets what it can show, and nobody else is any the worse for it.

use std::time::Duration;

use murre_core::{
    log::{KeepRule, KeepRules},
    testing::{Broker, Client, Delivery, Said, from, live},
};
use murre_protocol::{
    Code, Timestamp, TopicFilter,
    packet::{Deadband, Figure, From, LeastChange, NoticeKind, SubscribeOptions, ViewOptions},
};

use crate::viewing::{SECOND, at_most, publish, stream, windows, with_view};

fn view(view: ViewOptions<'static>) -> SubscribeOptions<'static> {
    with_view(live(), view)
}

fn keep(filter: &str) -> KeepRule {
    let filter = TopicFilter::parse(filter).unwrap().into_owned();
    KeepRule { filter, last: None, age: None, bytes: None, durable: false }
}

fn notices(client: &Client) -> Vec<(NoticeKind, u64, String)> {
    let notice = |said| match said {
        Said::Notice { kind, count, reason, .. } => Some((kind, count, reason)),
        _ => None,
    };
    client.heard().into_iter().filter_map(notice).collect()
}

fn refusal(client: &Client, sub: u64) -> String {
    let reason = |said| match said {
        Said::Subscribed { sub: number, reason, .. } if number == sub => Some(reason),
        _ => None,
    };
    client.heard().into_iter().filter_map(reason).next_back().unwrap()
}

#[test]
fn of_a_fast_topic_a_slow_dashboard_gets_current_values_and_the_last() {
    let broker = Broker::new(2, 1);
    let (phone, desk) = (broker.connect("phone"), broker.connect("desk"));
    let sub = phone.subscribe_with("t", view(at_most(2.0)));
    let all = desk.subscribe_with("t", live());
    stream(&broker, "t", 0..300, Duration::from_millis(10));
    broker.run_for(SECOND);
    let texts = phone.texts(sub);
    assert!((6..=8).contains(&texts.len()), "{texts:?}");
    assert_eq!(texts.last().unwrap(), r#"{"v":299}"#);
    assert_eq!(desk.messages(all).len(), 300);
}

#[test]
fn equal_views_are_evaluated_once_and_each_subscriber_gets_all() {
    let broker = Broker::new(1, 1);
    let condition = ViewOptions { condition: Some("payload.v >= 5".into()), ..at_most(100.0) };
    let clients: Vec<_> = (0..50).map(|n| broker.connect(&n.to_string())).collect();
    let subs: Vec<_> =
        clients.iter().map(|client| client.subscribe_with("t", view(condition.clone()))).collect();
    stream(&broker, "t", 0..10, SECOND);
    assert_eq!(broker.count(|counters| &counters.view_readings), 10);
    assert_eq!(broker.remains().hubs[0].views, 1);
    for (client, sub) in clients.iter().zip(subs) {
        assert_eq!(client.texts(sub).len(), 5);
    }
}

#[test]
fn a_view_ends_with_the_last_subscription_that_has_it() {
    let broker = Broker::new(1, 1);
    let (a, b) = (broker.connect("a"), broker.connect("b"));
    let sub = a.subscribe_with("t", view(at_most(1.0)));
    b.subscribe_with("t", view(at_most(1.0)));
    stream(&broker, "t", 0..2, Duration::from_millis(10));
    a.unsubscribe(sub);
    assert_eq!(broker.remains().hubs[0].views, 1);
    b.disconnect();
    assert_eq!(broker.remains().hubs[0].views, 0);
    broker.run_for(10 * SECOND);
}

#[test]
fn conditions_selections_and_deadbands_hold_for_live_and_for_kept_values() {
    let broker = Broker::new(2, 1);
    let device = broker.publisher();
    publish(&device, "a", r#"{"v":9,"n":1}"#);
    publish(&device, "b", r#"{"v":1,"n":2}"#);
    broker.settle();
    let client = broker.connect("client");
    let wish = ViewOptions {
        condition: Some("payload.v > 5".into()),
        select: vec!["v".into()],
        deadband: Some(Deadband {
            path: "v".into(),
            least: LeastChange::Absolute(2.0),
            silence_max_ms: None,
        }),
        ..Default::default()
    };
    let sub = client.subscribe_with("+", with_view(SubscribeOptions::default(), wish));
    for value in [6, 5, 7, 9] {
        publish(&device, "b", &format!(r#"{{"v":{value},"n":3}}"#));
        broker.settle();
    }
    assert_eq!(client.texts(sub), [r#"{"v":9}"#, r#"{"v":6}"#, r#"{"v":9}"#]);
    assert_eq!(client.caught_up(sub)[0].1, 1);
}

#[test]
fn a_dashboard_opens_with_the_windows_of_the_past_and_goes_on() {
    let rules = KeepRules::new(vec![keep("t")]);
    let broker = Broker::with_rules(2, 1, |_| (), rules);
    stream(&broker, "t", 0..180, SECOND);
    let client = broker.connect("client");
    let since = from(From::Since(Timestamp::from_millis(0)));
    let sub = client.subscribe_with("t", with_view(since, windows(60, Figure::Max)));
    let past = client.caught_up(sub)[0].1;
    assert!((2..=3).contains(&past), "{past}");
    stream(&broker, "t", 0..130, SECOND);
    broker.run_for(60 * SECOND);
    let messages = client.messages(sub);
    let ends = messages.iter().map(end_of).collect::<Vec<_>>();
    assert!(ends.windows(2).all(|two| two[1] - two[0] == 60_000), "{ends:?}");
    let counted: u64 = messages.iter().map(|message| figure(message, r#""count":"#)).sum();
    assert_eq!(counted, 180 + 130, "each reading is in one window, those at the seam too");
}

fn end_of(message: &Delivery) -> u64 {
    figure(message, r#""end":"#)
}

/// The whole number behind some text of a message.
fn figure(message: &Delivery, name: &str) -> u64 {
    let text = message.text();
    let (_, behind) = text.split_once(name).unwrap();
    let digits: String = behind.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn who_resumes_under_a_rate_has_the_last_value_in_the_end() {
    let rules = KeepRules::new(vec![keep("#")]);
    let broker = Broker::with_rules(1, 1, |_| (), rules);
    let client = broker.connect("client");
    let sub = client.subscribe_with("#", view(at_most(0.1)));
    stream(&broker, "a", 0..3, SECOND);
    stream(&broker, "b", 0..3, SECOND);
    let (mut positions, _) = client.caught_up(sub)[0].clone();
    for message in client.messages(sub) {
        let entry = positions.iter_mut().find(|entry| entry.shard() == message.position.shard()).unwrap();
        *entry = message.position.max(*entry);
    }
    client.unsubscribe(sub);
    let after = from(From::After { positions, epoch: "epoch".into() });
    let again = client.subscribe_with("#", with_view(after, at_most(0.1)));
    broker.run_for(20 * SECOND);
    for topic in ["a", "b"] {
        let last = client.messages(again).into_iter().rfind(|message| message.topic == topic);
        assert_eq!(last.unwrap().text(), r#"{"v":2}"#, "{topic}");
    }
}

#[test]
fn patches_add_up_to_the_value_also_behind_a_loss() {
    let broker = Broker::with_limits(1, 1, |limits| limits.outbox_max = 64 * 1024);
    let client = broker.connect("client");
    let sub = client.subscribe_with("t", view(ViewOptions { patch: true, ..Default::default() }));
    let device = broker.publisher();
    let padding = "x".repeat(1000);
    let mut number = 0;
    let mut more = |count: u32| {
        for _ in 0..count {
            number += 1;
            publish(&device, "t", &format!(r#"{{"v":{number},"p":"{padding}"}}"#));
        }
        broker.settle();
        number
    };
    more(3);
    client.stall();
    more(5_000);
    client.resume();
    let last = more(1);
    let messages = client.messages(sub);
    let whole_at = messages.iter().rposition(|message| !message.options.patch).unwrap();
    assert!(!messages[0].options.patch && messages[1].options.patch);
    assert!(whole_at > 3, "behind the loss the whole value came again");
    assert!(client.dropped(sub) > 0);
    assert!(messages.last().unwrap().text().contains(&format!(r#""v":{last}"#)));
}

#[test]
fn the_answer_gives_the_view_in_force_and_a_change_in_place_holds_from_then_on() {
    let broker = Broker::new(1, 1);
    let client = broker.connect("client");
    let sub = client.subscribe_with("t", view(at_most(0.1)));
    let change = SubscribeOptions { view: Some(Box::new(at_most(10.0))), ..Default::default() };
    stream(&broker, "t", 0..2, SECOND);
    assert_eq!(client.texts(sub), [r#"{"v":0}"#]);
    assert_eq!(client.resubscribe(sub, "t", change), Code::OK);
    assert_eq!(client.texts(sub), [r#"{"v":0}"#, r#"{"v":1}"#], "what waited is sent");
    stream(&broker, "t", 0..3, SECOND);
    assert_eq!(client.texts(sub).len(), 5);
    let rates: Vec<_> = client.heard().into_iter().filter_map(rate_in_force).collect();
    assert_eq!(rates, [0.1, 10.0]);
}

fn rate_in_force(said: Said) -> Option<f64> {
    match said {
        Said::Subscribed { view, .. } => view?.max_rate,
        _ => None,
    }
}

#[test]
fn an_option_that_can_t_be_done_is_refused_with_its_name_and_the_old_view_stays() {
    let broker = Broker::new(1, 1);
    let client = broker.connect("client");
    let sub = client.subscribe_with("t", view(at_most(0.1)));
    let bad =
        |condition: &'static str| ViewOptions { condition: Some(condition.into()), ..Default::default() };
    for (wish, code, reason) in [
        (bad("payload.v >"), Code::INVALID, "SUBSCRIBE.options.where: line 1, column 12: "),
        (bad("payload.all(x, x)"), Code::INVALID, "SUBSCRIBE.options.where: line 1, column 9: macros"),
        (
            ViewOptions { select: vec!["a.".into()], ..Default::default() },
            Code::INVALID,
            "SUBSCRIBE.options.select: ",
        ),
    ] {
        let change = SubscribeOptions { view: Some(Box::new(wish)), ..Default::default() };
        assert_eq!(client.resubscribe(sub, "t", change), code);
        assert!(refusal(&client, sub).starts_with(reason), "{}", refusal(&client, sub));
    }
    stream(&broker, "t", 0..3, SECOND);
    assert_eq!(client.texts(sub).len(), 1);
}

#[test]
fn readings_that_a_view_can_t_use_are_told_of_once_a_minute() {
    let broker = Broker::new(1, 1);
    let client = broker.connect("client");
    let condition = ViewOptions { condition: Some("payload.pressure > 1".into()), ..Default::default() };
    let sub = client.subscribe_with("t", view(condition));
    stream(&broker, "t", 0..90, SECOND);
    let told = notices(&client);
    let reason =
        "the view left out readings that it can't use; the first on t: the payload has nothing at the path";
    assert_eq!(told.len(), 2);
    assert_eq!(told[0], (NoticeKind::Degraded, 1, reason.to_owned()));
    assert_eq!(told[1].1, 60);
    assert!(client.messages(sub).is_empty());
}

#[test]
fn a_view_past_the_limit_is_refused_unless_an_equal_one_is_there() {
    let broker = Broker::with_limits(1, 1, |limits| limits.views_max = 2);
    let client = broker.connect("client");
    let ask = |sub, rate| client.resubscribe(sub, "t", view(at_most(rate)));
    assert_eq!(
        [ask(1, 1.0), ask(2, 2.0), ask(3, 3.0), ask(4, 1.0)],
        [Code::OK, Code::OK, Code::QUOTA, Code::OK]
    );
    assert_eq!(refusal(&client, 3), "limits.views_max is 2");
    client.unsubscribe(2);
    assert_eq!(ask(3, 3.0), Code::OK);
    assert_eq!(broker.remains().hubs[0].views, 2);
}

#[test]
fn topics_past_the_limit_are_told_of() {
    let broker = Broker::with_limits(1, 1, |limits| limits.view_topics_max = 2);
    let client = broker.connect("client");
    let sub = client.subscribe_with("#", view(at_most(1.0)));
    for topic in ["a", "b", "c"] {
        stream(&broker, topic, 0..1, SECOND);
    }
    assert_eq!(client.messages(sub).len(), 2);
    let told = notices(&client);
    assert_eq!((told[0].0, told[0].1), (NoticeKind::Limited, 1));
    assert!(told[0].2.contains("limits.view_topics_max is 2"), "{}", told[0].2);
}

#[test]
fn silence_of_a_topic_is_told_to_who_asked_and_to_nobody_else() {
    let broker = Broker::new(2, 1);
    stream(&broker, "kept", 0..1, SECOND);
    let (watcher, other) = (broker.connect("watcher"), broker.connect("other"));
    let wish = ViewOptions { expect_ms: Some(5_000), ..Default::default() };
    let sub = watcher.subscribe_with("#", with_view(SubscribeOptions::default(), wish));
    let beside = other.subscribe("#");
    broker.run_for(10 * SECOND);
    stream(&broker, "kept", 0..2, SECOND);
    let topics: Vec<_> = watcher.messages(sub).into_iter().map(|message| message.topic).collect();
    let fresh = "$murre/fresh/kept";
    assert_eq!(topics, ["kept", fresh, fresh, "kept", "kept"]);
    let states: Vec<_> = watcher.texts(sub).into_iter().filter(|text| text.contains("state")).collect();
    assert!(states[0].starts_with(r#"{"state":"stale""#) && states[1].starts_with(r#"{"state":"fresh""#));
    assert_eq!(other.messages(beside).len(), 3);
}

/// A phone that reads 10 KiB a second, while a machine sends a reading of 200 bytes a hundred times a second: how old
/// what it shows is at most, in readings, and how many it was told that it missed.
fn phone_on_a_slow_line(options: SubscribeOptions<'static>) -> (u64, u64) {
    let broker = Broker::with_limits(1, 1, |limits| {
        limits.outbox_max = 64 * 1024;
        limits.degrade = None;
    });
    let (phone, device) = (broker.connect("phone"), broker.publisher());
    let sub = phone.subscribe_with("vibration", options);
    phone.stall();
    let padding = "x".repeat(180);
    let (mut seen, mut budget, mut shown, mut age_max) = (0, 0_i64, 0, 0);
    for n in 0..3_000 {
        publish(&device, "vibration", &format!(r#"{{"v":{n},"p":"{padding}"}}"#));
        broker.run_for(Duration::from_millis(10));
        budget = (budget + 102).min(102);
        if budget > 0 {
            phone.read(1);
        }
        for text in phone.heard_since(&mut seen).into_iter().filter_map(text_of) {
            budget -= text.len() as i64;
            shown = value(&text);
        }
        age_max = age_max.max(n - shown);
    }
    phone.resume();
    (age_max, phone.dropped(sub))
}

fn text_of(said: Said) -> Option<String> {
    if let Said::Message(message) = said { Some(message.text()) } else { None }
}

fn value(text: &str) -> u64 {
    text.trim_start_matches(r#"{"v":"#).split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_phone_on_a_slow_line_shows_current_values_with_a_view_and_falls_behind_without() {
    let (age_max, dropped) = phone_on_a_slow_line(view(at_most(2.0)));
    assert!(age_max <= 60 && dropped == 0, "{age_max} readings old, {dropped} dropped");
    let (age_max, dropped) = phone_on_a_slow_line(live());
    assert!(age_max > 200 && dropped > 1_000, "{age_max} readings old, {dropped} dropped");
}
