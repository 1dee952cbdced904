//! Murre's live views: what a subscription asks the broker to do with readings before it sends them.
//!
//! Everything here is pure: the time comes with the readings and the calls, and the same inputs give the same
//! outputs. What clients ask for comes as [`murre_protocol::packet::ViewOptions`], is compiled once, and is bounded.
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | [`plan`] | a view compiled from what a client asked for, and what is refused |
//! | [`view`] | a view at work: readings and time in, messages out |
//! | `work` | one topic's way through the parts that remember something |
//! | [`value`] | a cursor over MessagePack and JSON, which copies nothing |
//! | [`path`] | paths into a payload |
//! | [`condition`] | `where`: conditions in CEL |
//! | [`select`] | `select`: parts of a payload |
//! | [`deadband`] | `deadband`: what has hardly moved isn't sent |
//! | `window` | `window`: figures over spans of time |
//! | `rate` | `max_rate`: the newest of what comes too fast |
//! | `patch` | `patch`: only what changed |
//! | [`fresh`] | `expect`: topics that fall silent, and how that is told |
//! | `owed` | the position up to which a subscription is owed nothing |
//! | [`trouble`] | what a view could not do |

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod condition;
pub mod deadband;
pub mod fresh;
mod owed;
mod patch;
pub mod path;
pub mod plan;
mod rate;
pub mod select;
pub mod trouble;
pub mod value;
pub mod view;
mod window;
mod work;

pub use plan::{Plan, PlanError};
pub use trouble::Troubles;
pub use value::Unusable;
pub use view::{Limits, View};
