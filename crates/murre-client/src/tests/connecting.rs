use std::time::Duration;

use futures_util::future::join_all;
use murre_protocol::{
    Code, Timestamp,
    packet::{BrokerPacket, ClientPacket, Connected, Disconnect},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};

use crate::{
    Client, ConnectError, Event, Events, Will,
    testing::{Broker, Peer, info},
};

async fn next_disconnected(events: &mut Events) -> (Option<Code>, String, Option<Duration>) {
    loop {
        match events.next().await.unwrap() {
            Event::Disconnected { code, reason, retry_in } => return (code, reason, retry_in),
            Event::Closed => panic!("closed without a disconnect"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn where_nothing_listens_the_error_says_how_to_start_a_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::builder(format!("ws://{address}")).connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::NothingListens { .. }));
    assert!(
        error.to_string().contains(&address.to_string()) && error.to_string().contains("`murre serve`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_host_that_does_not_exist_is_named() {
    let error = Client::builder("ws://no-such-host.invalid").connect().await.unwrap_err();
    assert!(matches!(error, ConnectError::NoSuchHost { .. }), "{error}");
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let error = Client::builder("ws://127.0.0.1").start().unwrap_err();
    assert!(matches!(error, ConnectError::NoRuntime));
}

#[tokio::test(start_paused = true)]
async fn a_web_server_without_a_broker_is_told_by_its_status() {
    let mut broker = Broker::new();
    let (error, ()) = tokio::join!(broker.builder().connect(), async {
        let mut stream = broker.raw().await;
        let mut request = [0; 1024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\nnothing here";
        stream.write_all(answer).await.unwrap();
    });
    let error = error.unwrap_err();
    assert!(matches!(error, ConnectError::Http { status: 404, .. }), "{error}");
    assert!(!error.should_reconnect());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_says_nothing_is_given_up_after_the_timeout() {
    let mut broker = Broker::new();
    let start = Instant::now();
    let builder = broker.builder().connect_timeout(Duration::from_secs(3));
    let (error, _peer) = tokio::join!(builder.connect(), broker.upgrade());
    assert!(matches!(error, Err(ConnectError::Timeout { .. })));
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_code_and_reason() {
    let mut broker = Broker::new();
    let (error, ()) = tokio::join!(broker.builder().token("wrong").connect(), async {
        let mut peer = broker.upgrade().await;
        assert_eq!(peer.expect_connect().await.token.as_deref(), Some("wrong"));
        peer.disconnect(Code::NOT_AUTHENTICATED, "the token is not known", None).await;
    });
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.should_reconnect()), (Some(Code::NOT_AUTHENTICATED), false));
    assert!(error.to_string().contains("the token is not known"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_may_also_be_a_websocket_close_code() {
    let mut broker = Broker::new();
    let (error, ()) = tokio::join!(broker.builder().connect(), async {
        broker.upgrade().await.close(4429, "too many clients").await;
    });
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.should_reconnect()), (Some(Code::QUOTA), true));
}

#[tokio::test(start_paused = true)]
async fn connect_tells_the_broker_what_the_builder_was_told() {
    let mut broker = Broker::new();
    let will = Will::new("device/state").text("gone").retain(true).delay(Duration::from_secs(5));
    let builder = broker.builder().username("u").password("p").agent("boiler/1").will(will);
    let client = builder.keep_alive(Duration::from_secs(20)).start().unwrap();
    let connect = broker.upgrade().await.expect_connect().await;
    assert_eq!((connect.client_id.as_deref(), connect.keep_alive), (Some("device"), Some(20)));
    assert_eq!((connect.username.as_deref(), connect.password.as_deref()), (Some("u"), Some("p")));
    assert_eq!(connect.agent.as_deref(), Some("boiler/1"));
    let will = connect.will.unwrap();
    assert_eq!((will.topic.as_ref(), will.retain, will.delay), ("device/state", true, 5));
    assert!(!client.is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_the_broker_gave_is_kept_over_reconnects() {
    let mut broker = Broker::new();
    let client = broker.anonymous().start().unwrap();
    let mut peer = broker.upgrade().await;
    assert_eq!(peer.expect_connect().await.client_id, None);
    peer.send_connected(Connected { client_id: "given-1".into(), ..info() }).await;
    drop(peer);
    let connect = broker.upgrade().await.expect_connect().await;
    assert_eq!(connect.client_id.as_deref(), Some("given-1"));
    assert_eq!(client.client_id().as_deref(), Some("given-1"));
}

#[tokio::test(start_paused = true)]
async fn events_tell_the_way_of_a_connection() {
    let mut broker = Broker::new();
    let (client, peer) = broker.connected().await;
    let mut events = client.events();
    let connected = || Event::Connected {
        client_id: "device".into(),
        server: "murre/test".into(),
        epoch: "e1".into(),
        session_present: false,
    };
    assert_eq!(events.next().await, Some(connected()));
    drop(peer);
    let (code, _, retry_in) = next_disconnected(&mut events).await;
    assert!(code.is_none() && retry_in.is_some());
    assert_eq!(events.next().await, Some(Event::Connecting { attempt: 1 }));
    let _peer = broker.accept().await;
    assert_eq!(events.next().await, Some(connected()));
}

#[tokio::test(start_paused = true)]
async fn a_client_connects_again_and_again_until_a_broker_is_there() {
    let mut broker = Broker::new();
    broker.refuse(true);
    let client = broker.builder().start().unwrap();
    let mut events = client.events();
    while events.next().await != Some(Event::Connecting { attempt: 20 }) {}
    broker.refuse(false);
    let _peer = broker.accept().await;
    while !matches!(events.next().await, Some(Event::Connected { .. })) {}
    assert!(client.is_connected());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_says_when_to_come_back_is_not_asked_earlier() {
    let mut broker = Broker::new();
    let (client, peer) = broker.connected().await;
    let mut events = client.events();
    let start = Instant::now();
    peer.disconnect(Code::SHUTTING_DOWN, "a new version comes", Some(7000)).await;
    let (code, reason, retry_in) = next_disconnected(&mut events).await;
    assert_eq!((code, reason.as_str()), (Some(Code::SHUTTING_DOWN), "a new version comes"));
    assert_eq!(retry_in, Some(Duration::from_secs(7)));
    let _peer = broker.accept().await;
    assert!(start.elapsed() >= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_taken_over_ends_and_tells_everybody() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let mut events = client.events();
    let publish = client.publish("a").text("x").enqueue().await.unwrap();
    peer.expect_publish().await;
    let (subscription, _) = tokio::join!(client.subscribe("a").into_future(), peer.grant());
    let mut subscription = subscription.unwrap();
    peer.disconnect(Code::TAKEN_OVER, "another connection came", None).await;

    assert!(publish.await.unwrap_err().to_string().contains("another connection came"));
    assert!(subscription.next().await.is_none());
    assert!(subscription.error().unwrap().to_string().contains("another connection came"));
    assert_eq!(next_disconnected(&mut events).await.2, None);
    assert_eq!((events.next().await, events.next().await), (Some(Event::Closed), None));
    assert_eq!(client.closed().await.code, Some(Code::TAKEN_OVER));
    assert!(client.publish("a").text("x").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_close_code_ends_the_client_as_the_same_code_in_a_packet_does() {
    let mut broker = Broker::new();
    let (client, peer) = broker.connected().await;
    peer.close(4409, "taken over").await;
    assert_eq!(client.closed().await.code, Some(Code::TAKEN_OVER));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_reconnect_ends_the_client() {
    let mut broker = Broker::new();
    let (client, peer) = broker.connected().await;
    drop(peer);
    broker.upgrade().await.disconnect(Code::NOT_AUTHENTICATED, "the token has expired", None).await;
    let closed = client.closed().await;
    assert_eq!(closed.code, Some(Code::NOT_AUTHENTICATED));
    assert!(closed.reason.contains("the token has expired"));
}

#[tokio::test(start_paused = true)]
async fn a_packet_that_cannot_be_read_ends_the_connection_and_not_the_client() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let mut events = client.events();
    peer.send_bytes(vec![0x92, 0x04, 0xa1, b'x']).await;
    while peer.next().await.is_some() {}
    assert_eq!(peer.closed, Some(Code::MALFORMED.number()));
    let (code, reason, _) = next_disconnected(&mut events).await;
    assert_eq!(code, Some(Code::MALFORMED));
    assert!(reason.contains("PUBLISHED"), "{reason}");
    let _peer = broker.accept().await;
    while !matches!(events.next().await, Some(Event::Connected { .. })) {}
    assert!(client.is_connected());
}

#[tokio::test(start_paused = true)]
async fn packets_behind_connected_in_its_message_are_not_lost() {
    let mut broker = Broker::new();
    let (client, ()) = tokio::join!(broker.builder().connect(), async {
        let mut peer = broker.upgrade().await;
        peer.expect_connect().await;
        let farewell = Disconnect { code: Code::TAKEN_OVER, ..Default::default() };
        let packets = [BrokerPacket::Connected(Box::new(info())), BrokerPacket::Disconnect(farewell)];
        peer.send_all(&packets).await;
        while peer.next().await.is_some() {}
    });
    assert_eq!(client.unwrap().closed().await.code, Some(Code::TAKEN_OVER));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_share_a_connection_over_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let serve = tokio::spawn(async move {
        let mut peer = Peer::upgrade(listener.accept().await.unwrap().0).await;
        peer.expect_connect().await;
        peer.send_connected(info()).await;
        let mut accepted = 0;
        while let Some(packet) = peer.next().await {
            if let ClientPacket::Publish(publish) = packet {
                accepted += 1;
                peer.accept_publish(publish.id, accepted).await;
            }
        }
        (accepted, peer.closed)
    });
    let client = Client::builder(url).connect().await.unwrap();
    let tasks = (0..8).map(|_| {
        let client = client.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                client.publish("a").msgpack(&n).unwrap().await.unwrap();
            }
        })
    });
    assert!(join_all(tasks).await.into_iter().all(|done| done.is_ok()));
    assert_eq!(client.close().await, 0);
    assert_eq!(serve.await.unwrap(), (1600, Some(1000)));
}

#[test]
fn credentials_do_not_show_in_debug_output() {
    let builder = Client::builder("ws://a").token("secret-token").password("secret-word");
    assert!(!format!("{builder:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn the_brokers_clock_is_known_from_the_connection_on() {
    let mut broker = Broker::new();
    // by the clock here, which is past 2020, the broker's is far behind
    let early = Timestamp::from_millis(1_000_000);
    let (client, _peer) = broker.connected_with(Connected { time: Some(early), ..info() }).await;
    let behind = Timestamp::from_millis(1_000_000_000);
    assert!((early..behind).contains(&client.broker_time()), "{:?}", client.broker_time());
}
