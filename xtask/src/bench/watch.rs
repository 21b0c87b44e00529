//! Checks of a stream: every event in its place, none lost, none twice.

use anyhow::{Context, ensure};

use super::{
    check::{COMPLETED, excerpt, field},
    sse::Event,
};

/// What a stream is to bring between the task and its end.
#[derive(Clone)]
pub(super) enum Artifacts {
    /// One update that holds this content.
    Echo(String),
    /// This many updates, numbered from 0.
    Chunks(u64),
}

/// The state of a stream as far as it has been read.
pub(super) struct Watch<'a> {
    artifacts: &'a Artifacts,
    events: u64,
    updates: u64,
    last_id: Option<u64>,
    completed: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn new(artifacts: &'a Artifacts) -> Self {
        Self { artifacts, events: 0, updates: 0, last_id: None, completed: false }
    }

    /// How many events have come.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Checks the next event.
    pub(super) fn event(&mut self, event: &Event<'_>) -> anyhow::Result<()> {
        self.check(event)
            .with_context(|| format!("event {}: {}", self.events, excerpt(event.data)))?;
        self.events += 1;
        Ok(())
    }

    fn check(&mut self, event: &Event<'_>) -> anyhow::Result<()> {
        ensure!(!self.completed, "an event after the end");
        let kind = field(event.data, r#""result":{""#).context("no result")?;
        ensure!((kind == "task") == (self.events == 0), "`{kind}` out of place");
        if let Some(id) = event.id {
            self.check_id(id)?;
        }
        match kind {
            "task" => {}
            "artifactUpdate" => {
                self.check_artifact(event.data)?;
                self.updates += 1;
            }
            "statusUpdate" => self.completed = event.data.contains(COMPLETED),
            other => anyhow::bail!("a `{other}`"),
        }
        Ok(())
    }

    /// Checks that ids grow, by the number they end with.
    fn check_id(&mut self, id: &str) -> anyhow::Result<()> {
        let prefix = id.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: u64 = id[prefix.len()..].parse().with_context(|| format!("the id `{id}`"))?;
        ensure!(self.last_id < Some(number), "the id `{id}` after {:?}", self.last_id);
        self.last_id = Some(number);
        Ok(())
    }

    fn check_artifact(&self, data: &str) -> anyhow::Result<()> {
        match self.artifacts {
            Artifacts::Echo(content) => ensure!(data.contains(content), "not the echo"),
            Artifacts::Chunks(_) => {
                let text = field(data, r#""text":""#).context("no text")?;
                ensure!(text.len() == 64, "a chunk of {} bytes", text.len());
                let number: u64 = text.parse().context("a chunk without a number")?;
                ensure!(number == self.updates, "chunk {number}, not {}", self.updates);
            }
        }
        Ok(())
    }

    /// Checks that the stream is complete; returns the number of artifact updates.
    pub(super) fn finish(self) -> anyhow::Result<u64> {
        let wanted = match self.artifacts {
            Artifacts::Echo(_) => 1,
            Artifacts::Chunks(wanted) => *wanted,
        };
        ensure!(self.completed, "the stream ended before the task, after {} events", self.events);
        ensure!(self.updates == wanted, "{} of {wanted} artifact updates", self.updates);
        Ok(self.updates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(events: &[(u64, &str)]) -> anyhow::Result<u64> {
        let artifacts = Artifacts::Chunks(2);
        let mut watch = Watch::new(&artifacts);
        for (id, result) in events {
            let data = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{{result}}}}}"#);
            watch.event(&Event { id: Some(&format!("t-1/{id}")), data: &data })?;
        }
        watch.finish()
    }

    fn chunk(number: u64) -> String {
        format!(r#""artifactUpdate":{{"text":"{number:064}"}}"#)
    }

    #[test]
    fn a_stream_is_task_chunks_in_order_end() {
        let task = r#""task":{}"#;
        let end = r#""statusUpdate":{"state":"TASK_STATE_COMPLETED"}"#;
        let (zero, one) = (&*chunk(0), &*chunk(1));
        assert_eq!(watch(&[(0, task), (1, zero), (2, one), (3, end)]).unwrap(), 2);
        assert!(watch(&[(0, task), (1, zero), (3, end)]).is_err(), "one is lost");
        assert!(watch(&[(0, task), (1, one), (2, zero), (3, end)]).is_err(), "order");
        assert!(watch(&[(0, task), (1, zero), (1, one), (3, end)]).is_err(), "an id twice");
        assert!(watch(&[(0, task), (1, zero), (2, one)]).is_err(), "no end");
        assert!(watch(&[(1, zero), (2, one), (3, end)]).is_err(), "no task");
    }
}
