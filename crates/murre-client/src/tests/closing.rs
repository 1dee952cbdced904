use std::time::Duration;

use murre_protocol::packet::ClientPacket;
use tokio::time::Instant;

use crate::{
    Buffer, Event, PublishError, SubscribeError, WhenFull,
    testing::{Broker, Peer},
};

/// Answers publishes until the client is gone; their number, and whether it said farewell.
async fn serve(mut peer: Peer) -> (usize, bool, Option<u16>) {
    let (mut publishes, mut farewell) = (0, false);
    while let Some(packet) = peer.next().await {
        match packet {
            ClientPacket::Publish(publish) => {
                publishes += 1;
                peer.accept_publish(publish.id, 1).await;
            }
            ClientPacket::Disconnect(disconnect) => farewell = disconnect.code.is_ok(),
            _ => {}
        }
    }
    (publishes, farewell, peer.closed)
}

#[tokio::test(start_paused = true)]
async fn close_sends_what_is_pending_and_says_farewell() {
    let mut broker = Broker::new();
    let (client, peer) = broker.connected().await;
    for _ in 0..100 {
        client.publish("a").text("x").enqueue().await.unwrap();
    }
    let (unsent, served) = tokio::join!(client.close(), serve(peer));
    assert_eq!(unsent, 0);
    assert_eq!(served, (100, true, Some(1000)));
}

#[tokio::test(start_paused = true)]
async fn close_ends_in_time_and_says_what_is_not_through() {
    let mut broker = Broker::new();
    let builder = broker.builder().close_timeout(Duration::from_secs(3));
    let (client, _peer) = broker.connect(builder).await;
    let publish = client.publish("a").text("x").enqueue().await.unwrap();
    let start = Instant::now();
    assert_eq!(client.close().await, 1);
    // The time for what is pending, and a second for the farewell.
    assert!(start.elapsed() <= Duration::from_secs(4));
    assert!(matches!(publish.await, Err(PublishError::Closed(_))));
}

#[tokio::test(start_paused = true)]
async fn close_without_a_connection_and_with_nothing_pending_is_done_at_once() {
    let broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().start().unwrap();
    let start = Instant::now();
    assert_eq!(client.close().await, 0);
    assert!(start.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn close_does_not_wait_for_an_attempt_to_connect() {
    let mut broker = Broker::new();
    let client = broker.builder().start().unwrap();
    let _silent = broker.upgrade().await;
    let start = Instant::now();
    assert_eq!(client.close().await, 0);
    assert!(start.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn close_without_a_connection_still_tries_to_send_what_is_pending() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().start().unwrap();
    client.publish("a").text("x").enqueue().await.unwrap();
    broker.refuse(false);
    let (unsent, served) = tokio::join!(client.close(), async { serve(broker.accept().await).await });
    assert_eq!((unsent, served.0), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn publishes_that_wait_for_room_end_with_the_client() {
    let broker = Broker::new();
    broker.refuse(true);
    let buffer = Buffer::messages(1).when_full(WhenFull::Wait);
    let client = broker.builder().buffer(buffer).start().unwrap();
    let _fills_it = client.publish("a").text("1").enqueue().await.unwrap();
    let (waiting, unsent) = tokio::join!(client.publish("a").text("2").enqueue(), client.close());
    assert!(matches!(waiting, Err(PublishError::Closed(_))));
    assert_eq!(unsent, 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes_as_cleanly() {
    let mut broker = Broker::new();
    let (client, peer) = broker.connected().await;
    let other = client.clone();
    client.publish("a").text("x").enqueue().await.unwrap();
    drop(client);
    drop(other);
    assert_eq!(serve(peer).await, (1, true, Some(1000)));
}

#[tokio::test(start_paused = true)]
async fn a_closed_client_takes_nothing_and_its_streams_end() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (subscription, _) = tokio::join!(client.subscribe("a").into_future(), peer.grant());
    let mut subscription = subscription.unwrap();
    let mut events = client.events();
    tokio::join!(client.close(), serve(peer));
    assert!(subscription.next().await.is_none());
    assert_eq!(subscription.error(), None);
    assert!(matches!(client.publish("a").text("x").await, Err(PublishError::Closed(_))));
    assert!(matches!(client.subscribe("a").await, Err(SubscribeError::Closed(_))));
    while events.next().await != Some(Event::Closed) {}
    assert_eq!(events.next().await, None);
}

#[test]
fn futures_end_with_the_runtime() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let (client, publish) = runtime.block_on(async {
        let mut broker = Broker::new();
        let (client, _peer) = broker.connected().await;
        let publish = client.publish("a").text("x").enqueue().await.unwrap();
        (client, publish)
    });
    drop(runtime);
    let error = futures_util::FutureExt::now_or_never(publish).unwrap().unwrap_err().to_string();
    assert!(error.contains("runtime"), "{error}");
    drop(client);
}
