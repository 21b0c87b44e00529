//! What a failure of PostgreSQL means to a caller, and to the connection.

use legation_core::store::StoreError;
use tokio_postgres::error::SqlState;

/// Why a statement or a stored row was of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// What the server or the connection to it said.
    #[error("PostgreSQL failed")]
    Postgres(#[from] tokio_postgres::Error),
    /// Nothing was said within the store's patience.
    #[error("the database did not answer in time")]
    Late,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// A row that should not be.
    #[error("{0}")]
    Unreadable(String),
}

/// What follows from a failed write, of which nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    /// It met another write; trying it again may succeed at once.
    Again,
    /// There may be room again later.
    Full,
    /// One of the writes is to blame, and not the database.
    Refused,
    /// Another try may succeed later, over this connection.
    Unavailable,
    /// The connection is of no use any more.
    Lost,
}

impl Failure {
    pub(super) fn unreadable(what: impl Into<String>) -> Self {
        Self::Unreadable(what.into())
    }

    /// Whether another transaction was in the way, so that it may succeed later.
    pub(super) fn is_of_locks(&self) -> bool {
        let codes = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
        matches!(self, Self::Postgres(error) if error.code().is_some_and(|it| codes.contains(it)))
    }

    /// What follows when this happened to a write.
    pub(super) fn consequence(&self) -> Consequence {
        match self {
            Self::Postgres(error) => error.code().map_or(Consequence::Lost, consequence),
            Self::Late | Self::Closed => Consequence::Lost,
            Self::Unreadable(_) => Consequence::Refused,
        }
    }
}

fn consequence(code: &SqlState) -> Consequence {
    let is_one_of = |codes: &[SqlState]| codes.contains(code);
    if is_one_of(&[
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
    ]) {
        return Consequence::Again;
    }
    if *code == SqlState::DISK_FULL {
        return Consequence::Full;
    }
    // Which side of a failover this is may be told by connecting again.
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return Consequence::Lost;
    }
    match code.code().get(..2) {
        // Data exceptions, constraints, and limits such as that of an index's row.
        Some("22" | "23" | "54") => Consequence::Refused,
        Some("08" | "57") if *code != SqlState::QUERY_CANCELED => Consequence::Lost,
        _ => Consequence::Unavailable,
    }
}

impl From<Failure> for StoreError {
    /// As it is told to who asked, be it for a read or a write.
    fn from(failure: Failure) -> Self {
        match (&failure, failure.consequence()) {
            (_, Consequence::Full) => Self::Full,
            (_, Consequence::Refused) => Self::damaged(failure),
            (_, Consequence::Again | Consequence::Unavailable | Consequence::Lost) => {
                Self::unavailable(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_is_told_by_the_code() {
        let cases = [
            (SqlState::T_R_DEADLOCK_DETECTED, Consequence::Again),
            (SqlState::UNIQUE_VIOLATION, Consequence::Again),
            (SqlState::DISK_FULL, Consequence::Full),
            (SqlState::CHARACTER_NOT_IN_REPERTOIRE, Consequence::Refused),
            (SqlState::PROGRAM_LIMIT_EXCEEDED, Consequence::Refused),
            (SqlState::QUERY_CANCELED, Consequence::Unavailable),
            (SqlState::UNDEFINED_TABLE, Consequence::Unavailable),
            (SqlState::ADMIN_SHUTDOWN, Consequence::Lost),
            (SqlState::READ_ONLY_SQL_TRANSACTION, Consequence::Lost),
        ];
        for (code, expected) in cases {
            assert_eq!(consequence(&code), expected, "{}", code.code());
        }
    }
}
