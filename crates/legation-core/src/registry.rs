//! Which tasks are live in this process.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use legation_model::TaskId;
use parking_lot::Mutex;

use crate::Scope;
use crate::live::Live;
use crate::store::TaskKey;

/// The live tasks by name, and those that lost their run because the store gave up on them.
#[derive(Default)]
pub(crate) struct Registry {
    /// Names that callers choose are unique within a scope only, so a name may stand for several.
    live: Mutex<HashMap<TaskId, Vec<Weak<Live>>>>,
    /// The same by the store's name, where replicas tell each other of tasks by it.
    by_key: Option<Mutex<HashMap<TaskKey, Weak<Live>>>>,
    abandoned: Mutex<Vec<(Scope, TaskId)>>,
}

impl Registry {
    /// One for tasks that other replicas tell of.
    pub(crate) fn shared() -> Self {
        Self { by_key: Some(Mutex::default()), ..Self::default() }
    }

    /// The task of a key, when it is live.
    pub(crate) fn of_key(&self, key: TaskKey) -> Option<Arc<Live>> {
        self.by_key.as_ref()?.lock().get(&key)?.upgrade()
    }

    /// The task of a name in a scope, when it is live.
    pub(crate) fn get(&self, scope: &Scope, id: &TaskId) -> Option<Arc<Live>> {
        let tasks = self.live.lock();
        // Collected, so that none is dropped under the lock: dropping a `Live` takes it again.
        let named: Vec<_> = tasks.get(id)?.iter().filter_map(Weak::upgrade).collect();
        drop(tasks);
        named.into_iter().find(|live| scope.sees(&live.scope))
    }

    /// Makes a task live; when somebody was faster, theirs is the one.
    pub(crate) fn insert(&self, live: Arc<Live>) -> Arc<Live> {
        let mut tasks = self.live.lock();
        let named = tasks.entry(live.id.clone()).or_default();
        let known: Vec<_> = named.iter().filter_map(Weak::upgrade).collect();
        let first = known.iter().find(|known| known.scope == live.scope).cloned();
        if first.is_none() {
            named.push(Arc::downgrade(&live));
            if let Some(keys) = &self.by_key {
                keys.lock().insert(live.key, Arc::downgrade(&live));
            }
        }
        // As above.
        drop(tasks);
        first.unwrap_or(live)
    }

    /// Removes a task whose last holder has gone.
    pub(crate) fn forget(&self, task: &Live) {
        // Somebody may have loaded the task again meanwhile.
        self.retain(&task.id, |live| live.strong_count() > 0);
        if let Some(keys) = &self.by_key {
            let mut keys = keys.lock();
            if keys.get(&task.key).is_some_and(|live| live.strong_count() == 0) {
                keys.remove(&task.key);
            }
        }
    }

    /// Removes a task that the store gave up on, and notes that it may need mending.
    pub(crate) fn abandon(&self, live: &Live) {
        // Only this one: somebody may have loaded the task afresh already.
        self.retain(&live.id, |known| !std::ptr::eq(known.as_ptr(), live));
        if let Some(keys) = &self.by_key {
            let mut keys = keys.lock();
            if keys.get(&live.key).is_some_and(|known| std::ptr::eq(known.as_ptr(), live)) {
                keys.remove(&live.key);
            }
        }
        self.abandoned.lock().push((live.scope.clone(), live.id.clone()));
    }

    fn retain(&self, id: &TaskId, keep: impl Fn(&Weak<Live>) -> bool) {
        let mut tasks = self.live.lock();
        let Some(named) = tasks.get_mut(id) else { return };
        named.retain(keep);
        if named.is_empty() {
            tasks.remove(id);
        }
    }

    /// Notes again a task that could not be mended yet.
    pub(crate) fn abandon_again(&self, scope: Scope, id: TaskId) {
        self.abandoned.lock().push((scope, id));
    }

    /// Takes the tasks that may need mending.
    pub(crate) fn take_abandoned(&self) -> Vec<(Scope, TaskId)> {
        std::mem::take(&mut self.abandoned.lock())
    }

    /// All live tasks.
    pub(crate) fn all(&self) -> Vec<Arc<Live>> {
        self.live.lock().values().flatten().filter_map(Weak::upgrade).collect()
    }
}
