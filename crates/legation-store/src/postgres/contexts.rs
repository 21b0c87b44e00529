//! The lives of contexts: a bounded number of them is taken on at a time.

use std::collections::HashMap;

use legation_core::store::Swept;
use legation_core::{ContextChange, ContextEvent, ContextState, Cutoffs, Scope};
use legation_model::{ContextId, TaskState, Timestamp};
use tokio_postgres::Row;

use super::failure::{Consequence, Failure};
use super::remove::{MOST_ROWS, TRIES, begin};
use super::scopes::{Scopes, of_number};
use super::session::Session;
use super::store::REMOVAL_STEP;
use super::text::written;

/// The owner of a row as those see it who hear of contexts.
pub(super) fn owner(scope: &Scope) -> Scope {
    Scope { agent: None, ..scope.clone() }
}

/// What to tell of a context, from a row with its id and scope.
pub(super) async fn event(
    session: &Session,
    scopes: &Scopes,
    row: &Row,
    change: ContextChange,
) -> Result<ContextEvent, Failure> {
    let id = ContextId::parse(row.try_get(0)?)
        .map_err(|bad| Failure::unreadable(format!("a context id: {bad}")))?;
    let scope = owner(&of_number(session, scopes, row.try_get(1)?).await?);
    Ok(ContextEvent { change, scope, id })
}

/// Contexts that were looked at.
pub(super) struct Aged {
    /// Those that may be elsewhere in their lives than is said of them.
    pub(super) contexts: Vec<i64>,
    /// The last one, if there may be more.
    pub(super) last: Option<i64>,
}

/// Looks at contexts of a deployment after a key, by key.
pub(super) async fn aged(
    session: &Session,
    deployment: &str,
    cutoffs: &Cutoffs,
    (after, most): (i64, usize),
) -> Result<Aged, Failure> {
    begin(session).await?;
    // Whatever was active since is active still.
    let (born, rests) = (cutoffs.born.as_millis(), cutoffs.idle.max(cutoffs.quiet).as_millis());
    let (deployment, limit) = (written(deployment), most as i64);
    let rows = session.query(AGED, &[&after, &born, &rests, &deployment, &limit]).await?;
    session.run("COMMIT").await?;
    let mut aged = Aged { contexts: Vec::new(), last: None };
    for row in &rows {
        let life = Life::read(row)?;
        if life.due(cutoffs).is_some() {
            aged.contexts.push(life.key);
        }
        aged.last = (rows.len() >= most).then_some(life.key);
    }
    Ok(aged)
}

const AGED: &str = "
    SELECT c.key, c.state, c.created_at,
        greatest(c.last_active_at, (SELECT max(t.status_at) FROM tasks t WHERE t.context = c.key))
    FROM contexts c
    WHERE c.key > $1 AND c.state <> 2
        AND (c.state <> 0 OR c.created_at < $2 OR c.last_active_at < $3)
        AND (SELECT s.deployment FROM scopes s WHERE s.key = c.scope) = $4
    ORDER BY c.key LIMIT $5";

/// A context as its row and its tasks tell.
struct Life {
    key: i64,
    state: Option<ContextState>,
    created_at: Timestamp,
    active_at: Timestamp,
}

impl Life {
    fn read(row: &Row) -> Result<Self, Failure> {
        let time = |column| {
            Timestamp::from_millis(row.try_get(column)?)
                .ok_or_else(|| Failure::unreadable("a time out of range"))
        };
        let state = ContextState::from_number(row.try_get::<_, i16>(1)?.into());
        Ok(Self { key: row.try_get(0)?, state, created_at: time(2)?, active_at: time(3)? })
    }

    /// What it comes to with nothing at work, if that is something else.
    fn due(&self, cutoffs: &Cutoffs) -> Option<ContextState> {
        let due = cutoffs.state(self.created_at, self.active_at);
        (self.state != Some(due) && self.state != Some(ContextState::Expired)).then_some(due)
    }
}

/// Takes contexts on in their lives, unless somebody is at work in them; gives what to tell.
pub(super) async fn age(
    session: &Session,
    scopes: &Scopes,
    cutoffs: &Cutoffs,
    contexts: &[i64],
) -> Result<(Swept, Vec<ContextEvent>), Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_age(session, scopes, cutoffs, contexts).await {
            // It met an append.
            Err(failure) if tries < TRIES && failure.consequence() == Consequence::Again => {
                session.run("ROLLBACK").await?;
            }
            aged => return aged,
        }
    }
}

