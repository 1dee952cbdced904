//! `docs/views.md` is true: each of its examples is what a view does.

use murre_protocol::{
    Codec,
    packet::{ClientPacket, ViewOptions},
};

use crate::driver::Driver;

const TEXT: &str = include_str!("../../../../docs/views.md");

/// The examples: options, and lines.
fn examples() -> Vec<(&'static str, Vec<&'static str>)> {
    let blocks = TEXT.split("```view\n").skip(1).filter_map(|block| block.split_once("```"));
    let lines = |(block, _): (&'static str, _)| {
        let (options, lines) = block.split_once('\n').unwrap();
        (options, lines.lines().collect())
    };
    blocks.map(lines).collect()
}

fn view(options: &'static str) -> ViewOptions<'static> {
    let packet: &str = format!(r#"{{"type":"subscribe","sub":1,"filter":"t","options":{options}}}"#).leak();
    match Codec::Json.client_packet(packet.as_bytes(), usize::MAX) {
        Ok(Some((ClientPacket::Subscribe(subscribe), _))) => *subscribe.options.view.unwrap(),
        other => panic!("{options}: {other:?}"),
    }
}

/// A line's parts: what it is, when, where, and the payload.
fn parts(line: &str) -> (&str, u64, &str, &str) {
    let (what, rest) = line.split_once(' ').unwrap();
    let (at, rest) = rest.trim_start().split_once(' ').unwrap();
    let (topic, payload) = rest.split_once(' ').unwrap();
    (what, at.parse().unwrap(), topic, payload)
}

#[test]
fn each_example_is_what_the_view_does() {
    assert!(examples().len() >= 7);
    for (options, lines) in examples() {
        let mut driver = Driver::new(&view(options));
        let mut expected = Vec::new();
        for (what, at, topic, payload) in lines.iter().map(|line| parts(line)) {
            match what {
                "in" => driver.publish(at, topic, payload),
                "out" | "patch" => expected.push((at, topic, payload, what == "patch")),
                other => panic!("{other:?} is neither in, out nor patch"),
            }
        }
        driver.run_until(10_000_000);
        let texts = driver.texts();
        let sent: Vec<_> = driver
            .sent
            .iter()
            .zip(texts)
            .map(|(sent, text)| (sent.at_ms, &*sent.topic, text, sent.patch))
            .collect();
        assert_eq!(sent, expected, "{options}");
    }
}

#[test]
fn each_option_has_a_section_with_an_example() {
    for option in ["max_rate", "where", "select", "deadband", "window", "patch", "expect"] {
        let section = TEXT.split_once(&format!("\n## {option}\n")).unwrap().1;
        let section = section.split("\n## ").next().unwrap();
        assert!(section.contains(&format!("```view\n{{\"{option}\"")), "{option}");
    }
}
