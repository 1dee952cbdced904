//! What can't be read, or comes out of turn, is answered and ends that connection alone.

use murre_core::{
    hub::MessageKind,
    testing::{Broker, Client, Said, live},
};
use murre_protocol::{
    Code, Codec,
    packet::{ClientPacket, Connect},
};

fn reason(client: &Client) -> String {
    let said = client.heard().into_iter();
    said.filter_map(|said| if let Said::Disconnect { reason, .. } = said { Some(reason) } else { None })
        .next()
        .unwrap_or_default()
}

#[test]
fn a_malformed_packet_gets_disconnect_4400_that_names_it() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    // PUBLISH with a number for its topic
    client.send_bytes(&[0x95, 3, 7, 0, 0xc4, 0, 0]);
    broker.settle();
    assert_eq!(client.disconnected(), Some(Code::MALFORMED));
    assert_eq!(client.closed().map(|close| close.code), Some(4400));
    let reason = reason(&client);
    assert!(reason.contains("PUBLISH") && reason.contains("topic"), "{reason}");
}

#[test]
fn an_unknown_type_and_a_truncated_tail_are_malformed() {
    for bytes in [&[0x91, 99][..], &[0x95, 3, 0xa1], &[0xc1], &[0x80]] {
        let broker = Broker::new(2, 1);
        let client = broker.connect("a");
        client.send_bytes(bytes);
        broker.settle();
        assert_eq!(client.disconnected(), Some(Code::MALFORMED), "{bytes:?}");
    }
}

#[test]
fn what_came_before_the_malformed_packet_is_handled_and_nothing_after_it() {
    let broker = Broker::new(2, 1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("t");
    let client = broker.connect("a");
    client.publish_all([("t", "before")]);
    client.send_bytes(&[0xc1]);
    client.publish_all([("t", "after")]);
    broker.settle();
    assert_eq!(watcher.texts(sub), ["before"]);
}

#[test]
fn a_publish_before_connect_is_out_of_turn() {
    let broker = Broker::new(2, 1);
    let client = broker.open(0, Codec::MessagePack);
    client.publish_all([("t", "x")]);
    broker.settle();
    assert_eq!(client.disconnected(), Some(Code::MALFORMED));
    assert!(reason(&client).contains("CONNECT"), "{}", reason(&client));
}

#[test]
fn a_second_connect_is_out_of_turn() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    client.connect("a");
    assert_eq!(client.disconnected(), Some(Code::MALFORMED));
}

#[test]
fn a_message_of_the_other_kind_is_closed_with_1003() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    client.send_message(MessageKind::Text, br#"{"type":"ping"}"#);
    broker.settle();
    assert_eq!(client.closed().map(|close| close.code), Some(1003));
}

#[test]
fn the_first_message_decides_where_no_subprotocol_did() {
    let broker = Broker::new(2, 1);
    for codec in [Codec::Json, Codec::MessagePack] {
        let client = broker.open_undecided(0, codec);
        client.connect("a");
        assert!(client.is_connected(), "{codec:?}");
    }
}

#[test]
fn invalid_topics_and_filters_are_refused_and_the_connection_stays() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    for topic in ["", "a/+", "#", "a\0b"] {
        assert_eq!(client.publish(topic, "x").code, Code::INVALID, "{topic:?}");
    }
    for filter in ["", "a+", "#/a", "$share/g", "$share//a"] {
        assert_eq!(client.resubscribe(50, filter, live()), Code::INVALID, "{filter:?}");
    }
    assert!(!client.is_gone());
}

#[test]
fn an_option_with_an_unknown_value_is_refused_and_the_connection_stays() {
    let broker = Broker::new(2, 1);
    let client = broker.connect_with(0, Codec::Json, Connect::default());
    client.send_bytes(br#"{"type":"subscribe","sub":1,"filter":"a","options":{"on_slow":"explode"}}"#);
    broker.settle();
    assert_eq!(client.answers_to_subscribe(1), [Code::INVALID]);
    assert!(!client.is_gone());
}

#[test]
fn an_invalid_client_id_is_refused_with_4422() {
    let broker = Broker::new(2, 1);
    let client = broker.open(0, Codec::MessagePack);
    client.connect("a/b");
    assert_eq!(client.disconnected(), Some(Code::INVALID));
}

#[test]
fn a_number_that_is_not_subscribed_is_answered_4404() {
    let broker = Broker::new(2, 1);
    let client = broker.connect("a");
    client.unsubscribe(7);
    assert_eq!(client.heard().last(), Some(&Said::Unsubscribed { sub: 7, code: Code::NOT_FOUND }));
}

#[test]
fn others_notice_nothing() {
    let broker = Broker::new(2, 1);
    let watcher = broker.connect("watcher");
    let sub = watcher.subscribe("t");
    for n in 0..20 {
        let client = broker.connect(&format!("bad{n}"));
        client.send_bytes(&[0xc1; 100]);
        broker.publish("t", &n.to_string());
    }
    assert_eq!(watcher.messages(sub).len(), 20);
    let ping = ClientPacket::Ping;
    watcher.send(&ping);
    broker.settle();
    assert_eq!(watcher.heard().last(), Some(&Said::Pong));
}
