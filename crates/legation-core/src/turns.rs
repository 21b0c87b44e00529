//! Lines of several who take turns: nobody waits for all that another one has in line.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Something out of which one after the other is taken.
pub(crate) trait Line {
    type Item;

    /// Takes the next one that is wanted; those before it stay where they are.
    fn take(&mut self, wanted: &dyn Fn(&Self::Item) -> bool) -> Option<Self::Item>;

    /// Whether there is one of these.
    fn any(&self, wanted: &dyn Fn(&Self::Item) -> bool) -> bool;

    /// Removes all but these.
    fn retain(&mut self, keep: &dyn Fn(&Self::Item) -> bool);

    fn len(&self) -> usize;
}

impl<T> Line for VecDeque<T> {
    type Item = T;

    fn take(&mut self, wanted: &dyn Fn(&T) -> bool) -> Option<T> {
        let at = self.iter().position(wanted)?;
        self.remove(at)
    }

    fn any(&self, wanted: &dyn Fn(&T) -> bool) -> bool {
        self.iter().any(wanted)
    }

    fn retain(&mut self, keep: &dyn Fn(&T) -> bool) {
        Self::retain(self, keep);
    }

    fn len(&self) -> usize {
        self.len()
    }
}

/// Lines by whose they are, of which each has its turn and then waits for the others.
pub(crate) struct Turns<K, L> {
    lines: HashMap<K, L>,
    /// Those who have something in line, the next one first.
    order: VecDeque<K>,
}

impl<K, L> Default for Turns<K, L> {
    fn default() -> Self {
        Self { lines: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash, L: Line + Default> Turns<K, L> {
    /// Somebody's line, into which something has to be put.
    pub(crate) fn line(&mut self, whose: &K) -> &mut L {
        if !self.lines.contains_key(whose) {
            self.order.push_back(whose.clone());
        }
        self.lines.entry(whose.clone()).or_default()
    }
}

impl<K: Eq + Hash, L: Line> Line for Turns<K, L> {
    type Item = L::Item;

    fn take(&mut self, wanted: &dyn Fn(&L::Item) -> bool) -> Option<L::Item> {
        for at in 0..self.order.len() {
            let line = self.lines.get_mut(&self.order[at])?;
            let Some(taken) = line.take(wanted) else { continue };
            let is_empty = line.len() == 0;
            let whose = self.order.remove(at)?;
            if is_empty {
                self.lines.remove(&whose);
            } else {
                self.order.push_back(whose);
            }
            return Some(taken);
        }
        None
    }

    fn any(&self, wanted: &dyn Fn(&L::Item) -> bool) -> bool {
        self.lines.values().any(|line| line.any(wanted))
    }

    fn retain(&mut self, keep: &dyn Fn(&L::Item) -> bool) {
        self.lines.values_mut().for_each(|line| line.retain(keep));
        self.lines.retain(|_, line| line.len() > 0);
        self.order.retain(|whose| self.lines.contains_key(whose));
    }

    fn len(&self) -> usize {
        self.lines.values().map(Line::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines = Turns<&'static str, Turns<&'static str, VecDeque<u32>>>;

    fn filled() -> Lines {
        let mut lines = Lines::default();
        let all =
            [("t", "ann", 1), ("t", "ann", 2), ("t", "ann", 3), ("t", "bob", 4), ("u", "eve", 5)];
        for (tenant, caller, what) in all {
            lines.line(&tenant).line(&caller).push_back(what);
        }
        lines
    }

    fn rest(lines: &mut Lines) -> Vec<u32> {
        std::iter::from_fn(|| lines.take(&|_| true)).collect()
    }

    #[test]
    fn tenants_take_turns_and_so_do_their_callers() {
        let mut lines = filled();
        assert_eq!(lines.len(), 5);
        assert_eq!(rest(&mut lines), [1, 5, 4, 2, 3]);
        assert_eq!(lines.len(), 0);
        assert!(lines.lines.is_empty() && lines.order.is_empty());
    }

    #[test]
    fn who_is_not_wanted_keeps_the_place() {
        let mut lines = filled();
        assert_eq!(lines.take(&|what| what % 2 == 0), Some(2));
        assert_eq!(rest(&mut lines), [5, 4, 1, 3], "the tenant has had its turn");
        let mut lines = filled();
        lines.retain(&|what| *what != 5 && *what != 1);
        assert_eq!(lines.take(&|what| *what == 1), None);
        assert_eq!(rest(&mut lines), [2, 4, 3]);
    }
}
