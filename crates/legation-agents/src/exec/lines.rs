//! Lines of a program's output, within bounds.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How much is read at once: what a pipe holds.
const READ: usize = 64 << 10;

/// Reads lines; a line that is too long is told by its head, and the rest of it is skipped.
pub(super) struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// Before this everything was handed out.
    start: usize,
    /// Before this there is no end of a line.
    scanned: usize,
    most: usize,
    skipping: bool,
}

/// One line without its end.
#[derive(Debug, PartialEq)]
pub(super) enum Found<'b> {
    Line(&'b [u8]),
    TooLong(&'b [u8]),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(from: R, most: usize) -> Self {
        Self { from, buffer: Vec::new(), start: 0, scanned: 0, most, skipping: false }
    }

    /// Waits for more output; false at its end. Nothing is lost when the wait is given up.
    pub(super) async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.reserve(READ);
        Ok(self.from.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next line of what is there.
    pub(super) fn next(&mut self) -> Option<Found<'_>> {
        loop {
            let end = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n');
            let Some(end) = end.map(|end| self.scanned + end) else { break };
            let line = self.start..end;
            (self.start, self.scanned) = (end + 1, end + 1);
            if !std::mem::take(&mut self.skipping) {
                let line = &self.buffer[line];
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let is_long = line.len() > self.most;
                return Some(if is_long { Found::TooLong(line) } else { Found::Line(line) });
            }
        }
        self.scanned = self.buffer.len();
        if self.skipping {
            self.start = self.scanned;
        } else if self.scanned - self.start > self.most {
            let head = self.start..self.scanned;
            (self.start, self.skipping) = (self.scanned, true);
            return Some(Found::TooLong(&self.buffer[head]));
        }
        None
    }

    /// What stands behind the last end of a line, once the output has ended.
    pub(super) fn rest(&self) -> Option<&[u8]> {
        let rest = &self.buffer[self.start..];
        (!rest.is_empty() && !self.skipping).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &str, most: usize) -> Vec<String> {
        let mut lines = Lines::new(text.as_bytes(), most);
        let mut all = Vec::new();
        while lines.fill().await.expect("a text can be read") {
            while let Some(found) = lines.next() {
                all.push(match found {
                    Found::Line(line) => String::from_utf8_lossy(line).into_owned(),
                    Found::TooLong(head) => format!("{}..", String::from_utf8_lossy(head)),
                });
            }
        }
        all.extend(lines.rest().map(|rest| format!("{}$", String::from_utf8_lossy(rest))));
        all
    }

    #[tokio::test]
    async fn lines_are_bounded_and_the_rest_is_told() {
        let cases: [(&str, &[&str]); 6] = [
            ("", &[]),
            ("a\nb\r\n\nc", &["a", "b", "", "c$"]),
            ("abcd\n", &["abcd"]),
            ("abcde\nf\n", &["abcde..", "f"]),
            ("abcdef", &["abcdef.."]),
            ("\n", &[""]),
        ];
        for (text, expected) in cases {
            assert_eq!(lines(text, 4).await, expected, "{text:?}");
        }
        let flood = format!("{}\nend\n", "x".repeat(1 << 20));
        let found = lines(&flood, 100_000).await;
        assert_eq!((found.len(), &*found[1]), (2, "end"));
    }
}
