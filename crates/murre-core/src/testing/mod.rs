//! A whole broker on one thread, under a virtual clock.
//!
//! [`Broker`] runs workers, each a hub and its part of the engine, as the server's shell does; [`Client`] is a
//! connection to it that speaks the protocol in bytes. What passes between workers takes a while, which comes from
//! the seed, and keeps its order from part to part. The same seed gives the same run.
//!
//! ```
//! use murre_core::testing::Broker;
//! let broker = Broker::new(2, 1);
//! let dashboard = broker.connect("dashboard");
//! let sub = dashboard.subscribe("site/+/temp");
//! broker.publish("site/a/temp", "21.4");
//! assert_eq!(dashboard.texts(sub), ["21.4"]);
//! ```
//!
//! Here what goes wrong panics: it is for tests.
//!
//! # Layout
//! | module | is |
//! |---|---|
//! | `broker` | the broker, for tests to hold |
//! | `asked` | what those who run it ask |
//! | `client`, `heard` | one connection, for tests to hold: what it does, what it looks at |
//! | `world` | the events and their order |
//! | `wire` | a connection between its client and its session |
//! | `said` | what the broker said |
//! | `random`, `time` | a seeded generator, lengths of time |

mod asked;
mod broker;
mod client;
mod heard;
mod random;
mod said;
mod time;
mod wire;
mod world;

pub use broker::{Broker, Remains, keeping};
pub use client::{Client, acknowledged, from, live, on_slow, subscribing};
pub use random::Random;
pub use said::{Answer, Delivery, Said};
pub use time::Lengths;
