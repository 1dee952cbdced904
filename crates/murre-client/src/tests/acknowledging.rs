use std::{future::IntoFuture, time::Duration};

use futures_util::FutureExt;
use murre_protocol::{
    Position,
    packet::{self, Connected, Subscribed},
};

use crate::{
    Acknowledge, Client, ClientBuilder, Event, From, Subscription, SubscriptionEvent,
    testing::{Broker, Peer, info, message_at, settle},
};

fn at(offset: u64) -> Position {
    Position::new(offset, 0)
}

fn with_session(broker: &Broker) -> ClientBuilder {
    broker.builder().session_expiry(Duration::from_secs(60))
}

fn session(session_present: bool) -> Connected<'static> {
    Connected { session_present, session_expiry: 60, ..info() }
}

/// A client with a session, and its first connection.
async fn connected(broker: &mut Broker, session_present: bool) -> (Client, Peer) {
    let builder = with_session(broker);
    let (client, peer) = tokio::join!(builder.connect(), broker.accept_with(session(session_present)));
    (client.unwrap(), peer)
}

async fn subscribed(client: &Client, peer: &mut Peer, by: Acknowledge) -> (Subscription, u64) {
    let subscribe = client.subscribe("a").from(From::LastN(9)).acknowledge(by).into_future();
    let (subscription, asked) = tokio::join!(subscribe, peer.answer(Subscribed::default()));
    assert_eq!(asked.options.ack, Some(true));
    (subscription.unwrap(), asked.sub)
}

async fn send(peer: &mut Peer, sub: u64, offsets: impl IntoIterator<Item = u64>) {
    let packets: Vec<_> = offsets.into_iter().map(|n| message_at(sub, at(n), &n.to_string())).collect();
    peer.send_all(&packets).await;
}

async fn next_offset(subscription: &mut Subscription) -> u64 {
    subscription.next().await.unwrap().position().offset()
}

#[tokio::test(start_paused = true)]
async fn the_application_says_when_a_message_is_handled() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    send(&mut peer, sub, 1..4).await;
    let first = subscription.next().await.unwrap();
    let second = subscription.next().await.unwrap();
    settle().await;
    assert!(peer.next().now_or_never().is_none());
    first.acknowledge();
    second.acknowledge();
    assert_eq!(peer.expect_ack().await, (sub, at(2)), "one ACK for both");
    let third = subscription.next().await.unwrap().position();
    subscription.acknowledge(third);
    assert_eq!(peer.expect_ack().await, (sub, at(3)));
}

