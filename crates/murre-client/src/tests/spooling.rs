//! Store and forward, with real files and a thread of its own: so with the real clock too.

use std::{
    future::IntoFuture,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use futures_util::future::join_all;
use murre_protocol::{
    Code, Position,
    packet::{BrokerPacket, Publish as WirePublish, Published as WirePublished},
};
use tempfile::TempDir;

use crate::{
    Backoff, Client, ClientBuilder, ConnectError, Event, PublishError, Spool, SpoolError, SpoolFull,
    SpoolSync,
    testing::{Broker, Peer, text_of},
};

const BACKOFF: Backoff = Backoff { min: Duration::from_millis(1), max: Duration::from_millis(10) };

fn spool(directory: &TempDir) -> Spool {
    Spool::at(directory.path()).rate(0.0).sync(SpoolSync::Never)
}

fn builder(broker: &Broker, spool: Spool) -> ClientBuilder {
    let builder = broker.builder().backoff(BACKOFF).close_timeout(Duration::from_millis(500));
    builder.spool(spool)
}

async fn publish(client: &Client, texts: impl IntoIterator<Item = usize>) {
    for n in texts {
        client.publish("a").text(n.to_string()).enqueue().await.unwrap();
    }
}

async fn next(peer: &mut Peer, count: usize) -> Vec<WirePublish<'static>> {
    let mut publishes = Vec::new();
    for _ in 0..count {
        publishes.push(peer.expect_publish().await);
    }
    publishes
}

fn texts(publishes: &[WirePublish<'_>]) -> Vec<String> {
    publishes.iter().map(text_of).collect()
}

fn sequence(publish: &WirePublish<'_>) -> u64 {
    let sequence = publish.options.as_ref().unwrap().sequence.unwrap();
    assert_eq!(publish.id, sequence);
    sequence
}

async fn refuse(peer: &mut Peer, id: u64, code: Code) {
    let reason = Some("as the test wants".into());
    peer.send(BrokerPacket::Published(WirePublished { id, code, position: Position::NONE, reason })).await;
}

/// A client that never had a connection leaves `count` messages on disk.
async fn left_behind(broker: &Broker, directory: &TempDir, count: usize) {
    broker.refuse(true);
    let client = builder(broker, spool(directory)).start().unwrap();
    publish(&client, 0..count).await;
    assert_eq!(client.close().await, count);
    broker.refuse(false);
}

#[tokio::test]
async fn what_a_device_published_without_a_network_is_sent_in_order_by_its_next_start() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    left_behind(&broker, &directory, 5).await;
    let client = builder(&broker, spool(&directory)).start().unwrap();
    publish(&client, [5]).await;
    let mut peer = broker.accept().await;
    let publishes = next(&mut peer, 6).await;
    assert_eq!(texts(&publishes), ["0", "1", "2", "3", "4", "5"]);
    assert!(publishes.iter().map(sequence).is_sorted_by(|a, b| a < b));
    assert!(publishes.iter().all(|publish| publish.options.as_ref().unwrap().time.is_some()));
    for publish in &publishes {
        peer.accept_publish(publish.id, 1).await;
    }
    let (unsent, ()) = tokio::join!(client.close(), async { while peer.next().await.is_some() {} });
    assert_eq!(unsent, 0);
}

#[tokio::test]
async fn what_was_not_answered_is_sent_again_with_the_same_sequence_after_reconnect_and_restart() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let client = builder(&broker, spool(&directory)).start().unwrap();
    publish(&client, 0..4).await;
    let mut peer = broker.accept().await;
    let first = next(&mut peer, 4).await;
    peer.accept_publish(first[1].id, 1).await;
    drop(peer);

    let mut peer = broker.accept().await;
    let second = next(&mut peer, 3).await;
    assert_eq!(texts(&second), ["0", "2", "3"]);
    peer.accept_publish(second[0].id, 2).await;
    let (unsent, ()) = tokio::join!(client.close(), async { while peer.next().await.is_some() {} });
    assert_eq!(unsent, 2);

    let _client = builder(&broker, spool(&directory)).start().unwrap();
    let third = next(&mut broker.accept().await, 2).await;
    assert_eq!(texts(&third), ["2", "3"]);
    let all = |publishes: &[WirePublish<'_>]| publishes.iter().map(sequence).collect::<Vec<_>>();
    assert_eq!((all(&second), all(&third)), (vec![first[0].id, first[2].id, first[3].id], all(&first[2..])));
}

