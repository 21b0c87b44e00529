//! A disk that may lose, keep or tear whatever was not synced when the power went.
//!
//! Left out: that a file's creation or removal may be lost as well. They last at once here, as on
//! file systems with a journal once the directory was synced, which SQLite does.

use std::collections::BTreeMap;

use super::trace::{Change, Step};
use crate::load::random::Random;

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The contents of files by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

#[derive(Default)]
pub(super) struct Disk {
    files: BTreeMap<String, File>,
    /// Whether the disk does what a sync asks for.
    honest: bool,
}

#[derive(Default)]
struct File {
    /// What survives for certain.
    safe: Vec<u8>,
    /// What came after the last sync.
    pending: Vec<Change>,
}

impl Disk {
    /// A disk that keeps what was synced.
    pub(super) fn honest() -> Self {
        Self { files: BTreeMap::new(), honest: true }
    }

    /// A disk that ignores syncs, to see that a missing one would be noticed.
    pub(super) fn forgetful() -> Self {
        Self::default()
    }

    /// Does what a call did.
    pub(super) fn take(&mut self, step: &Step) {
        let file = self.files.entry(step.file.clone()).or_default();
        match &step.change {
            Change::Sync if self.honest => {
                let File { safe, pending } = file;
                pending.drain(..).for_each(|change| apply(safe, &change));
            }
            Change::Sync => {}
            Change::Remove => drop(self.files.remove(&step.file)),
            change @ (Change::Write { .. } | Change::Truncate { .. }) => {
                file.pending.push(change.clone());
            }
        }
    }

    /// What the disk holds after the power went.
    pub(super) fn cut(&self, random: &mut Random) -> Files {
        // Some cuts lose nearly all, some nearly nothing.
        let kept = random.of(0..5);
        let survivors = self.files.iter().map(|(name, file)| {
            let mut bytes = file.safe.clone();
            for change in &file.pending {
                match random.of(0..5) {
                    luck if luck < kept => apply(&mut bytes, change),
                    luck if luck == kept => tear(&mut bytes, change, random),
                    _ => {}
                }
            }
            (name.clone(), bytes)
        });
        survivors.collect()
    }
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => write(file, *offset, bytes),
        Change::Truncate { length } => file.resize(*length, 0),
        Change::Sync | Change::Remove => {}
    }
}

/// Does some sectors of a write.
fn tear(file: &mut Vec<u8>, change: &Change, random: &mut Random) {
    let Change::Write { offset, bytes } = change else { return };
    let (mut at, mut rest) = (*offset, bytes.as_slice());
    while !rest.is_empty() {
        let (sector, behind) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
        if random.once_in(2) {
            write(file, at, sector);
        }
        (at, rest) = (at + sector.len(), behind);
    }
}

fn write(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[offset..end].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(change: Change) -> Step {
        Step { begin: 0, end: 0, file: "f".into(), change }
    }

    fn write_at(offset: usize, byte: u8, count: usize) -> Step {
        step(Change::Write { offset, bytes: vec![byte; count] })
    }

    /// The different contents that many cuts leave.
    fn contents(disk: &Disk) -> std::collections::BTreeSet<Vec<u8>> {
        let mut random = Random::new(7);
        (0..500).filter_map(|_| disk.cut(&mut random).remove("f")).collect()
    }

    #[test]
    fn what_was_synced_survives_every_cut() {
        let mut disk = Disk::honest();
        [write_at(0, 1, 1000), step(Change::Sync)].iter().for_each(|step| disk.take(step));
        assert_eq!(contents(&disk), [vec![1; 1000]].into());
        let mut disk = Disk::forgetful();
        [write_at(0, 1, 1000), step(Change::Sync)].iter().for_each(|step| disk.take(step));
        assert!(contents(&disk).contains(&vec![]));
    }

    #[test]
    fn what_was_not_synced_is_lost_kept_or_torn() {
        let mut disk = Disk::honest();
        let steps = [write_at(0, 1, 1024), step(Change::Sync), write_at(0, 2, 1024)];
        steps.iter().for_each(|step| disk.take(step));
        let half = |first: u8, second: u8| [vec![first; 512], vec![second; 512]].concat();
        assert_eq!(contents(&disk), [half(1, 1), half(2, 1), half(1, 2), half(2, 2)].into());
    }

    #[test]
    fn later_writes_may_survive_earlier_ones() {
        let mut disk = Disk::honest();
        [write_at(0, 1, 1), write_at(1, 2, 1)].iter().for_each(|step| disk.take(step));
        assert_eq!(contents(&disk), [vec![], vec![1], vec![0, 2], vec![1, 2]].into());
    }
}
