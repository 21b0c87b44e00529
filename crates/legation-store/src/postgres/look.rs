//! The first round trip of a transaction: all that is there before a batch, and the locks it needs.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use futures::future;
use legation_core::Scope;
use legation_core::store::{Append, Birth, Idempotency, Outcome, Remembered, TaskKey};
use legation_model::{ContextId, TaskId, Timestamp};
use tokio_postgres::Row;

use super::failure::Failure;
use super::keys;
use super::read;
use super::scopes::{Numbers, Scopes, learn, of_number};
use super::session::{Parameters, Session};
use super::text::written;
use crate::batch::{Answer, Before, Change, Head, Origin, Write};

/// What is there before a batch.
pub(super) struct Looked {
    numbers: HashMap<Scope, Numbers>,
    /// Of the scopes of tasks that are there.
    numbers_of: HashMap<i64, Numbers>,
    heads: HashMap<TaskKey, Head>,
    ids: HashMap<TaskKey, TaskId>,
    names: HashSet<(i64, TaskId)>,
    pub(super) contexts: HashMap<(i64, ContextId), Context>,
    keys: HashMap<(i64, String), Remembered>,
    /// What comes to stand for something.
    pub(super) new_keys: Vec<NewKey>,
}

/// A context that is there.
#[derive(Clone, Copy)]
pub(super) struct Context {
    pub(super) key: i64,
    pub(super) is_empty: bool,
    /// Whether nothing happens in it, so that it is active again with the next task.
    pub(super) is_at_rest: bool,
}

/// A key that stands for something from now on.
pub(super) struct NewKey {
    /// The task whose birth may still be refused.
    pub(super) task: Option<TaskKey>,
    pub(super) numbers: Numbers,
    pub(super) idempotency: Idempotency,
    pub(super) at: Timestamp,
    pub(super) outcome: Outcome,
}

/// What a batch asks for, in the order in which its rows are locked.
#[derive(Default)]
struct Asked {
    tasks: Vec<i64>,
    names: (Vec<String>, Vec<i64>),
    contexts: Vec<(String, i64)>,
    keys: (Vec<String>, Vec<i64>),
}

/// Begins the transaction of these writes.
pub(super) async fn look(
    session: &Session,
    scopes: &Scopes,
    writes: &[Write],
) -> Result<Looked, Failure> {
    let numbers = know(session, scopes, writes).await?;
    let asked = Asked::by(writes, &numbers);
    let contexts: (Vec<&str>, Vec<i64>) =
        asked.contexts.iter().map(|(id, scope)| (id.as_str(), *scope)).unzip();
    // The locks come before the look at what they protect: a statement sees what was committed before
    // it began, and not what it waited for.
    let find = async |sql, is_needed, parameters: Parameters<'_>| match is_needed {
        true => session.query(sql, parameters).await,
        false => Ok(Vec::new()),
    };
    let (are_tasks, are_births) = (!asked.tasks.is_empty(), !asked.contexts.is_empty());
    let (begun, (locked, heads, names, contexts, keys)) = future::join(
        session.run("BEGIN"),
        future::join5(
            find(LOCK, are_tasks, &[&asked.tasks]),
            find(HEADS, are_tasks, &[&asked.tasks]),
            find(NAMES, are_births, &[&asked.names.0, &asked.names.1]),
            find(CONTEXTS, are_births, &[&contexts.0, &contexts.1]),
            find(keys::FIND, !asked.keys.0.is_empty(), &[&asked.keys.1, &asked.keys.0]),
        ),
    )
    .await;
    // The first that failed says why; those behind it only say that it did.
    begun?;
    locked?;
    let mut looked = Looked {
        numbers,
        numbers_of: HashMap::new(),
        heads: HashMap::new(),
        ids: HashMap::new(),
        names: HashSet::new(),
        contexts: HashMap::new(),
        keys: HashMap::new(),
        new_keys: Vec::new(),
    };
    looked.read_heads(heads?)?;
    for row in names? {
        looked.names.insert((row.try_get(1)?, read::task_id(row.try_get(0)?)?));
    }
    for row in contexts? {
        let id: &str = row.try_get(0)?;
        let id = ContextId::parse(id)
            .map_err(|bad| Failure::unreadable(format!("a context id: {bad}")))?;
        let context = Context {
            key: row.try_get(2)?,
            is_empty: row.try_get(3)?,
            is_at_rest: row.try_get(4)?,
        };
        looked.contexts.insert((row.try_get(1)?, id), context);
    }
    // The text that is asked by, so that a name need not be read back.
    for row in keys? {
        let place = (row.try_get(0)?, row.try_get::<_, String>(1)?);
        looked.keys.insert(place, keys::remembered(&row, 2)?);
    }
    looked.know_owners(session, scopes).await?;
    Ok(looked)
}

