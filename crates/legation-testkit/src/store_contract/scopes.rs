//! Whose rows a call reaches.

use legation_core::Scope;
use legation_core::store::{MOST_KEY_BYTES, MOST_NAME_BYTES, Query};
use legation_model::TaskState;

use super::Open;
use super::fixture::{Draft, context, home, keys, list, scope, write};

const WORKING: TaskState = TaskState::Working;

fn foreign_scopes() -> [Scope; 5] {
    let (owner, agent) = (Some("owner"), Some("agent"));
    [
        scope("deployment", "tenant", Some("stranger"), agent),
        scope("deployment", "tenant", owner, Some("another")),
        scope("deployment", "another", owner, agent),
        scope("another", "tenant", owner, agent),
        scope("another", "tenant", None, None),
    ]
}

/// No call tells a task of another scope from one that is not there.
pub async fn what_is_foreign_does_not_exist(open: Open<'_>) {
    let store = open();
    let mut draft = Draft::new(&*store).keyed("key", 1);
    write(&*store, [draft.add(2, WORKING, 1)]).await;
    let query = Query { limit: 9, ..Query::default() };
    let of_context = Query { context_id: Some(context("context")), ..query.clone() };
    for foreign in foreign_scopes() {
        let loaded = store.load(&foreign, &draft.id).await.expect("a readable store");
        assert!(loaded.is_none(), "{foreign:?}");
        let entries = store.entries(&foreign, draft.key, 0, usize::MAX).await;
        assert_eq!(entries.expect("a readable store"), [], "{foreign:?}");
        let remembered = store.remembered(&foreign, "key").await.expect("a readable store");
        assert_eq!(remembered, None, "{foreign:?}");
        for query in [&query, &of_context] {
            let page = list(&*store, &foreign, query).await;
            assert_eq!((page.tasks.len(), page.total, page.more), (0, 0, false), "{foreign:?}");
        }
    }
    let unfinished = store.unfinished("another", legation_core::store::TaskKey(0), 9).await;
    assert!(unfinished.expect("a readable store").is_empty());
    assert_eq!(list(&*store, &home(), &of_context).await.total, 1);
}

/// Who uses another's context id does not meet the other's tasks, nor learns that they exist.
pub async fn a_context_of_somebody_else_is_another_context(open: Open<'_>) {
    let store = open();
    let query = Query { context_id: Some(context("shared")), limit: 9, ..Query::default() };
    let [stranger, ..] = foreign_scopes();
    let mut mine = Draft::new(&*store).within(&home(), "shared");
    let mut theirs = Draft::new(&*store).within(&stranger, "shared");
    write(&*store, [mine.add(1, WORKING, 1), theirs.add(1, WORKING, 1)]).await;
    for draft in [mine, theirs] {
        let page = list(&*store, &draft.scope, &query).await;
        assert_eq!((keys(&page.tasks), page.total), (vec![draft.key], 1));
    }
}

/// A conversation with several agents is one; each agent shows its part of it only.
pub async fn a_context_spans_the_agents_of_its_owner(open: Open<'_>) {
    let store = open();
    let query = Query { context_id: Some(context("shared")), limit: 9, ..Query::default() };
    let places = [("a", "x"), ("a", "y"), ("b", "x")]
        .map(|(owner, agent)| scope("deployment", "tenant", Some(owner), Some(agent)));
    let mut drafts = Vec::new();
    for place in &places {
        for context_id in ["shared", "another"] {
            let mut draft = Draft::new(&*store).within(place, context_id);
            write(&*store, [draft.add(1, WORKING, 1)]).await;
            drafts.extend((context_id == "shared").then_some(draft.key));
        }
    }
    let all_agents = Scope { agent: None, ..places[0].clone() };
    let tenant = Scope { owner: None, ..all_agents.clone() };
    let cases: [(&Scope, &[usize]); 5] = [
        (&places[0], &[0]),
        (&places[1], &[1]),
        (&places[2], &[2]),
        (&all_agents, &[1, 0]),
        (&tenant, &[2, 1, 0]),
    ];
    for (asked, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|place| drafts[*place]).collect();
        let page = list(&*store, asked, &query).await;
        assert_eq!((page.total, keys(&page.tasks)), (expected.len() as u64, expected), "{asked:?}");
    }
}

/// An administrator of a tenant, or a caller of all agents, sees all of what lies within.
pub async fn a_scope_without_owner_or_agent_reaches_all_of_them(open: Open<'_>) {
    let store = open();
    let mut drafts = Vec::new();
    for place in [("a", "x"), ("a", "y"), ("b", "x")] {
        let place = scope("deployment", "tenant", Some(place.0), Some(place.1));
        let mut draft = Draft::new(&*store).within(&place, "context");
        write(&*store, [draft.add(1, WORKING, 1)]).await;
        drafts.push(draft);
    }
    let cases: [(Option<&str>, Option<&str>, &[usize]); 5] = [
        (None, None, &[2, 1, 0]),
        (Some("a"), None, &[1, 0]),
        (None, Some("x"), &[2, 0]),
        (Some("b"), Some("x"), &[2]),
        (Some("b"), Some("y"), &[]),
    ];
    for (owner, agent, expected) in cases {
        let asked = scope("deployment", "tenant", owner, agent);
        let expected: Vec<_> = expected.iter().map(|place| drafts[*place].key).collect();
        let page = list(&*store, &asked, &Query { limit: 9, ..Query::default() }).await;
        assert_eq!(keys(&page.tasks), expected, "{asked:?}");
        for draft in &drafts {
            let loaded = store.load(&asked, &draft.id).await.expect("a readable store");
            assert_eq!(loaded.is_some(), expected.contains(&draft.key), "{asked:?}");
        }
    }
}

/// Nothing that is in them makes them longer than a store can take.
pub async fn the_longest_names_that_the_service_lets_pass_are_kept(open: Open<'_>) {
    let store = open();
    // Names that no index makes shorter, and letters that a store may have to write in another way.
    let mut state = 1_u32;
    let mut any = |bytes| -> String {
        let letters = (0..bytes).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'0' + (state >> 24) as u8 % 64)
        });
        letters.collect()
    };
    let agent = any(63);
    let names =
        [(any(MOST_NAME_BYTES), any(MOST_NAME_BYTES)), ("\0".repeat(MOST_NAME_BYTES), any(1))];
    for (owner, tenant) in names {
        let scope = scope("deployment", &tenant, Some(&owner), Some(&agent));
        let key = any(MOST_KEY_BYTES);
        let mut draft = Draft::new(&*store).within(&scope, "context").keyed(&key, 1);
        write(&*store, [draft.add(1, WORKING, 1)]).await;
        assert_eq!(draft.load(&*store).await.scope, scope);
        let remembered = store.remembered(&scope, &key).await.expect("a readable store");
        assert!(remembered.is_some());
    }
}
