//! Server-sent events from a body that is still arriving.

use anyhow::{Context, bail};

/// One event: what the bench needs of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) data: &'a str,
}

/// Hands every complete event of `body` to `take` and removes them from it. Blocks
/// without data, such as heartbeats, are passed over.
pub(crate) fn drain_events(
    body: &mut Vec<u8>,
    mut take: impl FnMut(Event<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    // An event ends with a blank line; what follows the last one is not complete.
    let Some(end) = body.windows(2).rposition(|pair| pair == b"\n\n") else { return Ok(()) };
    let text = std::str::from_utf8(&body[..end]).context("an event is not UTF-8")?;
    for block in text.split("\n\n") {
        if let Some(event) = parse(block)? {
            take(event)?;
        }
    }
    body.drain(..end + 2);
    Ok(())
}

fn parse(block: &str) -> anyhow::Result<Option<Event<'_>>> {
    let mut id = None;
    let mut data = None;
    for line in block.lines() {
        if let Some(value) = line.strip_prefix("data:") {
            if data.replace(value.trim_start()).is_some() {
                bail!("an event with two data lines: `{block}`");
            }
        } else if let Some(value) = line.strip_prefix("id:") {
            id = Some(value.trim_start());
        } else if !line.is_empty() && !["", "event", "retry"].contains(&name(line)) {
            bail!("unexpected line in an event: `{line}`");
        }
    }
    Ok(data.map(|data| Event { id, data }))
}

/// The name of a line's field; empty for a comment.
fn name(line: &str) -> &str {
    line.split_once(':').map_or(line, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_events_are_taken_and_the_rest_stays() {
        let mut body =
            b"id: 7\nevent: error\ndata: {\"a\":1}\n\n: still here\n\ndata:{}\n\ndata: {".to_vec();
        let mut taken = Vec::new();
        drain_events(&mut body, |event| {
            taken.push((event.id.map(str::to_owned), event.data.to_owned()));
            Ok(())
        })
        .unwrap();
        assert_eq!(taken, [(Some("7".into()), "{\"a\":1}".into()), (None, "{}".into())]);
        assert_eq!(body, b"data: {");
    }
}
