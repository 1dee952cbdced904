//! Murre's page: topics with their last value, rate and sparkline, and a form to publish, in the browser's own
//! `WebSocket` and JSON. It is embedded in the binary and asks nothing of any other host.
//!
//! # Layout
//! | place | holds |
//! |---|---|
//! | [`asset`] | the one door: a path of the page's address space to its bytes |
//! | [`CONTENT_SECURITY_POLICY`] | what the page needs a browser to allow, and nothing more |
//! | `page/index.html`, `page/style.css`, `page/favicon.svg` | structure, looks, the bird |
//! | `page/page.js` | the script; it begins with a map of its own modules, `page/*.js` |

/// The `Content-Security-Policy` to send with every [`Asset`]: the page's own files and its own WebSocket.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// One file of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// For `Content-Type`, with its charset.
    pub media_type: &'static str,
    /// The file's content.
    pub bytes: &'static [u8],
}

impl Asset {
    const fn new(media_type: &'static str, text: &'static str) -> Self {
        Self { media_type, bytes: text.as_bytes() }
    }

    /// A strong entity tag, in its quotes, for `ETag` and `If-None-Match`: it changes when the bytes do.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{:016x}\"", fnv1a(self.bytes))
    }
}

const INDEX: Asset = Asset::new("text/html; charset=utf-8", include_str!("../page/index.html"));
const STYLE: Asset = Asset::new("text/css; charset=utf-8", include_str!("../page/style.css"));
const FAVICON: Asset = Asset::new("image/svg+xml", include_str!("../page/favicon.svg"));

/// The file of the page at an absolute path (`/`, `/page.js`, …), without query; `None` where there is none.
///
/// ```
/// let page = murre_console::asset("/").expect("the page itself is always there");
/// assert_eq!(page.media_type, "text/html; charset=utf-8");
/// assert_eq!(murre_console::asset("/secrets"), None);
/// ```
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    match path {
        "/" => Some(INDEX),
        "/page.js" => Some(script(include_str!("../page/page.js"))),
        "/connection.js" => Some(script(include_str!("../page/connection.js"))),
        "/topics.js" => Some(script(include_str!("../page/topics.js"))),
        "/figures.js" => Some(script(include_str!("../page/figures.js"))),
        "/table.js" => Some(script(include_str!("../page/table.js"))),
        "/style.css" => Some(STYLE),
        "/favicon.svg" | "/favicon.ico" => Some(FAVICON),
        _ => None,
    }
}

const fn script(text: &'static str) -> Asset {
    Asset::new("text/javascript; charset=utf-8", text)
}

/// FNV-1a, 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): tells versions of a file apart, no more.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str) -> &'static str {
        std::str::from_utf8(asset(path).expect("a file of the page").bytes).expect("UTF-8")
    }

    /// What stands between `start` and the next quotation mark, wherever `start` is.
    fn quoted_after(text: &'static str, start: &str) -> Vec<&'static str> {
        text.split(start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    /// The values of an attribute in the page, in order.
    fn attribute_values(name: &str) -> Vec<&'static str> {
        quoted_after(text("/"), &format!(" {name}=\""))
    }

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let named: Vec<_> = [attribute_values("src"), attribute_values("href")].concat();

        assert!(named.iter().any(|path| path.ends_with(".js")), "the page loads its script: {named:?}");
        for path in named.into_iter().filter(|path| !path.starts_with('#')) {
            assert!(asset(path).is_some(), "the page names {path}, which is not served");
        }
    }

    #[test]
    fn every_module_that_a_script_imports_is_there() {
        let mut waiting = vec!["/page.js"];
        let mut seen = Vec::new();
        while let Some(path) = waiting.pop() {
            seen.push(path);
            waiting.extend(
                quoted_after(text(path), " from \".").into_iter().filter(|module| !seen.contains(module)),
            );
        }

        assert!(seen.contains(&"/figures.js"), "page.js imports its modules: {seen:?}");
    }

    #[test]
    fn the_page_needs_nothing_that_its_policy_forbids() {
        let page = text("/");

        assert!(!page.contains(" style="), "style attributes are forbidden");
        for attribute in [" onclick=", " oninput=", " onload=", " onsubmit=", "javascript:"] {
            assert!(!page.contains(attribute), "{attribute} is forbidden");
        }
        assert!(!page.contains("<style"), "inline styles are forbidden");
        for path in ["/", "/page.js", "/connection.js", "/topics.js", "/table.js", "/style.css"] {
            assert!(!text(path).contains("https://"), "{path} names another host");
            assert!(!text(path).contains("innerHTML"), "{path} writes markup from data");
        }
    }

    #[test]
    fn every_element_that_the_script_looks_up_is_in_the_page() {
        let script = text("/page.js");
        let wanted = quoted_after(script, "byId(\"");
        let there = attribute_values("id");

        assert!(!wanted.is_empty(), "the script looks its elements up by byId");
        for id in wanted {
            assert!(there.contains(&id), "the script looks for #{id}, which the page doesn't have");
        }
    }

    #[test]
    fn a_changed_file_has_another_tag() {
        let tag = Asset::new("text/plain", "one").etag();

        assert_eq!(tag, Asset::new("text/plain", "one").etag());
        assert_ne!(tag, Asset::new("text/plain", "two").etag());
    }
}
