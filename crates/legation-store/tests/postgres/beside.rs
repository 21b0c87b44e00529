//! Integration tokens and the audit log, which lie beside the tasks.

use legation_core::{
    Actor, AuditAction, AuditEvent, AuditLog as _, AuditOutcome, IntegrationToken,
    IntegrationTokens as _, Scopes,
};
use legation_store::postgres::{AuditLimits, AuditQuery, PostgresAudit, PostgresTokens};

use super::*;

const ALL: AuditQuery =
    AuditQuery { since: None, action: None, tenant: None, subject: None, limit: 10_000 };

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis).expect("in range")
}

fn token(id: &str, name: &str) -> IntegrationToken {
    IntegrationToken {
        id: id.into(),
        name: name.into(),
        tenant: "t".into(),
        subject: "s".into(),
        scopes: Scopes::Only(["read".into(), "send".into()].into()),
        agents: None,
        created_at: at(1),
        expires_at: Some(at(9)),
        revoked_at: None,
        last_used_at: None,
        digest: [1; 32],
        earlier: None,
    }
}

fn found(tokens: &PostgresTokens, id: &str) -> IntegrationToken {
    tokens.find(id).expect("readable").expect("it is there")
}

#[tokio::test]
async fn a_token_is_kept_rotated_and_revoked_for_every_replica() {
    let place = place!();
    let (one, other) = (open(&place), open(&place));
    let (server, command) = (one.tokens("d"), other.tokens("d"));
    assert!(server.find("a").expect("readable").is_none());
    assert!(server.find("a\0").expect("readable").is_none());
    assert!(command.add(&token("a", "ci")).await.expect("writable"));
    let seen = found(&server, "a");
    assert_eq!((&*seen.name, &*seen.tenant, &*seen.subject), ("ci", "t", "s"));
    assert_eq!(seen.scopes, Scopes::Only(["read".into(), "send".into()].into()));
    assert_eq!((seen.agents.as_deref(), seen.expires_at), (None, Some(at(9))));
    assert_eq!((seen.digest, seen.earlier), ([1; 32], None));

    assert!(command.rotate("a", &[2; 32], at(5)).await.expect("writable"));
    let seen = found(&server, "a");
    assert_eq!((seen.digest, seen.earlier), ([2; 32], Some(([1; 32], at(5)))));
    assert!(command.revoke("a", at(6)).await.expect("writable"));
    let seen = found(&server, "a");
    assert_eq!((seen.revoked_at, seen.earlier), (Some(at(6)), None));
    assert!(!command.revoke("a", at(7)).await.expect("writable"), "once");
    assert!(!command.rotate("a", &[3; 32], at(8)).await.expect("writable"), "not when revoked");
    assert!(!command.revoke("b", at(7)).await.expect("writable"), "there is none");
}

#[tokio::test]
async fn a_name_is_one_tokens_until_that_is_revoked_and_deployments_do_not_meet() {
    let place = place!();
    let store = open(&place);
    let (tokens, other) = (store.tokens("d"), store.tokens("e"));
    let narrow = IntegrationToken {
        scopes: Scopes::All,
        agents: Some(["x".into()].into()),
        expires_at: None,
        ..token("b", "ci")
    };
    assert!(tokens.add(&token("a", "ci")).await.expect("writable"));
    assert!(!tokens.add(&narrow).await.expect("writable"), "the name is taken");
    assert!(other.add(&narrow).await.expect("writable"), "by another deployment's it is not");
    assert!(other.find("a").expect("readable").is_none());
    assert!(!other.revoke("a", at(2)).await.expect("writable"));
    assert!(tokens.find("b").expect("readable").is_none());
    assert!(tokens.revoke("a", at(2)).await.expect("writable"));
    assert!(tokens.add(&narrow).await.expect("writable"));
    let listed = tokens.list().await.expect("readable");
    assert_eq!(listed.iter().map(|it| it.id.to_string()).collect::<Vec<_>>(), ["a", "b"]);
    let seen = found(&tokens, "b");
    assert_eq!((seen.scopes, seen.agents.as_deref()), (Scopes::All, Some(&["x".into()][..])));
}

#[tokio::test]
async fn a_last_use_is_written_later_and_none_is_lost() {
    let place = place!();
    let store = open(&place);
    let tokens = store.tokens("d");
    assert!(tokens.add(&token("a", "ci")).await.expect("writable"));
    let last = || found(&tokens, "a").last_used_at;
    let used = |millis| tokens.note_use(&"a".into(), at(millis));
    used(1_000);
    assert_eq!(last(), None, "not in the path of the call");
    tokens.write_uses(at(1_000)).await.expect("writable");
    assert_eq!(last(), Some(at(1_000)));
    used(2_000);
    tokens.write_uses(at(3_000)).await.expect("writable");
    assert_eq!(last(), Some(at(1_000)), "once a minute");
    tokens.close().await.expect("writable");
    assert_eq!(last(), Some(at(2_000)));
}

fn event(subject: &str, action: AuditAction, target: &str) -> AuditEvent {
    let actor = Actor {
        tenant: "t".into(),
        subject: subject.into(),
        scheme: "bearer".into(),
        address: Some([10, 0, 0, 1].into()),
    };
    AuditEvent::new(actor, action, AuditOutcome::Done).to(target).saying("why\0")
}

async fn targets(log: &PostgresAudit, query: &AuditQuery) -> Vec<String> {
    let entries = log.list(query).await.expect("readable");
    entries.into_iter().map(|(_, entry)| entry.event.target).collect()
}

