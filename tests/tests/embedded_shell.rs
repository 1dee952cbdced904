//! Everything that holds for a client's connection, once more over the second shell: the broker as an actor in an
//! actix-web server of somebody's own (`examples/embedded`). This program's name chooses that server; the tests are
//! the same.

#[path = "a_client_that_publishes_and_closes_at_once_loses_nothing.rs"]
mod a_client_that_publishes_and_closes_at_once_loses_nothing;
#[path = "a_stalled_subscriber_harms_nobody.rs"]
mod a_stalled_subscriber_harms_nobody;
#[path = "bad_handshakes_are_refused.rs"]
mod bad_handshakes_are_refused;
#[path = "bad_packets_get_their_answer.rs"]
mod bad_packets_get_their_answer;
#[path = "closing_follows_rfc6455.rs"]
mod closing_follows_rfc6455;
#[path = "publish_and_subscribe.rs"]
mod publish_and_subscribe;
#[path = "retained_and_last_values.rs"]
mod retained_and_last_values;
#[path = "shared_subscriptions.rs"]
mod shared_subscriptions;
#[path = "shutdown_is_graceful.rs"]
mod shutdown_is_graceful;
#[path = "stopped_in_order.rs"]
mod stopped_in_order;
#[path = "takeover.rs"]
mod takeover;
#[path = "wills_and_presence.rs"]
mod wills_and_presence;
