//! What keeps a broker from starting is said in one line, with a non-zero exit code and no panic.

use std::net::TcpListener;

use murre_tests::broker::{command, output};

/// Runs `murre` in an empty folder with a configuration file; gives the exit code and what it said on standard error.
fn failure(arguments: &[&str], file: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    if !file.is_empty() {
        std::fs::write(folder.path().join("murre.toml"), file).expect("a file");
    }
    let output = output(command(arguments).current_dir(folder.path()));
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code().expect("an exit code, and no signal"), said)
}

/// Asserts that the start failed with a single line that contains all of `words`.
#[track_caller]
fn assert_one_line((code, said): (i32, String), words: &[&str]) {
    assert_ne!(code, 0, "it should have failed: {said}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "one line says it:\n{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[test]
fn a_port_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("an address").to_string();

    assert_one_line(failure(&["serve", "--bind", &address], ""), &[&address, "in use"]);
}

#[test]
fn a_configuration_file_that_is_not_there() {
    assert_one_line(failure(&["serve", "--config", "missing.toml"], ""), &["missing.toml"]);
}

#[test]
fn a_file_that_is_no_toml() {
    assert_one_line(failure(&["serve"], "[server\n"), &["murre.toml"]);
}

#[test]
fn an_unknown_key_and_the_nearest_known_one() {
    assert_one_line(failure(&["serve"], "[server]\nbnd = \"127.0.0.1:0\"\n"), &["bnd", "bind", "murre.toml"]);
}

#[test]
fn a_value_out_of_range() {
    let file = "[session]\nhello_timeout = \"soon\"\n";

    assert_one_line(failure(&["serve"], file), &["hello_timeout", "soon", "murre.toml"]);
}

#[test]
fn a_wrong_variable_of_the_environment() {
    let output = output(command(&["serve"]).env("MURRE__LIMITS__MAX_PACKET", "lots"));

    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_one_line((output.status.code().unwrap_or(-1), said), &["MURRE__LIMITS__MAX_PACKET", "lots"]);
}

#[test]
fn a_check_says_the_same_without_starting() {
    assert_one_line(failure(&["config", "check"], "[serve]\n"), &["serve", "server"]);
}
