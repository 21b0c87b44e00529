//! Erasure: finds all that a scope has of a context, or of all, a bounded number of rows at a time.

use legation_core::Scope;
use legation_model::{ContextId, TaskId};

use super::contexts::keys;
use super::failure::Failure;
use super::read::task_id;
use super::remove::{MOST_ROWS, Removal, begin};
use super::scopes::{Scopes, within};
use super::session::Session;

/// What is left to erase.
pub(super) enum Left {
    Nothing,
    /// A task that is not to be removed.
    AtWork(TaskId),
    /// Something to remove.
    Found(Removal),
}

/// Finds what a step can remove, of a context or of all. Keys come first, because without the tasks
/// nothing says which context they belong to.
pub(super) async fn find(
    session: &Session,
    scopes: &Scopes,
    scope: &Scope,
    context: Option<&ContextId>,
    most_tasks: usize,
) -> Result<Left, Failure> {
    begin(session).await?;
    let numbers = within(session, scopes, scope).await?;
    let id = context.map(ContextId::as_str);
    let contexts = match id {
        Some(id) => Some(keys(&session.query(CONTEXTS, &[&numbers, &id]).await?)?),
        None => None,
    };
    let at_work = match &contexts {
        Some(contexts) => session.first(AT_WORK, &[contexts, &numbers]).await?,
        None => session.first(ANY_AT_WORK, &[&numbers]).await?,
    };
    if let Some(row) = at_work {
        session.run("COMMIT").await?;
        return Ok(Left::AtWork(task_id(row.try_get(0)?)?));
    }
    let most = MOST_ROWS as i64;
    let stand = match &contexts {
        Some(contexts) => session.query(KEYS, &[&numbers, contexts, &id, &most]).await?,
        None => session.query(ALL_KEYS, &[&numbers, &most]).await?,
    };
    let stand = stand
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<(i64, String)>, Failure>>()?;
    let mut removal = Removal { with_contexts: true, ..Removal::default() };
    if stand.is_empty() {
        let most_tasks = i64::try_from(most_tasks).unwrap_or(i64::MAX);
        let tasks = match &contexts {
            Some(contexts) => session.query(TASKS, &[contexts, &numbers, &most_tasks]).await?,
            None => session.query(ALL_TASKS, &[&numbers, &most_tasks]).await?,
        };
        removal.tasks = keys(&tasks)?;
        removal.results = keys(&session.query(RESULTS, &[&numbers, &id, &most]).await?)?;
    }
    removal.keys = stand;
    let is_nothing =
        removal.keys.is_empty() && removal.tasks.is_empty() && removal.results.is_empty();
    removal.contexts = match &contexts {
        Some(contexts) => keys(&session.query(EMPTY, &[contexts]).await?)?,
        None if is_nothing => keys(&session.query(ALL_EMPTY, &[&numbers, &most]).await?)?,
        None => Vec::new(),
    };
    session.run("COMMIT").await?;
    Ok(if is_nothing && removal.contexts.is_empty() { Left::Nothing } else { Left::Found(removal) })
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

const ANY_AT_WORK: &str = "
    SELECT id FROM tasks WHERE scope = ANY ($1) AND (state IN (1, 2) OR at_work) LIMIT 1";

const KEYS: &str = "
    SELECT scope, key FROM idempotency i WHERE scope = ANY ($1)
        AND (context = $3
             OR (SELECT EXISTS (SELECT 1 FROM tasks t
                 WHERE t.id = i.task AND t.scope = i.scope AND t.context = ANY ($2)))
             OR (SELECT EXISTS (SELECT 1 FROM results r
                 WHERE r.id = i.task AND r.scope = i.scope AND r.context = $3)))
    LIMIT $4";

const ALL_KEYS: &str = "SELECT scope, key FROM idempotency WHERE scope = ANY ($1) LIMIT $2";

const TASKS: &str = "SELECT key FROM tasks WHERE context = ANY ($1) AND scope = ANY ($2) LIMIT $3";

const ALL_TASKS: &str = "SELECT key FROM tasks WHERE scope = ANY ($1) LIMIT $2";

const RESULTS: &str = "
    SELECT key FROM results
    WHERE scope = ANY ($1) AND ($2::text IS NULL OR context = $2) LIMIT $3";

const EMPTY: &str = "
    SELECT c.key FROM contexts c WHERE c.key = ANY ($1)
        AND NOT (SELECT EXISTS (SELECT 1 FROM tasks t WHERE t.context = c.key))";

/// The contexts without tasks of those who own the scopes.
const ALL_EMPTY: &str = "
    SELECT DISTINCT c.key FROM (SELECT * FROM scopes WHERE key = ANY ($1) OFFSET 0) s
    CROSS JOIN LATERAL (SELECT o.key FROM scopes o
        WHERE o.deployment = s.deployment AND o.tenant = s.tenant
            AND o.owner = s.owner AND o.agent = '' OFFSET 0) o
    CROSS JOIN LATERAL (SELECT c.key FROM contexts c
        WHERE c.scope = o.key AND c.is_empty
            AND NOT (SELECT EXISTS (SELECT 1 FROM tasks t WHERE t.context = c.key))
        LIMIT $2) c
    LIMIT $2";
