//! What a person who configures a broker can rely on.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::*;

const EXAMPLE: &str = include_str!("../../../../murre.example.toml");

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("murre.toml");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// What is said about `text` as a file, without the file's own path.
fn complaint(text: &str) -> String {
    let (_folder, path) = file(text);
    let error = Config::load(&Sources::none().file(&path)).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
    error.replace(path.to_str().unwrap(), "FILE")
}

fn variable_complaint(name: &str, value: &str) -> String {
    Config::load(&Sources::none().variable(name, value)).unwrap_err().to_string()
}

/// The example with its settings no longer commented out.
fn example_in_force() -> String {
    let setting =
        |line: &str| line.starts_with('#') && line.as_bytes().get(1).is_some_and(u8::is_ascii_lowercase);
    EXAMPLE.lines().map(|line| if setting(line) { &line[1..] } else { line }).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_any_source_the_defaults_hold() {
    let loaded = Config::load(&Sources::none()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.settings().iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn a_flag_wins_over_a_variable_that_wins_over_the_file() {
    let (_folder, path) =
        file("[limits]\nmax_packet = '2 KiB'\ninflight_max = 5\n[server]\nworkers = 1\nbind = '1.2.3.4:5'");
    let sources = Sources::none()
        .flag("server.bind", "--bind", "127.0.0.1:7")
        .variable("MURRE__SERVER__BIND", "127.0.0.1:6")
        .variable("MURRE__SERVER__WORKERS", "2")
        .file(&path);

    let loaded = Config::load(&sources).unwrap();

    assert_eq!(loaded.config.server.bind.port(), 7);
    assert_eq!(loaded.config.server.workers, 2);
    assert_eq!(loaded.config.limits.inflight_max, 5);
    assert_eq!(loaded.origin("server.bind"), &Origin::Flag("--bind"));
    assert_eq!(loaded.origin("server.workers"), &Origin::Variable("MURRE__SERVER__WORKERS".into()));
    assert_eq!(loaded.origin("limits.max_packet"), &Origin::File(path));
    assert_eq!(loaded.origin("limits.max_message"), &Origin::Default);
}

#[test]
fn every_kind_of_value_can_be_set_by_a_variable() {
    let sources = Sources::none()
        .variable("MURRE__SERVER__ECHO", "true")
        .variable("MURRE__SERVER__ORIGINS", "https://a.example, http://b.example:3000")
        .variable("MURRE__SERVER__SHUTDOWN_SPREAD", "0s")
        .variable("MURRE__STORE__PATH", "/var/lib/murre")
        .variable("MURRE__LIMITS__OUTBOX_MAX", "1.5 MiB")
        .variable("MURRE__LOG__LEVEL", "info,murre_core=debug")
        .variable("MURRE__LOG__FORMAT", "json");

    let config = Config::load(&sources).unwrap().config;

    assert!(config.server.echo);
    assert_eq!(config.server.origins, ["https://a.example", "http://b.example:3000"]);
    assert_eq!(config.server.shutdown_spread, Duration::ZERO);
    assert_eq!(config.store.path, Some(PathBuf::from("/var/lib/murre")));
    assert_eq!(config.limits.outbox_max, 1_572_864);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn an_empty_variable_counts_as_not_set_and_others_are_left_alone() {
    let environment = [("MURRE__STORE__PATH", ""), ("MURRE_BROKER", "ws://x/ws"), ("HOME", "/")];
    let environment = environment.map(|(name, value)| (name.into(), value.into())).into_iter();
    let loaded = Config::load(&Sources::none().environment(environment).unwrap()).unwrap();
    assert_eq!(loaded.config, Config::default());
}

#[test]
fn a_missing_file_matters_only_when_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.toml");
    let error = Config::load(&Sources::none().file(&path)).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: cannot read", path.display())), "{error}");

    let optional = Sources { file: Some(path), ..Sources::none() };
    assert_eq!(Config::load(&optional).unwrap().config, Config::default());
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one() {
    assert_eq!(complaint("[server]\nbnid = 'x'"), "FILE: unknown key server.bnid; did you mean server.bind?");
    assert_eq!(complaint("bind = 'x'"), "FILE: unknown key bind; did you mean server.bind?");
    assert_eq!(complaint("[sever]\nbind = 'x'"), "FILE: unknown key sever.bind; did you mean server.bind?");
    assert_eq!(
        complaint("[server]\nmax_packet = 'x'"),
        "FILE: unknown key server.max_packet; did you mean limits.max_packet?"
    );
    assert_eq!(
        complaint("[zzz]\nqqqqqqqqqqqqqqqq = 1"),
        "FILE: unknown key zzz.qqqqqqqqqqqqqqqq; all keys are listed by `murre config show`"
    );
    assert_eq!(
        variable_complaint("MURRE__LIMITS__MAX_PACKTE", "1 KiB"),
        "variable MURRE__LIMITS__MAX_PACKTE: unknown key MURRE__LIMITS__MAX_PACKTE; did you mean MURRE__LIMITS__MAX_PACKET?"
    );
}

#[test]
fn a_wrong_value_is_named_with_its_key_its_origin_and_what_is_expected() {
    assert_eq!(
        complaint("[session]\nkeep_alive = '10 parsecs'"),
        "session.keep_alive = \"10 parsecs\" (FILE): expected a duration with its unit, such as 500ms, 10s, 5m or 1h30m"
    );
    assert_eq!(
        complaint("[limits]\nmax_packet = 1024"),
        "limits.max_packet = 1024 (FILE): expected a size with its unit, such as 512 B, 64 KiB or 1 MiB"
    );
    assert_eq!(
        variable_complaint("MURRE__SERVER__WORKERS", "2.5"),
        "server.workers = \"2.5\" (variable MURRE__SERVER__WORKERS): expected a whole number that is not negative"
    );
    assert_eq!(
        complaint("[server]\nworkers = -1"),
        "server.workers = -1 (FILE): expected a whole number that is not negative"
    );
    assert_eq!(complaint("[server]\necho = 1"), "server.echo = 1 (FILE): expected true or false");
    assert_eq!(complaint("[log]\nformat = 'xml'"), "log.format = \"xml\" (FILE): expected text or json");
    assert!(complaint("[server]\nbind = 'localhost'").contains("expected an IP address and a port"));
    assert!(complaint("[server]\nbind = 8080").starts_with("server.bind = 8080 (FILE): expected an IP"));
    assert!(
        complaint("[server]\norigins = [['a']]").starts_with("server.origins = [[\"a\"]] (FILE): expected")
    );
    assert!(complaint("[log.level]\na = 1").starts_with("log.level = { a = 1 } (FILE): expected"));
}

#[test]
fn a_value_out_of_range_is_refused() {
    assert_eq!(complaint("[server]\nworkers = 65"), "server.workers = 65 (FILE): expected 0 to 64");
    assert_eq!(
        complaint("[limits]\nmax_message = '512 KiB'"),
        "limits.max_message = \"512 KiB\" (FILE): expected 1 MiB (limits.max_packet) to 1 GiB"
    );
    assert!(complaint("[limits]\nmax_packet = '1 B'").contains("expected 1 KiB to 256 MiB"));
    assert!(complaint("[limits]\noutbox_max = '1 KiB'").contains("expected 64 KiB to 1 GiB"));
    assert!(
        complaint("[limits]\nsessions_max = 0").contains("limits.sessions_max = 0 (FILE): expected 1 to")
    );
    assert!(
        complaint("[session]\nkeep_alive = '20h'").contains("expected 1s to 18h (session.keep_alive_max)")
    );
    assert!(complaint("[session]\nkeep_alive = '1500ms'").contains("expected whole seconds"));
    assert!(
        complaint("[server]\norigins = ['dashboard.example']").contains("\"dashboard.example\" is no origin")
    );
    assert_eq!(
        complaint("[degrade]\nat_percent = 101"),
        "degrade.at_percent = 101 (FILE): expected 10 to 100"
    );
    assert!(complaint("[degrade]\nperiod_max = '2h'").contains("expected 10ms to 1h"));
    assert!(complaint("[degrade]\nrecover = '0s'").contains("expected 1s to 1h"));
    assert!(complaint("[store]\npath = ''").contains("expected a folder"));
    assert!(complaint("[store]\nbackups = ''").contains("expected a folder"));
    assert!(
        complaint("[store]\npath = 'a'\nbackups = 'a'").contains("another folder than that of the store")
    );
}

#[test]
fn a_mistyped_log_level_is_refused_and_not_taken_for_a_module() {
    assert!(complaint("[log]\nlevel = 'inof'").contains("\"inof\" is no level"));
    assert!(complaint("[log]\nlevel = 'info,murre_core=loud'").contains("\"murre_core=loud\" is no level"));
}

#[test]
fn text_that_is_no_toml_is_answered_in_one_line_with_its_place() {
    let complaint = complaint("[server]\nbind = 127.0.0.1:8080");
    assert!(complaint.starts_with("FILE: not valid TOML: at line 2, column"), "{complaint}");
}

#[test]
fn a_section_has_keys_and_is_no_value() {
    assert_eq!(complaint("server = 5"), "FILE: server is a section; write [server] and its keys below it");
    let (_folder, path) = file("[server]\n[log]\n");
    assert_eq!(Config::load(&Sources::none().file(path)).unwrap().config, Config::default());
}

#[test]
fn the_example_file_sets_nothing_as_it_stands() {
    let (_folder, path) = file(EXAMPLE);
    let loaded = Config::load(&Sources::none().file(path)).unwrap();
    assert!(loaded.settings().iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn the_example_file_says_every_key_with_its_default() {
    let (_folder, path) = file(&example_in_force());
    let mut loaded = Config::load(&Sources::none().file(path)).unwrap();

    let missing: BTreeSet<&str> = loaded
        .settings()
        .iter()
        .filter(|setting| setting.origin == Origin::Default)
        .map(|setting| setting.key.as_str())
        .collect();
    assert_eq!(missing, BTreeSet::new());
    // The keys without a default are shown with an example.
    assert!(loaded.config.store.path.take().is_some());
    assert!(loaded.config.store.backups.take().is_some());
    assert!(loaded.config.store.bytes_max.take().is_some());
    assert_eq!(loaded.config, Config::default());
}

#[test]
fn what_is_shown_can_be_read_back() {
    let sources = Sources::none()
        .variable("MURRE__LOG__LEVEL", "warn")
        .variable("MURRE__SERVER__ORIGINS", "http://a:1");
    let loaded = Config::load(&sources).unwrap();
    let text: String = loaded
        .settings()
        .iter()
        .filter_map(|setting| Some(format!("{} = {}\n", setting.key, setting.value.as_ref()?)))
        .collect();

    let (_folder, path) = file(&text);

    assert_eq!(Config::load(&Sources::none().file(path)).unwrap().config, loaded.config);
}

#[test]
fn keep_rules_are_tables_in_the_file_and_stay_in_their_order() {
    let (_folder, path) = file(
        "[[keep]]\nfilter = 'site/+/temp'\nlast = 1000\nage = '30d'\n[[keep]]\nfilter = '#'\nbytes = '1 MiB'",
    );
    let config = Config::load(&Sources::none().file(&path)).unwrap().config;
    let rules = config.keep_rules();
    let [first, second] = rules.all() else { panic!("{rules:?}") };
    assert_eq!((first.filter.as_str(), first.last, first.bytes), ("site/+/temp", Some(1000), None));
    assert_eq!(first.age, Some(Duration::from_secs(30 * 24 * 3600)));
    assert_eq!((second.filter.as_str(), second.last, second.bytes), ("#", None, Some(1 << 20)));
}

/// A file whose third rule has `keys` and whose first two are in order.
fn third_rule(keys: &str) -> String {
    format!("[[keep]]\nfilter = 'a'\n[[keep]]\nfilter = 'b'\n[[keep]]\n{keys}")
}

#[test]
fn what_is_wrong_with_a_rule_is_named_by_its_place_and_key() {
    let complaint = |keys: &str| complaint(&third_rule(keys));
    assert_eq!(
        complaint("filter = 'a/#/b'"),
        "keep[2].filter = \"a/#/b\" (FILE): the wildcard '#' at byte 2 has to be the last level; expected a filter, \
         such as site/+/temp or site/#"
    );
    assert_eq!(
        complaint("filter = 'c'\nage = '10 parsecs'"),
        "keep[2].age = \"10 parsecs\" (FILE): expected a duration with its unit, such as 500ms, 10s, 5m or 1h30m"
    );
    assert!(complaint("filter = 'c'\nbytes = 9").starts_with("keep[2].bytes = 9 (FILE): expected a size"));
    let last = complaint("filter = 'c'\nlast = -9");
    assert!(last.starts_with("keep[2].last = -9 (FILE): expected a whole number"), "{last}");
    assert!(complaint("filter = 'c'\nlast = 0").starts_with("keep[2].last = 0 (FILE): expected at least 1"));
    assert!(complaint("filter = 'c'\nage = '1ms'").ends_with("(FILE): expected at least 1s"));
    assert!(complaint("filter = 'c'\nbytes = '1 B'").ends_with("(FILE): expected at least 1 KiB"));
    assert!(complaint("filter = 'c'\ndurable = 1").ends_with("(FILE): expected true or false"));
    let shared = complaint("filter = '$share/g/c'");
    assert!(shared.starts_with("keep[2].filter = \"$share/g/c\" (FILE): a rule is for all"), "{shared}");
    assert!(complaint("filter = 'b'").starts_with("keep[2].filter = \"b\" (FILE): keep[1] matches all"));
    assert_eq!(
        complaint("last = 5"),
        "keep[2] = { last = 5 } (FILE): expected a filter, such as filter = \"site/#\""
    );
}

#[test]
fn an_unknown_key_of_a_rule_is_answered_with_the_nearest_known_one() {
    assert_eq!(
        complaint(&third_rule("filter = 'c'\nlats = 5")),
        "FILE: unknown key keep[2].lats; did you mean last?"
    );
    assert_eq!(
        complaint(&third_rule("filter = 'c'\nqqqqqqqqqqqq = 5")),
        "FILE: unknown key keep[2].qqqqqqqqqqqq; a rule has filter, last, age, bytes, durable"
    );
    assert_eq!(complaint("[[kepe]]\nfilter = 'c'"), "FILE: unknown key kepe; did you mean keep?");
}

#[test]
fn rules_are_a_list_wherever_they_are_written() {
    let in_a_file = "FILE: keep is a list of rules; write [[keep]] before each rule, and its keys below it";
    for text in ["[keep]\nfilter = 'a'", "[keep]", "keep = 5", "keep = ['a']"] {
        assert_eq!(complaint(text), in_a_file, "{text}");
    }
    for (name, value) in [("MURRE__KEEP", "site/#"), ("MURRE__KEEP", "[\n"), ("MURRE__KEEP__FILTER", "a")] {
        let complaint = Config::load(&Sources::none().variable(name, value)).unwrap_err().to_string();
        assert!(complaint.contains("MURRE__KEEP='[{ filter = \"site/#\", last = 100 }]'"), "{complaint}");
    }
}

#[test]
fn the_rules_in_force_are_those_of_one_source() {
    let (_folder, path) = file(&third_rule("filter = 'c'"));
    let sources = Sources::none().file(&path).variable("MURRE__KEEP", "[{ filter = 'x', last = 7 }]");

    let loaded = Config::load(&sources).unwrap();

    let rules: Vec<_> = loaded.config.keep.iter().map(|rule| (rule.filter.as_str(), rule.last)).collect();
    assert_eq!(rules, [("x", Some(7))]);
    assert_eq!(loaded.origin("keep"), &Origin::Variable("MURRE__KEEP".into()));
}

#[test]
fn expect_rules_allow_for_half_of_the_time_unless_they_say_how_much() {
    let (_folder, path) = file(
        "[[expect]]\nfilter = 'site/+/temp'\nevery = '10s'\n[[expect]]\nfilter = '#'\nevery = '1h'\ngrace = '0s'",
    );
    let rules = Config::load(&Sources::none().file(&path)).unwrap().config.expect_rules();
    let seconds = |topic| rules.of(topic).map(|id| rules.silence_max(id).as_secs());
    assert_eq!(["site/a/temp", "x", "$murre/x"].map(seconds), [Some(15), Some(3600), None]);
}

#[test]
fn what_is_wrong_with_an_expect_rule_is_named_by_its_place_and_key() {
    let second =
        |keys: &str| complaint(&format!("[[expect]]\nfilter = 'a'\nevery = '1s'\n[[expect]]\n{keys}"));
    assert_eq!(
        second("filter = 'b'"),
        "expect[1] = { filter = \"b\" } (FILE): expected how often topics are heard, such as every = \"10s\""
    );
    assert_eq!(
        second("filter = 'b'\nevery = '1ms'"),
        "expect[1].every = \"1ms\" (FILE): expected 100ms to 30days"
    );
    assert_eq!(
        second("filter = 'b'\nevery = 5"),
        "expect[1].every = 5 (FILE): expected a duration with its unit, such as 500ms, 10s, 5m or 1h30m"
    );
    assert!(second("filter = 'b'\nevery = '1s'\ngrace = '31d'").ends_with("expected at most 30days"));
    assert!(second("filter = '$murre/#'\nevery = '1s'").contains("topics that begin with $ are not watched"));
    assert!(second("filter = 'a'\nevery = '1s'").contains("expect[0] matches all of these topics"));
    assert!(second("filter = 'b'\nevry = '1s'").ends_with("unknown key expect[1].evry; did you mean every?"));
    assert!(
        complaint("[expect]\nfilter = 'a'")
            .ends_with("write [[expect]] before each rule, and its keys below it")
    );
}

#[test]
fn a_durable_rule_without_a_store_says_how_to_have_one() {
    let said = complaint("[[keep]]\nfilter = '#'\ndurable = true");
    assert!(said.contains("--data DIR"), "{said}");
}
