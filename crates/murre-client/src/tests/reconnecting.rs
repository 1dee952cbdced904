//! Connections that break again and again, by a seeded script.

use fastrand::Rng;
use murre_protocol::packet::{ClientPacket, MessageOptions};

use crate::{
    Buffer, Client, WhenFull,
    testing::{Broker, Peer, message, text_of},
};

const PUBLISHES: usize = 500;

/// Publishes numbers, always several on their way; all have to be accepted.
async fn publish_all(client: &Client) {
    let mut on_their_way = Vec::new();
    for n in 0..PUBLISHES {
        on_their_way.push(client.publish("a").text(n.to_string()).enqueue().await.unwrap());
    }
    for acknowledgement in on_their_way {
        acknowledgement.await.unwrap();
    }
}

/// Takes publishes over connections that break after a random number of packets, with a third of the answers not sent.
async fn take_all(broker: &mut Broker, rng: &mut Rng, accepted: &mut Vec<usize>) {
    loop {
        let mut peer = broker.accept().await;
        for _ in 0..rng.usize(1..60) {
            let Some(packet) = peer.next().await else { break };
            if let ClientPacket::Publish(publish) = packet {
                accepted.push(text_of(&publish).parse().unwrap());
                if rng.u8(..3) > 0 {
                    peer.accept_publish(publish.id, 1).await;
                }
            }
        }
    }
}

async fn publish_over_broken_connections(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut broker = Broker::new();
    let buffer = Buffer::messages(rng.usize(1..50)).when_full(WhenFull::Wait).in_flight(rng.usize(1..20));
    let client = broker.builder().buffer(buffer).start().unwrap();
    let publish = async {
        publish_all(&client).await;
        client.close().await
    };
    let mut accepted = Vec::new();
    let unsent = tokio::select! {
        unsent = publish => unsent,
        () = take_all(&mut broker, &mut rng, &mut accepted) => unreachable!("brokers run on"),
    };
    assert_eq!(unsent, 0, "seed {seed}");
    let mut newest = 0;
    for &n in &accepted {
        assert!(n <= newest, "seed {seed}: {n} came before {newest}");
        newest = newest.max(n + 1);
    }
    assert_eq!(newest, PUBLISHES, "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn every_acknowledged_publish_arrives_in_order_however_often_the_connection_breaks() {
    for seed in 0..30 {
        publish_over_broken_connections(seed).await;
    }
}

/// Sends numbers over connections that break, each number once on a connection that held.
async fn send_all(broker: &mut Broker, rng: &mut Rng, count: usize) -> Peer {
    let mut next = 0;
    loop {
        let mut peer = broker.accept().await;
        let sub = peer.grant().await;
        for _ in 0..rng.usize(1..40) {
            peer.send(message(sub, "a", &next.to_string(), MessageOptions::default())).await;
            next += 1;
            if next == count {
                return peer;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_in_order_however_often_the_connection_breaks() {
    let mut rng = Rng::with_seed(7);
    let mut broker = Broker::new();
    let client = broker.builder().start().unwrap();
    let read = async {
        let mut subscription = client.subscribe("a").await.unwrap();
        for n in 0..500 {
            assert_eq!(subscription.next().await.unwrap().decode::<String>().unwrap(), n.to_string());
        }
    };
    let ((), _peer) = tokio::join!(read, send_all(&mut broker, &mut rng, 500));
}
