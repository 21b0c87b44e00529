//! ListTasks, page after page to the end, and again.

use anyhow::{Context, ensure};

use super::{Done, Exchange};
use crate::bench::{
    check::{COMPLETED, excerpt, field},
    connection::Connection,
    request::call,
};

const PAGE: usize = 50;

/// Walks through all stored tasks.
pub(in crate::bench) struct Pages {
    bearer: String,
    total: usize,
    left: usize,
    page_token: String,
}

impl Pages {
    /// Pages of a server that holds `total` tasks.
    pub(in crate::bench) fn new(bearer: &str, total: usize) -> Self {
        Self { bearer: bearer.to_owned(), total, left: total, page_token: String::new() }
    }

    fn check(&mut self, reply: &str) -> anyhow::Result<()> {
        let count = reply.matches(COMPLETED).count();
        ensure!(count == PAGE.min(self.left), "{count} tasks where {} are left", self.left);
        let total = reply.split_once(r#""totalSize":"#).context("no total size")?.1;
        let total = total.split(['}', ',']).next().unwrap_or_default();
        ensure!(total == self.total.to_string(), "{total} tasks in all, not {}", self.total);
        self.left -= count;
        self.page_token = field(reply, r#""nextPageToken":""#).context("no page token")?.to_owned();
        if self.left == 0 {
            // Whether a token follows the last page is the server's choice.
            self.left = self.total;
            self.page_token.clear();
        } else {
            ensure!(!self.page_token.is_empty(), "no token with {} tasks left", self.left);
        }
        Ok(())
    }
}

impl Exchange for Pages {
    type Connection = Connection;

    async fn once(&mut self, connection: &mut Connection) -> anyhow::Result<Done> {
        let params = match self.page_token.as_str() {
            "" => format!(r#"{{"pageSize":{PAGE}}}"#),
            token => format!(r#"{{"pageSize":{PAGE},"pageToken":"{token}"}}"#),
        };
        let reply = connection.exchange(&call(&self.bearer, "ListTasks", &params)).await?;
        self.check(reply).with_context(|| excerpt(reply))?;
        Ok(Done::ONE)
    }
}
