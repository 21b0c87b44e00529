//! The numbers that stand for scopes in rows.

use std::sync::Arc;

use legation_core::Scope;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::failure::Failure;

/// The numbers of a full scope.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// Its own.
    pub(super) scope: i64,
    /// That of its owner without an agent, where contexts are.
    pub(super) owner: i64,
}

/// The agent of an owner's own scope, which none has for a name.
const NO_AGENT: &str = "";

/// The scopes of recent rows.
pub(super) type Scopes = crate::scopes::Scopes<Numbers>;

/// The scope with this number.
pub(super) fn of_number(
    scopes: &Scopes,
    connection: &Connection,
    number: i64,
) -> Result<Scope, Failure> {
    if let Some(scope) = scopes.of_number(number) {
        return Ok(scope);
    }
    let mut select = connection
        .prepare_cached("SELECT deployment, tenant, owner, agent FROM scopes WHERE key = ?1")?;
    let scope = select.query_row([number], |row| {
        let text = |column| row.get::<_, Arc<str>>(column);
        let (owner, agent) = (Some(text(2)?), Some(text(3)?));
        Ok(Scope { deployment: text(0)?, tenant: text(1)?, owner, agent })
    })?;
    scopes.note(number, scope.clone());
    Ok(scope)
}

/// Finds or makes the numbers of a full scope within a transaction.
pub(super) fn intern(connection: &Connection, scope: &Scope) -> Result<Numbers, Failure> {
    let Some(agent) = &scope.agent else {
        return Err(Failure::unreadable("a new row needs an agent"));
    };
    let (owner, scope) =
        (intern_with(connection, scope, NO_AGENT)?, intern_with(connection, scope, agent)?);
    Ok(Numbers { scope, owner })
}

fn intern_with(connection: &Connection, scope: &Scope, agent: &str) -> Result<i64, Failure> {
    let Scope { deployment, tenant, owner: Some(owner), .. } = scope else {
        return Err(Failure::unreadable("a new row needs an owner"));
    };
    let place = params![deployment, tenant, owner, agent];
    let mut select = connection.prepare_cached(
        "SELECT key FROM scopes
         WHERE deployment = ?1 AND tenant = ?2 AND owner = ?3 AND agent = ?4",
    )?;
    if let Some(number) = select.query_row(place, |row| row.get(0)).optional()? {
        return Ok(number);
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO scopes (deployment, tenant, owner, agent) VALUES (?1, ?2, ?3, ?4)",
    )?;
    Ok(insert.insert(place)?)
}

/// The numbers of all scopes that lie within one. Its owner, when given, leads the search, so that
/// a caller pays nothing for the other callers of the tenant.
pub(super) fn within(connection: &Connection, scope: &Scope) -> Result<Vec<i64>, Failure> {
    let sql = if scope.owner.is_some() {
        "SELECT key FROM scopes
         WHERE deployment = ?1 AND tenant = ?2 AND owner = ?3 AND (?4 IS NULL OR agent = ?4)"
    } else {
        "SELECT key FROM scopes
         WHERE deployment = ?1 AND tenant = ?2 AND ?3 IS NULL AND (?4 IS NULL OR agent = ?4)"
    };
    let mut select = connection.prepare_cached(sql)?;
    let place = params![scope.deployment, scope.tenant, scope.owner, scope.agent];
    let numbers = select.query_map(place, |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}