async fn try_age(
    session: &Session,
    scopes: &Scopes,
    cutoffs: &Cutoffs,
    contexts: &[i64],
) -> Result<(Swept, Vec<ContextEvent>), Failure> {
    begin(session).await?;
    // Whoever goes on with a task at rest has locked it, and who begins one has locked its context; so
    // what is seen under these locks holds till the end.
    let at_rest: Vec<i32> = TaskState::ALL
        .iter()
        .filter(|state| state.is_interrupted())
        .map(|state| state.number())
        .collect();
    session.query(LOCK_TASKS, &[&contexts, &at_rest]).await?;
    let locked = session.query(LOCK, &[&contexts]).await?;
    let locked = keys(&locked)?;
    let (mut aged, mut states) = (Vec::new(), Vec::new());
    let mut changes = HashMap::new();
    for row in session.query(LIVES, &[&locked]).await? {
        let life = Life::read(&row)?;
        let (Some(due), is_at_work) = (life.due(cutoffs), row.try_get::<_, bool>(4)?) else {
            continue;
        };
        if is_at_work && due != ContextState::Active {
            continue;
        }
        aged.push(life.key);
        states.push(due.number());
        changes.insert(life.key, due.change());
    }
    let rows = session.query(AGE, &[&aged, &states]).await?;
    let (mut swept, mut told) = (Swept::default(), Vec::new());
    for row in rows {
        let change = changes[&row.try_get::<_, i64>(2)?];
        swept.idle += u64::from(change == ContextChange::Idle);
        swept.expired += u64::from(change == ContextChange::Expired);
        told.push(event(session, scopes, &row, change).await?);
    }
    session.run("COMMIT").await?;
    Ok((swept, told))
}

const LOCK_TASKS: &str = "
    SELECT key FROM tasks WHERE context = ANY ($1) AND state = ANY ($2) ORDER BY key FOR UPDATE";

/// One that a birth looks at is active.
const LOCK: &str = "
    SELECT key FROM contexts WHERE key = ANY ($1) ORDER BY id, scope FOR UPDATE SKIP LOCKED";

const LIVES: &str = "
    SELECT c.key, c.state, c.created_at,
        greatest(c.last_active_at, (SELECT max(t.status_at) FROM tasks t WHERE t.context = c.key)),
        EXISTS (SELECT 1 FROM tasks t WHERE t.context = c.key
            AND (t.state IN (1, 2) OR t.at_work))
    FROM contexts c WHERE c.key = ANY ($1)";

const AGE: &str = "
    UPDATE contexts c SET state = n.state
    FROM unnest($1::bigint[], $2::smallint[]) AS n (key, state)
    WHERE c.key = n.key AND c.key = ANY ($1) RETURNING c.id, c.scope, c.key";

/// What is left of contexts that have expired.
#[derive(Clone, Copy)]
pub(super) enum Left {
    /// Their tasks at rest.
    Tasks,
    /// The contexts without a task.
    Contexts,
}

/// Some of what is left of contexts of a deployment that have expired.
pub(super) async fn expired(
    session: &Session,
    deployment: &str,
    left: Left,
) -> Result<Vec<i64>, Failure> {
    let (find, most) = match left {
        Left::Tasks => (EXPIRED_TASKS, REMOVAL_STEP as i64),
        Left::Contexts => (EXPIRED_AND_EMPTY, MOST_ROWS as i64),
    };
    begin(session).await?;
    let rows = session.query(find, &[&written(deployment), &most]).await?;
    session.run("COMMIT").await?;
    keys(&rows)
}

/// The first column of rows.
pub(super) fn keys(rows: &[Row]) -> Result<Vec<i64>, Failure> {
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

const EXPIRED_TASKS: &str = "
    SELECT t.key FROM contexts c
    CROSS JOIN LATERAL (SELECT t.key FROM tasks t
        WHERE t.context = c.key AND NOT (t.state IN (1, 2) OR t.at_work) LIMIT $2) t
    WHERE c.state = 2 AND (SELECT s.deployment FROM scopes s WHERE s.key = c.scope) = $1
    LIMIT $2";

const EXPIRED_AND_EMPTY: &str = "
    SELECT c.key FROM contexts c
    WHERE c.state = 2 AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.context = c.key)
        AND (SELECT s.deployment FROM scopes s WHERE s.key = c.scope) = $1
    LIMIT $2";
