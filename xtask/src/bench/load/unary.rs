//! SendMessage and GetTask.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;

use super::{Connect as _, Done, Exchange};
use crate::bench::{
    cases::Payload,
    check::{completed_echo, excerpt, task_id},
    connection::Connection,
    request::{Message, call},
};

/// Connections that store tasks before a measurement.
const SEEDERS: usize = 64;

/// Sends a message and expects its echo.
#[derive(Clone)]
pub(in crate::bench) struct Sends {
    message: Message,
    content: Arc<str>,
}

impl Sends {
    pub(in crate::bench) fn new(token: &str, payload: Payload) -> Self {
        Self {
            message: Message::new(token, payload.method(), &payload.part()),
            content: payload.content().into(),
        }
    }

    async fn send<'c>(&mut self, connection: &'c mut Connection) -> anyhow::Result<&'c str> {
        let reply = connection.exchange(self.message.renew()).await?;
        completed_echo(reply, &self.content)?;
        // The history has the message: the reply is the one to this request.
        ensure!(reply.contains(self.message.number()), "another's echo {}", excerpt(reply));
        Ok(reply)
    }
}

impl Exchange for Sends {
    type Connection = Connection;

    async fn once(&mut self, connection: &mut Connection) -> anyhow::Result<Done> {
        self.send(connection).await?;
        Ok(Done::ONE)
    }
}

/// A prepared GetTask and the id it asks for.
struct Get {
    request: Vec<u8>,
    id: String,
}

/// Gets stored tasks in turn.
pub(in crate::bench) struct Gets {
    gets: Arc<[Get]>,
    content: Arc<str>,
    next: usize,
}

impl Gets {
    /// Gets of the tasks in `ids` for each of `connections`, which begin at different
    /// ones so that they do not all ask for the same.
    pub(in crate::bench) fn spread(token: &str, ids: &[String], connections: usize) -> Vec<Self> {
        let get = |id: &String| Get {
            request: call(token, "GetTask", &format!(r#"{{"id":"{id}"}}"#)),
            id: id.clone(),
        };
        let gets: Arc<[Get]> = ids.iter().map(get).collect();
        let content: Arc<str> = Payload::Text.content().into();
        let start = |number| number * gets.len() / connections;
        (0..connections)
            .map(|number| Self {
                gets: gets.clone(),
                content: content.clone(),
                next: start(number),
            })
            .collect()
    }
}

impl Exchange for Gets {
    type Connection = Connection;

    async fn once(&mut self, connection: &mut Connection) -> anyhow::Result<Done> {
        let get = &self.gets[self.next % self.gets.len()];
        self.next += 1;
        let reply = connection.exchange(&get.request).await?;
        completed_echo(reply, &self.content)?;
        ensure!(reply.contains(&get.id), "another task than `{}` {}", get.id, excerpt(reply));
        Ok(Done::ONE)
    }
}

/// Stores `count` tasks by sending; returns the ids of the first of them.
pub(in crate::bench) async fn seed(
    address: SocketAddr,
    token: &str,
    count: usize,
) -> anyhow::Result<Vec<String>> {
    const KEPT_IDS: usize = 1_000;
    let mut seeders = JoinSet::new();
    for seeder in 0..SEEDERS {
        let share = count / SEEDERS + usize::from(seeder < count % SEEDERS);
        let mut sends = Sends::new(token, Payload::Text);
        seeders.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let mut ids = Vec::new();
            for _ in 0..share {
                let reply = sends.send(&mut connection).await?;
                if ids.len() <= KEPT_IDS / SEEDERS {
                    ids.push(task_id(reply)?.to_owned());
                }
            }
            anyhow::Ok(ids)
        });
    }
    let mut ids = Vec::new();
    while let Some(more) = seeders.join_next().await {
        ids.extend(more?.context("cannot store tasks")?);
    }
    Ok(ids)
}
