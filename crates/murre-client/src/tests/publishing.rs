use futures_util::{FutureExt, future::join_all};
use murre_protocol::{
    Code, Position,
    packet::{BrokerPacket, Connected, Published as WirePublished},
};

use crate::{
    Buffer, Client, Event, Publish, PublishError, WhenFull,
    testing::{Broker, Peer, info, settle, text_of},
};

fn numbered(client: &Client, n: usize) -> Publish {
    client.publish("a").text(n.to_string())
}

/// The texts of the next publishes.
async fn texts(peer: &mut Peer, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        texts.push(text_of(&peer.expect_publish().await));
    }
    texts
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_publish_resolves_to_its_position() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (published, ()) =
        tokio::join!(client.publish("site/a/temp").json(&21.4).unwrap().into_future(), async {
            let publish = peer.expect_publish().await;
            assert_eq!((publish.topic.as_ref(), text_of(&publish).as_str()), ("site/a/temp", "21.4"));
            peer.accept_publish(publish.id, 7).await;
        });
    assert_eq!(published.unwrap().position, Position::new(7, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refused_publish_says_why_and_the_connection_stays() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let publish = client.publish("$murre/x").text("x").enqueue().await.unwrap();
    let id = peer.expect_publish().await.id;
    let reason = Some("$murre is the broker's own".into());
    let refusal = WirePublished { id, code: Code::NOT_AUTHORISED, position: Position::NONE, reason };
    peer.send(BrokerPacket::Published(refusal)).await;
    let error = publish.await.unwrap_err().to_string();
    assert!(
        error.contains("$murre/x") && error.contains("4403") && error.contains("broker's own"),
        "{error}"
    );
    assert!(client.is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_was_not_answered_is_sent_again_after_reconnect() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let publishes: Vec<_> = (0..3).map(|n| numbered(&client, n).enqueue()).collect();
    let publishes: Vec<_> = join_all(publishes).await.into_iter().map(Result::unwrap).collect();
    let first = peer.expect_publish().await;
    assert_eq!(texts(&mut peer, 2).await, ["1", "2"]);
    peer.accept_publish(first.id, 1).await;
    settle().await;
    drop(peer);

    let mut peer = broker.accept().await;
    for n in 1..3 {
        let publish = peer.expect_publish().await;
        assert_eq!(text_of(&publish), n.to_string());
        peer.accept_publish(publish.id, n).await;
    }
    assert!(join_all(publishes).await.iter().all(Result::is_ok));
    assert_eq!(client.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_published_without_a_connection_goes_out_in_order() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().start().unwrap();
    for n in 0..100 {
        numbered(&client, n).enqueue().await.unwrap();
        client.publish("b").unacknowledged().text(format!("{n}b")).await.unwrap();
    }
    broker.refuse(false);
    let mut peer = broker.accept().await;
    let expected: Vec<_> = (0..100).flat_map(|n| [n.to_string(), format!("{n}b")]).collect();
    assert_eq!(texts(&mut peer, 200).await, expected);
}

#[tokio::test(start_paused = true)]
async fn unacknowledged_publishes_that_were_not_written_through_survive_a_broken_connection() {
    let mut broker = Broker::new();
    let (client, peer) = broker.connected().await;
    // More than the pipe holds: the frame stays half written, as this broker doesn't read.
    for n in 0..10 {
        client.publish("a").unacknowledged().text(n.to_string() + &"x".repeat(1000)).await.unwrap();
    }
    settle().await;
    drop(peer);
    let mut peer = broker.accept().await;
    let texts = texts(&mut peer, 10).await;
    assert!((0..10).all(|n| texts[n].starts_with(&n.to_string())));
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_leaves_out_the_oldest_and_says_so() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().buffer(Buffer::messages(2)).start().unwrap();
    let mut events = client.events();
    let oldest = numbered(&client, 0).enqueue().await.unwrap();
    for n in 1..4 {
        numbered(&client, n).enqueue().await.unwrap();
    }
    assert!(matches!(oldest.await, Err(PublishError::Dropped { .. })));
    while !matches!(events.next().await.unwrap(), Event::Dropped { count: 2 }) {}
    broker.refuse(false);
    assert_eq!(texts(&mut broker.accept().await, 2).await, ["2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_may_leave_out_the_newest() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let buffer = Buffer::messages(2).when_full(WhenFull::DropNewest);
    let client = broker.builder().buffer(buffer).start().unwrap();
    for n in 0..2 {
        numbered(&client, n).enqueue().await.unwrap();
    }
    assert!(matches!(numbered(&client, 2).await, Err(PublishError::BufferFull { .. })));
    broker.refuse(false);
    assert_eq!(texts(&mut broker.accept().await, 2).await, ["0", "1"]);
}

#[tokio::test(start_paused = true)]
async fn publishing_may_wait_for_room_and_keeps_its_order() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let buffer = Buffer::messages(1).when_full(WhenFull::Wait);
    let client = broker.builder().buffer(buffer).start().unwrap();
    let all = join_all((0..20).map(|n| numbered(&client, n).enqueue()));
    let seen = async {
        settle().await;
        assert_eq!(client.pending(), 1);
        broker.refuse(false);
        texts(&mut broker.accept().await, 20).await
    };
    let (all, seen) = tokio::join!(all, seen);
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(seen, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_publish_does_not_overtake_one_that_waits_for_room() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let buffer = Buffer::messages(1).when_full(WhenFull::Wait);
    let client = broker.builder().buffer(buffer).start().unwrap();
    numbered(&client, 0).enqueue().await.unwrap();
    let mut waiting = Box::pin(numbered(&client, 1).enqueue());
    assert!((&mut waiting).now_or_never().is_none());
    broker.refuse(false);
    let mut peer = broker.accept().await;
    assert_eq!(texts(&mut peer, 1).await, ["0"]);
    let mut later = Box::pin(numbered(&client, 2).enqueue());
    assert!((&mut later).now_or_never().is_none());
    let (_, _, seen) = tokio::join!(later, waiting, texts(&mut peer, 2));
    assert_eq!(seen, ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn an_unacknowledged_publish_that_went_out_is_not_sent_again() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    client.publish("a").unacknowledged().text("once").await.unwrap();
    assert_eq!(texts(&mut peer, 1).await, ["once"]);
    settle().await;
    assert_eq!(client.pending(), 0);
    drop(peer);
    let mut peer = broker.accept().await;
    client.publish("a").unacknowledged().text("later").await.unwrap();
    assert_eq!(texts(&mut peer, 1).await, ["later"]);
}

#[tokio::test(start_paused = true)]
async fn a_publish_dropped_while_it_waits_for_room_is_not_sent_and_holds_up_nobody() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let buffer = Buffer::messages(1).when_full(WhenFull::Wait);
    let client = broker.builder().buffer(buffer).start().unwrap();
    numbered(&client, 0).enqueue().await.unwrap();
    let mut waiting = Box::pin(numbered(&client, 1).enqueue());
    assert!((&mut waiting).now_or_never().is_none());
    let mut next = Box::pin(numbered(&client, 2).enqueue());
    assert!((&mut next).now_or_never().is_none());
    drop(waiting);
    broker.refuse(false);
    let mut peer = broker.accept().await;
    let (_, seen) = tokio::join!(next, texts(&mut peer, 2));
    assert_eq!(seen, ["0", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_after_sending_takes_nothing_back() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    drop(numbered(&client, 0).enqueue().await.unwrap());
    let publish = peer.expect_publish().await;
    peer.accept_publish(publish.id, 1).await;
    settle().await;
    assert_eq!(client.pending(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_publish_larger_than_the_broker_takes_fails_alone() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected_with(Connected { max_packet: 100, ..info() }).await;
    let error = client.publish("a").text("x".repeat(100)).await.unwrap_err();
    assert!(matches!(error, PublishError::TooLarge { max: 100, .. }), "{error}");
    numbered(&client, 1).enqueue().await.unwrap();
    assert_eq!(texts(&mut peer, 1).await, ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_publish_that_turns_out_too_large_once_connected_fails_alone() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().start().unwrap();
    let large = client.publish("a").text("x".repeat(100)).enqueue().await.unwrap();
    numbered(&client, 1).enqueue().await.unwrap();
    broker.refuse(false);
    let mut peer = broker.upgrade().await;
    peer.expect_connect().await;
    peer.send_connected(Connected { max_packet: 100, ..info() }).await;
    assert_eq!(texts(&mut peer, 1).await, ["1"]);
    assert!(matches!(large.await, Err(PublishError::TooLarge { max: 100, .. })));
}

#[tokio::test(start_paused = true)]
async fn pending_packets_are_joined_to_messages_of_64_kib() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().start().unwrap();
    for _ in 0..200 {
        client.publish("a").unacknowledged().text("x".repeat(1000)).await.unwrap();
    }
    broker.refuse(false);
    let mut peer = broker.accept().await;
    let mut sizes = Vec::new();
    let mut packets = 0;
    while packets < 200 {
        let (bytes, some) = peer.frame().await.unwrap();
        sizes.push(bytes);
        packets += some.len();
    }
    assert_eq!(sizes.len(), 4);
    assert!(sizes.iter().all(|&bytes| bytes <= 64 << 10), "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_are_no_larger_than_the_broker_takes() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().start().unwrap();
    for n in 0..50 {
        client.publish("a").unacknowledged().text(n.to_string()).await.unwrap();
    }
    broker.refuse(false);
    let mut peer = broker.upgrade().await;
    peer.expect_connect().await;
    peer.send_connected(Connected { max_packet: 50, max_message: 50, ..info() }).await;
    let mut packets = 0;
    while packets < 50 {
        let (bytes, some) = peer.frame().await.unwrap();
        assert!(bytes <= 50, "{bytes}");
        packets += some.len();
    }
}

#[tokio::test(start_paused = true)]
async fn only_so_many_acknowledged_publishes_are_on_their_way_at_a_time() {
    let mut broker = Broker::new();
    let builder = broker.builder().buffer(Buffer::messages(100).in_flight(2));
    let (client, mut peer) = broker.connect(builder).await;
    for n in 0..5 {
        numbered(&client, n).enqueue().await.unwrap();
    }
    let first = peer.expect_publish().await;
    assert_eq!(texts(&mut peer, 1).await, ["1"]);
    assert!(peer.next().now_or_never().is_none());
    settle().await;
    assert!(peer.next().now_or_never().is_none());
    peer.accept_publish(first.id, 1).await;
    assert_eq!(texts(&mut peer, 1).await, ["2"]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_topic_is_refused_without_asking_the_broker() {
    let mut broker = Broker::new();
    let (client, _peer) = broker.connected().await;
    let error = client.publish("site/+/temp").text("x").await.unwrap_err().to_string();
    assert!(error.contains("\"site/+/temp\" is no topic"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn options_reach_the_broker() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let publish = client.publish("a").retain().expiry(std::time::Duration::from_millis(1500));
    let publish =
        publish.time(crate::Timestamp::from_millis(5)).property("unit", "°C").reply_to("r").correlation("c");
    publish.bytes("x").enqueue().await.unwrap();
    let options = *peer.expect_publish().await.options.unwrap();
    assert!(options.retain);
    assert_eq!((options.expiry, options.time), (Some(2), Some(crate::Timestamp::from_millis(5))));
    assert_eq!(options.properties, [("unit".into(), "°C".into())]);
    assert_eq!((options.reply_to.as_deref(), options.correlation.as_deref()), (Some("r"), Some(&b"c"[..])));
}
