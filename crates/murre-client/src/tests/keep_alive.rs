use std::time::Duration;

use murre_protocol::packet::{BrokerPacket, ClientPacket, Connected, MessageOptions};
use tokio::time::Instant;

use crate::{
    Event,
    testing::{Broker, info, message},
};

fn keep_alive_of(seconds: u64) -> Connected<'static> {
    Connected { keep_alive: seconds, ..info() }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_client_sends_a_ping_every_half_interval() {
    let mut broker = Broker::new();
    let (_client, mut peer) = broker.connected_with(keep_alive_of(10)).await;
    let start = Instant::now();
    for n in 1..=5 {
        assert_eq!(peer.next().await, Some(ClientPacket::Ping));
        assert_eq!(start.elapsed().as_secs(), 5 * n);
        peer.send(BrokerPacket::Pong).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_from_which_nothing_comes_is_made_again() {
    let mut broker = Broker::new();
    let (client, _silent) = broker.connected_with(keep_alive_of(10)).await;
    let start = Instant::now();
    let mut events = client.events();
    let reason = loop {
        if let Event::Disconnected { reason, .. } = events.next().await.unwrap() {
            break reason;
        }
    };
    assert_eq!(start.elapsed().as_secs(), 10);
    assert!(reason.contains("nothing came from the broker"), "{reason}");
    broker.accept().await;
}

#[tokio::test(start_paused = true)]
async fn without_keep_alive_a_silent_connection_stays() {
    let mut broker = Broker::new();
    let (client, _peer) = broker.connected_with(keep_alive_of(0)).await;
    tokio::time::advance(Duration::from_secs(100_000)).await;
    assert!(client.is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_pauses_the_connection_does_not_make_it_dead() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected_with(keep_alive_of(10)).await;
    let subscribe = client.subscribe("a").queue(1).backpressure().into_future();
    let (subscription, sub) = tokio::join!(subscribe, peer.grant());
    let mut subscription = subscription.unwrap();
    for text in ["1", "2"] {
        peer.send(message(sub, "a", text, MessageOptions::default())).await;
    }
    for _ in 0..10 {
        // The client goes on to say that it is there.
        assert_eq!(peer.next().await, Some(ClientPacket::Ping));
    }
    for text in ["1", "2"] {
        assert_eq!(subscription.next().await.unwrap().decode::<String>().unwrap(), text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_of_the_broker_is_answered() {
    let mut broker = Broker::new();
    let (_client, mut peer) = broker.connected().await;
    peer.send(BrokerPacket::Ping).await;
    assert_eq!(peer.next().await, Some(ClientPacket::Pong));
}
