//! The part of HTTP/1.1 a client of known servers needs: the head of a response, and
//! its body by length or in chunks. It decodes from whatever has arrived so far.

use anyhow::{Context, bail};

/// The head of a response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) framing: Framing,
    /// Bytes of the head, blank line included.
    pub(super) length: usize,
}

/// How much of a body is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Bytes to come.
    Length(usize),
    /// A chunk's size line is next.
    ChunkSize,
    /// Bytes of a chunk to come, its line break included.
    Chunk(usize),
    /// The blank line after the last chunk is next.
    ChunkEnd,
    /// Nothing.
    Done,
}

/// Reads a head if all of it is there.
pub(super) fn read_head(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        if bytes.len() > 16 * 1024 {
            bail!("the response's head does not end");
        }
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes[..end]).context("the response's head is not text")?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.and_then(|digits| digits.parse().ok());
    let status = status.with_context(|| format!("not a status line: `{first}`"))?;
    let mut framing = None;
    for line in lines {
        let (name, value) = line.split_once(':').with_context(|| format!("no header: `{line}`"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            framing = Some(Framing::Length(value.parse().context("content-length")?));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                bail!("transfer-encoding `{value}`");
            }
            framing = Some(Framing::ChunkSize);
        } else if name.eq_ignore_ascii_case("connection")
            && !value.eq_ignore_ascii_case("keep-alive")
        {
            bail!("the server does not keep the connection: `{value}`");
        }
    }
    let framing = framing.context("the response has neither a length nor chunks")?;
    Ok(Some(Head { status, framing, length: end + 4 }))
}

impl Framing {
    /// Moves what is decodable from `bytes` to `body`; returns the bytes used.
    pub(super) fn decode(&mut self, bytes: &[u8], body: &mut Vec<u8>) -> anyhow::Result<usize> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match *self {
                Self::Length(0) => *self = Self::Done,
                Self::Length(left) if !rest.is_empty() => {
                    let taken = left.min(rest.len());
                    body.extend_from_slice(&rest[..taken]);
                    used += taken;
                    *self = Self::Length(left - taken);
                }
                Self::Chunk(0) => *self = Self::ChunkSize,
                Self::Chunk(left) if !rest.is_empty() => {
                    let taken = left.min(rest.len());
                    // The last two of a chunk are its line break.
                    let text = taken.min(left.saturating_sub(2));
                    body.extend_from_slice(&rest[..text]);
                    used += taken;
                    *self = Self::Chunk(left - taken);
                }
                Self::ChunkSize => {
                    let Some(end) = find(rest, b"\r\n") else { return Ok(used) };
                    used += end + 2;
                    *self = match chunk_size(&rest[..end])? {
                        0 => Self::ChunkEnd,
                        size => Self::Chunk(size + 2),
                    };
                }
                Self::ChunkEnd if rest.len() >= 2 => {
                    if &rest[..2] != b"\r\n" {
                        bail!("trailers after the last chunk");
                    }
                    used += 2;
                    *self = Self::Done;
                }
                Self::Done | Self::Length(_) | Self::Chunk(_) | Self::ChunkEnd => return Ok(used),
            }
        }
    }
}

fn chunk_size(line: &[u8]) -> anyhow::Result<usize> {
    let text = std::str::from_utf8(line).context("a chunk's size is not text")?;
    usize::from_str_radix(text, 16).with_context(|| format!("not a chunk's size: `{text}`"))
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `bytes` as they would arrive in two reads.
    fn decode(mut framing: Framing, bytes: &[u8], split: usize) -> (Framing, String) {
        let mut body = Vec::new();
        let used = framing.decode(&bytes[..split], &mut body).unwrap();
        let used = used + framing.decode(&bytes[used..], &mut body).unwrap();
        assert!(framing != Framing::Done || used == bytes.len());
        (framing, String::from_utf8(body).unwrap())
    }

    #[test]
    fn a_body_is_the_same_wherever_a_read_ends() {
        let chunked = b"5\r\nhello\r\nb\r\n, world\r\n!!\r\n0\r\n\r\n";
        for split in 0..chunked.len() {
            let decoded = decode(Framing::ChunkSize, chunked, split);
            assert_eq!(decoded, (Framing::Done, "hello, world\r\n!!".into()), "at {split}");
        }
        for split in 0..5 {
            let decoded = decode(Framing::Length(5), b"hello", split);
            assert_eq!(decoded, (Framing::Done, "hello".into()), "at {split}");
        }
    }

    #[test]
    fn a_head_says_how_the_body_ends() {
        let head = |text: &str| read_head(text.as_bytes()).unwrap();
        assert_eq!(head("HTTP/1.1 200 OK\r\ncontent-le"), None);
        assert_eq!(
            head("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"),
            Some(Head { status: 200, framing: Framing::Length(12), length: 39 })
        );
        assert_eq!(
            head("HTTP/1.1 401 No\r\ntransfer-encoding: chunked\r\n\r\n").unwrap().framing,
            Framing::ChunkSize
        );
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read_head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
