use std::future::IntoFuture;

use murre_protocol::{
    Format,
    packet::{BrokerPacket, MessageOptions, Notice, NoticeKind},
};

use crate::{
    Client, Subscription,
    testing::{Broker, Peer, message},
};

/// A subscription with patches, granted, and its number.
async fn patched(client: &Client, peer: &mut Peer) -> (Subscription, u64) {
    let (subscription, sub) = tokio::join!(client.subscribe("t").patch(true).into_future(), peer.grant());
    (subscription.unwrap(), sub)
}

fn json(sub: u64, payload: &str, patch: bool) -> BrokerPacket<'static> {
    let mut packet = message(sub, "t", payload, MessageOptions { patch, ..Default::default() });
    if let BrokerPacket::Message { message, .. } = &mut packet {
        message.format = Format::Json;
    }
    packet
}

async fn next_value(subscription: &mut Subscription) -> String {
    String::from_utf8_lossy(subscription.next().await.unwrap().payload()).into_owned()
}

#[tokio::test(start_paused = true)]
async fn messages_are_whole_whatever_the_broker_leaves_out() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut values, sub) = patched(&client, &mut peer).await;
    let lost = Notice {
        kind: NoticeKind::Dropped,
        sub: Some(sub),
        count: Some(3),
        topics: Vec::new(),
        reason: "the client read too slowly".into(),
        code: None,
    };
    // the whole value behind a loss may come before the notice of it
    peer.send_all(&[
        json(sub, r#"{"c":1,"u":"C"}"#, false),
        json(sub, r#"{"c":5,"u":"C"}"#, false),
        BrokerPacket::Notice(Box::new(lost)),
        json(sub, r#"{"c":6}"#, true),
    ])
    .await;
    for expected in [r#"{"c":1,"u":"C"}"#, r#"{"c":5,"u":"C"}"#, r#"{"c":6,"u":"C"}"#] {
        assert_eq!(next_value(&mut values).await, expected);
    }
    assert_eq!((values.dropped(), values.unmatched_patches()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_known_before_a_reconnect_is_changed_by_no_patch() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut values, sub) = patched(&client, &mut peer).await;
    peer.send(json(sub, r#"{"c":1}"#, false)).await;
    assert_eq!(next_value(&mut values).await, r#"{"c":1}"#);
    drop(peer);

    let mut peer = broker.accept().await;
    let again = peer.expect_subscribe().await;
    assert!(again.options.view.is_some_and(|view| view.patch));
    peer.send_all(&[json(sub, r#"{"u":"C"}"#, true), json(sub, r#"{"c":2}"#, false)]).await;
    assert_eq!(next_value(&mut values).await, r#"{"c":2}"#);
    assert_eq!((values.dropped(), values.unmatched_patches()), (1, 1));
}
