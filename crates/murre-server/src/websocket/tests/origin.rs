//! Which pages may use the broker.

use actix_http::header::{self, HeaderMap, HeaderValue};
use proptest::prelude::*;

use crate::websocket::{
    AllowedOrigins, Refusal,
    origin::{Origin, OriginRefused, OwnHost},
};

const HOST: &str = "broker.example:8080";

fn headers(origins: &[&str], host: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
    for origin in origins {
        headers.append(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
    }
    headers
}

/// Whether a page from `origin` may use a broker asked for as `host`, which has this list.
fn is_allowed(origin: &str, host: &str, listed: &[&str]) -> bool {
    let allowed = AllowedOrigins::own(OwnHost::AnyName).and_listed(listed).unwrap();
    allowed.check(&headers(&[origin], host)).is_ok()
}

#[test]
fn a_client_that_is_no_browser_is_allowed() {
    assert_eq!(AllowedOrigins::default().check(&headers(&[], HOST)), Ok(()));
}

#[test]
fn the_brokers_own_page_is_allowed() {
    assert!(is_allowed("http://broker.example:8080", HOST, &[]));
    assert!(is_allowed("http://Broker.EXAMPLE:8080", HOST, &[]));
    assert!(is_allowed("https://broker.example", "broker.example", &[]));
    assert!(is_allowed("https://broker.example", "broker.example:443", &[]));
    assert!(is_allowed("http://192.168.1.9:8080", "192.168.1.9:8080", &[]));
    assert!(is_allowed("http://[fe80::1]:8080", "[FE80:0::1]:8080", &[]));
}

#[test]
fn pages_of_this_machine_are_allowed_at_any_port() {
    for origin in [
        "http://localhost:5173",
        "https://localhost",
        "http://127.0.0.1:3000",
        "http://127.8.9.1",
        "http://[::1]:1",
    ] {
        assert!(is_allowed(origin, HOST, &[]), "{origin}");
    }
}

#[test]
fn other_pages_are_refused_with_403() {
    let refused = AllowedOrigins::default().check(&headers(&["https://evil.example"], HOST)).unwrap_err();

    let refusal = Refusal::from(refused);

    assert_eq!(refusal.status, 403);
    assert!(refusal.body.contains("https://evil.example"), "{}", refusal.body);
}

#[test]
fn another_port_of_the_brokers_host_is_another_page() {
    assert!(!is_allowed("http://broker.example:8081", HOST, &[]));
    assert!(!is_allowed("http://broker.example", HOST, &[]));
    assert!(!is_allowed("http://broker.example", "broker.example:443", &[]));
}

#[test]
fn names_that_only_look_like_an_allowed_one_are_refused() {
    let origins = [
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://evil.example#localhost",
        "http://evil.example/broker.example:8080",
        "http://broker.example:8080.evil.example",
        "http://evilbroker.example:8080",
        "http://broker.example:8080/",
        "http://broker.example:+8080",
        "http://broker.example:8080:8080",
        "http://[::1",
        "http://128.0.0.1",
        "http://127.1",
        "http://",
        "//broker.example:8080",
        "broker.example:8080",
        "file://localhost",
    ];
    for origin in origins {
        assert!(!is_allowed(origin, HOST, &[]), "{origin}");
    }
}

#[test]
fn listed_origins_are_allowed_exactly() {
    let listed = ["https://App.example", "http://app.example:9000", "chrome-extension://abcdef"];

    assert!(is_allowed("https://app.example", HOST, &listed));
    assert!(is_allowed("https://app.example:443", HOST, &listed));
    assert!(is_allowed("http://app.example:9000", HOST, &listed));
    assert!(is_allowed("chrome-extension://abcdef", HOST, &listed));
    assert!(!is_allowed("http://app.example", HOST, &listed));
    assert!(!is_allowed("https://sub.app.example", HOST, &listed));
}

#[test]
fn null_is_allowed_only_where_it_is_listed() {
    assert!(!is_allowed("null", HOST, &["https://app.example"]));
    assert!(is_allowed("null", HOST, &["null"]));
}

#[test]
fn a_star_allows_any_page() {
    assert!(is_allowed("https://anywhere.example", HOST, &["*"]));
    assert!(is_allowed("null", HOST, &["*"]));
}

#[test]
fn several_origins_are_refused() {
    let both = headers(&["http://broker.example:8080", "https://evil.example"], HOST);

    assert_eq!(AllowedOrigins::default().check(&both), Err(OriginRefused::Malformed));
}

#[test]
fn a_refusal_repeats_no_origin_of_endless_length() {
    for origin in [format!("{}://evil.example", "s".repeat(5_000)), format!("http://{}", "h".repeat(5_000))] {
        let refused = AllowedOrigins::default().check(&headers(&[&origin], HOST)).unwrap_err();
        assert_eq!(refused, OriginRefused::Malformed);
    }
}

#[test]
fn a_rebound_name_is_refused_where_only_addresses_count_as_own() {
    let local = AllowedOrigins::own(OwnHost::AddressOnly);

    assert!(local.check(&headers(&["http://evil.example:8080"], "evil.example:8080")).is_err());
    assert!(local.check(&headers(&["http://192.168.1.9:8080"], "192.168.1.9:8080")).is_ok());
    assert!(local.check(&headers(&["http://localhost:8080"], "localhost:8080")).is_ok());
}

#[test]
fn a_list_with_something_that_is_no_origin_is_refused_and_names_it() {
    for text in ["app.example", "https://app.example/", "https://*.example", "https://a b", ""] {
        let error = AllowedOrigins::default().and_listed(&["https://app.example", text]).unwrap_err();
        assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
    }
}

proptest! {
    #[test]
    fn an_origin_reads_back_as_it_is_shown(host in "[a-z][a-z0-9.-]{0,20}", port: Option<u16>, tls: bool) {
        let scheme = if tls { "https" } else { "http" };
        let port = port.map_or(String::new(), |port| format!(":{port}"));

        let origin: Origin = format!("{scheme}://{host}{port}").parse().unwrap();

        prop_assert_eq!(origin.to_string().parse(), Ok(origin));
    }

    #[test]
    fn no_origin_brings_it_down(text in "[ -~]{0,60}") {
        is_allowed(&text, HOST, &[]);
    }
}
