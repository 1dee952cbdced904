//! The rules of `[[keep]]`, as the core has them.

use murre_core::log::{KeepRule, KeepRules};
use murre_protocol::TopicFilter;

use super::Config;

impl Config {
    /// The keep rules in their order. A configuration that was checked has no invalid filter; of one that was made by
    /// hand such a rule is left out.
    pub fn keep_rules(&self) -> KeepRules {
        let rules = self.keep.iter().filter_map(|keep| {
            Some(KeepRule {
                filter: TopicFilter::parse(keep.filter.as_str()).ok()?.into_owned(),
                last: keep.last.map(|last| last as u64),
                age: keep.age,
                bytes: keep.bytes.map(|bytes| bytes as u64),
                durable: keep.durable,
            })
        });
        KeepRules::new(rules.collect())
    }
}
