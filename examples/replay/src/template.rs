//! The topics of a replay, from a template. Pure.

/// A topic with places for a column's and a device's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Column,
    Device,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A `{…}` that stands for nothing.
    #[error("topic {template:?} has {{{found}}}, which stands for nothing: write {{column}} or {{device}}")]
    Unknown {
        /// The whole template.
        template: String,
        /// What is between the braces.
        found: String,
    },
    /// A brace without its other half.
    #[error("topic {template:?} has a brace without its other half: write {{column}} or {{device}}")]
    Brace {
        /// The whole template.
        template: String,
    },
    /// Several columns, or devices, would go to one topic.
    #[error("topic {template:?} is one for {count} {what}s: put {{{what}}} into it")]
    Needs {
        /// The whole template.
        template: String,
        /// How many there are.
        count: usize,
        /// `column` or `device`.
        what: &'static str,
    },
}

impl Template {
    /// Reads a template such as `site/{device}/{column}/value`, for so many columns and devices.
    ///
    /// # Errors
    /// An unknown place, a lone brace, or a place that is needed to tell columns or devices apart and isn't there.
    pub fn new(template: &str, columns: usize, devices: usize) -> Result<Self, TemplateError> {
        let brace = || TemplateError::Brace { template: template.into() };
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some(open) = rest.find(['{', '}']) {
            let (text, place) = rest.split_at(open);
            let (name, after) =
                place.strip_prefix('{').ok_or_else(brace)?.split_once('}').ok_or_else(brace)?;
            parts.push(Part::Text(text.into()));
            parts.push(match name {
                "column" => Part::Column,
                "device" => Part::Device,
                _ => return Err(TemplateError::Unknown { template: template.into(), found: name.into() }),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.into()));

        for (part, what, count) in [(Part::Column, "column", columns), (Part::Device, "device", devices)] {
            if count > 1 && !parts.contains(&part) {
                return Err(TemplateError::Needs { template: template.into(), count, what });
            }
        }
        Ok(Self { parts })
    }

    /// The topic of a column and a device.
    pub fn topic(&self, column: &str, device: &str) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Column => level(column),
            Part::Device => level(device),
        });
        parts.collect()
    }
}

/// A name as a topic level: what can't stand in one becomes `-`.
pub fn level(name: &str) -> String {
    let allowed = |c: char| if matches!(c, '/' | '+' | '#') || c.is_control() { '-' } else { c };
    name.trim().chars().map(allowed).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn places_are_filled_with_names() {
        let template = Template::new("site/{device}/{column}/value", 3, 2).unwrap();
        assert_eq!(template.topic("temperature", "7"), "site/7/temperature/value");
        assert_eq!(template.topic("m/s + gusts", "7"), "site/7/m-s - gusts/value");
    }

    #[test]
    fn one_column_of_one_device_needs_no_place() {
        assert_eq!(Template::new("site/value", 1, 1).unwrap().topic("a", "1"), "site/value");
    }

    #[test]
    fn a_template_that_mixes_columns_or_devices_is_refused() {
        let error = Template::new("site/value", 3, 1).unwrap_err().to_string();
        assert_eq!(error, r#"topic "site/value" is one for 3 columns: put {column} into it"#);
        let error = Template::new("site/{column}", 3, 2).unwrap_err().to_string();
        assert!(error.contains("2 devices: put {device}"), "{error}");
    }

    #[test]
    fn unknown_places_and_lone_braces_are_refused() {
        let error = Template::new("site/{col}", 1, 1).unwrap_err().to_string();
        assert!(error.contains("{col}, which stands for nothing: write {column}"), "{error}");
        for lone in ["site/{column", "site/column}", "{"] {
            assert!(matches!(Template::new(lone, 1, 1), Err(TemplateError::Brace { .. })), "{lone}");
        }
    }

    proptest! {
        #[test]
        fn no_template_makes_it_panic(template in ".*", column in ".*") {
            if let Ok(template) = Template::new(&template, 1, 1) {
                template.topic(&column, "1");
            }
        }

        #[test]
        fn a_name_stays_one_level(name in ".*") {
            prop_assert!(!level(&name).contains(['/', '+', '#', '\0']));
        }
    }
}
