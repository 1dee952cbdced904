//! What can be set, by section, with the defaults.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::human;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;

/// The whole configuration. [`Config::default`] runs a broker in memory on 127.0.0.1:8080.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// The address and the threads.
    pub server: Server,
    /// What is kept of which topics; the first rule whose filter matches a topic holds.
    pub keep: Vec<Keep>,
    /// Which topics are to be heard how often; the first rule whose filter matches a topic holds.
    pub expect: Vec<Expect>,
    /// Where data is kept.
    pub store: Store,
    /// What holds for each client's session.
    pub session: Session,
    /// What bounds the broker's memory.
    pub limits: Limits,
    /// What clients get that read too slowly.
    pub degrade: Degrade,
    /// What is logged, and how.
    pub log: Log,
}

/// `[server]`: the address and the threads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Server {
    /// Address and port to listen on; port 0: a free one.
    #[serde(deserialize_with = "human::address")]
    pub bind: SocketAddr,
    /// Worker threads, at most 64; 0: one for each processor.
    #[serde(deserialize_with = "human::count")]
    pub workers: usize,
    /// Whether `/echo` sends back what it is sent, for checking a path through proxies.
    #[serde(deserialize_with = "human::flag")]
    pub echo: bool,
    /// Browser origins that may connect, such as `https://dashboard.example`, beside the broker's own address
    /// and localhost.
    #[serde(deserialize_with = "human::list")]
    pub origins: Vec<String>,
    /// How long a connection may take to send its HTTP request; 100 ms to 1 h.
    #[serde(with = "human::duration")]
    pub handshake_timeout: Duration,
    /// How long clients may take to receive what is pending when the broker stops; 0 to 1 h.
    #[serde(with = "human::duration")]
    pub shutdown_timeout: Duration,
    /// The time over which clients are asked to spread their return after a stop; 0 to 1 h.
    #[serde(with = "human::duration")]
    pub shutdown_spread: Duration,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            echo: false,
            origins: Vec::new(),
            handshake_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(10),
            shutdown_spread: Duration::from_secs(5),
        }
    }
}

/// `[[keep]]`: what is kept of the topics that match a filter. Each bound that is given holds; without any, all is
/// kept, up to the store's own bound.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Keep {
    /// Which topics, with `+` and `#` as in a subscription.
    pub filter: String,
    /// The newest messages of each topic; at least 1.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "human::some_count")]
    pub last: Option<usize>,
    /// What is younger than this; at least 1 s.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "human::some_duration")]
    pub age: Option<Duration>,
    /// The newest messages that come to so many bytes, of all topics of the rule together; at least 1 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "human::some_size")]
    pub bytes: Option<usize>,
    /// Whether a publish is acknowledged only once it is on disk.
    #[serde(default, deserialize_with = "human::flag")]
    pub durable: bool,
}

/// `[[expect]]`: topics that match a filter and fall silent are told of on `$murre/fresh/<topic>`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Expect {
    /// Which topics, with `+` and `#` as in a subscription; none that begin with `$`.
    pub filter: String,
    /// The time from one message of a topic to the next; 100 ms to 30 days.
    #[serde(with = "human::duration")]
    pub every: Duration,
    /// How much later a message may come; up to 30 days. Without: half of `every`.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "human::some_duration")]
    pub grace: Option<Duration>,
}

/// `[store]`: where data is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Store {
    /// The folder; none: in memory.
    pub path: Option<PathBuf>,
    /// The folder that backups are written into, each into one of its own there; none: they are refused.
    pub backups: Option<PathBuf>,
    /// When what was written is synced to the disk.
    #[serde(deserialize_with = "human::sync")]
    pub sync: SyncMode,
    /// How often, with `sync = "interval"`; 1 ms to 1 h.
    #[serde(with = "human::duration")]
    pub sync_interval: Duration,
    /// Bytes that the log may have on disk; none: as many as the disk has. At least 64 MiB.
    #[serde(default, with = "human::some_size")]
    pub bytes_max: Option<usize>,
    /// What happens when they are reached.
    #[serde(deserialize_with = "human::when_full")]
    pub when_full: WhenFull,
    /// Bytes of history that are kept in memory where there is no folder; past it the oldest messages go. At least
    /// 1 MiB.
    #[serde(with = "human::size")]
    pub memory_bytes_max: usize,
    /// Bytes on their way into the log, in all, past which clients that publish to kept topics are read no further;
    /// at least 1 MiB.
    #[serde(with = "human::size")]
    pub queue_max: usize,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            path: None,
            backups: None,
            sync: SyncMode::default(),
            sync_interval: Duration::from_secs(1),
            bytes_max: None,
            when_full: WhenFull::default(),
            memory_bytes_max: 256 * MIB,
            queue_max: 64 * MIB,
        }
    }
}

/// When what was written is synced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SyncMode {
    /// Before it is acknowledged: it survives a power failure.
    #[default]
    Always,
    /// Every `sync_interval`. It survives the death of the process.
    Interval,
    /// When the operating system likes. It survives the death of the process.
    Never,
}

/// What happens when a store holds as many bytes as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhenFull {
    /// Acknowledged publishes to durable topics are refused with 4429.
    #[default]
    Refuse,
    /// The oldest messages go.
    DropOldest,
}

