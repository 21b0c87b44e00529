//! The bounds of the audit log.

use legation::AuditLimits;

use crate::config::form::{count, time};
use crate::config::setting::{Group, Row, leaf, row};

impl Group for AuditLimits {
    const ROWS: &'static [Row<Self>] = &[
        row("keep", "Entries older than this are removed", |a| leaf(&mut a.keep, time())),
        row("entries", "Entries at most; the oldest are removed first", |a| {
            leaf(&mut a.entries, count())
        }),
        row(
            "distinct",
            "Different refusals within a minute that get entries of their own, half of them for callers that nobody knows; of more there is the number alone",
            |a| leaf(&mut a.distinct, count()),
        ),
    ];
}
