use super::*;

const PACKET_MAX: usize = 100;

fn drain(rate: Option<f64>, sequences: impl IntoIterator<Item = u64>) -> Drain {
    let mut drain = Drain::new(rate, 256, 0);
    // The packet's only byte is its sequence, to be found in frames.
    drain.feed(sequences.into_iter().map(|sequence| (sequence, vec![sequence as u8])));
    drain
}

fn take(drain: &mut Drain, now: Instant) -> Vec<u8> {
    let mut frame = Vec::new();
    drain.take(&mut frame, 1000, PACKET_MAX, now);
    frame
}

fn answer(drain: &mut Drain, sequence: u64, code: Code, now: Instant) {
    drain.answered(sequence, code, Position::NONE, "as it is", now);
}

fn ticket(drain: &mut Drain, sequence: u64) -> oneshot::Receiver<Outcome> {
    let (ticket, outcome) = oneshot::channel();
    drain.expect(sequence, ticket);
    outcome
}

#[test]
fn what_has_no_answer_is_sent_again_in_order_with_the_same_sequence() {
    let now = Instant::now();
    let mut drain = drain(None, 1..5);
    assert_eq!(take(&mut drain, now), [1, 2, 3, 4]);
    answer(&mut drain, 2, Code::OK, now);
    drain.connection_lost();
    assert_eq!(take(&mut drain, now), [1, 3, 4]);
    assert_eq!(drain.take_results().done, [2]);
}

#[test]
fn messages_go_no_faster_than_the_rate() {
    let start = Instant::now();
    let mut drain = drain(Some(10.0), 1..100);
    assert_eq!(take(&mut drain, start), [1, 2]);
    assert!(take(&mut drain, start).is_empty());
    let due = drain.due().unwrap();
    assert_eq!(take(&mut drain, due), [3]);
    let mut sent = 0;
    for tenth in 1..=50 {
        sent += take(&mut drain, due + Duration::from_millis(100 * tenth)).len();
    }
    assert_eq!(sent, 50);
}

#[test]
fn one_bad_reading_is_reported_and_blocks_nothing() {
    let now = Instant::now();
    for code in [Code::INVALID, Code::NOT_AUTHORISED, Code::TOO_LARGE] {
        let mut drain = drain(None, 1..3);
        let mut outcome = ticket(&mut drain, 1);
        take(&mut drain, now);
        answer(&mut drain, 1, code, now);
        let results = drain.take_results();
        assert_eq!((results.done.as_slice(), results.refusals[0].code), (&[1][..], code));
        assert!(matches!(outcome.try_recv(), Ok(Outcome::Refused { .. })));
        drain.connection_lost();
        assert_eq!(take(&mut drain, now), [2]);
    }
}

#[test]
fn a_packet_that_the_broker_does_not_take_is_reported_and_blocks_nothing() {
    let now = Instant::now();
    let mut drain = Drain::new(None, 256, 0);
    drain.feed([(1, vec![1; PACKET_MAX + 1]), (2, vec![2])]);
    assert_eq!(take(&mut drain, now), [2]);
    assert_eq!(drain.take_results().refusals[0].code, Code::TOO_LARGE);
}

#[test]
fn a_refusal_that_will_pass_keeps_the_messages_and_their_order_and_backs_off() {
    let now = Instant::now();
    for code in [Code::QUOTA, Code::BROKER_ERROR, Code::SHUTTING_DOWN] {
        let mut drain = drain(None, 1..4);
        let mut outcome = ticket(&mut drain, 1);
        take(&mut drain, now);
        drain.feed([(4, vec![4])]);
        answer(&mut drain, 1, code, now);
        assert!(take(&mut drain, now).is_empty(), "nothing overtakes what was refused");
        answer(&mut drain, 2, code, now);
        answer(&mut drain, 3, code, now);
        assert!(take(&mut drain, now).is_empty());
        let due = drain.due().unwrap();
        assert!(due >= now + BACKOFF.min);
        assert_eq!(take(&mut drain, due), [1, 2, 3, 4]);
        assert!(!drain.has_results() && outcome.try_recv().is_err());
    }
}

#[test]
fn it_backs_off_longer_each_time_until_something_is_accepted() {
    let mut now = Instant::now();
    let mut drain = drain(None, 1..2);
    for failures in 1..=5 {
        take(&mut drain, now);
        answer(&mut drain, 1, Code::QUOTA, now);
        assert_eq!(drain.failures, failures);
        now = drain.due().unwrap();
    }
    take(&mut drain, now);
    answer(&mut drain, 1, Code::OK, now);
    assert_eq!(drain.failures, 0);
}

#[test]
fn what_was_refused_before_a_later_one_was_accepted_goes_on_under_its_sequence() {
    let now = Instant::now();
    let mut drain = drain(None, 1..5);
    let mut outcome = ticket(&mut drain, 1);
    take(&mut drain, now);
    answer(&mut drain, 1, Code::QUOTA, now);
    answer(&mut drain, 2, Code::OK, now);
    answer(&mut drain, 3, Code::QUOTA, now);
    answer(&mut drain, 4, Code::OK, now);
    assert_eq!(drain.take_results().done, [2, 4]);
    let due = drain.due().unwrap();
    assert_eq!(take(&mut drain, due), [1, 3]);
    answer(&mut drain, 1, Code::OK, now);
    assert!(matches!(outcome.try_recv(), Ok(Outcome::Accepted(_))));
}

#[test]
fn a_connection_that_breaks_while_it_holds_still_is_followed_by_all_that_was_not_accepted() {
    let now = Instant::now();
    let mut drain = drain(None, 1..4);
    take(&mut drain, now);
    answer(&mut drain, 1, Code::QUOTA, now);
    answer(&mut drain, 2, Code::OK, now);
    drain.connection_lost();
    assert_eq!(take(&mut drain, now), [1, 3]);
}

#[test]
fn those_who_no_longer_wait_are_cleared_out() {
    let mut drain = drain(None, []);
    for sequence in 0..100_000 {
        drop(ticket(&mut drain, sequence));
    }
    assert!(drain.tickets.waiting.len() <= Tickets::CLEAR_FROM);
}

#[test]
fn of_what_the_disk_had_to_drop_only_that_goes_on_which_is_on_its_way() {
    let now = Instant::now();
    let mut drain = drain(Some(20.0), 1..6);
    assert_eq!(take(&mut drain, now), [1, 2, 3]);
    assert_eq!(drain.drop_unsent(&[1, 2, 3, 4]), [4]);
    let due = drain.due().unwrap();
    assert_eq!(take(&mut drain, due), [5]);
}

#[test]
fn one_in_flight_at_a_time_waits_for_each_answer_so_that_a_refusal_changes_no_order() {
    let now = Instant::now();
    let mut drain = Drain::new(None, 1, 0);
    drain.feed([(1, vec![1]), (2, vec![2])]);
    assert_eq!(take(&mut drain, now), [1]);
    assert!(take(&mut drain, now).is_empty() && drain.due().is_none());
    answer(&mut drain, 1, Code::QUOTA, now);
    let due = drain.due().unwrap();
    assert_eq!(take(&mut drain, due), [1]);
    answer(&mut drain, 1, Code::OK, due);
    assert_eq!(take(&mut drain, due), [2]);
}