/// The statements that a look uses.
pub(super) const STATEMENTS: &[&str] = &[LOCK, HEADS, NAMES, CONTEXTS, keys::FIND];

const LOCK: &str = "SELECT key FROM tasks WHERE key = ANY ($1) ORDER BY key FOR NO KEY UPDATE";

const HEADS: &str = "
    SELECT t.scope, t.epoch, t.state, t.status_at, t.snapshot,
        (SELECT e.last FROM task_events e WHERE e.task = t.key ORDER BY e.last DESC LIMIT 1),
        t.at_work, t.key, t.id
    FROM tasks t WHERE t.key = ANY ($1)";

/// By the id alone: a database that takes the table for empty would go through all tasks of the scope.
const NAMES: &str = "
    SELECT t.id, t.scope FROM unnest($1::text[], $2::bigint[]) AS n (id, scope)
    CROSS JOIN LATERAL (SELECT t.id, t.scope FROM tasks t
        WHERE t.id = n.id AND t.scope + 0 = n.scope OFFSET 0) t";

/// A context that is found here is not removed before the transaction ends.
const CONTEXTS: &str = "
    SELECT c.id, c.scope, c.key, c.is_empty, c.state <> 0
    FROM unnest($1::text[], $2::bigint[]) AS n (id, scope)
    CROSS JOIN LATERAL (SELECT c.id, c.scope, c.key, c.is_empty, c.state FROM contexts c
        WHERE c.id = n.id AND c.scope = n.scope FOR KEY SHARE) c";

/// Finds or makes the numbers of all scopes that something new is written in.
async fn know(
    session: &Session,
    scopes: &Scopes,
    writes: &[Write],
) -> Result<HashMap<Scope, Numbers>, Failure> {
    let written_in = |write| match write {
        &Write::Append(Append { birth: Some(ref birth), .. }) => Some(&birth.scope),
        &Write::Append(_) => None,
        Write::Answer(answer) => Some(&answer.scope),
    };
    let all: HashSet<&Scope> = writes.iter().filter_map(written_in).collect();
    let unknown = all.iter().copied().filter(|scope| scopes.numbers(scope).is_none()).collect();
    learn(session, scopes, unknown).await?;
    let known = all.into_iter().map(|scope| {
        let numbers = scopes.numbers(scope);
        numbers.map(|numbers| (scope.clone(), numbers)).ok_or_else(forgotten)
    });
    known.collect()
}

/// More scopes than are kept came at once; the next try finds fewer.
fn forgotten() -> Failure {
    Failure::unreadable("a scope was forgotten at once")
}

impl Asked {
    fn by(writes: &[Write], numbers: &HashMap<Scope, Numbers>) -> Self {
        let mut asked = Self::default();
        for write in writes {
            match write {
                Write::Append(append) => asked.append(append, numbers),
                Write::Answer(answer) => {
                    asked.key(&answer.idempotency, numbers[&answer.scope].scope);
                }
            }
        }
        asked.contexts.sort_unstable();
        asked.contexts.dedup();
        asked
    }

