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
        SELECT u.is_tenant, coalesce(sum(u.tasks) FILTER (WHERE u.day = $4), 0)::bigint,
            sum(u.bytes)::bigint
        FROM scopes s JOIN usage u ON u.scope = s.key
            AND (u.is_tenant AND s.owner = '' OR NOT u.is_tenant AND s.owner = $3)
        WHERE s.deployment = $1 AND s.tenant = $2 AND s.agent = '' AND s.owner IN ('', $3)
        GROUP BY u.is_tenant";
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
