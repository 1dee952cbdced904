use super::*;

fn session() -> Session {
    Session::new(Buffer::messages(10), None, false)
}

fn publish(session: &mut Session, packet: &[u8]) -> oneshot::Receiver<Outcome> {
    let (ticket, outcome) = oneshot::channel();
    let id = session.next_publish();
    session.publish(Outbound { id, packet: packet.to_vec(), ticket: Some(ticket) }).unwrap();
    outcome
}

fn connect(session: &mut Session) {
    session.connected(&Connected { client_id: "c".into(), ..Default::default() });
}

#[test]
fn nothing_is_sent_before_connected() {
    let mut session = session();
    let _outcome = publish(&mut session, b"x");
    assert_eq!(session.take_frame(Instant::now()).0, b"");
    connect(&mut session);
    assert_eq!(session.take_frame(Instant::now()).0, b"x");
}

#[test]
fn a_publish_does_not_overtake_a_subscription() {
    let mut session = session();
    connect(&mut session);
    let _outcome = publish(&mut session, b"x");
    let feed = Arc::new(Feed::new(crate::inbox::Bounds { items: 1, bytes: 1 }, false));
    session.subscribe(crate::testing::wanted("a", crate::subscription_state::Route::Feed(feed))).unwrap();
    let (frame, _) = session.take_frame(Instant::now());
    assert!(frame.len() > 1 && frame.ends_with(b"x"));
}

#[test]
fn a_broker_without_limits_takes_everything() {
    let mut session = session();
    connect(&mut session);
    let _outcome = publish(&mut session, &[0; 100_000]);
    assert_eq!(session.take_frame(Instant::now()).0.len(), 100_000);
}

#[test]
fn the_end_tells_everything_that_waits_and_refuses_what_comes() {
    let mut session = session();
    let mut outcome = publish(&mut session, b"x");
    let closed = ClientClosed { code: Some(Code::TAKEN_OVER), reason: "gone".into() };
    session.end(closed.clone(), false);
    assert_eq!(outcome.try_recv(), Ok(Outcome::Closed(closed)));
    let late = session.publish(Outbound { id: 9, packet: Vec::new(), ticket: None });
    assert!(matches!(late, Err(NotTaken::Closed(_))));
    assert_eq!(session.pending(), 0);
}

#[test]
fn a_ping_and_a_pong_belong_to_their_connection() {
    let mut session = session();
    connect(&mut session);
    session.ping();
    session.receive(BrokerPacket::Ping, &Bytes::new(), Instant::now(), &mut Vec::new());
    session.connection_lost();
    connect(&mut session);
    assert_eq!(session.take_frame(Instant::now()).0, b"");
}
