//! Who may ask: programs of the broker's own machine.
//!
//! There is no authentication yet, so what shows clients, disconnects them or writes files is taken from this machine
//! alone.

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
};

use crate::{
    http::problem::Problem,
    websocket::origin::{is_host_local, is_same_origin},
};

/// What proxies add.
const FORWARDED: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// Which pages may ask as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pages {
    /// None.
    None,
    /// The broker's own console.
    Own,
}

/// Refuses whatever is or may be from elsewhere: other machines, what a proxy passes on, pages of others in a browser
/// of this machine. `what` is the subject of the refusal, such as "backups are".
pub(super) fn check_is_local(request: &HttpRequest, what: &str, pages: Pages) -> Result<(), Problem> {
    let forbidden = |why: &str| {
        let detail = format!("{what} for programs of the broker's own machine: {why}");
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    };
    let headers = request.headers();
    if !request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback()) {
        return forbidden("this request comes from another one");
    }
    if let Some(name) = FORWARDED.iter().find(|name| headers.contains_key(**name)) {
        return forbidden(&format!("this request was passed on by a proxy, as it has the header {name}"));
    }
    match pages {
        Pages::None if headers.contains_key(header::ORIGIN) => {
            return forbidden("this request comes from a page");
        }
        Pages::Own if !is_same_origin(headers) => {
            return forbidden("this request comes from a page that is not the broker's own");
        }
        _ => {}
    }
    if !is_host_local(headers) {
        return forbidden("this request names another host than localhost or a loopback address");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use actix_web::{ResponseError, test::TestRequest};

    use super::*;

    fn asked(pages: Pages, peer: &str, headers: &[(&str, &str)]) -> Result<(), u16> {
        let request = TestRequest::post().peer_addr(peer.parse().unwrap());
        let request = headers.iter().fold(request, |request, header| request.insert_header(*header));
        check_is_local(&request.to_http_request(), "it is", pages)
            .map_err(|problem| problem.status_code().as_u16())
    }

    #[test]
    fn programs_of_this_machine_may_ask() {
        for (peer, host) in [
            ("127.0.0.1:1", "127.0.0.1:8080"),
            ("127.0.0.1:1", "localhost:8080"),
            ("[::1]:1", "[::1]:8080"),
            ("[::ffff:127.0.0.1]:1", "localhost"),
        ] {
            assert_eq!(asked(Pages::None, peer, &[("host", host)]), Ok(()), "{peer} {host}");
        }
    }

    #[test]
    fn nobody_else_may() {
        let local = ("host", "127.0.0.1:8080");
        assert_eq!(asked(Pages::None, "10.0.0.5:1", &[local]), Err(403));
        assert_eq!(asked(Pages::None, "[2001:db8::1]:1", &[local]), Err(403));
        for header in [
            ("x-forwarded-for", "10.0.0.5"),
            ("forwarded", "for=10.0.0.5"),
            ("x-real-ip", "10.0.0.5"),
            ("via", "1.1 proxy"),
            ("origin", "http://localhost:3000"),
            ("origin", "null"),
        ] {
            assert_eq!(asked(Pages::None, "127.0.0.1:1", &[local, header]), Err(403), "{header:?}");
        }
        for host in [
            "murre.example",
            "127.0.0.1.example",
            "10.0.0.5:8080",
            "",
            "[::2]",
            "localhost:80:80",
            "[::1]x",
            "u@localhost",
        ] {
            assert_eq!(asked(Pages::None, "127.0.0.1:1", &[("host", host)]), Err(403), "{host}");
        }
        assert_eq!(asked(Pages::None, "127.0.0.1:1", &[]), Err(403));
    }

    #[test]
    fn the_page_may_where_it_is_the_brokers_own() {
        let peer = "127.0.0.1:1";
        for (host, origin) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("localhost:8080", "http://localhost:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("localhost", "http://localhost:80"),
        ] {
            assert_eq!(asked(Pages::Own, peer, &[("host", host), ("origin", origin)]), Ok(()), "{origin}");
        }
        for origin in [
            "http://localhost:3000",
            "http://127.0.0.1",
            "http://murre.example:8080",
            "null",
            "ftp://127.0.0.1:8080",
            "",
        ] {
            let headers = [("host", "127.0.0.1:8080"), ("origin", origin)];
            assert_eq!(asked(Pages::Own, peer, &headers), Err(403), "{origin}");
        }
        // a name that its owner has pointed at this machine
        let headers = [("host", "murre.example:8080"), ("origin", "http://murre.example:8080")];
        assert_eq!(asked(Pages::Own, peer, &headers), Err(403));
    }
}
