use std::future::IntoFuture;

use murre_protocol::{
    Position,
    packet::{self, Connected, Subscribed},
};

use crate::{
    Client, From, Lost, ResumePoint, SubscribeBuilder, Subscription, SubscriptionEvent,
    testing::{Broker, Peer, info, message_at, settle},
};

fn at(offset: u64, shard: u8) -> Position {
    Position::new(offset, shard)
}

fn after(positions: &[Position]) -> Option<packet::From<'static>> {
    Some(packet::From::After { positions: positions.to_vec(), epoch: "e1".into() })
}

fn recovered(recovered: bool, lost: Option<&'static str>) -> Subscribed<'static> {
    Subscribed { recovered: Some(recovered), lost: lost.map(Into::into), ..Default::default() }
}

async fn granted(builder: SubscribeBuilder, peer: &mut Peer) -> (Subscription, u64) {
    let (subscription, sub) = tokio::join!(builder.into_future(), peer.grant());
    (subscription.unwrap(), sub)
}

/// A subscription that resumes and stands at 5@0 and 7@1.
async fn resuming(client: &Client, peer: &mut Peer) -> (Subscription, u64) {
    let (mut subscription, sub) = granted(client.subscribe("a").resume(), peer).await;
    peer.caught_up_at(sub, &[at(5, 0), at(7, 1)]).await;
    assert!(matches!(subscription.next_event().await, Some(SubscriptionEvent::CaughtUp { .. })));
    (subscription, sub)
}

#[tokio::test(start_paused = true)]
async fn caught_up_is_told_in_its_place_with_positions_and_count() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, sub) = granted(client.subscribe("a"), &mut peer).await;
    peer.send(message_at(sub, at(4, 0), "kept")).await;
    let positions = [at(4, 0)];
    let caught_up = packet::CaughtUp { sub, positions: positions.to_vec().into(), count: 1 };
    peer.send(packet::BrokerPacket::CaughtUp(caught_up)).await;
    assert!(matches!(subscription.next_event().await, Some(SubscriptionEvent::Message(_))));
    let point = ResumePoint::new(&positions, "e1");
    assert_eq!(subscription.next_event().await, Some(SubscriptionEvent::CaughtUp { point, count: 1 }));
}

#[tokio::test(start_paused = true)]
async fn after_a_reconnect_a_subscription_goes_on_behind_the_last_message_that_came() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, sub) = resuming(&client, &mut peer).await;
    peer.send_all(&[message_at(sub, at(9, 1), "x"), message_at(sub, at(2, 3), "y")]).await;
    settle().await;
    drop(peer);

    let mut peer = broker.accept().await;
    let again = peer.answer(recovered(true, None)).await;
    assert_eq!(again.options.from, after(&[at(5, 0), at(9, 1), at(2, 3)]));
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(subscription.next_event().await.unwrap());
    }
    assert!(matches!(&seen[2], SubscriptionEvent::Resumed(recovery) if recovery.recovered));
    assert_eq!(subscription.recovery().unwrap().lost, None);
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_breaks_off_goes_on_where_it_broke() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (_subscription, _) = resuming(&client, &mut peer).await;
    drop(peer);
    let mut peer = broker.accept().await;
    let sub = peer.answer(recovered(true, None)).await.sub;
    peer.send(message_at(sub, at(6, 0), "replayed")).await;
    settle().await;
    drop(peer);
    let again = broker.accept().await.expect_subscribe().await;
    assert_eq!(again.options.from, after(&[at(6, 0), at(7, 1)]));
}

#[tokio::test(start_paused = true)]
async fn before_caught_up_it_is_asked_for_as_at_first() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let builder = client.subscribe("a").from(From::LastN(3)).resume();
    let (mut subscription, sub) = granted(builder, &mut peer).await;
    peer.send(message_at(sub, at(9, 1), "x")).await;
    settle().await;
    drop(peer);
    let again = broker.accept().await.answer(Subscribed::default()).await;
    assert_eq!(again.options.from, Some(packet::From::LastN(3)));
    subscription.next().await.unwrap();
    assert_eq!(subscription.next_event().await, Some(SubscriptionEvent::Restarted));
}

