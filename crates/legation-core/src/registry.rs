//! Which tasks are live in this process.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use legation_model::TaskId;
use parking_lot::Mutex;

use crate::Scope;
use crate::live::Live;

/// The live tasks by name, and those that lost their run because the store gave up on them.
#[derive(Default)]
pub(crate) struct Registry {
    live: Mutex<HashMap<TaskId, Weak<Live>>>,
    abandoned: Mutex<Vec<(Scope, TaskId)>>,
}

impl Registry {
    /// The task, when it is live.
    pub(crate) fn get(&self, id: &TaskId) -> Option<Arc<Live>> {
        self.live.lock().get(id)?.upgrade()
    }

    /// Makes a task live; when somebody was faster, theirs is the one.
    pub(crate) fn insert(&self, live: Arc<Live>) -> Arc<Live> {
        let mut tasks = self.live.lock();
        if let Some(first) = tasks.get(&live.id).and_then(Weak::upgrade) {
            // Dropped after the lock: dropping a `Live` takes the lock again.
            drop(tasks);
            return first;
        }
        tasks.insert(live.id.clone(), Arc::downgrade(&live));
        live
    }

    /// Removes a task whose last holder has gone.
    pub(crate) fn forget(&self, id: &TaskId) {
        let mut tasks = self.live.lock();
        // Somebody may have loaded the task again meanwhile.
        if tasks.get(id).is_some_and(|live| live.strong_count() == 0) {
            tasks.remove(id);
        }
    }

    /// Removes a task that the store gave up on, and notes that it may need mending.
    pub(crate) fn abandon(&self, live: &Live) {
        let mut tasks = self.live.lock();
        // Only this one: somebody may have loaded the task afresh already.
        if tasks.get(&live.id).is_some_and(|known| std::ptr::eq(known.as_ptr(), live)) {
            tasks.remove(&live.id);
        }
        drop(tasks);
        self.abandoned.lock().push((live.scope.clone(), live.id.clone()));
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
        self.live.lock().values().filter_map(Weak::upgrade).collect()
    }
}