/// `[session]`: what holds for each client's session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Session {
    /// How long a client may take from its WebSocket handshake to its CONNECT; 100 ms to 1 h.
    #[serde(with = "human::duration")]
    pub hello_timeout: Duration,
    /// Keep-alive of a client that doesn't ask for one; whole seconds, 1 s to `keep_alive_max`.
    #[serde(with = "human::duration")]
    pub keep_alive: Duration,
    /// The longest keep-alive that is granted; a client that asks for a longer one gets this. Whole seconds,
    /// 1 s to 7 days.
    #[serde(with = "human::duration")]
    pub keep_alive_max: Duration,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            hello_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(60),
            keep_alive_max: Duration::from_secs(18 * 3600),
        }
    }
}

/// `[limits]`: what bounds the broker's memory. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one packet; 1 KiB to 256 MiB.
    #[serde(with = "human::size")]
    pub max_packet: usize,
    /// Bytes of one WebSocket message; `max_packet` to 1 GiB.
    #[serde(with = "human::size")]
    pub max_message: usize,
    /// Bytes pending for one session before its slow-consumer policy applies; 64 KiB to 1 GiB.
    #[serde(with = "human::size")]
    pub outbox_max: usize,
    /// Subscriptions of one session; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub subscriptions_max: usize,
    /// Sessions in all; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub sessions_max: usize,
    /// Topics with a kept value, in all; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub topics_max: usize,
    /// Bytes of kept values, in all; at least 1 MiB.
    #[serde(with = "human::size")]
    pub kept_bytes_max: usize,
    /// Unacknowledged messages of one subscription with `ack`; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub inflight_max: usize,
    /// Bytes waiting for one subscription with `ack`; at least 64 KiB.
    #[serde(with = "human::size")]
    pub ack_queue_bytes_max: usize,
    /// Different filters of all subscriptions; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub filters_max: usize,
    /// Bytes that one session may have under way to other workers before it is read no further; at least 64 KiB.
    #[serde(with = "human::size")]
    pub publish_inflight_max: usize,
    /// Messages of each topic that a subscription gets at most of `from: {"last": n}`; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub history_last_max: usize,
    /// Different views of all subscriptions, counting those that are shared once; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub views_max: usize,
    /// Topics that one view of a subscription remembers; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub view_topics_max: usize,
    /// Bytes of payloads that one view keeps; at least 64 KiB.
    #[serde(with = "human::size")]
    pub view_bytes_max: usize,
    /// Clients whose sequence numbers are known, in all; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub sequences_max: usize,
    /// New connections that a worker takes before its sessions have their turn again; the others wait. At least 1.
    #[serde(deserialize_with = "human::count")]
    pub accepts_per_turn: usize,
    /// The longest that a session is kept after a disconnect; whole seconds, up to 365 days, 0 for not at all.
    #[serde(with = "human::duration")]
    pub session_expiry_max: Duration,
    /// Sessions that are kept over disconnects, in all; at least 1.
    #[serde(deserialize_with = "human::count")]
    pub sessions_kept_max: usize,
    /// Messages that one kept session may have unacknowledged; at least 64.
    #[serde(deserialize_with = "human::count")]
    pub session_messages_max: usize,
    /// Their bytes; at least 64 KiB.
    #[serde(with = "human::size")]
    pub session_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet: MIB,
            max_message: 4 * MIB,
            outbox_max: MIB,
            subscriptions_max: 10_000,
            sessions_max: 100_000,
            topics_max: 1_000_000,
            kept_bytes_max: GIB,
            inflight_max: 1_000,
            ack_queue_bytes_max: 4 * MIB,
            filters_max: 1_000_000,
            publish_inflight_max: MIB,
            history_last_max: 1_000_000,
            views_max: 10_000,
            view_topics_max: 10_000,
            view_bytes_max: 16 * MIB,
            sequences_max: 1_000_000,
            accepts_per_turn: 16,
            session_expiry_max: Duration::from_secs(7 * 24 * 3600),
            sessions_kept_max: 100_000,
            session_messages_max: 100_000,
            session_bytes_max: 64 * MIB,
        }
    }
}

/// `[degrade]`: the lower rates that subscriptions get whose client reads too slowly, before anything is dropped. Those
/// with `ack` or `patch`, and shared ones, are left as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Degrade {
    /// Whether there are any; else messages are dropped at once.
    #[serde(deserialize_with = "human::flag")]
    pub enabled: bool,
    /// How full the outbox of a session is when its rate is halved, in percent of `limits.outbox_max`; 10 to 100.
    #[serde(deserialize_with = "human::count")]
    pub at_percent: usize,
    /// The longest time between two messages of a topic that keeps changing: past it, no rate is halved any more. 10 ms
    /// to 1 h.
    #[serde(with = "human::duration")]
    pub period_max: Duration,
    /// How long a client has to keep up for its rate to be doubled; 1 s to 1 h.
    #[serde(with = "human::duration")]
    pub recover: Duration,
}

impl Default for Degrade {
    fn default() -> Self {
        Self {
            enabled: true,
            at_percent: 75,
            period_max: Duration::from_secs(10),
            recover: Duration::from_secs(10),
        }
    }
}

/// `[log]`: what is logged, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Log {
    /// A level (`off`, `error`, `warn`, `info`, `debug`, `trace`), or several by module: `info,murre_core=debug`.
    pub level: String,
    /// Lines for people or for machines.
    #[serde(deserialize_with = "human::log_format")]
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
