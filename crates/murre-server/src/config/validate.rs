//! Ranges, and what has to fit together.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use super::{
    Config, ConfigError, Origin, expect,
    human::{show_duration, show_size},
    keep, rules,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;
const HOUR: Duration = Duration::from_secs(3600);
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Rules of a list are tried one after the other for each new topic.
const RULES_MAX: usize = 1000;

/// Says the value of a key, as TOML writes it, and where it comes from.
type Found<'a> = &'a dyn Fn(&str) -> (String, Origin);

pub(super) fn check(config: &Config, found: Found<'_>) -> Result<(), ConfigError> {
    let check = Check { found };
    check.server(config)?;
    check.session(config)?;
    check.limits(config)?;
    check.degrade(config)?;
    check.store(config)?;
    check.keep(config)?;
    check.expect(config)?;
    match wrong_directive(&config.log.level) {
        None => Ok(()),
        Some(wrong) => Err(check.refuse(
            "log.level",
            format!("{wrong:?} is no level; expected off, error, warn, info, debug or trace, or several by module such as info,murre_core=debug"),
        )),
    }
}

struct Check<'a> {
    found: Found<'a>,
}

impl Check<'_> {
    fn refuse(&self, key: &str, expected: String) -> ConfigError {
        let (value, origin) = (self.found)(key);
        ConfigError::Value { key: key.to_owned(), value, origin, expected }
    }

    fn within<T: PartialOrd + Copy>(
        &self,
        key: &str,
        value: T,
        range: RangeInclusive<T>,
        show: impl Fn(T) -> String,
    ) -> Result<(), ConfigError> {
        if range.contains(&value) {
            return Ok(());
        }
        Err(self.refuse(key, format!("expected {} to {}", show(*range.start()), show(*range.end()))))
    }

    fn at_least_one(&self, key: &str, value: usize) -> Result<(), ConfigError> {
        self.within(key, value, 1..=u32::MAX as usize, |count| count.to_string())
    }

    fn server(&self, config: &Config) -> Result<(), ConfigError> {
        let server = &config.server;
        self.within("server.workers", server.workers, 0..=64, |count| count.to_string())?;
        let soon = Duration::from_millis(100);
        self.within("server.handshake_timeout", server.handshake_timeout, soon..=HOUR, show_duration)?;
        self.within(
            "server.shutdown_timeout",
            server.shutdown_timeout,
            Duration::ZERO..=HOUR,
            show_duration,
        )?;
        self.within("server.shutdown_spread", server.shutdown_spread, Duration::ZERO..=HOUR, show_duration)?;
        if let Some(wrong) = server.origins.iter().find(|origin| !is_origin(origin)) {
            let expected = format!(
                "{wrong:?} is no origin; expected scheme, host and port as browsers send them, such as https://dashboard.example or http://10.0.0.5:3000"
            );
            return Err(self.refuse("server.origins", expected));
        }
        Ok(())
    }

    fn store(&self, config: &Config) -> Result<(), ConfigError> {
        let store = &config.store;
        self.within("store.memory_bytes_max", store.memory_bytes_max, MIB..=1024 * GIB, show_size)?;
        self.within(
            "store.sync_interval",
            store.sync_interval,
            Duration::from_millis(1)..=HOUR,
            show_duration,
        )?;
        if let Some(bytes) = store.bytes_max {
            self.within("store.bytes_max", bytes, 64 * MIB..=usize::MAX >> 1, show_size)?;
        }
        self.within("store.queue_max", store.queue_max, MIB..=64 * GIB, show_size)?;
        let is_empty = |path: &Option<PathBuf>| path.as_ref().is_some_and(|path| path.as_os_str().is_empty());
        if is_empty(&store.path) {
            let expected = "expected a folder, or no such key to keep everything in memory";
            return Err(self.refuse("store.path", expected.to_owned()));
        }
        if is_empty(&store.backups) {
            return Err(self.refuse("store.backups", "expected a folder, or no such key for none".to_owned()));
        }
        if store.backups.is_some() && store.backups == store.path {
            let expected = "expected another folder than that of the store (store.path)";
            return Err(self.refuse("store.backups", expected.to_owned()));
        }
        Ok(())
    }

    fn keep(&self, config: &Config) -> Result<(), ConfigError> {
        for (place, rule) in config.keep.iter().enumerate() {
            let refuse = |key: &str, value: String, expected: String| {
                let (_, origin) = (self.found)("keep");
                Err(ConfigError::Value { key: rules::KEEP.path(place, key), value, origin, expected })
            };
            let before = config.keep.iter().take(place).map(|rule| rule.filter.as_str());
            if let Err(expected) = keep::check_filter(&rule.filter, rules::KEEP.name, before) {
                return refuse("filter", format!("{:?}", rule.filter), expected);
            }
            if rule.last == Some(0) {
                return refuse("last", "0".into(), "expected at least 1, or no such key".into());
            }
            if let Some(age) = rule.age.filter(|age| *age < Duration::from_secs(1)) {
                return refuse("age", show_duration(age), "expected at least 1s".into());
            }
            if let Some(bytes) = rule.bytes.filter(|bytes| *bytes < KIB) {
                return refuse("bytes", show_size(bytes), "expected at least 1 KiB".into());
            }
            if rule.durable && config.store.path.is_none() {
                let expected =
                    "a durable topic needs a store: start with --data DIR, or set store.path".to_owned();
                return refuse("durable", "true".into(), expected);
            }
        }
        self.not_too_many(rules::KEEP.name, config.keep.len())
    }

    fn expect(&self, config: &Config) -> Result<(), ConfigError> {
        for (place, rule) in config.expect.iter().enumerate() {
            let before = config.expect.get(..place).unwrap_or_default();
            if let Some((key, value, expected)) = expect::wrong(rule, before) {
                let (key, (_, origin)) = (rules::EXPECT.path(place, key), (self.found)(rules::EXPECT.name));
                return Err(ConfigError::Value { key, value, origin, expected });
            }
        }
        self.not_too_many(rules::EXPECT.name, config.expect.len())
    }

    fn not_too_many(&self, list: &str, rules: usize) -> Result<(), ConfigError> {
        if rules <= RULES_MAX {
            return Ok(());
        }
        let expected = format!("expected at most {RULES_MAX} rules; there are {rules}");
        let (key, value, origin) = (list.to_owned(), "…".to_owned(), (self.found)(list).1);
        Err(ConfigError::Value { key, value, origin, expected })
    }

    fn session(&self, config: &Config) -> Result<(), ConfigError> {
        let session = &config.session;
        let second = Duration::from_secs(1);
        self.within(
            "session.hello_timeout",
            session.hello_timeout,
            Duration::from_millis(100)..=HOUR,
            show_duration,
        )?;
        self.within("session.keep_alive_max", session.keep_alive_max, second..=7 * 24 * HOUR, show_duration)?;
        self.within("session.keep_alive", session.keep_alive, second..=session.keep_alive_max, |value| {
            let of = if value == session.keep_alive_max { " (session.keep_alive_max)" } else { "" };
            show_duration(value) + of
        })?;
        for (key, value) in
            [("session.keep_alive", session.keep_alive), ("session.keep_alive_max", session.keep_alive_max)]
        {
            if value.subsec_nanos() != 0 {
                return Err(self.refuse(key, "expected whole seconds".to_owned()));
            }
        }
        Ok(())
    }

    fn degrade(&self, config: &Config) -> Result<(), ConfigError> {
        let degrade = &config.degrade;
        self.within("degrade.at_percent", degrade.at_percent, 10..=100, |percent| percent.to_string())?;
        let (soon, second) = (Duration::from_millis(10), Duration::from_secs(1));
        self.within("degrade.period_max", degrade.period_max, soon..=HOUR, show_duration)?;
        self.within("degrade.recover", degrade.recover, second..=HOUR, show_duration)
    }

    fn limits(&self, config: &Config) -> Result<(), ConfigError> {
        let limits = &config.limits;
        self.within("limits.max_packet", limits.max_packet, KIB..=256 * MIB, show_size)?;
        self.within("limits.max_message", limits.max_message, limits.max_packet..=GIB, |value| {
            let of = if value == limits.max_packet { " (limits.max_packet)" } else { "" };
            show_size(value) + of
        })?;
        self.within("limits.outbox_max", limits.outbox_max, 64 * KIB..=GIB, show_size)?;
        self.within("limits.ack_queue_bytes_max", limits.ack_queue_bytes_max, 64 * KIB..=GIB, show_size)?;
        self.within("limits.publish_inflight_max", limits.publish_inflight_max, 64 * KIB..=GIB, show_size)?;
        self.within("limits.view_bytes_max", limits.view_bytes_max, 64 * KIB..=GIB, show_size)?;
        self.within("limits.kept_bytes_max", limits.kept_bytes_max, MIB..=1024 * GIB, show_size)?;
        self.at_least_one("limits.subscriptions_max", limits.subscriptions_max)?;
        self.at_least_one("limits.sessions_max", limits.sessions_max)?;
        self.at_least_one("limits.topics_max", limits.topics_max)?;
        self.at_least_one("limits.inflight_max", limits.inflight_max)?;
        self.at_least_one("limits.history_last_max", limits.history_last_max)?;
        self.at_least_one("limits.views_max", limits.views_max)?;
        self.at_least_one("limits.view_topics_max", limits.view_topics_max)?;
        self.at_least_one("limits.sequences_max", limits.sequences_max)?;
        self.at_least_one("limits.sessions_kept_max", limits.sessions_kept_max)?;
        self.within("limits.session_bytes_max", limits.session_bytes_max, 64 * KIB..=1024 * GIB, show_size)?;
        self.within("limits.session_messages_max", limits.session_messages_max, 64..=1 << 40, |value| {
            value.to_string()
        })?;
        let (expiry_max, year) = (limits.session_expiry_max, 365 * 24 * HOUR);
        self.within("limits.session_expiry_max", expiry_max, Duration::ZERO..=year, show_duration)?;
        if expiry_max.subsec_nanos() != 0 {
            return Err(self.refuse("limits.session_expiry_max", "expected whole seconds".to_owned()));
        }
        self.at_least_one("limits.filters_max", limits.filters_max)?;
        self.at_least_one("limits.accepts_per_turn", limits.accepts_per_turn)
    }
}

/// The part of `level` that is neither a level nor `module=level`. The logger itself would take a mistyped level
/// for a module's name and log nothing.
fn wrong_directive(level: &str) -> Option<&str> {
    level.split(',').map(str::trim).find(|directive| {
        let level = directive.rsplit('=').next().unwrap_or_default();
        directive.starts_with('=') || !LEVELS.contains(&level.to_lowercase().as_str())
    })
}

/// Whether `text` is `http(s)://host[:port]` and no more, as browsers write an origin.
fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']))
}
