//! Murre's SDK for devices and services: publish readings, subscribe to them, ask and answer, over one WebSocket
//! connection that is made again whenever it breaks.
//!
//! A device:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use murre_client::{Client, Will};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::builder("ws://127.0.0.1:8080/ws")
//!         .client_id("boiler-7")
//!         .will(Will::new("site/a/boiler/state").text("gone").retain(true))
//!         .connect()
//!         .await?;
//!     loop {
//!         client.publish("site/a/boiler/temp").json(&serde_json::json!({ "celsius": 21.4 }))?.await?;
//!         tokio::time::sleep(Duration::from_secs(1)).await;
//!     }
//! }
//! ```
//!
//! A subscriber:
//!
//! ```no_run
//! use murre_client::{Client, From};
//!
//! #[derive(serde::Deserialize)]
//! struct Reading {
//!     celsius: f64,
//! }
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("ws://127.0.0.1:8080").connect().await?;
//! let mut temperatures = client.subscribe("site/+/boiler/temp").from(From::Live).await?;
//! while let Some(message) = temperatures.next().await {
//!     let reading: Reading = message.decode()?;
//!     println!("{}: {} °C", message.topic(), reading.celsius);
//! }
//! client.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//! - An acknowledged publish (the default) resolves when the broker has the message; it is sent again on a new
//!   connection until then. An unacknowledged one resolves when it is in the bounded outgoing [`Buffer`].
//! - With a [`Spool`] acknowledged publishes wait on disk: they survive the end of the process, and with
//!   [`SpoolSync::Always`] a loss of power. Each is in the broker's log once, where the broker keeps its topic.
//! - A subscription goes on over reconnects. What was published meanwhile is lost to [`From::Live`], unless it
//!   [resumes](SubscribeBuilder::resume) or is [acknowledged](SubscribeBuilder::acknowledge) in a session.
//! - Nothing blocks the thread, every queue has a bound, and dropping any future is safe.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | `builder`, `client` | building a client, and its handle |
//! | `publish`, `subscribe`, `view`, `subscription`, `request`, `presence`, `fresh`, `will`, `message`, `event` | what an application does, sends and gets |
//! | `buffer`, `backoff`, `error` | what it can set, and what can go wrong |
//! | `pace` | a steady beat for devices |
//! | `session` | the client's state over all its connections, without I/O: `outgoing`, `subscriptions`, `subscription_state`, `replies` |
//! | `resume`, `acks`, `owed`, `orphans`, `patches` | of a subscription: where to go on, what was handled, what wasn't, what came before it was asked for, the values that patches change |
//! | `spool` | publishes that wait on disk: the files, and what of them is being sent |
//! | `inbox`, `feed` | bounded queues from the background task to a reader |
//! | `shared` | the session behind a lock, and the signals between handles and background task |
//! | `task`, `dial`, `drive`, `keep_alive` | the background task: connecting, one connection, its time |
//! | `address`, `tls`, `config`, `payload`, `clock` | small helpers |

mod acks;
mod address;
mod backoff;
mod buffer;
mod builder;
mod client;
mod clock;
mod config;
mod dial;
mod drive;
mod error;
mod event;
mod feed;
mod fresh;
mod inbox;
mod keep_alive;
mod message;
mod orphans;
mod outgoing;
mod owed;
mod pace;
mod patches;
mod payload;
mod presence;
mod publish;
mod replies;
mod request;
mod resume;
mod session;
mod shared;
mod spool;
mod subscribe;
mod subscription;
mod subscription_state;
mod subscriptions;
mod task;
mod tls;
mod view;
mod will;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

/// The examples in the project's documents, which the documentation tests compile.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/sdk-rust.md")]
    struct Sdk;
}

pub use backoff::Backoff;
pub use buffer::{Buffer, WhenFull};
pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{
    ClientClosed, ConnectError, DecodeError, EncodeError, PublishError, RequestError, SubscribeError,
};
pub use event::{Event, Events};
pub use fresh::{Freshness, FreshnessState};
pub use message::Message;
pub use murre_protocol::{
    Code, Format, Position, Timestamp,
    packet::{Figure, NoticeKind, OnError, OnSlow},
};
pub use pace::{Beat, Pace};
pub use presence::{Presence, PresenceState, PresenceStream};
pub use publish::{Acknowledgement, Publish, PublishBuilder, Published};
pub use request::{Request, RequestBuilder};
pub use resume::{Lost, Recovery, ResumePoint};
pub use spool::{Spool, SpoolError, SpoolFull, SpoolStatus, SpoolSync};
pub use subscribe::{Acknowledge, From, SubscribeBuilder};
pub use subscription::{Subscription, SubscriptionEvent};
pub use view::{Deadband, Window};
pub use will::Will;
