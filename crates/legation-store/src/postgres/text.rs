//! Names as PostgreSQL can hold them: its texts take every character but NUL.
//!
//! A name may come from outside, a subject of somebody's token for one, so NUL is written as two other
//! characters rather than refused. Names of tasks and contexts never have it.

use std::borrow::Cow;

/// Begins what stands for NUL, or for itself.
const MARK: char = '\u{1}';

/// A name as it is written.
pub(super) fn written(name: &str) -> Cow<'_, str> {
    if !name.contains(['\0', MARK]) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.replace(MARK, "\u{1}1").replace('\0', "\u{1}0"))
}

/// A name as it was before it was written.
pub(super) fn read(written: &str) -> Cow<'_, str> {
    if !written.contains(MARK) {
        return Cow::Borrowed(written);
    }
    Cow::Owned(written.replace("\u{1}0", "\0").replace("\u{1}1", "\u{1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_back_and_none_has_nul_while_it_is_away() {
        for name in
            ["", "ann", "\0", "a\0b", "\u{1}", "\u{1}0", "\u{1}1\0\u{1}", "\x0001", "\u{1}\0"]
        {
            let away = written(name);
            assert!(!away.contains('\0'), "{name:?}");
            assert_eq!(read(&away), name);
        }
    }
}
