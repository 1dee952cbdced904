//! `docs/protocol.md`, taken apart.

#![allow(dead_code)] // Each test file uses its part.

use murre_protocol::Codec;

/// The text of the specification.
pub(crate) const TEXT: &str = include_str!("../../../../docs/protocol.md");

/// Who sends an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Broker,
}

/// A packet in both encodings.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) sides: &'static [Side],
    /// As a writer writes it.
    pub(crate) msgpack: Vec<u8>,
    /// As a writer writes it, with the newline.
    pub(crate) json: Vec<u8>,
    /// Other bytes that are the same packet.
    pub(crate) also: Vec<(Codec, Vec<u8>)>,
}

impl Example {
    /// What a writer writes.
    pub(crate) fn bytes(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::MessagePack => &self.msgpack,
            Codec::Json => &self.json,
        }
    }
}

/// Bytes from a client that can't be read, and the reason.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) codec: Codec,
    pub(crate) bytes: Vec<u8>,
    pub(crate) reason: &'static str,
}

/// An element in the table of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: &'static str,
    pub(crate) is_optional: bool,
}

/// A row in the table of packets.
#[derive(Debug)]
pub(crate) struct PacketRow {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) sides: &'static [Side],
    pub(crate) elements: Vec<Element>,
}

/// All examples.
pub(crate) fn examples() -> Vec<Example> {
    blocks("example").map(|(head, lines)| example(head, &lines)).collect()
}

fn example(head: &'static str, lines: &[(&'static str, &'static str)]) -> Example {
    let (name, side) = head.split_once(' ').unwrap();
    let of = |key: &str| lines.iter().filter(|line| line.0 == key).map(|line| line.1).collect::<Vec<_>>();
    let ([msgpack], [json]) = (&of("msgpack")[..], &of("json")[..]) else {
        panic!("{name} has not exactly one msgpack and one json")
    };
    let also = of("msgpack-also").into_iter().map(|text| (Codec::MessagePack, hex(text)));
    let also = also.chain(of("json-also").into_iter().map(|text| (Codec::Json, text.into())));
    Example {
        name,
        sides: sides(side),
        msgpack: hex(msgpack),
        json: format!("{json}\n").into(),
        also: also.collect(),
    }
}

/// All malformed packets.
pub(crate) fn malformed() -> Vec<Malformed> {
    let mut all = Vec::new();
    for (_, lines) in blocks("malformed") {
        for pair in lines.chunks(2) {
            let [(kind, text), ("reason", reason)] = *pair else { panic!("no reason after {pair:?}") };
            let (codec, bytes) = match kind {
                "msgpack" => (Codec::MessagePack, hex(text)),
                _ => (Codec::Json, text.into()),
            };
            all.push(Malformed { codec, bytes, reason });
        }
    }
    all
}

/// The table of packets.
pub(crate) fn packets() -> Vec<PacketRow> {
    let row = |cells: Vec<&'static str>| PacketRow {
        number: cells[0].parse().unwrap(),
        name: cells[1],
        sides: sides(cells[2]),
        elements: cells[3].split(", ").filter(|text| !text.is_empty()).map(element).collect(),
    };
    rows("## Packets").into_iter().take_while(|cells| cells.len() == 4).map(row).collect()
}

fn element(text: &'static str) -> Element {
    let (name, kind) = text.split_once(": ").unwrap();
    Element { name: name.trim_matches('`'), is_optional: kind.ends_with('?') }
}

/// The cells of the first table below `heading`, without its head.
pub(crate) fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, below) = TEXT.split_once(&format!("\n{heading}\n")).unwrap();
    let table =
        below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    table.skip(2).map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The fenced blocks of a kind: what follows the kind, and the lines as key and value.
fn blocks(kind: &'static str) -> impl Iterator<Item = (&'static str, Vec<(&'static str, &'static str)>)> {
    let mut lines = TEXT.lines();
    std::iter::from_fn(move || {
        let head = lines.by_ref().find_map(|line| line.strip_prefix("```")?.strip_prefix(kind))?;
        let body = lines.by_ref().take_while(|line| *line != "```");
        Some((
            head.trim(),
            body.map(|line| line.split_once(':').map(|(k, v)| (k, v.trim())).unwrap()).collect(),
        ))
    })
}

fn sides(text: &str) -> &'static [Side] {
    match text {
        "client" => &[Side::Client],
        "broker" => &[Side::Broker],
        "either" => &[Side::Client, Side::Broker],
        other => panic!("{other:?} is no side"),
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}
