//! A group may have a view: it is applied before a message is a member's, and is the same for all members.

use std::collections::BTreeSet;

use murre_core::testing::{Broker, Client, Said, acknowledged, live};
use murre_protocol::{
    Code,
    packet::{Deadband, Figure, LeastChange, NoticeKind, SubscribeOptions, ViewOptions, Window, WindowTime},
};

use crate::viewing::{publish, with_view};

const FILTER: &str = "$share/workers/jobs/#";

fn large() -> ViewOptions<'static> {
    ViewOptions {
        condition: Some("payload.size >= 50".into()),
        select: vec!["n".into()],
        ..Default::default()
    }
}

/// A member on a worker, of the group that does the large ones.
fn member(broker: &Broker, worker: u8, id: &str, options: SubscribeOptions<'static>) -> Client {
    let client = broker.connect_on(worker, id);
    client.subscribe_with(FILTER, with_view(options, large()));
    client
}

/// Publishes jobs of which those with an even number are large.
fn jobs(broker: &Broker, numbers: std::ops::Range<usize>) {
    let device = broker.publisher();
    for n in numbers {
        let size = if n % 2 == 0 { 90 } else { 10 };
        publish(&device, &format!("jobs/{}", n % 10), &format!(r#"{{"n":{n},"size":{size}}}"#));
        broker.settle();
    }
}

/// The numbers of the jobs that a member was sent, which say nothing else.
fn done(client: &Client) -> Vec<usize> {
    let number = |text: String| text.trim_start_matches(r#"{"n":"#).trim_end_matches('}').parse().unwrap();
    client.texts(1).into_iter().map(number).collect()
}

fn even(numbers: std::ops::Range<usize>) -> Vec<usize> {
    numbers.filter(|n| n % 2 == 0).collect()
}

#[test]
fn what_the_view_leaves_out_is_nobodys_and_the_rest_is_one_members() {
    for workers in [&[0, 0, 0][..], &[0, 1, 1], &[1, 1]] {
        let broker = Broker::new(2, 1);
        let members: Vec<Client> = (0..)
            .zip(workers)
            .map(|(n, worker)| member(&broker, *worker, &format!("m{n}"), live()))
            .collect();
        jobs(&broker, 0..100);
        let mut all: Vec<usize> = members.iter().flat_map(done).collect();
        all.sort_unstable();
        assert_eq!(all, even(0..100), "members on {workers:?}");
    }
}

#[test]
fn ties_go_in_turn_whatever_is_left_out_between() {
    let broker = Broker::new(1, 1);
    let members: Vec<Client> = (0..2).map(|n| member(&broker, 0, &format!("m{n}"), live())).collect();
    jobs(&broker, 0..40);
    assert_eq!(members.iter().map(|member| done(member).len()).collect::<Vec<_>>(), [10, 10]);
}

#[test]
fn members_that_see_something_else_are_another_group() {
    let broker = Broker::new(2, 1);
    let view =
        |condition: &'static str| ViewOptions { condition: Some(condition.into()), ..Default::default() };
    let clients: Vec<Client> = (0..3).map(|n| broker.connect_on(n % 2, &format!("m{n}"))).collect();
    clients[0].subscribe_with(FILTER, with_view(live(), view("payload.size >= 50")));
    clients[1].subscribe_with(FILTER, with_view(live(), view("payload.n < 3")));
    clients[2].subscribe_with(FILTER, live());
    jobs(&broker, 0..10);
    assert_eq!(clients.iter().map(|client| client.messages(1).len()).collect::<Vec<_>>(), [5, 3, 10]);
}

#[test]
fn what_a_member_leaves_unacknowledged_goes_to_another_through_the_view() {
    for other in [0, 1] {
        let broker = Broker::with_limits(2, 1, |limits| limits.inflight_max = 3);
        let first = member(&broker, 0, "first", acknowledged());
        jobs(&broker, 0..20);
        assert_eq!(done(&first), [0, 2, 4], "no more than the window");
        first.acknowledge(1, first.messages(1)[0].position);
        let second = member(&broker, other, "second", acknowledged());
        first.break_off();
        second.acknowledge_all(1);
        let all: BTreeSet<usize> = done(&second).into_iter().collect();
        assert_eq!(all.into_iter().collect::<Vec<_>>(), even(2..20), "on worker {other}");
    }
}

#[test]
fn what_reaches_a_member_before_it_is_told_subscribed_goes_through_the_view_too() {
    let broker = Broker::new(2, 1);
    let old = member(&broker, 1, "old", live());
    let new = broker.connect_on(0, "new");
    broker.hold(1);
    new.send(&murre_core::testing::subscribing(1, FILTER, with_view(live(), large())));
    jobs(&broker, 0..40);
    broker.release(1);
    broker.settle();
    let mut all: Vec<usize> = [&old, &new].into_iter().flat_map(done).collect();
    all.sort_unstable();
    assert_eq!(all, even(0..40));
}

#[test]
fn the_rule_for_slow_clients_can_change_in_place_and_the_view_cannot() {
    let broker = Broker::new(1, 1);
    let client = member(&broker, 0, "a", live());
    let conflate = murre_protocol::packet::OnSlow::Conflate;
    let rule = SubscribeOptions { on_slow: Some(conflate), ..Default::default() };
    assert_eq!(client.resubscribe(1, FILTER, rule), Code::OK);
    assert_eq!(client.resubscribe(1, FILTER, with_view(Default::default(), large())), Code::OK);
    let other = ViewOptions { select: vec!["size".into()], ..Default::default() };
    assert_eq!(client.resubscribe(1, FILTER, with_view(Default::default(), other)), Code::INVALID);
    let said = client.heard();
    let Some(Said::Subscribed { reason, .. }) = said.last() else { panic!("no answer: {said:?}") };
    assert!(reason.starts_with("SUBSCRIBE.options: the view of a shared subscription"), "{reason}");
    jobs(&broker, 0..4);
    assert_eq!(done(&client), [0, 2], "the old one stays");
}

#[test]
fn an_option_that_members_who_take_turns_cannot_have_is_refused_with_its_name_and_why() {
    let broker = Broker::new(1, 1);
    let client = broker.connect("a");
    let deadband = Deadband { path: "v".into(), least: LeastChange::Absolute(1.0), silence_max_ms: None };
    let (of, give) = (vec!["v".into()], vec![Figure::Max]);
    let window = Window { length_ms: 1000, step_ms: 1000, of, give, by: WindowTime::Broker, empty: false };
    let none = ViewOptions::default;
    for (option, view) in [
        ("max_rate", ViewOptions { max_rate: Some(1.0), ..none() }),
        ("deadband", ViewOptions { deadband: Some(deadband), ..large() }),
        ("window", ViewOptions { window: Some(window), ..none() }),
        ("patch", ViewOptions { patch: true, ..none() }),
        ("expect", ViewOptions { expect_ms: Some(1000), ..none() }),
    ] {
        assert_eq!(client.resubscribe(1, FILTER, with_view(live(), view)), Code::NOT_SUPPORTED);
        let said = client.heard();
        let Some(Said::Subscribed { reason, .. }) = said.last() else { panic!("no answer: {said:?}") };
        assert!(reason.starts_with(&format!("SUBSCRIBE.options.{option}: not on a shared")), "{reason}");
    }
}

#[test]
fn what_a_groups_view_cannot_use_is_told_to_its_members() {
    let broker = Broker::new(1, 1);
    let client = member(&broker, 0, "a", live());
    broker.publish("jobs/a", "broken");
    let told = client
        .heard()
        .into_iter()
        .filter(|said| matches!(said, Said::Notice { kind: NoticeKind::Degraded, .. }));
    assert_eq!((told.count(), client.messages(1).len()), (1, 0));
}

#[test]
fn a_groups_view_ends_with_its_last_member() {
    let broker = Broker::new(1, 1);
    let members: Vec<Client> = (0..2).map(|n| member(&broker, 0, &format!("m{n}"), live())).collect();
    assert_eq!(broker.remains().hubs[0].views, 1);
    members.iter().for_each(Client::disconnect);
    assert_eq!(broker.remains().hubs[0].views, 0);
}
