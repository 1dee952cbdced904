use std::time::Duration;

use futures_util::future::join;
use murre_protocol::{
    Code, Position,
    packet::{BrokerPacket, MessageOptions, Publish, Published},
};
use tokio::time::Instant;

use crate::{
    PublishError, RequestError,
    testing::{Broker, Peer, message, text_of},
};

/// Accepts the next request, and gives it with its reply topic.
async fn take_request(peer: &mut Peer) -> Publish<'static> {
    let request = peer.expect_publish().await;
    peer.accept_publish(request.id, 1).await;
    request
}

/// Answers `request` with `text` on subscription `sub`.
async fn answer(peer: &mut Peer, sub: u64, request: &Publish<'static>, text: &str) {
    let asked = request.options.as_ref().unwrap();
    let options = MessageOptions { correlation: asked.correlation.clone(), ..Default::default() };
    peer.send(message(sub, asked.reply_to.as_ref().unwrap(), text, options)).await;
}

#[tokio::test(start_paused = true)]
async fn requests_get_their_own_answers_in_any_order_over_one_private_subscription() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let ask = |text: &str| client.request("rpc/echo").text(text).into_future();
    let serve = async {
        let subscribe = peer.expect_subscribe().await;
        let level = subscribe.filter.strip_prefix("reply/device/").unwrap();
        assert_eq!(level.len(), 32);
        let granted = murre_protocol::packet::Subscribed { sub: subscribe.sub, ..Default::default() };
        peer.send(BrokerPacket::Subscribed(Box::new(granted))).await;
        let first = take_request(&mut peer).await;
        let second = take_request(&mut peer).await;
        assert_eq!(first.options.as_ref().unwrap().reply_to, Some(subscribe.filter.clone()));
        answer(&mut peer, subscribe.sub, &second, &format!("re {}", text_of(&second))).await;
        answer(&mut peer, subscribe.sub, &first, &format!("re {}", text_of(&first))).await;
    };
    let ((one, two), ()) = tokio::join!(join(ask("one"), ask("two")), serve);
    let text = |answer: Result<crate::Message, RequestError>| answer.unwrap().decode::<String>().unwrap();
    assert_eq!((text(one), text(two)), ("re one".into(), "re two".into()));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_answers_ends_by_its_timeout() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let start = Instant::now();
    let request = client.request("rpc/none").text("?").timeout(Duration::from_secs(5)).into_future();
    let (error, ()) = tokio::join!(request, async {
        peer.grant().await;
        take_request(&mut peer).await;
    });
    assert!(matches!(error, Err(RequestError::Timeout { ref topic, .. }) if topic == "rpc/none"));
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_broker_refuses_fails_at_once() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (error, ()) = tokio::join!(client.request("rpc/secret").text("?").into_future(), async {
        peer.grant().await;
        let id = peer.expect_publish().await.id;
        let refusal = Published { id, code: Code::NOT_AUTHORISED, position: Position::NONE, reason: None };
        peer.send(BrokerPacket::Published(refusal)).await;
    });
    let error = error.unwrap_err();
    assert!(matches!(error, RequestError::Publish(PublishError::Refused { .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn requests_work_again_after_a_refused_reply_subscription() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let refused = client.request("rpc/echo").text("1").into_future();
    let (refused, ()) = tokio::join!(refused, peer.deny(Code::QUOTA, "not now"));
    assert!(matches!(refused, Err(RequestError::Replies(_))));
    let (granted, ()) = tokio::join!(client.request("rpc/echo").text("2").into_future(), async {
        let sub = peer.grant().await;
        let request = take_request(&mut peer).await;
        answer(&mut peer, sub, &request, "yes").await;
    });
    assert_eq!(granted.unwrap().decode::<String>().unwrap(), "yes");
}

#[tokio::test(start_paused = true)]
async fn a_reply_goes_where_the_message_asks_for_it() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (questions, sub) = tokio::join!(client.subscribe("rpc/echo").into_future(), peer.grant());
    let options = MessageOptions {
        reply_to: Some("reply/x/1".into()),
        correlation: Some(b"c1".as_slice().into()),
        ..Default::default()
    };
    peer.send(message(sub, "rpc/echo", "hello", options)).await;
    peer.send(message(sub, "rpc/echo", "no answer, please", MessageOptions::default())).await;
    let mut questions = questions.unwrap();
    client.reply(&questions.next().await.unwrap()).text("hello you").enqueue().await.unwrap();
    let reply = peer.expect_publish().await;
    assert_eq!((reply.topic.as_ref(), text_of(&reply).as_str()), ("reply/x/1", "hello you"));
    assert_eq!(reply.options.unwrap().correlation.as_deref(), Some(&b"c1"[..]));
    let none = client.reply(&questions.next().await.unwrap()).text("x").await;
    assert!(matches!(none, Err(PublishError::NoReplyTo { .. })));
}
