//! `$murre/clients/<client id>` says who is online.

use murre_core::testing::{Broker, Client};
use murre_protocol::{Code, Format};

fn states(watcher: &Client, sub: u64, id: &str) -> Vec<String> {
    let topic = format!("$murre/clients/{id}");
    let messages = watcher.messages(sub).into_iter().filter(|message| message.topic == topic);
    messages
        .map(|message| {
            assert_eq!(message.format, Format::Json);
            let text = message.text();
            let state = if text.contains(r#""state":"online""#) { "online" } else { "offline" };
            let reason = text.split(r#""reason":""#).nth(1).and_then(|rest| rest.split('"').next());
            reason.map_or(state.to_owned(), |reason| format!("{state}: {reason}"))
        })
        .collect()
}

#[test]
fn a_client_is_online_while_it_is_connected_and_offline_with_the_reason_after() {
    let broker = Broker::new(2, 1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/clients/+");
    broker.connect("polite").disconnect();
    broker.connect("lost").break_off();
    assert_eq!(states(&watcher, sub, "polite"), ["online", "offline: disconnected"]);
    assert_eq!(states(&watcher, sub, "lost"), ["online", "offline: connection lost"]);
}

#[test]
fn who_subscribes_later_sees_who_is_online_and_nobody_else() {
    let broker = Broker::new(2, 1);
    let _here = broker.connect("here");
    broker.connect("gone").disconnect();
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/clients/#");
    let mut topics: Vec<String> = watcher.messages(sub).into_iter().map(|message| message.topic).collect();
    topics.sort();
    assert_eq!(topics, ["$murre/clients/here", "$murre/clients/watcher"]);
}

#[test]
fn a_takeover_is_no_absence() {
    let broker = Broker::new(2, 1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("$murre/clients/boiler");
    let _old = broker.connect("boiler");
    let _new = broker.connect("boiler");
    assert_eq!(states(&watcher, sub, "boiler"), ["online", "online"]);
}

#[test]
fn a_wildcard_at_the_front_does_not_see_presence() {
    let broker = Broker::new(2, 1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("#");
    broker.connect("another");
    assert_eq!(watcher.texts(sub), [""; 0]);
}

#[test]
fn presence_is_the_brokers_own() {
    let broker = Broker::new(2, 1);
    let liar = broker.connect("liar");
    let answer = liar.publish("$murre/clients/boiler", r#"{"state":"online"}"#);
    assert_eq!(answer.code, Code::NOT_AUTHORISED);
}

#[test]
fn a_client_without_an_id_is_given_one() {
    let broker = Broker::new(2, 1);
    let names: std::collections::BTreeSet<String> = (0..20)
        .map(|n| {
            let client = broker.open(n % 2, murre_protocol::Codec::MessagePack);
            client.connect_with(murre_protocol::packet::Connect::default());
            let heard = client.heard();
            let [murre_core::testing::Said::Connected { client_id, keep_alive: 60, .. }] = &heard[..] else {
                panic!("{heard:?}")
            };
            client_id.clone()
        })
        .collect();
    assert_eq!(names.len(), 20);
}