#[tokio::test]
async fn awaiting_a_publish_waits_for_the_broker() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let always = spool(&directory).sync(SpoolSync::Always);
    let (client, mut peer) = broker.connect(builder(&broker, always)).await;
    let (published, ()) = tokio::join!(client.publish("a").text("x").into_future(), async {
        let publish = peer.expect_publish().await;
        peer.accept_publish(publish.id, 7).await;
    });
    assert_eq!(published.unwrap().position, Position::new(7, 0));
}

#[tokio::test]
async fn one_bad_reading_is_told_and_does_not_block_those_behind_it() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let (client, mut peer) = broker.connect(builder(&broker, spool(&directory))).await;
    let mut events = client.events();
    let bad = client.publish("$murre/x").text("bad").enqueue().await.unwrap();
    let good = client.publish("a").text("good").enqueue().await.unwrap();
    let publishes = next(&mut peer, 2).await;
    refuse(&mut peer, publishes[0].id, Code::NOT_AUTHORISED).await;
    peer.accept_publish(publishes[1].id, 1).await;
    assert!(matches!(bad.await, Err(PublishError::Refused { code: Code::NOT_AUTHORISED, .. })));
    good.await.unwrap();
    let told = loop {
        if let Event::SpoolRefused { topic, sequence, code, .. } = events.next().await.unwrap() {
            break (topic, sequence, code);
        }
    };
    assert_eq!(told, ("$murre/x".into(), publishes[0].id, Code::NOT_AUTHORISED));
    assert_eq!(client.spool().unwrap().refused, 1);
}

#[tokio::test]
async fn a_broker_that_can_take_no_more_now_gets_it_again_later() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let (client, mut peer) = broker.connect(builder(&broker, spool(&directory))).await;
    let waiting = client.publish("a").text("x").enqueue().await.unwrap();
    let first = peer.expect_publish().await;
    refuse(&mut peer, first.id, Code::QUOTA).await;
    let again = peer.expect_publish().await;
    assert_eq!((again.id, text_of(&again).as_str()), (first.id, "x"));
    peer.accept_publish(again.id, 1).await;
    waiting.await.unwrap();
}

#[tokio::test]
async fn what_was_refused_for_now_goes_on_behind_what_was_accepted_meanwhile() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let (client, mut peer) = broker.connect(builder(&broker, spool(&directory))).await;
    let refused = client.publish("a").text("refused").enqueue().await.unwrap();
    let accepted = client.publish("b").text("accepted").enqueue().await.unwrap();
    let publishes = next(&mut peer, 2).await;
    peer.accept_publish(publishes[1].id, 1).await;
    accepted.await.unwrap();
    refuse(&mut peer, publishes[0].id, Code::BROKER_ERROR).await;
    let again = peer.expect_publish().await;
    assert_eq!(again, publishes[0]);
    peer.accept_publish(again.id, 2).await;
    refused.await.unwrap();
}

#[tokio::test]
async fn what_is_not_to_be_kept_goes_beside_the_spool() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let (client, mut peer) = broker.connect(builder(&broker, spool(&directory))).await;
    client.publish("a").unacknowledged().text("x").await.unwrap();
    let waiting = client.publish("a").in_memory().text("y").enqueue().await.unwrap();
    let publishes = next(&mut peer, 2).await;
    assert!(publishes.iter().all(|publish| publish.options.is_none()));
    peer.accept_publish(publishes[1].id, 1).await;
    waiting.await.unwrap();
    assert_eq!(client.spool().unwrap().sequence, 0);
}