#[tokio::test(start_paused = true)]
async fn a_loss_is_told_with_its_reason_and_the_list_still_holds() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, _) = resuming(&client, &mut peer).await;
    drop(peer);
    let mut peer = broker.accept().await;
    let sub = peer.answer(recovered(false, Some("kept"))).await.sub;
    let Some(SubscriptionEvent::Resumed(recovery)) = subscription.next_event().await else {
        panic!("no event")
    };
    assert_eq!((recovery.recovered, recovery.lost), (false, Some(Lost::Kept)));
    peer.send(message_at(sub, at(8, 1), "x")).await;
    subscription.next().await.unwrap();
    assert_eq!(subscription.resume_point().unwrap().positions(), [at(5, 0), at(8, 1)]);
}

#[tokio::test(start_paused = true)]
async fn positions_of_another_epoch_are_forgotten() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, _) = resuming(&client, &mut peer).await;
    drop(peer);
    let mut peer = broker.accept_with(Connected { epoch: "e2".into(), ..info() }).await;
    let sub = peer.answer(recovered(false, Some("epoch"))).await.sub;
    peer.send(message_at(sub, at(1, 0), "x")).await;
    subscription.next().await.unwrap();
    assert_eq!(subscription.resume_point(), None);
    peer.caught_up_at(sub, &[at(1, 0)]).await;
    subscription.next_event().await.unwrap();
    assert_eq!(subscription.resume_point(), Some(ResumePoint::new(&[at(1, 0)], "e2")));
}

#[tokio::test(start_paused = true)]
async fn a_resume_point_counts_in_what_was_taken_and_not_what_waits() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let (mut subscription, sub) = resuming(&client, &mut peer).await;
    peer.send_all(&[message_at(sub, at(8, 1), "taken"), message_at(sub, at(9, 1), "waits")]).await;
    subscription.next().await.unwrap();
    settle().await;
    assert_eq!(subscription.resume_point().unwrap().positions(), [at(5, 0), at(8, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_later_process_goes_on_from_a_point_that_was_kept() {
    let mut broker = Broker::new();
    let (client, mut peer) = broker.connected().await;
    let point: ResumePoint = serde_json::from_str(r#"{"positions":[1280,1793],"epoch":"e1"}"#).unwrap();
    let subscribe = client.subscribe("a").from(From::After(point)).into_future();
    let (subscription, asked) = tokio::join!(subscribe, peer.answer(recovered(true, None)));
    assert_eq!(asked.options.from, after(&[at(5, 0), at(7, 1)]));
    let mut subscription = subscription.unwrap();
    assert!(matches!(subscription.next_event().await, Some(SubscriptionEvent::Resumed(_))));
    peer.send(message_at(asked.sub, at(6, 0), "x")).await;
    subscription.next().await.unwrap();
    drop(peer);
    let again = broker.accept().await.expect_subscribe().await;
    assert_eq!(again.options.from, after(&[at(6, 0), at(7, 1)]));
}

/// Sends numbers over connections that break; what was sent on a broken one comes again from where it is asked.
async fn send_log(broker: &mut Broker, rng: &mut fastrand::Rng, count: u64) -> Peer {
    loop {
        let mut peer = broker.accept().await;
        let asked = peer.answer(recovered(true, None)).await;
        let from = match asked.options.from {
            Some(packet::From::After { positions, .. }) => positions,
            _ => Vec::new(),
        };
        let from = |shard: u8| from.iter().find(|p| p.shard() == shard).map_or(0, |p| p.offset());
        if rng.u8(..4) == 0 {
            continue;
        }
        peer.caught_up_at(asked.sub, &[at(from(0), 0), at(from(1), 1)]).await;
        for offset in 1..=count {
            for shard in 0..2 {
                if offset > from(shard) {
                    peer.send(message_at(asked.sub, at(offset, shard), &offset.to_string())).await;
                }
            }
            if rng.u8(..40) == 0 {
                break;
            }
            if offset == count {
                return peer;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_resumes_has_each_message_once_however_often_the_connection_breaks() {
    const COUNT: u64 = 300;
    let mut rng = fastrand::Rng::with_seed(11);
    let mut broker = Broker::new();
    let client = broker.builder().start().unwrap();
    let read = async {
        let mut subscription = client.subscribe("a").from(From::Live).resume().await.unwrap();
        let mut next = [1, 1];
        while next != [COUNT + 1; 2] {
            let position = subscription.next().await.unwrap().position();
            let expected = &mut next[usize::from(position.shard())];
            assert_eq!(position.offset(), *expected);
            *expected += 1;
        }
    };
    let ((), _peer) = tokio::join!(read, send_log(&mut broker, &mut rng, COUNT));
}
