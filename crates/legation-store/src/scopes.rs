//! Scopes in memory, with the numbers that stand for them in rows.

use std::collections::HashMap;

use legation_core::Scope;
use parking_lot::RwLock;

/// How many scopes are kept in memory. The cache begins anew beyond: simpler than tracking use,
/// and a scope costs one small query to learn again.
const MOST: usize = 8192;

/// The scopes of recent rows, each with what a store knows it by. Their rows never change, so what
/// is here stays true.
pub(crate) struct Scopes<N> {
    known: RwLock<Known<N>>,
}

struct Known<N> {
    scopes: HashMap<i64, Scope>,
    numbers: HashMap<Scope, N>,
}

impl<N> Default for Scopes<N> {
    fn default() -> Self {
        Self { known: RwLock::new(Known::default()) }
    }
}

impl<N> Default for Known<N> {
    fn default() -> Self {
        Self { scopes: HashMap::new(), numbers: HashMap::new() }
    }
}

impl<N: Copy> Scopes<N> {
    /// The scope with this number.
    pub(crate) fn of_number(&self, number: i64) -> Option<Scope> {
        self.known.read().scopes.get(&number).cloned()
    }

    /// The numbers of a full scope.
    pub(crate) fn numbers(&self, scope: &Scope) -> Option<N> {
        self.known.read().numbers.get(scope).copied()
    }

    /// Remembers which scope a number stands for.
    pub(crate) fn note(&self, number: i64, scope: Scope) {
        self.known.write().room().scopes.insert(number, scope);
    }

    /// Remembers numbers, which must be committed: a transaction that is undone frees its numbers
    /// for others.
    pub(crate) fn learn(&self, scope: Scope, number: i64, numbers: N) {
        let mut known = self.known.write();
        let known = known.room();
        known.scopes.insert(number, scope.clone());
        known.numbers.insert(scope, numbers);
    }
}

impl<N> Known<N> {
    /// This, with room for one more.
    fn room(&mut self) -> &mut Self {
        if self.scopes.len() >= MOST {
            *self = Self::default();
        }
        self
    }
}
