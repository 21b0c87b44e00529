//! How much one request may hold.
//!
//! The analyst works on data a stranger sends, in memory and in one go, so every dimension has a
//! bound. Going over one is [`BadData`](super::BadData) that names the bound, never a silent cut.

/// The most bytes the text parts of one request may hold together.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// The most bytes one CSV table may hold.
pub const MAX_TABLE_BYTES: usize = 4 << 20;

/// The most values, missing ones included, that one series may hold.
pub const MAX_VALUES: usize = 100_000;

/// The most columns or fields that one table may have, labels included.
pub const MAX_COLUMNS: usize = 256;

/// The most series that one request may bring.
pub const MAX_SERIES: usize = 64;

/// The most outliers that a report lists for a series; it always gives their true number.
pub const MAX_LISTED_OUTLIERS: usize = 100;
