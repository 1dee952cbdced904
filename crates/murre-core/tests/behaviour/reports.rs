//! Those who run a broker see who is connected, who publishes and who subscribes, and can disconnect a client.

use std::collections::BTreeSet;

use murre_core::{
    hub::{ListQuery, Traffic},
    testing::{Broker, Client, Lengths, acknowledged, keeping, live, on_slow},
};
use murre_protocol::{
    Code, Codec,
    packet::{OnSlow, SubscribeOptions, ViewOptions},
};

const OUTBOX_MAX: usize = 128 * 1024;
const VALUE: &str = "a value that takes some room in the outbox of whoever gets it";

/// A page of so many clients behind those of another one.
fn query(limit: usize) -> ListQuery {
    ListQuery { limit, ..ListQuery::default() }
}

/// The names on all pages, and how many pages there were.
fn pages(broker: &Broker, limit: usize) -> (Vec<String>, usize) {
    let (mut query, mut names, mut pages) = (query(limit), Vec::new(), 0);
    loop {
        let page = broker.list(&query);
        pages += 1;
        names.extend(page.clients.iter().map(|client| client.name.clone()));
        match page.next() {
            Some(place) => query.after = Some(place),
            None => return (names, pages),
        }
    }
}

/// A broker of which one client of several does not read, and gets a lower rate where that is on.
fn broker_with_a_slow_client(rule: OnSlow, degrades: bool) -> (Broker, Client, u64) {
    let broker = Broker::with_limits(2, 1, |limits| {
        limits.outbox_max = OUTBOX_MAX;
        limits.degrade.take_if(|_| !degrades);
    });
    let slow = broker.connect("slow");
    let sub = slow.subscribe_with("t/#", on_slow(rule));
    broker.connect("fast").subscribe("t/#");
    slow.stall();
    (broker, slow, sub)
}

fn flood(broker: &Broker, count: usize) {
    let topics: Vec<String> = (0..count).map(|n| format!("t/{}", n % 10)).collect();
    broker.publish_all(topics.iter().map(|topic| (topic.as_str(), VALUE)));
}

#[test]
fn a_list_has_every_client_once_whatever_the_page() {
    let broker = Broker::new(3, 1);
    let clients: Vec<Client> = (0..100).map(|n| broker.connect(&format!("device-{n}"))).collect();
    clients.iter().step_by(7).for_each(Client::disconnect);
    let left: BTreeSet<String> = (0..100).filter(|n| n % 7 != 0).map(|n| format!("device-{n}")).collect();
    for limit in [1, 10, 85, 1000] {
        let (names, count) = pages(&broker, limit);
        assert_eq!(count, left.len().div_ceil(limit));
        assert_eq!(names, left.iter().cloned().collect::<Vec<_>>(), "in order, by pages of {limit}");
    }
    assert_eq!(broker.list(&query(1)).total, left.len());
}

#[test]
fn a_list_goes_on_where_it_was_although_clients_come_and_go() {
    let broker = Broker::new(2, 1);
    let clients: Vec<Client> = ["b", "d", "f", "h"].map(|id| broker.connect(id)).into();
    let first = broker.list(&query(2));
    clients[1].disconnect();
    let (_, _) = (broker.connect("a"), broker.connect("e"));
    let rest = broker.list(&ListQuery { after: first.next(), ..query(10) });
    let names: Vec<&str> = rest.clients.iter().map(|client| client.name.as_str()).collect();
    assert_eq!(names, ["e", "f", "h"]);
}

#[test]
fn a_search_looks_at_names_in_whatever_case() {
    let broker = Broker::new(2, 1);
    let _clients = ["Boiler-1", "boiler-2", "pump-1"].map(|id| broker.connect(id));
    let found = |search: &str| {
        let page = broker.list(&ListQuery { search: Some(search.into()), ..query(10) });
        (page.total, page.clients.into_iter().map(|client| client.name).collect::<Vec<_>>())
    };
    assert_eq!(found("BOILER"), (2, vec!["Boiler-1".into(), "boiler-2".into()]));
    assert_eq!(found("-1").0, 2);
    assert_eq!((found("").0, found("valve").0), (3, 0));
}

