use std::time::Duration;

use futures_util::FutureExt;
use murre_protocol::{
    Code,
    packet::{self, BrokerPacket, MessageOptions, Notice, NoticeKind},
};

use crate::{
    Client, Deadband, Event, Figure, From, OnError, OnSlow, PresenceState, SubscribeError, Subscription,
    Timestamp, Window,
    testing::{Broker, Peer, message, settle},
};

fn plain(sub: u64, text: &str) -> BrokerPacket<'static> {
    message(sub, "a/b", text, MessageOptions::default())
}

/// A subscription to `a/#`, granted, and its number.
async fn subscribed(client: &Client, peer: &mut Peer) -> (Subscription, u64) {
    let (subscription, sub) = tokio::join!(client.subscribe("a/#").into_future(), peer.grant());
    (subscription.unwrap(), sub)
}

async fn next_text(subscription: &mut Subscription) -> String {
    subscription.next().await.unwrap().decode().unwrap()
}

#[tokio::test(start_paused = true)]
async fn messages_reach_the_stream_of_their_subscription() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut first, one) = subscribed(&client, &mut peer).await;
    let (mut second, two) = subscribed(&client, &mut peer).await;
    peer.send_all(&[plain(two, "for the second"), plain(one, "for the first"), plain(99, "for nobody")])
        .await;
    assert_eq!(next_text(&mut first).await, "for the first");
    let message = second.next().await.unwrap();
    assert_eq!((message.topic(), message.time()), ("a/b", Timestamp::from_millis(1000)));
    assert!(second.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_refused_subscription_says_code_reason_and_filter() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let subscribe = client.subscribe("secret/#").into_future();
    let (refused, ()) = tokio::join!(subscribe, peer.deny(Code::NOT_AUTHORISED, "not yours"));
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("secret/#") && error.contains("4403") && error.contains("not yours"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn fewer_messages_of_the_past_than_asked_for_are_told() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let subscribe = client.subscribe("a").from(From::LastN(50)).into_future();
    let granted = packet::Subscribed { last: Some(7), ..Default::default() };
    let (subscription, asked) = tokio::join!(subscribe, peer.answer(granted));
    assert_eq!(asked.options.from, Some(packet::From::LastN(50)));
    assert_eq!(subscription.unwrap().last_granted(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn a_view_is_asked_for_as_it_was_built() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let minute =
        Window::new(Duration::from_secs(60), ["c"], [Figure::Mean]).step(Duration::from_secs(10)).by_source();
    let deadband = Deadband::absolute("c", 0.5).silence_max(Duration::from_secs(30));
    let subscribe =
        client.subscribe("a").max_rate(2.0).where_("payload.c > 1").select(["c"]).deadband(deadband);
    let subscribe = subscribe.window(minute).on_error(OnError::Pass).into_future();
    let (subscription, asked) = tokio::join!(subscribe, peer.answer(packet::Subscribed::default()));
    assert!(subscription.is_ok());
    let least = packet::LeastChange::Absolute(0.5);
    let expected = packet::ViewOptions {
        max_rate: Some(2.0),
        condition: Some("payload.c > 1".into()),
        select: vec!["c".into()],
        deadband: Some(packet::Deadband { path: "c".into(), least, silence_max_ms: Some(30_000) }),
        window: Some(packet::Window {
            length_ms: 60_000,
            step_ms: 10_000,
            of: vec!["c".into()],
            give: vec![Figure::Mean],
            by: packet::WindowTime::Source,
            empty: false,
        }),
        on_error: Some(OnError::Pass),
        ..Default::default()
    };
    assert_eq!(asked.options.view.as_deref(), Some(&expected));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_filter_is_refused_without_asking_the_broker() {
    let mut broker = Broker::new();
    let (client, _peer) = broker.connected().await;
    let error = client.subscribe("a/#/b").await.unwrap_err();
    assert!(matches!(error, SubscribeError::Filter { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_goes_on_after_a_reconnect_with_its_options() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let subscribe = client.subscribe("a/#").from(From::LastN(5)).on_slow(OnSlow::Conflate).into_future();
    let (subscription, sub) = tokio::join!(subscribe, peer.grant());
    let mut subscription = subscription.unwrap();
    peer.send(plain(sub, "before")).await;
    assert_eq!(next_text(&mut subscription).await, "before");
    drop(peer);

    let mut peer = broker.accept().await;
    let again = peer.expect_subscribe().await;
    assert_eq!((again.filter.as_ref(), &again.options.from), ("a/#", &Some(packet::From::LastN(5))));
    assert_eq!(again.options.on_slow, Some(OnSlow::Conflate));
    peer.send(plain(again.sub, "after")).await;
    assert_eq!(next_text(&mut subscription).await, "after");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_is_refused_after_a_reconnect_ends_with_a_visible_error() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, _) = subscribed(&client, &mut peer).await;
    assert_eq!(subscription.error(), None);
    drop(peer);
    let mut peer = broker.accept().await;
    peer.deny(Code::NOT_AUTHORISED, "no longer yours").await;
    assert!(subscription.next().await.is_none());
    assert!(subscription.error().unwrap().to_string().contains("no longer yours"));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_waits_for_the_first_connection() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().start().unwrap();
    let (subscription, sub) = tokio::join!(client.subscribe("a/#").into_future(), async {
        settle().await;
        broker.refuse(false);
        broker.accept().await.grant().await
    });
    assert_eq!((subscription.unwrap().topic_filter(), sub), ("a/#", 1));
}

#[tokio::test(start_paused = true)]
async fn dropping_a_subscription_ends_it() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (subscription, sub) = subscribed(&client, &mut peer).await;
    drop(subscription);
    assert_eq!(peer.expect_unsubscribe().await, sub);
}

#[tokio::test(start_paused = true)]
async fn closing_a_subscription_waits_until_the_broker_knows() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (subscription, sub) = subscribed(&client, &mut peer).await;
    let mut close = Box::pin(subscription.close());
    assert!((&mut close).now_or_never().is_none());
    assert_eq!(peer.expect_unsubscribe().await, sub);
    peer.send(BrokerPacket::Unsubscribed { sub, code: Code::OK }).await;
    close.await;
}

#[tokio::test(start_paused = true)]
async fn dropping_a_subscribe_future_leaves_no_subscription() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let mut subscribe = Box::pin(client.subscribe("a/#").into_future());
    assert!((&mut subscribe).now_or_never().is_none());
    let sub = peer.expect_subscribe().await.sub;
    drop(subscribe);
    assert_eq!(peer.expect_unsubscribe().await, sub);
    drop(peer);
    let mut peer = broker.accept().await;
    client.publish("a").text("x").enqueue().await.unwrap();
    peer.expect_publish().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_loses_its_oldest_messages_and_nobody_else_any() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (slow, sub) = tokio::join!(client.subscribe("a/#").queue(2).into_future(), peer.grant());
    let mut slow = slow.unwrap();
    let (mut other, other_sub) = subscribed(&client, &mut peer).await;
    let packets: Vec<_> = (0..5).flat_map(|n| [plain(sub, &n.to_string()), plain(other_sub, "x")]).collect();
    peer.send_all(&packets).await;
    settle().await;
    assert_eq!((slow.dropped(), other.dropped()), (3, 0));
    assert_eq!((next_text(&mut slow).await, next_text(&mut slow).await), ("3".into(), "4".into()));
    for _ in 0..5 {
        next_text(&mut other).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_backpressure_a_slow_reader_loses_nothing() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let subscribe = client.subscribe("a/#").queue(2).backpressure().into_future();
    let (subscription, sub) = tokio::join!(subscribe, peer.grant());
    let mut subscription = subscription.unwrap();
    let send = async {
        for n in 0..50 {
            let packets: Vec<_> = (0..20).map(|m| plain(sub, &(20 * n + m).to_string())).collect();
            peer.send_all(&packets).await;
        }
        peer
    };
    let read = async {
        for n in 0..1000 {
            assert_eq!(next_text(&mut subscription).await, n.to_string());
        }
    };
    let (_peer, ()) = tokio::join!(send, read);
    assert_eq!(subscription.dropped(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_away_ends_the_pause_it_caused() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let subscribe = client.subscribe("a/#").queue(1).backpressure().into_future();
    let (stalled, sub) = tokio::join!(subscribe, peer.grant());
    peer.send_all(&[plain(sub, "1"), plain(sub, "2")]).await;
    settle().await;
    drop(stalled);
    let (mut other, other_sub) = subscribed_after_unsubscribe(&client, &mut peer).await;
    peer.send(plain(other_sub, "x")).await;
    assert_eq!(next_text(&mut other).await, "x");
}

async fn subscribed_after_unsubscribe(client: &Client, peer: &mut Peer) -> (Subscription, u64) {
    peer.expect_unsubscribe().await;
    subscribed(client, peer).await
}

#[tokio::test(start_paused = true)]
async fn what_the_broker_left_out_is_counted_and_told() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (subscription, sub) = subscribed(&client, &mut peer).await;
    let mut events = client.events();
    let notice = Notice {
        kind: NoticeKind::Dropped,
        sub: Some(sub),
        count: Some(7),
        topics: Vec::new(),
        reason: "read too slowly".into(),
        code: None,
    };
    peer.send(BrokerPacket::Notice(Box::new(notice))).await;
    let told = loop {
        if let Event::Notice { filter, count, .. } = events.next().await.unwrap() {
            break (filter, count);
        }
    };
    assert_eq!(told, (Some("a/#".into()), Some(7)));
    assert_eq!(subscription.dropped(), 7);
}

#[tokio::test(start_paused = true)]
async fn caught_up_waits_for_the_kept_values() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, sub) = subscribed(&client, &mut peer).await;
    assert!(subscription.caught_up().now_or_never().is_none());
    peer.send(message(sub, "a", "kept", MessageOptions { retain: true, ..Default::default() })).await;
    peer.caught_up(sub).await;
    assert!(subscription.caught_up().await);
    assert!(subscription.next().await.unwrap().is_retained());
    assert_eq!(subscription.caught_up().now_or_never(), Some(true));
}

#[tokio::test(start_paused = true)]
async fn caught_up_is_false_when_the_subscription_ended_first() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (subscription, _) = subscribed(&client, &mut peer).await;
    peer.disconnect(Code::TAKEN_OVER, "another came", None).await;
    assert!(!subscription.caught_up().await);
}

#[tokio::test(start_paused = true)]
async fn presence_is_typed() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (presence, sub) = tokio::join!(client.presence("boiler-7"), async {
        let subscribe = peer.expect_subscribe().await;
        assert_eq!(subscribe.filter, "$murre/clients/boiler-7");
        peer.send(BrokerPacket::Subscribed(Box::new(packet::Subscribed {
            sub: subscribe.sub,
            ..Default::default()
        })))
        .await;
        subscribe.sub
    });
    let mut presence = presence.unwrap();
    let topic = "$murre/clients/boiler-7";
    for text in ["not a presence", r#"{"state":"offline","since":5,"reason":"keep-alive timeout"}"#] {
        peer.send(message(sub, topic, text, MessageOptions::default())).await;
    }
    let now = presence.next().await.unwrap();
    assert_eq!((now.client_id.as_str(), now.state), ("boiler-7", PresenceState::Offline));
    assert_eq!((now.since, now.reason.as_deref()), (Timestamp::from_millis(5), Some("keep-alive timeout")));
}
