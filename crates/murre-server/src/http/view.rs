//! A view in the query of `/events` and `/history`: the options of SUBSCRIBE by their names.

use actix_web::web;
use murre_protocol::{
    Codec,
    packet::{ClientPacket, ViewKey, ViewOptions},
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Checks that a query has no parameters but those of a view and `others`: a misspelt one would be a view that nobody
/// asked for.
///
/// # Errors
/// The first other one, and what there is.
pub(crate) fn check_names(query: &str, others: &[&str]) -> Result<(), String> {
    let known = || others.iter().copied().chain(ViewKey::ALL.map(ViewKey::word));
    let given = web::Query::<Vec<(String, String)>>::from_query(query).map_err(|why| why.to_string())?;
    match given.iter().find(|(name, _)| known().all(|word| word != name)) {
        None => Ok(()),
        Some((name, _)) => {
            let known: Vec<_> = known().collect();
            Err(format!("{name}: is no parameter; there are {}", known.join(", ")))
        }
    }
}

/// The options, as the query has them.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ViewQuery {
    max_rate: Option<String>,
    r#where: Option<String>,
    /// Paths with commas between them.
    select: Option<String>,
    /// As in SUBSCRIBE, in JSON.
    deadband: Option<String>,
    /// As in SUBSCRIBE, in JSON.
    window: Option<String>,
    patch: Option<String>,
    expect: Option<String>,
    on_error: Option<String>,
}

impl ViewQuery {
    /// Takes an option by its name; false where it is none of a view's.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> bool {
        let option = match name {
            "max_rate" => &mut self.max_rate,
            "where" => &mut self.r#where,
            "select" => &mut self.select,
            "deadband" => &mut self.deadband,
            "window" => &mut self.window,
            "patch" => &mut self.patch,
            "expect" => &mut self.expect,
            "on_error" => &mut self.on_error,
            _ => return false,
        };
        *option = Some(value.to_owned());
        true
    }

    /// The view that they ask for; none where they ask for none.
    ///
    /// # Errors
    /// What is wrong with which option.
    pub(crate) fn view(&self) -> Result<Option<Box<ViewOptions<'static>>>, String> {
        let mut options = Map::new();
        let in_json = [
            ("max_rate", &self.max_rate),
            ("deadband", &self.deadband),
            ("window", &self.window),
            ("patch", &self.patch),
            ("expect", &self.expect),
        ];
        for (name, text) in in_json {
            if let Some(text) = text {
                let value =
                    serde_json::from_str(text).map_err(|why| format!("{name}: is not JSON: {why}"))?;
                options.insert(name.to_owned(), value);
            }
        }
        for (name, text) in [("where", &self.r#where), ("on_error", &self.on_error)] {
            options.extend(text.as_ref().map(|text| (name.to_owned(), Value::from(text.as_str()))));
        }
        if let Some(paths) = &self.select {
            options.insert("select".to_owned(), paths.split(',').map(Value::from).collect());
        }
        if options.is_empty() { Ok(None) } else { read(&options) }
    }
}

/// Reads options as SUBSCRIBE has them, so that the same rules hold.
fn read(options: &Map<String, Value>) -> Result<Option<Box<ViewOptions<'static>>>, String> {
    let packet =
        serde_json::json!({ "type": "subscribe", "sub": 1, "filter": "#", "options": options }).to_string();
    let short = |why: &dyn ToString| why.to_string().replace("SUBSCRIBE.options.", "");
    match Codec::Json.client_packet(packet.as_bytes(), usize::MAX) {
        Ok(Some((ClientPacket::Subscribe(subscribe), _))) => match subscribe.options.invalid {
            Some(why) => Err(short(&why)),
            None => Ok(subscribe.options.view.map(|view| Box::new(view.into_owned()))),
        },
        Err(why) => Err(short(&why)),
        Ok(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(query: &str) -> Result<Option<Box<ViewOptions<'static>>>, String> {
        web::Query::<ViewQuery>::from_query(query).unwrap().view()
    }

    #[test]
    fn a_query_says_a_view_as_subscribe_does() {
        assert_eq!(view(""), Ok(None));
        let asked = view(
            "max_rate=2&where=payload.celsius%20%3E%2030.0&select=celsius,position.lat\
             &deadband=%7B%22path%22:%22celsius%22,%22abs%22:0.5%7D&patch=true&on_error=pass",
        );
        let view = asked.unwrap().unwrap();
        assert_eq!((view.max_rate, view.condition.as_deref()), (Some(2.0), Some("payload.celsius > 30.0")));
        assert_eq!(view.select, ["celsius", "position.lat"]);
        assert_eq!(view.deadband.unwrap().path, "celsius");
        assert!(view.patch && view.on_error.is_some());
    }

    #[test]
    fn a_parameter_that_is_none_is_named() {
        assert_eq!(check_names("filter=a%2Fb&max_rate=2&where=true", &["filter"]), Ok(()));
        let error = check_names("filter=a&max_rat=2", &["filter"]).unwrap_err();
        assert!(error.starts_with("max_rat: is no parameter; there are filter, max_rate, where"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, why) in [
            ("max_rate=fast", "max_rate: is not JSON: "),
            ("max_rate=0", "max_rate: 0 is out of bounds, expected 0.01 to 1000 messages a second"),
            ("window=%7B%7D", "window.seconds: is missing"),
            ("on_error=panic", "on_error: \"panic\" is none of the known values"),
        ] {
            let error = view(query).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
