//! What the broker does, as its clients see it: one file for each behaviour, on a whole broker under a virtual
//! clock (`murre_core::testing`).

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod acknowledgements;
mod backpressure;
mod changes_in_place;
mod degraded_clients;
mod durable_publishes;
mod encodings;
mod endings;
mod freshness;
mod history;
mod keep_alive;
mod kept_sessions;
mod last_values;
mod limits;
mod malformed_packets;
mod nothing_is_missed;
mod presence;
mod reports;
mod requests_and_replies;
mod shared_acknowledgements;
mod shared_subscriptions;
mod shutdown;
mod slow_clients;
mod snapshots;
mod takeover;
mod viewing;
mod views;
mod views_of_groups;
mod views_of_kept_sessions;
mod views_with_acknowledgements;
mod wills;
