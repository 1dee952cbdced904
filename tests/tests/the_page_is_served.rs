//! The page at `/`, with all that it needs, from the broker itself.

use murre_tests::Broker;

/// The values of `src` and `href` in the page.
fn named_files(page: &str) -> Vec<&str> {
    let values = |start| page.split(start).skip(1).filter_map(|rest: &str| rest.split('"').next());
    values(" src=\"").chain(values(" href=\"")).filter(|path| path.starts_with('/')).collect()
}

#[test]
fn the_page_and_every_file_that_it_names() {
    let broker = Broker::start();

    let page = broker.get("/");

    assert_eq!((page.status, page.media_type()), (200, "text/html"));
    let files = named_files(page.text());
    assert!(files.iter().any(|path| path.ends_with(".js")), "{files:?}");
    for path in files {
        let answer = broker.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_ne!(answer.media_type(), "", "{path} has a media type");
    }
}

#[test]
fn every_module_of_the_script() {
    let broker = Broker::start();
    let page = broker.get("/");
    let scripts = named_files(page.text()).into_iter().filter(|path| path.ends_with(".js"));

    for script in scripts {
        let script = broker.get(script);
        // The plain page has modules; the console's are one file.
        let modules = script.text().split(" from \".").skip(1).filter_map(|rest| rest.split('"').next());
        for module in modules.filter(|module| module.starts_with('/') && module.ends_with(".js")) {
            let answer = broker.get(module);
            assert_eq!((answer.status, answer.media_type()), (200, "text/javascript"), "{module}");
        }
    }
}

#[test]
fn the_page_is_at_both_of_its_paths_and_has_the_icon_that_browsers_ask_for() {
    let broker = Broker::start();

    assert_eq!(broker.get("/console").text(), broker.get("/").text());
    assert_eq!(broker.get("/favicon.ico").media_type(), "image/svg+xml");
}

#[test]
fn nothing_but_itself_is_allowed_into_the_page() {
    let broker = Broker::start();

    let page = broker.get("/");

    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}
