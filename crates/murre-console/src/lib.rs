//! Murre's page: topics with their last values, rates and plots, and a form to publish. It is embedded in the binary and
//! asks nothing of any other host.
//!
//! There are two of it. The console in `app/` is TypeScript over Murre's own SDK, which `build.rs` builds with Vite
//! wherever npm is there. The plain page in `page/` needs no building and takes its place elsewhere.
//!
//! # Layout
//! | place | holds |
//! |---|---|
//! | [`asset`] | the one door: a path of the page's address space to its bytes |
//! | [`IS_PLAIN`] | which of both pages this is |
//! | [`CONTENT_SECURITY_POLICY`] | what the page needs a browser to allow, and nothing more |
//! | `app/src/main.tsx` | the console; it begins with a map of its own modules |
//! | `page/page.js` | the plain page; it begins with a map of its own modules, `page/*.js` |
//! | `build.rs` | which of both is embedded |

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
    const fn new(media_type: &'static str, bytes: &'static [u8]) -> Self {
        Self { media_type, bytes }
    }

    /// A strong entity tag, in its quotes, for `ETag` and `If-None-Match`: it changes when the bytes do.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("\"{:016x}\"", fnv1a(self.bytes))
    }
}

/// Each file with its path, as `build.rs` found them.
const FILES: &[(&str, Asset)] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Whether the plain page is embedded, which has no dashboards, in place of the console.
pub const IS_PLAIN: bool = include!(concat!(env!("OUT_DIR"), "/is_plain.rs"));

/// The file of the page at an absolute path (`/`, `/console`, `/favicon.ico`, …), without query; `None` where there is
/// none.
///
/// ```
/// let page = murre_console::asset("/").expect("the page itself is always there");
/// assert_eq!(page.media_type, "text/html; charset=utf-8");
/// assert_eq!(murre_console::asset("/console"), Some(page));
/// assert_eq!(murre_console::asset("/secrets"), None);
/// ```
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let path = if path == "/console" { "/" } else { path };
    FILES.iter().find(|(known, _)| *known == path).map(|(_, asset)| *asset)
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
    fn quoted_after<'a>(text: &'a str, start: &str) -> Vec<&'a str> {
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
    fn a_browser_finds_the_favicon_that_it_asks_for_unasked() {
        assert_eq!(asset("/favicon.ico").expect("a favicon").media_type, "image/svg+xml");
    }

    #[test]
    fn the_page_needs_nothing_that_its_policy_forbids() {
        let page = text("/");

        assert!(!page.contains(" style="), "style attributes are forbidden");
        for attribute in [" onclick=", " oninput=", " onload=", " onsubmit=", "javascript:"] {
            assert!(!page.contains(attribute), "{attribute} is forbidden");
        }
        assert!(!page.contains("<style"), "inline styles are forbidden");
        assert!(!page.contains("://"), "the page names another host");
        assert!(!page.contains("<script>"), "inline scripts are forbidden");
    }

    fn of_the_plain_page(file: &str) -> String {
        let path = format!("{}/page/{file}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    #[test]
    fn every_module_that_a_script_of_the_plain_page_imports_is_there() {
        let mut waiting = vec!["page.js".to_owned()];
        let mut seen = Vec::new();
        while let Some(file) = waiting.pop() {
            let script = of_the_plain_page(&file);
            assert!(!script.contains("innerHTML"), "{file} writes markup from data");
            seen.push(file);
            let imported = quoted_after(&script, " from \"./").into_iter().map(str::to_owned);
            waiting.extend(imported.filter(|module| !seen.contains(module)));
        }

        assert!(seen.contains(&"figures.js".to_owned()), "page.js imports its modules: {seen:?}");
    }

    #[test]
    fn every_element_that_the_plain_page_looks_up_is_in_it() {
        let (script, page) = (of_the_plain_page("page.js"), of_the_plain_page("index.html"));
        let wanted = quoted_after(&script, "byId(\"");
        let there = quoted_after(&page, " id=\"");

        assert!(!wanted.is_empty(), "the script looks its elements up by byId");
        for id in wanted {
            assert!(there.contains(&id), "the script looks for #{id}, which the page doesn't have");
        }
    }

    #[test]
    fn a_changed_file_has_another_tag() {
        let tag = Asset::new("text/plain", b"one").etag();

        assert_eq!(tag, Asset::new("text/plain", b"one").etag());
        assert_ne!(tag, Asset::new("text/plain", b"two").etag());
    }
}
