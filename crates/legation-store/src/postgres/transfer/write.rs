//! Writes records into the tables, those of a table at once.

use std::borrow::Cow;
use std::collections::HashSet;

use futures::future::try_join_all;
use legation_core::Scope;
use legation_core::store::StoreError;
use legation_model::{ContextId, Timestamp};

use super::read::cell;
use crate::log::FORMAT;
use crate::postgres::commit::{INSERT_EVENTS, INSERT_KEYS, INSERT_TASKS, context_of};
use crate::postgres::deltas::Deltas;
use crate::postgres::failure::Failure;
use crate::postgres::scopes::{self, Numbers, Scopes};
use crate::postgres::session::Session;
use crate::postgres::text::written;
use crate::transfer::{Audit, Context, Key, Log, Outcome, Record, Task, Token};

/// Who is at work on an unfinished task that was imported: nobody, so the next replica takes it over.
const NOBODY: i64 = 0;

/// Records that are written at once, by their tables.
#[derive(Default)]
pub(super) struct Rows<'a> {
    contexts: Vec<&'a Context>,
    tasks: Vec<&'a Task>,
    /// Each with the place of its task among the tasks, counted from one: at 0 is the one before.
    logs: Vec<(usize, &'a Log)>,
    keys: Vec<&'a Key>,
    outcomes: Vec<&'a Outcome>,
    tokens: Vec<&'a Token>,
    audit: Vec<&'a Audit>,
}

