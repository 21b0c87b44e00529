//! The numbers that stand for scopes in rows.

use std::collections::HashSet;
use std::sync::Arc;

use legation_core::Scope;
use legation_core::store::StoreError;
use tokio_postgres::Row;

use super::failure::Failure;
use super::session::Session;
use super::text::{self, written};

/// The numbers of a full scope.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// Its own.
    pub(super) scope: i64,
    /// That of its owner without an agent, where contexts are.
    pub(super) owner: i64,
    /// That of its tenant.
    pub(super) tenant: i64,
}

/// The scopes of recent rows.
pub(super) type Scopes = crate::scopes::Scopes<Numbers>;

/// Whether rows of a full scope can be written at all.
pub(super) fn check(scope: &Scope) -> Result<(), StoreError> {
    let Scope { deployment, tenant, owner: Some(owner), agent: Some(agent) } = scope else {
        return Err(StoreError::damaged("a row has an owner and an agent"));
    };
    let bytes = [deployment, tenant, owner, agent].map(|name| written(name).len());
    match bytes.iter().sum::<usize>() > MOST_BYTES {
        true => Err(StoreError::damaged("a tenant, a caller or an agent has too long a name")),
        false => Ok(()),
    }
}

/// The bytes of a scope's names, as they are written, that a row of an index takes with certainty. Those of
/// two names that the service lets pass are fewer, whatever letters they have.
const MOST_BYTES: usize = 2_640;

/// Learns the numbers of full scopes, which are made where they are new.
///
/// This is no part of the transaction that needs them: rows of scopes stay, so whoever makes one holds
/// it for nobody, and replicas that make the same do not wait for one another's appends.
pub(super) async fn learn(
    session: &Session,
    scopes: &Scopes,
    unknown: HashSet<&Scope>,
) -> Result<(), Failure> {
    for scope in unknown {
        let Scope { deployment, tenant, owner: Some(owner), agent: Some(agent) } = scope else {
            return Err(Failure::unreadable("a row has an owner and an agent"));
        };
        let [deployment, tenant, owner, agent] =
            [deployment, tenant, owner, agent].map(|name| written(name));
        let row = session
            .first(LEARN, &[&deployment, &tenant, &owner, &agent])
            .await?
            .ok_or_else(|| Failure::unreadable("a scope without a number"))?;
        let numbers = match numbers(&row)? {
            Some(numbers) => numbers,
            None => {
                session.execute(MAKE, &[&deployment, &tenant, &owner, &agent]).await?;
                let row = session.first(LEARN, &[&deployment, &tenant, &owner, &agent]).await?;
                row.as_ref()
                    .map_or(Ok(None), numbers)?
                    .ok_or_else(|| Failure::unreadable("a scope that cannot be made"))?
            }
        };
        scopes.learn(scope.clone(), numbers.scope, numbers);
    }
    Ok(())
}

/// In one order, so that two who make the same rows do not wait for each other.
const MAKE: &str = "
    INSERT INTO scopes (deployment, tenant, owner, agent)
    VALUES ($1, $2, '', ''), ($1, $2, $3, ''), ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

const LEARN: &str = "
    SELECT (SELECT key FROM scopes
            WHERE deployment = $1 AND tenant = $2 AND owner = $3 AND agent = $4),
           (SELECT key FROM scopes
            WHERE deployment = $1 AND tenant = $2 AND owner = $3 AND agent = ''),
           (SELECT key FROM scopes
            WHERE deployment = $1 AND tenant = $2 AND owner = '' AND agent = '')";

fn numbers(row: &Row) -> Result<Option<Numbers>, Failure> {
    let (scope, owner, tenant): (Option<i64>, Option<i64>, Option<i64>) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let all = scope.zip(owner).zip(tenant);
    Ok(all.map(|((scope, owner), tenant)| Numbers { scope, owner, tenant }))
}

/// The full scope with this number.
pub(super) async fn of_number(
    session: &Session,
    scopes: &Scopes,
    number: i64,
) -> Result<Scope, Failure> {
    if let Some(scope) = scopes.of_number(number) {
        return Ok(scope);
    }
    let select = "SELECT deployment, tenant, owner, agent FROM scopes WHERE key = $1";
    let row = session.first(select, &[&number]).await?;
    let row = row.ok_or_else(|| Failure::unreadable("a number of no scope"))?;
    let name =
        |column| -> Result<Arc<str>, Failure> { Ok(text::read(row.try_get(column)?).into()) };
    let (owner, agent) = (Some(name(2)?), Some(name(3)?));
    let scope = Scope { deployment: name(0)?, tenant: name(1)?, owner, agent };
    scopes.note(number, scope.clone());
    Ok(scope)
}

/// The numbers of all scopes that lie within one. Its owner, when given, leads the search, so that
/// a caller pays nothing for the other callers of the tenant.
pub(super) async fn within(
    session: &Session,
    scopes: &Scopes,
    scope: &Scope,
) -> Result<Vec<i64>, Failure> {
    if let Some(numbers) = scopes.numbers(scope) {
        return Ok(vec![numbers.scope]);
    }
    let Names { deployment, tenant, owner, agent } = names(scope);
    let rows = match owner {
        Some(owner) => {
            let select = "SELECT key FROM scopes WHERE deployment = $1 AND tenant = $2
                          AND owner = $3 AND ($4::text IS NULL OR agent = $4)";
            session.query(select, &[&deployment, &tenant, &owner, &agent]).await?
        }
        None => {
            let select = "SELECT key FROM scopes WHERE deployment = $1 AND tenant = $2
                          AND ($3::text IS NULL OR agent = $3)";
            session.query(select, &[&deployment, &tenant, &agent]).await?
        }
    };
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The names of a scope as they are written.
pub(super) struct Names<'a> {
    pub(super) deployment: std::borrow::Cow<'a, str>,
    pub(super) tenant: std::borrow::Cow<'a, str>,
    pub(super) owner: Option<std::borrow::Cow<'a, str>>,
    pub(super) agent: Option<std::borrow::Cow<'a, str>>,
}

pub(super) fn names(scope: &Scope) -> Names<'_> {
    Names {
        deployment: written(&scope.deployment),
        tenant: written(&scope.tenant),
        owner: scope.owner.as_deref().map(written),
        agent: scope.agent.as_deref().map(written),
    }
}