    fn append(&mut self, append: &Append, numbers: &HashMap<Scope, Numbers>) {
        let Some(birth) = &append.birth else {
            self.tasks.push(append.key.0);
            // Its scope is not known yet; see the statement.
            return append.keys.iter().for_each(|key| self.key(key, -append.key.0));
        };
        let Numbers { scope, owner, .. } = numbers[&birth.scope];
        self.names.0.push(birth.id.as_str().to_owned());
        self.names.1.push(scope);
        self.contexts.push((birth.context_id.as_str().to_owned(), owner));
        append.keys.iter().for_each(|key| self.key(key, scope));
    }

    fn key(&mut self, idempotency: &Idempotency, scope: i64) {
        self.keys.0.push(written(&idempotency.key).into_owned());
        self.keys.1.push(scope);
    }
}

impl Looked {
    fn read_heads(&mut self, rows: Vec<Row>) -> Result<(), Failure> {
        for row in rows {
            let key = TaskKey(row.try_get(7)?);
            self.heads.insert(key, read::head(&row)?);
            self.ids.insert(key, read::task_id(row.try_get(8)?)?);
        }
        Ok(())
    }

    /// Learns who has the tasks that are there, because their bytes are counted.
    async fn know_owners(&mut self, session: &Session, scopes: &Scopes) -> Result<(), Failure> {
        let there: HashSet<i64> = self.heads.values().map(|head| head.scope).collect();
        for number in there {
            let scope = of_number(session, scopes, number).await?;
            if scopes.numbers(&scope).is_none() {
                learn(session, scopes, HashSet::from([&scope])).await?;
            }
            let numbers = scopes.numbers(&scope).ok_or_else(forgotten)?;
            self.numbers_of.insert(number, numbers);
        }
        Ok(())
    }

    /// The numbers of a change's task.
    pub(super) fn numbers(&self, origin: &Origin) -> Numbers {
        match origin {
            Origin::Born(birth) => self.numbers[&birth.scope],
            Origin::Stored(head) => self.numbers_of[&head.scope],
        }
    }

    /// Whether a birth has a name that no other task has; from now on it is its own.
    pub(super) fn takes_name(&mut self, birth: &Birth) -> bool {
        let scope = self.numbers[&birth.scope].scope;
        self.names.insert((scope, birth.id.clone()))
    }

    /// Lets keys stand for an outcome, all of them or, when one stands for something else, none.
    fn remember(
        &mut self,
        (task, numbers): (Option<TaskKey>, Numbers),
        keys: &[Idempotency],
        outcome: &Outcome,
        at: Timestamp,
    ) -> Option<Remembered> {
        let place = |key: &Idempotency| (numbers.scope, written(&key.key).into_owned());
        if let Some(earlier) = keys.iter().find_map(|key| self.keys.get(&place(key))) {
            return Some(earlier.clone());
        }
        for idempotency in keys {
            let remembered = Remembered { outcome: outcome.clone(), digest: idempotency.digest };
            if self.keys.insert(place(idempotency), remembered).is_none() {
                let (idempotency, outcome) = (idempotency.clone(), outcome.clone());
                self.new_keys.push(NewKey { task, numbers, idempotency, at, outcome });
            }
        }
        None
    }
}

impl Before for Looked {
    type Failure = Infallible;

    fn head(&mut self, key: TaskKey) -> Result<Option<Head>, Infallible> {
        Ok(self.heads.remove(&key))
    }

    fn keys(&mut self, change: &Change, append: &Append) -> Result<Option<Remembered>, Infallible> {
        if append.keys.is_empty() {
            return Ok(None);
        }
        let id = match &change.origin {
            Origin::Born(birth) => birth.id.clone(),
            Origin::Stored(_) => self.ids[&change.key].clone(),
        };
        let place = (Some(change.key), self.numbers(&change.origin));
        Ok(self.remember(place, &append.keys, &Outcome::Task(id), append.status_at))
    }

    fn answer(&mut self, answer: &Answer) -> Result<Option<Remembered>, Infallible> {
        let place = (None, self.numbers[&answer.scope]);
        let keys = std::slice::from_ref(&answer.idempotency);
        Ok(self.remember(place, keys, &Outcome::Message(answer.message.clone()), answer.at))
    }
}