#[tokio::test]
async fn a_spool_needs_a_client_id_and_is_for_one_client_alone() {
    let (broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let error = broker.anonymous().spool(spool(&directory)).start().unwrap_err();
    assert!(matches!(error, ConnectError::Spool(SpoolError::NoClientId)), "{error}");
    let first = builder(&broker, spool(&directory)).start().unwrap();
    let error = builder(&broker, spool(&directory)).start().unwrap_err();
    assert!(matches!(error, ConnectError::Spool(SpoolError::InUse { .. })) && !error.should_reconnect());
    first.close().await;
    builder(&broker, spool(&directory)).start().unwrap().close().await;
}

#[tokio::test]
async fn a_full_spool_refuses_or_drops_as_it_is_told_and_says_so() {
    let (broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    broker.refuse(true);
    let small = spool(&directory).bytes(64 << 10);
    let client = builder(&broker, small.clone()).start().unwrap();
    let error = loop {
        if let Err(error) = client.publish("a").bytes(vec![0; 4000]).enqueue().await {
            break error;
        }
    };
    assert!(matches!(error, PublishError::SpoolFull { max: 65_536, .. }), "{error}");
    client.close().await;

    let client = builder(&broker, small.when_full(SpoolFull::DropOldest)).start().unwrap();
    let mut events = client.events();
    client.publish("a").bytes(vec![0; 4000]).enqueue().await.unwrap();
    while !matches!(events.next().await.unwrap(), Event::Dropped { .. }) {}
    let status = client.spool().unwrap();
    assert!(status.dropped > 0 && status.bytes <= 64 << 10, "{status:?}");
}

#[tokio::test]
async fn sequences_rise_over_restarts_also_when_the_spool_was_empty() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let mut last = 0;
    for _ in 0..3 {
        let (client, mut peer) = broker.connect(builder(&broker, spool(&directory))).await;
        let (_, id) = tokio::join!(client.publish("a").text("x").into_future(), async {
            let id = peer.expect_publish().await.id;
            peer.accept_publish(id, 1).await;
            id
        });
        assert!(id > last);
        last = id;
        let (unsent, ()) = tokio::join!(client.close(), async { while peer.next().await.is_some() {} });
        assert_eq!(unsent, 0);
    }
}

#[tokio::test]
async fn several_publishes_at_a_time_are_all_taken() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let always = spool(&directory).sync(SpoolSync::Always);
    let (client, mut peer) = broker.connect(builder(&broker, always)).await;
    let publishes = join_all((0..1000).map(|n| client.publish("a").text(n.to_string()).into_future()));
    let answer = async {
        for offset in 1..=1000 {
            let id = peer.expect_publish().await.id;
            peer.accept_publish(id, offset).await;
        }
    };
    let (published, ()) = tokio::join!(publishes, answer);
    assert!(published.iter().all(Result::is_ok));
}

const CHILD_DIRECTORY: &str = "MURRE_TEST_SPOOL";

/// The device of the next test, in a process of its own: says each number that the spool has taken.
#[tokio::test]
#[ignore = "runs as a child of the test that kills it"]
async fn a_device_that_publishes_until_it_is_killed() {
    let directory = std::env::var_os(CHILD_DIRECTORY).unwrap();
    // Nothing listens there.
    let builder = Client::builder("ws://127.0.0.1:9").client_id("device").spool(Spool::at(directory));
    let client = builder.start().unwrap();
    let begin = client.spool().unwrap().pending;
    for n in begin.. {
        client.publish("a").text(n.to_string()).enqueue().await.unwrap();
        println!("\ntaken {n}");
    }
}

/// Runs the device until it has said `count` numbers, kills it, and gives the last number that it said.
fn run_and_kill(directory: &TempDir, count: usize) -> Option<usize> {
    let test = "tests::spooling::a_device_that_publishes_until_it_is_killed";
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(CHILD_DIRECTORY, directory.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut numbers = lines.filter_map(|line| line.strip_prefix("taken ")?.parse().ok());
    let mut last = numbers.nth(count);
    child.kill().unwrap();
    last = numbers.last().or(last);
    child.wait().unwrap();
    last
}

#[tokio::test]
async fn a_device_that_is_killed_loses_nothing_that_was_taken() {
    let (mut broker, directory) = (Broker::new(), tempfile::tempdir().unwrap());
    let mut taken = None;
    for round in 0..5 {
        taken = run_and_kill(&directory, 7 * round).max(taken);
    }
    let taken = taken.unwrap() + 1;
    let _client = builder(&broker, spool(&directory)).start().unwrap();
    let mut peer = broker.accept().await;
    let mut last = 0;
    for n in 0..taken {
        let publish = peer.expect_publish().await;
        assert!(sequence(&publish) > last);
        last = sequence(&publish);
        assert_eq!(text_of(&publish), n.to_string());
        peer.accept_publish(publish.id, 1).await;
    }
}
