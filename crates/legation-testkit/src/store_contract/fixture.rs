//! Tasks as the checks write them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use legation_core::store::{
    Append, Birth, Idempotency, Page, Query, Seq, StoreError, Stored, Swept, TaskKey,
};
use legation_core::{Cutoffs, Scope, TaskStore};
use legation_model::{ContextId, TaskId, TaskState, Timestamp};
use tokio::sync::oneshot;

/// The scope that most tasks of the checks are in.
pub(super) fn home() -> Scope {
    scope("deployment", "tenant", Some("owner"), Some("agent"))
}

pub(super) fn scope(
    deployment: &str,
    tenant: &str,
    owner: Option<&str>,
    agent: Option<&str>,
) -> Scope {
    let name = |name: Option<&str>| name.map(Into::into);
    let (deployment, tenant) = (deployment.into(), tenant.into());
    Scope { deployment, tenant, owner: name(owner), agent: name(agent) }
}

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("a time near 1970")
}

pub(super) fn context(name: &str) -> ContextId {
    ContextId::parse(name).expect("a valid id")
}

pub(super) fn idempotency(key: &str, digest: u8) -> Idempotency {
    Idempotency { key: key.to_owned(), digest: [digest; 32] }
}

/// Writes one task: knows what the next append of it looks like.
pub(super) struct Draft {
    pub(super) key: TaskKey,
    pub(super) id: TaskId,
    pub(super) scope: Scope,
    pub(super) context_id: ContextId,
    pub(super) epoch: u32,
    pub(super) last: Seq,
    /// Those of the next append.
    pub(super) keys: Vec<Idempotency>,
}

impl Draft {
    pub(super) fn new(store: &dyn TaskStore) -> Self {
        Self {
            key: store.next_key(),
            id: TaskId::generate(),
            scope: home(),
            context_id: context("context"),
            epoch: 1,
            last: 0,
            keys: Vec::new(),
        }
    }

    pub(super) fn within(mut self, scope: &Scope, context_id: &str) -> Self {
        self.scope = scope.clone();
        self.context_id = context(context_id);
        self
    }

    pub(super) fn keyed(mut self, key: &str, digest: u8) -> Self {
        self.keys.push(idempotency(key, digest));
        self
    }

    /// The next append: events of that many numbers; the first of a task brings its birth.
    pub(super) fn add(&mut self, events: u64, state: TaskState, status_at: i64) -> Append {
        let born = self.last == 0;
        let birth = born.then(|| {
            Box::new(Birth {
                scope: self.scope.clone(),
                id: self.id.clone(),
                context_id: self.context_id.clone(),
                created_at: at(status_at),
            })
        });
        let first = self.last + 1;
        self.last += events;
        Append {
            key: self.key,
            epoch: self.epoch,
            birth,
            first,
            entries: (first..=self.last).map(|seq| self.entry(seq)).collect(),
            state,
            status_at: at(status_at),
            at_work: false,
            snapshot: None,
            keys: std::mem::take(&mut self.keys),
        }
    }

    /// The same with a snapshot, which says after which event it was taken.
    pub(super) fn settle(&mut self, events: u64, state: TaskState, status_at: i64) -> Append {
        let append = self.add(events, state, status_at);
        Append { snapshot: Some(self.snapshot(self.last)), ..append }
    }

    pub(super) fn entry(&self, seq: Seq) -> Bytes {
        format!(r#"{{"task":"{}","event":{seq}}}"#, self.id).into()
    }

    pub(super) fn snapshot(&self, seq: Seq) -> Bytes {
        format!(r#"{{"task":"{}","after":{seq}}}"#, self.id).into()
    }

    /// The task as the store has it.
    pub(super) async fn load(&self, store: &dyn TaskStore) -> Stored {
        let loaded = store.load(&self.scope, &self.id).await.expect("a readable store");
        loaded.expect("the task is stored")
    }

    /// Its whole log.
    pub(super) async fn log(&self, store: &dyn TaskStore) -> Vec<(Seq, Bytes)> {
        let entries = store.entries(&self.scope, self.key, 0, usize::MAX).await;
        entries.expect("a readable store")
    }
}

/// Queues appends without waiting between them, and gives the outcome of each.
pub(super) async fn append_all(
    store: &dyn TaskStore,
    appends: impl IntoIterator<Item = Append>,
) -> Vec<Result<(), StoreError>> {
    let mut outcomes = Vec::new();
    for append in appends {
        let (done, outcome) = oneshot::channel();
        store.append(append, Box::new(|result| drop(done.send(result))));
        outcomes.push(outcome);
    }
    let mut results = Vec::new();
    for outcome in outcomes {
        results.push(outcome.await.expect("the store calls back"));
    }
    results
}

/// The outcomes of appends in words that can be compared.
pub(super) fn words(outcomes: &[Result<(), StoreError>]) -> Vec<&'static str> {
    let word = |outcome: &Result<(), StoreError>| match outcome {
        Ok(()) => "ok",
        Err(StoreError::Fenced) => "fenced",
        Err(StoreError::Taken(_)) => "taken",
        Err(
            StoreError::Full
            | StoreError::Removed
            | StoreError::Unavailable(_)
            | StoreError::Damaged(_),
        ) => "failed",
    };
    outcomes.iter().map(word).collect()
}

/// Appends what must be taken.
pub(super) async fn write(store: &dyn TaskStore, appends: impl IntoIterator<Item = Append>) {
    for outcome in append_all(store, appends).await {
        outcome.expect("the store takes the append");
    }
}

pub(super) async fn list(store: &dyn TaskStore, scope: &Scope, query: &Query) -> Page {
    store.list(scope, query).await.expect("a readable store")
}

pub(super) fn keys(tasks: &[Stored]) -> Vec<TaskKey> {
    tasks.iter().map(|task| task.key).collect()
}

/// Removes what nothing happened to since a moment, and keeps no result.
pub(super) async fn sweep(store: &dyn TaskStore, before: i64) -> Swept {
    sweep_by(store, &Cutoffs::quiet_before(at(before))).await
}

pub(super) async fn sweep_by(store: &dyn TaskStore, cutoffs: &Cutoffs) -> Swept {
    store.sweep("deployment", cutoffs).await.expect("a store that can write")
}

/// What a store tells of contexts, each as the name of the event and that of the context.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub(super) fn by(store: &dyn TaskStore) -> Self {
        let told = Self::default();
        let heard = told.clone();
        store.watch_contexts(Arc::new(move |event| {
            assert_eq!(event.scope.agent, None, "a context is its owner's");
            let owner = event.scope.owner.as_deref().unwrap_or_default();
            heard.lock().push(format!("{} {owner}/{}", event.change.name(), event.id));
        }));
        told
    }

    /// What was told since this was asked before, in alphabetical order: a sweep goes by none.
    pub(super) fn take(&self) -> Vec<String> {
        let mut told = std::mem::take(&mut *self.lock());
        told.sort();
        told
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Numbers that look random and are the same in every run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below the bound.
    pub(super) fn roll(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize]
    }
}