#[test]
fn the_slow_come_first_and_are_slow_until_they_read_and_a_while_has_passed() {
    let (broker, slow, _) = broker_with_a_slow_client(OnSlow::DropOldest, true);
    assert_eq!((pages(&broker, 10).0, broker.count_slow()), (vec!["fast".into(), "slow".into()], 0));
    flood(&broker, 5000);
    assert_eq!(
        (pages(&broker, 2).0, broker.count_slow()),
        (vec!["slow".into(), "fast".into(), "publisher".into()], 1)
    );
    slow.resume();
    assert_eq!(broker.count_slow(), 1, "it has lost something just now");
    broker.run_for(10.secs());
    assert_eq!(broker.count_slow(), 0);
    assert_eq!(pages(&broker, 10).0.last().map(String::as_str), Some("slow"));
}

#[test]
fn a_client_whose_outbox_fills_is_slow_before_it_has_lost_anything() {
    let (broker, _slow, _) = broker_with_a_slow_client(OnSlow::DropOldest, true);
    let mut published = 0;
    while broker.report("slow").unwrap().outbox_bytes <= OUTBOX_MAX / 2 {
        assert_eq!(broker.count_slow(), 0);
        flood(&broker, 100);
        published += 100;
        assert!(published < 5000, "it does not read");
    }
    let report = broker.report("slow").unwrap();
    assert_eq!((broker.count_slow(), report.slow, report.dropped), (1, true, 0));
}

#[test]
fn what_a_client_lost_is_counted_as_its_notices_tell_it() {
    for rule in [OnSlow::DropOldest, OnSlow::Conflate] {
        let (broker, slow, sub) = broker_with_a_slow_client(rule, false);
        flood(&broker, 5000);
        slow.resume();
        let report = broker.report("slow").unwrap();
        assert!(report.dropped > 1000);
        assert_eq!((report.dropped, report.conflated), (slow.dropped(sub), 0));
        assert_eq!(broker.report_subscriptions("slow")[0].dropped, report.dropped);
        assert_eq!(broker.report("fast").unwrap().dropped, 0);
    }
}

#[test]
fn what_a_lower_rate_leaves_out_is_counted_beside_what_is_dropped() {
    let (broker, slow, sub) = broker_with_a_slow_client(OnSlow::DropOldest, true);
    flood(&broker, 5000);
    slow.resume();
    broker.run_for(60.secs());
    let report = broker.report("slow").unwrap();
    assert!(report.conflated > 1000);
    assert_eq!(slow.messages(sub).len() as u64 + report.dropped + report.conflated, 5000);
    assert_eq!(broker.count(|c| &c.conflated), report.conflated);
}

#[test]
fn messages_that_no_acknowledgement_made_room_for_are_lost_too() {
    let broker = Broker::with_limits(2, 1, |limits| {
        (limits.inflight_max, limits.ack_queue_bytes_max) = (1, 1000);
    });
    let client = broker.connect("slow");
    client.subscribe_with("t/#", acknowledged());
    flood(&broker, 100);
    let report = broker.report("slow").unwrap();
    assert!(report.dropped > 0 && report.slow);
    assert_eq!(report.dropped, broker.count(|c| &c.ack_dropped));
}

#[test]
fn a_client_shows_what_came_from_it_and_what_it_got() {
    let broker = Broker::new(2, 1);
    let dashboard = broker.connect("dashboard");
    let sub = dashboard.subscribe("site/#");
    let device = broker.connect("device");
    device.publish_all((0..50).map(|_| ("site/a", VALUE)));
    device.publish("site/b", VALUE);
    device.publish("$murre/x", "is refused, and came all the same");
    let (sent, got) = (broker.report("device").unwrap(), broker.report("dashboard").unwrap());
    assert_eq!((sent.received.messages, got.delivered.messages), (52, 51));
    assert_eq!(dashboard.messages(sub).len(), 51);
    assert!(sent.received.bytes > 51 * VALUE.len() as u64 && got.delivered.bytes > 51 * VALUE.len() as u64);
    assert_eq!((sent.delivered.messages, got.received.messages), (0, 0));
    assert_eq!((got.outbox_bytes, got.subscriptions), (0, 1));
    assert_eq!(broker.count(|c| &c.received), 52);
}

