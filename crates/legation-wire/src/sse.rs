//! Reads server-sent events from bytes as they arrive (the WHATWG event stream format).
//!
//! Lines end with CR, LF or CRLF, and a piece of the body may end anywhere, also between CR and LF
//! or inside a character. What the reader leaves out: `retry:` and unknown fields, which A2A gives
//! no meaning.

use std::collections::VecDeque;
use std::fmt;

/// What stands between two blank lines, or a sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event with data.
    Event(Event),
    /// A comment, or a block without data: the other side is there and has nothing to say.
    Activity,
}

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its own `id:`. Unlike in browsers an earlier event's id does not carry over, because an
    /// event without one has no number.
    pub id: Option<String>,
    /// Its `event:`; `message` is meant when absent.
    pub event: Option<String>,
    /// Its `data:` lines, joined by line breaks.
    pub data: String,
}

/// An event outgrew the reader's cap, so nothing after it can be trusted to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// The cap, in bytes.
    pub max_bytes: usize,
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event of the stream is larger than {} bytes", self.max_bytes)
    }
}

impl std::error::Error for TooLarge {}

/// The reader: [`Reader::push`] bytes in, take [`Reader::pop`] frames out.
#[derive(Debug)]
pub struct Reader {
    max_bytes: usize,
    frames: VecDeque<Frame>,
    /// The line that is not complete yet.
    line: Vec<u8>,
    /// The event that is not complete yet.
    event: Event,
    has_data: bool,
    /// The last line ended with CR, so a LF now still belongs to it.
    after_cr: bool,
    /// No line is complete yet, so a byte order mark may come.
    at_start: bool,
}

