//! The `murre` command as a person without a broker meets it: exit codes, and one clear line for each error.

#![allow(clippy::unwrap_used)]

use std::{
    net::TcpListener,
    path::Path,
    process::{Command, Output, Stdio},
};

use assert_cmd::cargo::CommandCargoExt;

/// The command, in a folder of its own and without the settings of whoever runs the tests.
fn murre(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("murre").unwrap();
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MURRE") {
            command.env_remove(name);
        }
    }
    command
}

fn run(args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    murre(folder.path(), args).output().unwrap()
}

fn run_with_file(file: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("murre.toml"), file).unwrap();
    murre(folder.path(), args).output().unwrap()
}

/// The one line on standard error.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// An address at which nothing listens, as its listener is gone.
fn closed_broker() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("ws://{}/ws", listener.local_addr().unwrap())
}

#[test]
fn a_wrong_configuration_is_one_line_and_exit_code_1() {
    for command in [["config", "check"], ["config", "show"]] {
        let output = run_with_file("[server]\nbnid = '127.0.0.1:1'", &command);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            complaint(&output),
            "murre: murre.toml: unknown key server.bnid; did you mean server.bind?"
        );
    }
    let output = run_with_file("[limits]\nmax_packet = 7", &["serve"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).starts_with("murre: limits.max_packet = 7 (murre.toml): expected a size"));
}

#[test]
fn a_valid_configuration_is_said_to_be_valid() {
    let output = run_with_file("[server]\nworkers = 2", &["config", "check"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "the configuration is valid: 1 setting is set\n");
}

#[test]
fn config_show_says_where_each_setting_comes_from_and_can_be_read_back() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("murre.toml"), "[server]\nworkers = 2").unwrap();
    let mut command = murre(folder.path(), &["config", "show", "--bind", "127.0.0.1:9"]);
    let shown = stdout(&command.env("MURRE__LOG__LEVEL", "warn").output().unwrap());

    let line = |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
    assert!(line("bind = \"127.0.0.1:9\"").ends_with("# flag --bind"));
    assert!(line("workers = 2").ends_with("# murre.toml"));
    assert!(line("level = \"warn\"").ends_with("# variable MURRE__LOG__LEVEL"));
    assert!(line("max_packet = \"1 MiB\"").ends_with("# default"));

    assert_eq!(run_with_file(&shown, &["config", "check"]).status.code(), Some(0));
}

#[test]
fn without_a_broker_every_client_command_ends_with_exit_code_3_and_one_line() {
    let broker = closed_broker();
    for command in [&["pub", "a", "1"][..], &["sub", "a"], &["topics"], &["bench"], &["bench", "http-vs-ws"]]
    {
        let output = run(&[command, &["--broker", &broker]].concat());
        assert_eq!(output.status.code(), Some(3), "{command:?}");
        assert!(complaint(&output).contains("murre serve"), "{}", complaint(&output));
    }
}

#[test]
fn the_broker_can_be_named_by_a_variable() {
    let folder = tempfile::tempdir().unwrap();
    let output = murre(folder.path(), &["pub", "a", "1"]).env("MURRE_BROKER", "tcp://x").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(complaint(&output).contains("ws://host:port/ws"));
}

#[test]
fn what_is_wrong_with_the_command_line_is_exit_code_2_before_any_connection() {
    let broker = closed_broker();
    for (command, hint) in [
        (&["pub", "a", "{x: 1}"][..], "--format text"),
        (&["pub", "a/+/b", "1"], "wildcard"),
        (&["sub", "a/#/b"], "'#'"),
        (&["topics", ""], "empty"),
    ] {
        let output = run(&[command, &["--broker", &broker]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(complaint(&output).contains(hint), "{}", complaint(&output));
    }
    assert_eq!(run(&["pub"]).status.code(), Some(2));
    assert_eq!(run(&["sub", "a", "--timeout", "10"]).status.code(), Some(2));
    assert_eq!(run(&["sub", "a", "--last", "3", "--live"]).status.code(), Some(2));
    assert_eq!(run(&["fly"]).status.code(), Some(2));
}

#[test]
fn help_lists_the_exit_codes_and_version_says_the_version() {
    let help = stdout(&run(&["--help"]));
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "124 "] {
        assert!(help.contains(&format!("\n  {code}")), "{code}");
    }
    assert_eq!(stdout(&run(&["--version"])), format!("murre {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0));
        assert!(stdout(&output).contains("murre"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = murre(folder.path(), &["config", "show"]);
    let output = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_1() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for command in ["serve", "demo"] {
        let output = run(&[command, "--bind", &address]);
        assert_eq!(output.status.code(), Some(1));
        assert!(complaint(&output).contains(&address), "{}", complaint(&output));
    }
}
