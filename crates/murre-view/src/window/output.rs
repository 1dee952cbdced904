//! A window as a payload: `{"start": ms, "end": ms, "count": n, "celsius": {"min": …}}`.

use murre_protocol::{Format, packet::Figure};

use super::{Window, figures::Figures};

impl Window {
    /// The payload of a window that had `readings`; paths without a value are left out.
    pub(super) fn payload(
        &self,
        format: Format,
        (start_ms, end_ms, readings): (u64, u64, u64),
        figures: &[Figures],
    ) -> Vec<u8> {
        let with_values: Vec<(&str, &Figures)> = self
            .of
            .iter()
            .map(|(name, _)| &**name)
            .zip(figures)
            .filter(|(_, figures)| figures.count() > 0)
            .collect();
        let mut out = Writer { out: Vec::with_capacity(128), is_json: format == Format::Json };
        out.begin(3 + with_values.len());
        for (at, (name, number)) in
            [("start", start_ms), ("end", end_ms), ("count", readings)].into_iter().enumerate()
        {
            out.key(at, name);
            out.whole(number);
        }
        for (at, (name, figures)) in with_values.into_iter().enumerate() {
            out.key(3 + at, name);
            out.begin(self.give.len());
            for (at, figure) in self.give.iter().enumerate() {
                out.key(at, figure.word());
                match *figure {
                    Figure::Count => out.whole(figures.count()),
                    figure => out.number(figures.figure(figure)),
                }
            }
            out.end();
        }
        out.end();
        out.out
    }
}

/// Writing to a `Vec` never fails, so the results are dropped here.
struct Writer {
    out: Vec<u8>,
    is_json: bool,
}

impl Writer {
    fn begin(&mut self, entries: usize) {
        match (self.is_json, u8::try_from(entries).unwrap_or(u8::MAX)) {
            (true, _) => self.out.push(b'{'),
            (false, few @ 0..16) => self.out.push(0x80 | few),
            // At most 35: three and 32 paths.
            (false, entries) => self.out.extend_from_slice(&[0xde, 0, entries]),
        }
    }

    fn end(&mut self) {
        if self.is_json {
            self.out.push(b'}');
        }
    }

    fn key(&mut self, at: usize, name: &str) {
        if !self.is_json {
            return self.msgpack_text(name);
        }
        if at > 0 {
            self.out.push(b',');
        }
        let _ = serde_json::to_writer(&mut self.out, name);
        self.out.push(b':');
    }

    /// A path has at most 256 bytes.
    fn msgpack_text(&mut self, text: &str) {
        match text.len() {
            length @ 0..32 => self.out.push(0xa0 | length as u8),
            length @ 32..256 => self.out.extend_from_slice(&[0xd9, length as u8]),
            length => {
                let [high, low] = (length.min(usize::from(u16::MAX)) as u16).to_be_bytes();
                self.out.extend_from_slice(&[0xda, high, low]);
            }
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    fn whole(&mut self, number: u64) {
        if self.is_json {
            let _ = serde_json::to_writer(&mut self.out, &number);
        } else if number < 128 {
            self.out.push(number as u8);
        } else {
            self.out.push(0xcf);
            self.out.extend_from_slice(&number.to_be_bytes());
        }
    }

    /// A number; null where there is none, or it isn't finite: sums of values near the greatest can overflow.
    fn number(&mut self, number: Option<f64>) {
        match number.filter(|number| number.is_finite()) {
            None => self.out.extend_from_slice(if self.is_json { b"null" } else { b"\xc0" }),
            Some(number) if self.is_json => drop(serde_json::to_writer(&mut self.out, &number)),
            Some(number) => {
                self.out.push(0xcb);
                self.out.extend_from_slice(&number.to_be_bytes());
            }
        }
    }
}