#[tokio::test]
async fn what_happened_is_found_again_by_every_replica() {
    let place = place!();
    let (one, two) = (open(&place), open(&place));
    let log = one.audit("d", AuditLimits::default());
    let command = two.audit("d", AuditLimits::default());
    let other = two.audit("e", AuditLimits::default());
    let erased = event("ann\0", AuditAction::EraseContext, "1");
    log.record(erased.clone()).await.expect("writable");
    let entries = command.list(&ALL).await.expect("readable");
    assert_eq!((entries.len(), &entries[0].1.event, entries[0].1.count), (1, &erased, 1));
    log.note(event("bob", AuditAction::Call, "2"));
    assert_eq!(targets(&command, &ALL).await, ["1"], "not in the path of the call");
    log.write_noted(Timestamp::now()).await.expect("writable");
    command.record(event("ann\0", AuditAction::Call, "3")).await.expect("writable");
    log.note(event("ann\0", AuditAction::Call, "4"));
    log.close().await.expect("writable");
    assert!(other.list(&ALL).await.expect("readable").is_empty(), "another deployment's");

    let last = command.list(&ALL).await.expect("readable")[3].1.at;
    let later = Timestamp::from_millis(last.as_millis() + 1);
    let cases: [(AuditQuery, &[&str]); 7] = [
        (ALL, &["1", "2", "3", "4"]),
        (AuditQuery { limit: 2, ..ALL }, &["3", "4"]),
        (AuditQuery { action: Some(AuditAction::Call), ..ALL }, &["2", "3", "4"]),
        (AuditQuery { subject: Some("ann\0".into()), ..ALL }, &["1", "3", "4"]),
        (AuditQuery { tenant: Some("t".into()), limit: 1, ..ALL }, &["4"]),
        (AuditQuery { tenant: Some("u".into()), ..ALL }, &[]),
        (AuditQuery { since: later, ..ALL }, &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(targets(&command, &query).await, expected, "{query:?}");
    }
    let last = command.last(AuditAction::EraseContext).await.expect("readable").expect("one");
    assert_eq!(last.event, erased);
}

#[tokio::test]
async fn entries_are_never_changed_and_go_from_the_oldest() {
    let place = place!();
    let store = open(&place);
    let limits = AuditLimits { entries: 2_500, ..AuditLimits::default() };
    let log = store.audit("d", limits);
    let other = store.audit("e", limits);
    other.record(event("ann", AuditAction::Call, "theirs")).await.expect("writable");
    log.record(event("ann", AuditAction::Call, "0")).await.expect("writable");
    let copies = "
        INSERT INTO audit (deployment, at, tenant, subject, scheme, address, action, outcome, target,
            detail, count)
        SELECT deployment, at, tenant, subject, scheme, address, action, outcome, s.x::text, detail,
            count
        FROM audit, generate_series(1, 4000) AS s (x) WHERE deployment = 'd' ORDER BY s.x";
    sql(&place, copies).await.expect("many entries");
    let refused = [
        ("UPDATE audit SET subject = 'eve' WHERE target = '7'", "never changed"),
        ("TRUNCATE audit", "never changed"),
        ("DELETE FROM audit WHERE target = '7'", "only the oldest"),
        ("DELETE FROM audit WHERE target IN ('0', '4000')", "only the oldest"),
    ];
    for (statement, expected) in refused {
        let error = sql(&place, statement).await.expect_err(statement);
        let words = format!("{:?}", error.as_db_error().map(|error| error.message()));
        assert!(words.contains(expected), "{statement}: {words}");
    }
    let now = Timestamp::now();
    assert_eq!(log.forget(now).await.expect("writable"), 1_501);
    let left = targets(&log, &ALL).await;
    assert_eq!((left.len(), &*left[0], &*left[2_499]), (2_500, "1501", "4000"));
    assert_eq!(log.forget(now).await.expect("writable"), 0);
    let in_days =
        |days: i64| Timestamp::from_millis(now.as_millis() + days * 86_400_000).expect("in range");
    assert_eq!(log.forget(in_days(89)).await.expect("writable"), 0);
    assert_eq!(log.forget(in_days(91)).await.expect("writable"), 2_500);
    assert_eq!(targets(&other, &ALL).await, ["theirs"]);
}

#[tokio::test]
async fn what_the_operator_does_to_tokens_is_in_the_log_and_nothing_else_is() {
    let place = place!();
    let store = open(&place);
    let tokens = store.tokens("d");
    assert!(tokens.add(&token("a", "ci")).await.expect("writable"));
    assert!(!tokens.add(&token("a", "ci")).await.expect("writable"), "it is there");
    assert!(tokens.rotate("a", &[8; 32], at(5)).await.expect("writable"));
    assert!(!tokens.rotate("b", &[8; 32], at(5)).await.expect("writable"));
    assert!(tokens.revoke("a", at(6)).await.expect("writable"));
    assert!(!tokens.revoke("a", at(6)).await.expect("writable"));
    let log = store.audit("d", AuditLimits::default());
    let entries = log.list(&ALL).await.expect("readable");
    let events: Vec<_> = entries.iter().map(|(_, entry)| &entry.event).collect();
    let actions: Vec<_> = events.iter().map(|event| event.action.name()).collect();
    assert_eq!(actions, ["key.create", "key.rotate", "key.revoke"]);
    assert!(events.iter().all(|event| event.target == "a"));
    assert!(events.iter().all(|event| event.actor == Actor::operator()));
}
