//! What tenants and callers have used of their quotas.

use legation_core::Scope;
use legation_core::store::{Day, Usage, Used};

use super::failure::Failure;
use super::scopes::{Names, names};
use super::session::Session;

/// What the tenant of a scope has used, and its owner.
pub(super) async fn used(session: &Session, scope: &Scope, day: Day) -> Result<Used, Failure> {
    let Names { deployment, tenant, owner, .. } = names(scope);
    let select = "
        SELECT s.is_tenant, u.tasks, u.bytes FROM (
            SELECT key, TRUE AS is_tenant FROM scopes
            WHERE deployment = $1 AND tenant = $2 AND owner = '' AND agent = ''
            UNION ALL
            SELECT key, FALSE FROM scopes
            WHERE deployment = $1 AND tenant = $2 AND owner = $3 AND agent = '') s
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(tasks) FILTER (WHERE day = $4), 0)::bigint AS tasks,
                coalesce(sum(bytes), 0)::bigint AS bytes
            FROM usage WHERE scope = s.key AND is_tenant = s.is_tenant) u";
    let mut used = Used::default();
    for row in session.query(select, &[&deployment, &tenant, &owner, &day.0]).await? {
        let number = |column| -> Result<u64, Failure> {
            Ok(u64::try_from(row.try_get::<_, i64>(column)?).unwrap_or(0))
        };
        let usage = Usage { tasks: number(1)?, bytes: number(2)? };
        match row.try_get(0)? {
            true => used.tenant = usage,
            false => used.caller = usage,
        }
    }
    Ok(used)
}