#[test]
fn a_client_shows_how_it_is_connected() {
    let broker = Broker::new(2, 1);
    broker.run_for(5.secs());
    let connected = broker.now();
    let mut connect = keeping("device", 3600);
    connect.keep_alive = Some(30);
    broker.connect_with(0, Codec::Json, connect);
    broker.run_for(5.secs());
    let report = broker.report("device").unwrap();
    assert_eq!((report.codec, report.keep_alive, report.durable), (Codec::Json, 30, true));
    assert_eq!(
        (report.connected.millis(), report.received),
        (connected, Traffic { messages: 0, ..report.received })
    );
    assert_eq!(broker.count(|c| &c.durable_clients), 1);
}

#[test]
fn clients_that_are_kept_are_counted_while_they_are_there() {
    let broker = Broker::new(2, 1);
    let device = broker.connect_with(0, Codec::MessagePack, keeping("device", 3600));
    broker.connect("other");
    let counts = || (broker.count(|c| &c.durable_clients), broker.count(|c| &c.kept_sessions));
    assert_eq!(counts(), (1, 1));
    let again = broker.connect_with(1, Codec::MessagePack, keeping("device", 3600));
    assert_eq!((counts(), device.disconnected()), ((1, 1), Some(Code::TAKEN_OVER)));
    again.break_off();
    assert_eq!(counts(), (0, 1));
}

#[test]
fn who_is_subscribed_is_known_by_filter_group_and_view() {
    let broker = Broker::new(3, 1);
    let view = ViewOptions { max_rate: Some(2.0), ..ViewOptions::default() };
    let viewing = SubscribeOptions { view: Some(Box::new(view.clone())), ..live() };
    let (a, b, c, d) = (broker.connect("a"), broker.connect("b"), broker.connect("c"), broker.connect("d"));
    a.subscribe("site/+/temp");
    a.subscribe("other/#");
    b.subscribe_with("site/#", viewing);
    c.subscribe_with("$share/workers/site/a/#", live());
    d.subscribe_with("site/a/temp", acknowledged());
    let found = broker.subscribers("site/a/temp");
    let shown: Vec<_> = found
        .iter()
        .map(|(name, of)| (name.as_str(), of.filter.as_str(), of.group.as_deref(), of.ack))
        .collect();
    let expected = [
        ("a", "site/+/temp", None, false),
        ("b", "site/#", None, false),
        ("c", "site/a/#", Some("workers"), false),
        ("d", "site/a/temp", None, true),
    ];
    assert_eq!(shown, expected);
    assert_eq!(found[1].1.view, Some(view));
    c.disconnect();
    assert_eq!(broker.subscribers("site/a/temp").len(), 3);
    assert_eq!(broker.report_subscriptions("a").len(), 2);
    assert_eq!(broker.subscribers("$murre/stats"), []);
}

#[test]
fn who_publishes_is_known_while_it_is_connected() {
    let broker = Broker::new(3, 1);
    let (a, b, c) = (broker.connect("a"), broker.connect("b"), broker.connect("c"));
    a.publish("site/a", "1");
    a.publish("site/a", "2");
    assert_eq!(broker.publishers("site/a"), ["a"]);
    for client in [&b, &c, &b] {
        client.publish("site/a", "3");
    }
    assert_eq!(broker.publishers("site/a"), ["b", "c", "a"]);
    b.disconnect();
    assert_eq!(broker.publishers("site/a"), ["c", "a"]);
    broker.delete("site/a");
    assert_eq!(broker.publishers("site/a"), Vec::<String>::new());
    assert_eq!(broker.publishers("never/published"), Vec::<String>::new());
}

#[test]
fn a_client_that_is_disconnected_is_told_so_and_is_offline_then() {
    let broker = Broker::new(2, 1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/clients/device");
    let device = broker.connect("device");
    assert!(broker.expel("device", "out of order"));
    assert_eq!(device.disconnected(), Some(Code::NOT_AUTHORISED));
    assert_eq!(watcher.texts(sub).len(), 2);
    assert!(watcher.texts(sub)[1].contains("disconnected by the broker"));
    assert!(!broker.expel("device", "again") && !broker.expel("nobody", "at all"));
    assert_eq!(broker.report("device"), None);
}

#[test]
fn a_connection_that_has_not_said_connect_is_no_client() {
    let broker = Broker::new(2, 1);
    let _new = broker.open(0, Codec::MessagePack);
    assert_eq!(broker.list(&query(10)).total, 0);
}
