//! What views do, against naive models written for the tests.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod conditions;
mod deadbands;
mod hostile;
mod paths;
mod selections;
mod values;