#[tokio::test(start_paused = true)]
async fn asking_for_the_next_message_acknowledges_the_last() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, sub) = subscribed(&client, &mut peer, Acknowledge::Automatic).await;
    send(&mut peer, sub, 1..3).await;
    next_offset(&mut subscription).await;
    settle().await;
    assert!(peer.next().now_or_never().is_none());
    next_offset(&mut subscription).await;
    assert_eq!(peer.expect_ack().await, (sub, at(1)));
    assert!(subscription.next().now_or_never().is_none());
    assert_eq!(peer.expect_ack().await, (sub, at(2)));
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_subscription_without_acknowledgement_have_nothing_to_acknowledge() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (subscription, sub) = tokio::join!(client.subscribe("a").into_future(), peer.grant());
    let mut subscription = subscription.unwrap();
    send(&mut peer, sub, 1..2).await;
    subscription.next().await.unwrap().acknowledge();
    subscription.acknowledge(at(1));
    settle().await;
    assert!(peer.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_present_goes_on_without_being_asked() {
    let mut broker = Broker::new();
    let (client, mut peer) = connected(&mut broker, false).await;
    let (mut subscription, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    send(&mut peer, sub, 1..4).await;
    let taken = subscription.next().await.unwrap();
    settle().await;
    drop(peer);

    let mut events = client.events();
    let mut peer = broker.accept_with(session(true)).await;
    taken.acknowledge();
    assert_eq!(peer.expect_ack().await, (sub, at(1)), "and no SUBSCRIBE before it");
    let is_there = |event: &Event| matches!(event, Event::Connected { session_present: true, .. });
    while !is_there(&events.next().await.unwrap()) {}
    // What waited here comes again, as the broker doesn't know of it: each comes once.
    send(&mut peer, sub, 2..5).await;
    for n in 2..5 {
        assert_eq!(next_offset(&mut subscription).await, n);
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_may_not_have_arrived_is_sent_again() {
    let mut broker = Broker::new();
    let (client, mut peer) = connected(&mut broker, false).await;
    let (mut subscription, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    send(&mut peer, sub, 1..2).await;
    subscription.next().await.unwrap().acknowledge();
    peer.expect_ack().await;
    drop(peer);
    let mut peer = broker.accept_with(session(true)).await;
    assert_eq!(peer.expect_ack().await, (sub, at(1)));
}

#[tokio::test(start_paused = true)]
async fn without_its_session_it_is_asked_for_again_and_old_messages_acknowledge_nothing() {
    let mut broker = Broker::new();
    let (client, mut peer) = connected(&mut broker, false).await;
    let (mut subscription, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    send(&mut peer, sub, 1..2).await;
    let old = subscription.next().await.unwrap();
    drop(peer);
    let mut peer = broker.accept_with(session(false)).await;
    assert_eq!(peer.answer(Subscribed::default()).await.sub, sub);
    assert_eq!(subscription.next_event().await, Some(SubscriptionEvent::Restarted));
    old.acknowledge();
    settle().await;
    assert!(peer.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn without_a_session_it_resumes_behind_what_was_acknowledged() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let subscribe = client.subscribe("a").resume().acknowledge(Acknowledge::Explicit).into_future();
    let (subscription, sub) = tokio::join!(subscribe, peer.grant());
    let mut subscription = subscription.unwrap();
    peer.caught_up_at(sub, &[at(10)]).await;
    send(&mut peer, sub, 11..15).await;
    subscription.next().await.unwrap().acknowledge();
    assert_eq!(peer.expect_ack().await, (sub, at(11)));
    subscription.next().await.unwrap();
    settle().await;
    drop(peer);

    let mut peer = broker.accept().await;
    let recovered = Subscribed { recovered: Some(true), ..Default::default() };
    let asked = peer.answer(recovered).await;
    let after = packet::From::After { positions: vec![at(11)], epoch: "e1".into() };
    assert_eq!(asked.options.from, Some(after));
    send(&mut peer, asked.sub, 12..16).await;
    settle().await;
    for n in 12..16 {
        let message = subscription.next().await.unwrap();
        assert_eq!(message.position(), at(n), "each comes once more, also what nobody had taken");
        message.acknowledge();
        assert_eq!(peer.expect_ack().await, (asked.sub, at(n)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_again_is_acknowledged_again() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    send(&mut peer, sub, 1..2).await;
    let first = subscription.next().await.unwrap();
    drop(peer);

    let mut peer = broker.accept().await;
    settle().await;
    first.acknowledge();
    settle().await;
    let sub = peer.grant().await;
    assert_eq!(peer.expect_ack().await, (sub, at(1)), "before the broker has sent it on this connection");
    send(&mut peer, sub, 1..2).await;
    subscription.next().await.unwrap().acknowledge();
    assert_eq!(peer.expect_ack().await, (sub, at(1)));
}

#[tokio::test(start_paused = true)]
async fn a_later_process_finds_its_subscription_by_the_filter_with_what_came_before_it_asked() {
    let mut broker = Broker::new();
    let (client, mut peer) = connected(&mut broker, false).await;
    let (subscription, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    drop((subscription, client, peer));

    let (client, mut peer) = connected(&mut broker, true).await;
    send(&mut peer, sub, 5..8).await;
    peer.caught_up(sub).await;
    settle().await;
    let subscribe =
        client.subscribe("a").from(From::LastN(9)).acknowledge(Acknowledge::Explicit).into_future();
    let (subscription, asked) = tokio::join!(subscribe, peer.answer(Subscribed::default()));
    assert_eq!((asked.sub, asked.options.from), (sub, None), "it goes on, and begins nowhere else");
    let mut subscription = subscription.unwrap();
    assert!(subscription.caught_up().await);
    for n in 5..8 {
        let message = subscription.next().await.unwrap();
        assert_eq!(message.position(), at(n));
        message.acknowledge();
    }
    assert_eq!(peer.expect_ack().await, (sub, at(7)));
}

#[tokio::test(start_paused = true)]
async fn dropping_a_subscription_leaves_it_in_the_session_and_closing_ends_it() {
    let mut broker = Broker::new();
    let (client, mut peer) = connected(&mut broker, false).await;
    let (dropped, _) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    drop(dropped);
    settle().await;
    assert!(peer.next().now_or_never().is_none());

    let subscribe = client.subscribe("b").acknowledge(Acknowledge::Explicit).into_future();
    let (closed, sub) = tokio::join!(subscribe, peer.grant());
    let mut close = Box::pin(closed.unwrap().close());
    assert!((&mut close).now_or_never().is_none());
    assert_eq!(peer.expect_unsubscribe().await, sub);
}

#[tokio::test(start_paused = true)]
async fn what_was_left_and_is_wanted_again_is_sent_again_over_a_new_connection() {
    let mut broker = Broker::new();
    let (client, mut peer) = connected(&mut broker, false).await;
    let (left, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    send(&mut peer, sub, 1..3).await;
    settle().await;
    drop(left);
    let again = client.subscribe("a").acknowledge(Acknowledge::Explicit).into_future();
    let (again, mut peer) = tokio::join!(again, async {
        while peer.next().await.is_some() {}
        assert_eq!(peer.closed, Some(1000));
        let mut peer = broker.accept_with(session(true)).await;
        send(&mut peer, sub, 1..3).await;
        peer
    });
    let mut again = again.unwrap();
    assert_eq!((next_offset(&mut again).await, next_offset(&mut again).await), (1, 2));
    again.acknowledge(at(2));
    assert_eq!(peer.expect_ack().await, (sub, at(2)));
}

#[tokio::test(start_paused = true)]
async fn a_subscription_that_was_closed_without_a_connection_is_ended_in_the_session_later() {
    let mut broker = Broker::new();
    let (client, mut peer) = connected(&mut broker, false).await;
    let (subscription, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    broker.refuse(true);
    drop(peer);
    settle().await;
    subscription.close().await;
    broker.refuse(false);
    assert_eq!(broker.accept_with(session(true)).await.expect_unsubscribe().await, sub);
}

#[tokio::test(start_paused = true)]
async fn the_local_queue_drops_nothing_that_is_to_be_acknowledged() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let subscribe = client.subscribe("a").acknowledge(Acknowledge::Automatic).queue(2).into_future();
    let (subscription, sub) = tokio::join!(subscribe, peer.grant());
    let mut subscription = subscription.unwrap();
    send(&mut peer, sub, 1..50).await;
    settle().await;
    for n in 1..50 {
        assert_eq!(next_offset(&mut subscription).await, n);
    }
    assert_eq!(subscription.dropped(), 0);
}

#[tokio::test(start_paused = true)]
async fn where_the_broker_grants_no_session_dropping_a_subscription_ends_it() {
    let mut broker = Broker::new();
    let builder = with_session(&broker);
    let (client, mut peer) = broker.connect(builder).await;
    let (dropped, sub) = subscribed(&client, &mut peer, Acknowledge::Explicit).await;
    drop(dropped);
    assert_eq!(peer.expect_unsubscribe().await, sub);
}
