//! Erasure: finds all that a scope has of a context, a bounded number of rows at a time.

use legation_core::Scope;
use legation_model::{ContextId, TaskId};

use super::failure::Failure;
use super::read::task_id;
use super::remove::{MOST_ROWS, Removal, begin};
use super::scopes::{Scopes, within};
use super::session::Session;

/// What is left of a context.
pub(super) enum Left {
    Nothing,
    /// A task that is not to be removed.
    AtWork(TaskId),
    /// Something to remove.
    Found(Removal),
}

/// Finds what a step can remove. Keys come first, because without the tasks nothing says which
/// context they belong to.
pub(super) async fn find(
    session: &Session,
    scopes: &Scopes,
    scope: &Scope,
    context: &ContextId,
    most_tasks: usize,
) -> Result<Left, Failure> {
    begin(session).await?;
    let numbers = within(session, scopes, scope).await?;
    let id = context.as_str();
    let contexts = session.query(CONTEXTS, &[&numbers, &id]).await?;
    let contexts: Vec<i64> = contexts.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    if let Some(row) = session.first(AT_WORK, &[&contexts, &numbers]).await? {
        session.run("COMMIT").await?;
        return Ok(Left::AtWork(task_id(row.try_get(0)?)?));
    }
    let keys = session.query(KEYS, &[&numbers, &contexts, &id, &(MOST_ROWS as i64)]).await?;
    let keys: Vec<(i64, String)> = keys
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<_, Failure>>()?;
    let mut removal = Removal { with_contexts: true, ..Removal::default() };
    if keys.is_empty() {
        let most = i64::try_from(most_tasks).unwrap_or(i64::MAX);
        let tasks = session.query(TASKS, &[&contexts, &numbers, &most]).await?;
        removal.tasks = tasks.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    }
    removal.keys = keys;
    let empty = session.query(EMPTY, &[&contexts]).await?;
    removal.contexts = empty.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    session.run("COMMIT").await?;
    let nothing =
        removal.keys.is_empty() && removal.tasks.is_empty() && removal.contexts.is_empty();
    Ok(if nothing { Left::Nothing } else { Left::Found(removal) })
}

/// The contexts with an id of those who own the scopes.
const CONTEXTS: &str = "
    SELECT DISTINCT c.key FROM (SELECT * FROM scopes WHERE key = ANY ($1) OFFSET 0) s
    CROSS JOIN LATERAL (SELECT o.key FROM scopes o
        WHERE o.deployment = s.deployment AND o.tenant = s.tenant
            AND o.owner = s.owner AND o.agent = '' OFFSET 0) o
    CROSS JOIN LATERAL (SELECT c.key FROM contexts c
        WHERE c.id = $2 AND c.scope = o.key OFFSET 0) c";

const AT_WORK: &str = "
    SELECT id FROM tasks WHERE context = ANY ($1) AND scope = ANY ($2)
        AND (state IN (1, 2) OR at_work) LIMIT 1";

const KEYS: &str = "
    SELECT scope, key FROM idempotency i WHERE scope = ANY ($1)
        AND (context = $3 OR (SELECT EXISTS (SELECT 1 FROM tasks t
             WHERE t.id = i.task AND t.scope = i.scope AND t.context = ANY ($2))))
    LIMIT $4";

const TASKS: &str = "SELECT key FROM tasks WHERE context = ANY ($1) AND scope = ANY ($2) LIMIT $3";

const EMPTY: &str = "
    SELECT c.key FROM contexts c WHERE c.key = ANY ($1)
        AND NOT (SELECT EXISTS (SELECT 1 FROM tasks t WHERE t.context = c.key))";
