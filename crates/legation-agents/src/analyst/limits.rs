//! How much one request may hold.
//!
//! The analyst works on data a stranger sends, in memory and in one go, so every dimension has a
//! bound. Going over one is [`BadData`](super::BadData) that names the bound, never a silent cut.
//! Together they bound the memory of a request: the text of its tables, 8 bytes per cell, and four
//! times 8 bytes per row for the column at work.

/// The most bytes the text parts of one request may hold together.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// The most bytes of words, without the data in them, that are read as an instruction. What is
/// longer is no instruction; a note says that the rest was left out.
pub const MAX_INSTRUCTION_BYTES: usize = 8 << 10;

/// The most bytes one attached file may hold, and the most that are fetched for one request, all
/// addresses together.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// The most addresses that are fetched for one request, those of earlier tasks included.
pub const MAX_ADDRESSES: usize = 8;

/// The most bytes of one JSON file: its tree takes many times as much.
pub const MAX_JSON_BYTES: usize = 8 << 20;

/// The most values, missing ones included, that one list in text or JSON may hold.
pub const MAX_VALUES: usize = 100_000;

/// The most rows of one CSV table.
pub const MAX_ROWS: usize = 4_000_000;

/// The most cells of one CSV table: 128 MiB once they are read.
pub const MAX_CELLS: usize = 16 << 20;

/// The most columns or fields that one table may have, labels included.
pub const MAX_COLUMNS: usize = 256;

/// The most series that one request may analyze.
pub const MAX_SERIES: usize = 64;

/// The most different words of a column that are kept; a column of more is free text.
pub const MAX_CATEGORIES: usize = 100_000;

/// The most groups that one answer lists.
pub const MAX_GROUPS: usize = 1_000;

/// The most steps a forecast goes ahead.
pub const MAX_STEPS: usize = 100;

/// The most columns that are correlated, each with each.
pub const MAX_CORRELATED: usize = 12;

/// The most outliers that a report lists for a series; it always gives their true number.
pub const MAX_LISTED_OUTLIERS: usize = 100;
