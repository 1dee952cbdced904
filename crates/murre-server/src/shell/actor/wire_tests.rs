//! A connection's two directions, with the test in the place of the dispatcher.

use actix_web::error::PayloadError;
use futures_util::stream;

use super::*;

/// Bytes that one of the dispatcher's reads brings at most.
const READ: usize = 40 * 1024;
/// More than any backlog takes.
const MUCH: usize = 17 * 1024 * 1024;

/// Feeds the payload, ends it as at a FIN, and takes from the body.
struct Dispatcher {
    arrived: Rc<RefCell<VecDeque<Result<Bytes, PayloadError>>>>,
    wire: Wire,
    body: Body,
}

impl Dispatcher {
    fn new() -> Self {
        let arrived = Rc::<RefCell<VecDeque<_>>>::default();
        let unread = arrived.clone();
        let payload = stream::poll_fn(move |_| match unread.borrow_mut().pop_front() {
            Some(item) => Poll::Ready(Some(item)),
            None => Poll::Pending,
        });
        let wire = Wire::new(Payload::Stream { payload: Box::pin(payload) }, &Arc::default());
        Self { arrived, body: wire.body(), wire }
    }

    fn reads(&mut self, bytes: usize) {
        self.arrived.borrow_mut().push_back(Ok(vec![7; bytes].into()));
    }

    fn reads_fin(&mut self) {
        self.arrived.borrow_mut().push_back(Err(PayloadError::Incomplete(None)));
    }

    /// The length of what the body gives; none where there is nothing now or nothing any more.
    fn takes(&mut self) -> Option<usize> {
        match self.poll_body() {
            Poll::Ready(Some(Ok(piece))) => Some(piece.len()),
            _ => None,
        }
    }

    fn poll_body(&mut self) -> Poll<Option<Result<Bytes, Infallible>>> {
        Pin::new(&mut self.body).poll_next(&mut Context::from_waker(Waker::noop()))
    }
}

#[test]
fn the_body_empties_the_payload_also_while_nobody_reads() {
    let mut dispatcher = Dispatcher::new();

    for _ in 0..10 {
        dispatcher.reads(READ);
        assert_eq!(dispatcher.takes(), None);
    }
    dispatcher.reads_fin();
    dispatcher.wire.pull();

    assert_eq!(dispatcher.wire.take_backlog().len(), 10 * READ);
    assert!(dispatcher.wire.is_read_to_end() && !dispatcher.wire.is_cut_short());
}

#[test]
fn without_a_backlog_the_payload_is_empty_too() {
    let mut dispatcher = Dispatcher::new();
    dispatcher.reads(READ);
    dispatcher.reads_fin();

    dispatcher.wire.pull();

    assert!(!dispatcher.wire.is_read_to_end(), "what came has yet to be handled");
    assert_eq!(dispatcher.wire.take_backlog().len(), READ);
    assert!(dispatcher.wire.is_read_to_end());
}

#[test]
fn a_full_backlog_leaves_the_payload_unread() {
    let mut dispatcher = Dispatcher::new();
    dispatcher.reads(MUCH);
    dispatcher.wire.pull();
    dispatcher.reads(READ);
    dispatcher.wire.pull();

    assert_eq!(dispatcher.wire.take_backlog().len(), MUCH);
    dispatcher.wire.pull();
    assert_eq!(dispatcher.wire.take_backlog().len(), READ);
}

#[test]
fn a_client_that_ends_while_it_is_left_unread_may_be_cut_short() {
    let mut dispatcher = Dispatcher::new();
    dispatcher.reads(MUCH);
    dispatcher.wire.pull();
    dispatcher.reads(READ);
    dispatcher.wire.pull();
    dispatcher.reads_fin();

    dispatcher.wire.take_backlog();
    dispatcher.wire.pull();

    assert!(dispatcher.wire.is_cut_short());
}

#[test]
fn a_client_that_goes_on_after_it_was_left_unread_is_not_cut_short() {
    let mut dispatcher = Dispatcher::new();
    dispatcher.reads(MUCH);
    dispatcher.wire.pull();
    dispatcher.reads(READ);
    dispatcher.wire.pull();
    dispatcher.wire.take_backlog();
    dispatcher.wire.pull();

    dispatcher.reads_fin();
    dispatcher.wire.pull();

    assert!(!dispatcher.wire.is_cut_short());
}

#[test]
fn what_is_sent_is_taken_in_pieces_and_makes_room_as_it_goes() {
    let mut dispatcher = Dispatcher::new();
    let wire = dispatcher.wire.clone();
    wire.wrote(40_000);
    assert!(!wire.has_room(), "what is written counts before it is encoded");
    wire.send(Bytes::from(vec![7; 40_000]));

    assert_eq!(dispatcher.takes(), Some(PIECE_MAX));
    assert!(wire.has_room() && !wire.is_flushed());
    assert_eq!(dispatcher.takes(), Some(PIECE_MAX));
    assert_eq!(dispatcher.takes(), Some(40_000 - 2 * PIECE_MAX));

    assert!(wire.is_flushed());
    assert!(dispatcher.poll_body().is_pending());
}

#[test]
fn the_body_ends_behind_what_was_sent() {
    let mut dispatcher = Dispatcher::new();
    dispatcher.wire.send(Bytes::from_static(b"last"));
    dispatcher.wire.finish();

    assert_eq!(dispatcher.takes(), Some(4));
    assert!(matches!(dispatcher.poll_body(), Poll::Ready(None)));
}

#[test]
fn when_the_dispatcher_is_gone_there_is_room_for_everything() {
    let Dispatcher { wire, body, .. } = Dispatcher::new();
    wire.send(Bytes::from(vec![7; 100_000]));

    drop(body);

    assert!(wire.has_room() && wire.is_flushed());
}
