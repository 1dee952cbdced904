//! The broker's configuration: what can be set, where it may be set, and clear words for what is wrong.
//!
//! A setting comes from the last of these that has it: the default, `murre.toml` in the working directory (or the
//! file that was asked for, which then must exist), an environment variable `MURRE__SECTION__KEY`, a flag.
//! `murre.example.toml` in the repository lists every key.
//!
//! ```
//! use murre_server::config::{Config, Sources};
//!
//! let sources = Sources::none().variable("MURRE__LIMITS__MAX_PACKET", "256 KiB").flag("server.bind", "--bind", "127.0.0.1:0");
//! let loaded = Config::load(&sources)?;
//! assert_eq!(loaded.config.limits.max_packet, 256 * 1024);
//! assert_eq!(loaded.origin("server.bind").to_string(), "flag --bind");
//! # Ok::<(), murre_server::config::ConfigError>(())
//! ```
//!
//! # Layout
//! | module | holds |
//! |---|---|
//! | `sections` | [`Config`] and its sections, with defaults |
//! | `human` | durations and sizes as people write them |
//! | `keep`, `expect` | the rules of `[[keep]]` and `[[expect]]`, as the core has them |
//! | `rules` | the same in the layers: the keys that are lists of tables |
//! | `sources` | [`Sources`]: where settings are looked for; [`Origin`]: where one was found |
//! | `load` | laying one source over the other: [`Config::load`], [`Loaded`], [`Setting`] |
//! | `validate` | ranges, and what has to fit together |
//! | `suggest` | the known key nearest to an unknown one |
//! | `error` | [`ConfigError`] |

mod error;
mod expect;
mod human;
mod keep;
mod load;
mod rules;
mod sections;
mod sources;
mod suggest;
mod validate;

#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use human::{show_duration, show_size};
pub use load::{Loaded, Setting};
pub use sections::{
    Config, Degrade, Expect, Keep, Limits, Log, LogFormat, Server, Session, Store, SyncMode, WhenFull,
};
pub use sources::{DEFAULT_FILE, Origin, Sources, VARIABLE_PREFIX};
