//! Names of this machine's parts as topic levels.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    hash::{Hash, Hasher},
};

/// Characters of a level at most; a longer name is cut.
const CHARS_MAX: usize = 64;

/// `name` as one topic level: letters, digits, `.`, `_` and `-` stay, everything else (`/`, `+`, `#`, spaces, control
/// characters …) becomes `-`. `instead` stands for a name of which nothing is left.
pub fn level(name: &str, instead: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let cleaned: String = name.trim().chars().take(CHARS_MAX).map(allowed).collect();
    match cleaned.trim_matches('-') {
        "" => instead.to_owned(),
        rest => rest.to_owned(),
    }
}

/// The level of a disk by where it is mounted: `/` is `root`, `/boot/efi` is `boot-efi`, `C:\` is `C`.
pub fn disk(mount_point: &str) -> String {
    level(mount_point, "root")
}

/// Gives each name once: what comes again gets a number, so that two parts never share a topic.
#[derive(Debug, Default)]
pub struct Distinct {
    seen: HashSet<String>,
}

impl Distinct {
    /// `name`, or with `-2`, `-3` … where it was given before.
    pub fn give(&mut self, name: String) -> String {
        let mut given = name.clone();
        let mut number = 2;
        while !self.seen.insert(given.clone()) {
            given = format!("{name}-{number}");
            number += 1;
        }
        given
    }
}

/// A host's name as a level; a machine without a name is called after `identity`.
pub fn host(name: Option<&str>, identity: &str) -> String {
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    level(name.unwrap_or_default(), &format!("host-{:08x}", hasher.finish() as u32))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn disks_are_called_after_where_they_are_mounted() {
        assert_eq!(disk("/"), "root");
        assert_eq!(disk("/boot/efi"), "boot-efi");
        assert_eq!(disk(r"C:\"), "C");
    }

    #[test]
    fn two_parts_of_one_name_have_two_levels() {
        let mut distinct = Distinct::default();
        let given: Vec<String> = ["eth0", "lo", "eth0", "eth0"].map(|name| distinct.give(name.into())).into();
        assert_eq!(given, ["eth0", "lo", "eth0-2", "eth0-3"]);
    }

    #[test]
    fn a_machine_without_a_name_has_a_level_all_the_same() {
        assert_eq!(host(Some("boiler.local"), "x"), "boiler.local");
        assert!(host(None, "x").starts_with("host-"));
        assert_ne!(host(None, "x"), host(None, "y"));
    }

    proptest! {
        #[test]
        fn a_level_is_never_empty_long_or_a_wildcard(name in ".*") {
            let level = level(&name, "none");
            prop_assert!(!level.is_empty() && level.chars().count() <= CHARS_MAX);
            prop_assert!(!level.contains(|c: char| matches!(c, '/' | '+' | '#' | '$') || c.is_control()), "{level:?}");
        }
    }
}
