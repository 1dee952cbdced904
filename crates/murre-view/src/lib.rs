//! Murre's live views: what a subscription asks the broker to do with readings before it sends them.
//!
//! Everything here is pure: the time comes with the readings and the calls, and the same inputs give the same
//! outputs. What clients ask for comes as [`murre_protocol::packet::ViewOptions`], is compiled once, and is bounded.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | [`value`] | a cursor over MessagePack and JSON, which copies nothing |
//! | [`path`] | paths into a payload |
//! | [`condition`] | `where`: conditions in CEL |
//! | [`select`] | `select`: parts of a payload |
//! | [`deadband`] | `deadband`: what has hardly moved isn't sent |

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod condition;
pub mod deadband;
pub mod path;
pub mod select;
pub mod value;

pub use value::Unusable;
