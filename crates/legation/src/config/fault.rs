//! What is wrong with a configuration, and where.

use std::fmt;

use super::yaml::At;

/// The most faults that are told at once; a file with more has one cause for many.
const MOST: usize = 50;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: At,
    /// The key, such as `agents.analyst.role`; empty where none is meant.
    pub(crate) path: String,
    pub(crate) what: String,
}

impl Fault {
    /// The fault as a line that editors can follow.
    pub(crate) fn in_file(&self, file: &str) -> String {
        let (At { line, column }, what) = (self.at, &self.what);
        match &*self.path {
            "" => format!("{file}:{line}:{column}: {what}"),
            path => format!("{file}:{line}:{column}: `{path}`: {what}"),
        }
    }
}

/// Everything that is wrong with a file, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) file: String,
    faults: Vec<Fault>,
}

impl Faults {
    /// Those of a file; at least one.
    pub(crate) fn new(file: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.at);
        Self { file: file.to_owned(), faults }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.faults.iter().take(MOST).enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{}", fault.in_file(&self.file))?;
        }
        match self.faults.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl std::error::Error for Faults {}