impl Reader {
    /// A reader that takes events of up to this many bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            frames: VecDeque::new(),
            line: Vec::new(),
            event: Event::default(),
            has_data: false,
            after_cr: false,
            at_start: true,
        }
    }

    /// Takes the next bytes of the body.
    ///
    /// # Errors
    /// When an event outgrows the cap. The frames before it can still be taken.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), TooLarge> {
        if bytes.is_empty() {
            return Ok(());
        }
        if std::mem::take(&mut self.after_cr) {
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.extend_line(&bytes[..end])?;
            self.end_line();
            let rest = &bytes[end + 1..];
            bytes = match bytes[end] {
                b'\r' if rest.is_empty() => {
                    self.after_cr = true;
                    rest
                }
                b'\r' => rest.strip_prefix(b"\n").unwrap_or(rest),
                _ => rest,
            };
        }
        self.extend_line(bytes)
    }

    /// The next complete frame. What is incomplete when the body ends is no event.
    pub fn pop(&mut self) -> Option<Frame> {
        self.frames.pop_front()
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if self.event.data.len() + self.line.len() + bytes.len() > self.max_bytes {
            return Err(TooLarge { max_bytes: self.max_bytes });
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let mark: &[u8] = if std::mem::take(&mut self.at_start) { b"\xEF\xBB\xBF" } else { b"" };
        let text = String::from_utf8_lossy(line.strip_prefix(mark).unwrap_or(&line));
        if text.is_empty() {
            self.end_event();
        } else if text.starts_with(':') {
            self.frames.push_back(Frame::Activity);
        } else {
            let (name, value) = text.split_once(':').unwrap_or((&text, ""));
            self.field(name, value.strip_prefix(' ').unwrap_or(value));
        }
        // The allocation serves the next line as well.
        self.line = line;
        self.line.clear();
    }

    fn field(&mut self, name: &str, value: &str) {
        match name {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => self.event.event = Some(value.to_owned()),
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            _ => {}
        }
    }

    fn end_event(&mut self) {
        let event = std::mem::take(&mut self.event);
        let frame =
            if std::mem::take(&mut self.has_data) { Frame::Event(event) } else { Frame::Activity };
        self.frames.push_back(frame);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]], max_bytes: usize) -> Result<Vec<Frame>, TooLarge> {
        let mut reader = Reader::new(max_bytes);
        for piece in pieces {
            reader.push(piece)?;
        }
        Ok(std::iter::from_fn(|| reader.pop()).collect())
    }

    /// Frames as short texts: `id|event|data`, and `~` for a sign of life.
    fn show(frames: &[Frame]) -> String {
        let one = |frame: &Frame| match frame {
            Frame::Activity => "~".to_owned(),
            Frame::Event(Event { id, event, data }) => {
                let text = |text: &Option<String>| text.clone().unwrap_or("-".into());
                format!("{}|{}|{data}", text(id), text(event))
            }
        };
        frames.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    const STREAMS: &[(&str, &str)] = &[
        ("data: a\n\ndata: b\n\n", "-|-|a -|-|b"),
        ("data: a\r\n\r\ndata: b\r\n\r\n", "-|-|a -|-|b"),
        ("data: a\r\rdata: b\r\r", "-|-|a -|-|b"),
        ("data: a\n\r\ndata: b\r\n\r", "-|-|a -|-|b"),
        ("\u{feff}data: a\n\n", "-|-|a"),
        ("data: \u{feff}a\n\n", "-|-|\u{feff}a"),
        ("id: 7\nevent: x\ndata: a\n\ndata: b\n\n", "7|x|a -|-|b"),
        ("data:a\ndata: b\ndata\ndata:  c\n\n", "-|-|a\nb\n\n c"),
        ("data\n\n", "-|-|"),
        ("id: 3\n\ndata: a\n\n", "~ -|-|a"),
        (": ping\n\ndata: a\n\n", "~ ~ -|-|a"),
        ("data: a\n: ping\ndata: b\n\n", "~ -|-|a\nb"),
        ("retry: 5\nfoo: bar\nid: 1\0\ndata: é😀\n\n", "-|-|é😀"),
        ("id: 1\nid: 2\ndata: a\n\n", "2|-|a"),
        ("data: whole\n\ndata: cut", "-|-|whole"),
        ("data: whole\n\ndata: cut\n", "-|-|whole"),
        ("", ""),
    ];

    #[test]
    fn streams_are_read_the_same_wherever_they_are_split() {
        for (stream, expected) in STREAMS {
            let bytes = stream.as_bytes();
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                    let frames = read(&pieces, 64).expect("small events");
                    assert_eq!(show(&frames), *expected, "{stream:?} at {first}, {second}");
                }
            }
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(show(&read(&single, 64).expect("small events")), *expected, "{stream:?}");
        }
    }

    #[test]
    fn an_event_has_a_cap_and_a_stream_has_none() {
        let cases = [
            ("data: 34567890\n\n", true),
            ("data: 345678901\n\n", false),
            ("data: 345678901", false),
            ("data:3456\ndata:90\n\n", true),
            ("data:345678\ndata:9012\n\n", false),
            (
                "data\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\ndata\n",
                false,
            ),
            (": an endless comment", false),
            (":a\n:b\n:c\n:d\n:e\n:f\n:g\n:h\n:i\n:j\n", true),
        ];
        for (stream, fits) in cases {
            assert_eq!(read(&[stream.as_bytes()], 14).is_ok(), fits, "{stream:?}");
        }
        let long = "data: 1\n\n".repeat(1000);
        assert_eq!(read(&[long.as_bytes()], 14).expect("small events").len(), 1000);
    }

    #[test]
    fn any_bytes_are_taken_without_a_panic_and_alike_in_one_piece_and_many() {
        const ALPHABET: &[&[u8]] =
            &[b"\r", b"\n", b":", b" ", b"data", b"id", b"event", b"\0", b"\xEF\xBB\xBF", b"\xFF"];
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        for _ in 0..5_000 {
            let words = (0..random(24)).map(|_| ALPHABET[random(ALPHABET.len())]);
            let bytes: Vec<u8> = words.collect::<Vec<_>>().concat();
            let at = random(bytes.len() + 1);
            let whole = read(&[&bytes], 1024);
            assert_eq!(whole, read(&[&bytes[..at], &bytes[at..]], 1024), "{bytes:?} at {at}");
        }
    }
}