impl<'a> Rows<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        let mut rows = Self::default();
        for record in records {
            match record {
                Record::Context(context) => rows.contexts.push(context),
                Record::Task(task) => rows.tasks.push(task),
                Record::Log(log) => rows.logs.push((rows.tasks.len(), log)),
                Record::Key(key) => rows.keys.push(key),
                Record::Result(outcome) => rows.outcomes.push(outcome),
                Record::Token(token) => rows.tokens.push(token),
                Record::Audit(entry) => rows.audit.push(entry),
            }
        }
        rows
    }

    pub(super) async fn contexts(
        &self,
        session: &Session,
        scopes: &Scopes,
        last: &mut i64,
    ) -> Result<(), StoreError> {
        let owners: Vec<i64> = numbers(session, scopes, self.contexts.iter().map(|c| &c.scope))
            .await?
            .iter()
            .map(|numbers| numbers.owner)
            .collect();
        let keys: Vec<i64> = (*last + 1..).take(owners.len()).collect();
        *last += owners.len() as i64;
        let ids: Vec<&str> = self.contexts.iter().map(|context| context.id.as_str()).collect();
        let created: Vec<i64> = self.contexts.iter().map(|context| context.created_at).collect();
        let active: Vec<i64> = self.contexts.iter().map(|context| context.active_at).collect();
        let states: Vec<i16> = self.contexts.iter().map(|context| context.state).collect();
        let insert = "
            INSERT INTO contexts (key, scope, id, created_at, last_active_at, state)
            SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[],
                $6::smallint[])";
        session.execute(insert, &[&keys, &owners, &ids, &created, &active, &states]).await?;
        Ok(())
    }

    pub(super) async fn tasks(
        &self,
        session: &Session,
        scopes: &Scopes,
        last: &mut i64,
        before: &mut Option<Numbers>,
        deltas: &mut Deltas,
    ) -> Result<(), StoreError> {
        let tasks = &self.tasks;
        let numbers = numbers(session, scopes, tasks.iter().map(|task| &task.scope)).await?;
        let keys: Vec<i64> = (*last..).take(numbers.len() + 1).collect();
        let places: Vec<Option<Numbers>> =
            std::iter::once(*before).chain(numbers.iter().copied().map(Some)).collect();
        let contexts = self.contexts_of_tasks(session, &numbers).await?;
        for (task, numbers) in tasks.iter().zip(&numbers) {
            deltas.count(numbers.scope, task.state, 1);
            let born = Timestamp::from_millis(task.created_at);
            deltas.born(*numbers, born.ok_or_else(|| Failure::unreadable("a task of no time"))?);
        }
        let of = |column: fn(&Task) -> i64| tasks.iter().map(|t| column(t)).collect::<Vec<_>>();
        let (status, created, epoch) = (of(|t| t.status_at), of(|t| t.created_at), of(|t| t.epoch));
        let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
        let scopes: Vec<i64> = numbers.iter().map(|numbers| numbers.scope).collect();
        let states: Vec<i32> = tasks.iter().map(|task| task.state).collect();
        let snapshots: Vec<Option<i32>> = tasks.iter().map(|task| task.snapshot).collect();
        let at_work: Vec<bool> = tasks.iter().map(|task| task.at_work).collect();
        session
            .execute(
                INSERT_TASKS,
                &[
                    &&keys[1..],
                    &ids,
                    &scopes,
                    &contexts,
                    &states,
                    &status,
                    &created,
                    &epoch,
                    &snapshots,
                    &at_work,
                    &NOBODY,
                ],
            )
            .await?;
        self.logs(session, &keys, &places, deltas).await?;
        (*last, *before) = (*last + numbers.len() as i64, places.last().copied().flatten());
        Ok(())
    }

    /// The keys of the contexts that tasks are in.
    async fn contexts_of_tasks(
        &self,
        session: &Session,
        numbers: &[Numbers],
    ) -> Result<Vec<i64>, Failure> {
        let ids: Vec<&str> = self.tasks.iter().map(|task| task.context.as_str()).collect();
        let owners: Vec<i64> = numbers.iter().map(|numbers| numbers.owner).collect();
        let select = "
            SELECT c.key
            FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS n (id, scope, place)
            CROSS JOIN LATERAL (
                SELECT key FROM contexts WHERE id = n.id AND scope = n.scope OFFSET 0) c
            ORDER BY n.place";
        let rows = session.query(select, &[&ids, &owners]).await?;
        if rows.len() != ids.len() {
            return Err(Failure::unreadable("a task without its context"));
        }
        rows.iter().map(|row| cell(row, 0)).collect()
    }

    async fn logs(
        &self,
        session: &Session,
        keys: &[i64],
        places: &[Option<Numbers>],
        deltas: &mut Deltas,
    ) -> Result<(), Failure> {
        for (place, log) in &self.logs {
            if log.format != FORMAT {
                return Err(Failure::unreadable("a log in a format of a later release"));
            }
            let of = places[*place].ok_or_else(|| Failure::unreadable("a log without a task"))?;
            deltas.bytes(of, log.entries.len() as i64);
        }
        let tasks: Vec<i64> = self.logs.iter().map(|(place, _)| keys[*place]).collect();
        let last: Vec<i32> = self.logs.iter().map(|(_, log)| log.last).collect();
        let snapshots: Vec<Option<&[u8]>> =
            self.logs.iter().map(|(_, log)| log.snapshot.as_ref().map(String::as_bytes)).collect();
        let entries: Vec<&[u8]> = self.logs.iter().map(|(_, log)| log.entries.as_bytes()).collect();
        let format = FORMAT as i16;
        session.execute(INSERT_EVENTS, &[&tasks, &last, &format, &snapshots, &entries]).await?;
        Ok(())
    }

    pub(super) async fn keys(
        &self,
        session: &Session,
        scopes: &Scopes,
        deltas: &mut Deltas,
    ) -> Result<(), StoreError> {
        let keys = &self.keys;
        let numbers = numbers(session, scopes, keys.iter().map(|key| &key.scope)).await?;
        let answers: Vec<Option<&[u8]>> =
            keys.iter().map(|key| key.answer.as_ref().map(String::as_bytes)).collect();
        for (numbers, answer) in numbers.iter().zip(&answers) {
            if let Some(answer) = answer {
                deltas.bytes(*numbers, answer.len() as i64);
            }
        }
        let contexts: Vec<Option<ContextId>> =
            answers.iter().map(|answer| answer.and_then(context_of)).collect();
        let contexts: Vec<_> =
            contexts.iter().map(|id| id.as_ref().map(ContextId::as_str)).collect();
        let scopes: Vec<i64> = numbers.iter().map(|numbers| numbers.scope).collect();
        let names: Vec<Cow<'_, str>> = keys.iter().map(|key| written(&key.key)).collect();
        let digests: Vec<&[u8]> = keys.iter().map(|key| key.digest.0.as_slice()).collect();
        let created: Vec<i64> = keys.iter().map(|key| key.created_at).collect();
        let tasks: Vec<Option<&str>> = keys.iter().map(|key| key.task.as_deref()).collect();
        session
            .execute(
                INSERT_KEYS,
                &[&scopes, &names, &digests, &created, &tasks, &answers, &contexts],
            )
            .await?;
        Ok(())
    }

    /// In the order of the file, by which they get their numbers.
    pub(super) async fn outcomes(
        &self,
        session: &Session,
        scopes: &Scopes,
    ) -> Result<(), StoreError> {
        let insert = "
            INSERT INTO results
                (scope, id, context, state, status_at, format, last, at, snapshot, entries)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let numbers = numbers(session, scopes, self.outcomes.iter().map(|o| &o.scope)).await?;
        let inserts = self.outcomes.iter().zip(&numbers).map(async |(outcome, numbers)| {
            let format = i16::try_from(outcome.format)
                .map_err(|_| Failure::unreadable("a result in a format of a later release"))?;
            session
                .execute(
                    insert,
                    &[
                        &numbers.scope,
                        &outcome.id,
                        &outcome.context,
                        &outcome.state,
                        &outcome.status_at,
                        &format,
                        &outcome.last,
                        &outcome.at,
                        &outcome.snapshot.as_ref().map(String::as_bytes),
                        &outcome.entries.as_ref().map(String::as_bytes),
                    ],
                )
                .await
        });
        try_join_all(inserts).await?;
        Ok(())
    }

    pub(super) async fn tokens(&self, session: &Session) -> Result<(), StoreError> {
        let insert = "
            INSERT INTO integration_tokens (deployment, id, name, tenant, subject, scopes, agents,
                digest, earlier_digest, earlier_until, created_at, expires_at, revoked_at,
                last_used_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let inserts = self.tokens.iter().map(async |token| {
            let earlier = token.earlier_digest.map(|digest| digest.0);
            session
                .execute(
                    insert,
                    &[
                        &written(&token.deployment),
                        &written(&token.id),
                        &written(&token.name),
                        &written(&token.tenant),
                        &written(&token.subject),
                        &token.scopes,
                        &token.agents,
                        &token.digest.0.as_slice(),
                        &earlier.as_ref().map(<[u8; 32]>::as_slice),
                        &token.earlier_until,
                        &token.created_at,
                        &token.expires_at,
                        &token.revoked_at,
                        &token.last_used_at,
                    ],
                )
                .await
        });
        try_join_all(inserts).await?;
        Ok(())
    }

    /// They keep their numbers, and those of later ones are greater.
    pub(super) async fn audit(&self, session: &Session) -> Result<(), StoreError> {
        let insert = "
            INSERT INTO audit (id, deployment, at, tenant, subject, scheme, address, action, outcome,
                target, detail, count) OVERRIDING SYSTEM VALUE
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let inserts = self.audit.iter().map(async |entry| {
            session
                .execute(
                    insert,
                    &[
                        &entry.id,
                        &written(&entry.deployment),
                        &entry.at,
                        &written(&entry.tenant),
                        &written(&entry.subject),
                        &written(&entry.scheme),
                        &entry.address,
                        &entry.action,
                        &entry.outcome,
                        &written(&entry.target),
                        &written(&entry.detail),
                        &entry.count,
                    ],
                )
                .await
        });
        try_join_all(inserts).await?;
        if let Some(last) = self.audit.last() {
            let advance = "SELECT setval(pg_get_serial_sequence('audit', 'id'), $1)";
            session.query(advance, &[&last.id]).await?;
        }
        Ok(())
    }
}

/// The numbers of scopes, which are made where they are new.
async fn numbers<'a>(
    session: &Session,
    scopes: &Scopes,
    of: impl Iterator<Item = &'a Scope>,
) -> Result<Vec<Numbers>, StoreError> {
    let mut all = Vec::new();
    for scope in of {
        scopes::check(scope)?;
        if scopes.numbers(scope).is_none() {
            scopes::learn(session, scopes, HashSet::from([scope])).await?;
        }
        let numbers = scopes.numbers(scope);
        all.push(numbers.ok_or_else(|| Failure::unreadable("a scope without a number"))?);
    }
    Ok(all)
}
