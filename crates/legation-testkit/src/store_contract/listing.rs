//! Listings against a model that keeps everything in a vector.

use legation_core::store::{Place, Query, TaskKey};
use legation_core::{Scope, TaskStore};
use legation_model::{ContextId, TaskState, Timestamp};

use super::Open;
use super::fixture::{Dice, Draft, at, context, home, keys, list, scope, write};

const CONTEXTS: [&str; 3] = ["one", "two", "three"];
const STATES: [TaskState; 4] =
    [TaskState::Submitted, TaskState::Working, TaskState::InputRequired, TaskState::Completed];
const MOMENTS: u64 = 40;

/// A task as the model knows it.
struct Known {
    scope: Scope,
    context_id: ContextId,
    state: TaskState,
    place: Place,
}

/// The keys of a page, the total, and whether there is more.
type Answer = (Vec<TaskKey>, u64, bool);

fn expected(model: &[Known], scope: &Scope, query: &Query) -> Answer {
    let fits = |known: &&Known| {
        let within = |asked: &Option<_>, of: &Option<_>| asked.is_none() || asked == of;
        within(&scope.owner, &known.scope.owner)
            && within(&scope.agent, &known.scope.agent)
            && query.context_id.as_ref().is_none_or(|context_id| *context_id == known.context_id)
            && query.state.is_none_or(|state| state == known.state)
            && query.since.is_none_or(|since| since <= known.place.status_at)
    };
    let order = |place: &Place| (place.status_at, place.key);
    let mut places: Vec<Place> = model.iter().filter(fits).map(|known| known.place).collect();
    places.sort_by_key(|place| std::cmp::Reverse(order(place)));
    let total = places.len() as u64;
    places.retain(|place| query.after.is_none_or(|after| order(place) < order(&after)));
    let more = places.len() > query.limit;
    (places.iter().take(query.limit).map(|place| place.key).collect(), total, more)
}

async fn answer(store: &dyn TaskStore, scope: &Scope, query: &Query) -> Answer {
    let page = list(store, scope, query).await;
    (keys(&page.tasks), page.total, page.more)
}

/// Writes some hundred random changes; few moments and contexts, so that many of them meet.
async fn fill(store: &dyn TaskStore, dice: &mut Dice) -> Vec<Known> {
    let scopes = [("a", "x"), ("a", "y"), ("b", "x")]
        .map(|(owner, agent)| scope("deployment", "tenant", Some(owner), Some(agent)));
    let mut drafts = Vec::new();
    let mut model: Vec<Known> = Vec::new();
    for _ in 0..400 {
        let (state, moment) = (dice.pick(&STATES), dice.roll(MOMENTS) as i64);
        if model.is_empty() || dice.roll(2) == 0 {
            let place = &scopes[dice.roll(3) as usize];
            let draft = Draft::new(store).within(place, dice.pick(&CONTEXTS));
            let (scope, context_id) = (draft.scope.clone(), draft.context_id.clone());
            let place = Place { status_at: at(moment), key: draft.key };
            model.push(Known { scope, context_id, state, place });
            drafts.push(draft);
        }
        let task = match drafts.last() {
            Some(newest) if newest.last == 0 => drafts.len() - 1,
            _ => dice.roll(drafts.len() as u64) as usize,
        };
        write(store, [drafts[task].add(1, state, moment)]).await;
        model[task].state = state;
        model[task].place.status_at = at(moment);
    }
    model
}

fn random_query(dice: &mut Dice) -> Query {
    let mut sometimes =
        |one_of: u64, bound: u64| (dice.roll(one_of) == 0).then(|| dice.roll(bound));
    let moment = |millis: u64| at(millis as i64);
    Query {
        context_id: sometimes(3, 3).map(|place| context(CONTEXTS[place as usize])),
        state: sometimes(3, 4).map(|place| STATES[place as usize]),
        since: sometimes(3, MOMENTS).map(moment),
        after: sometimes(2, MOMENTS * 200).map(|place| Place {
            status_at: moment(place / 200),
            key: TaskKey((place % 200) as i64),
        }),
        limit: sometimes(1, 30).map_or(1, |limit| limit as usize),
    }
}

/// Filters, order, totals and page ends are those of the simplest way to do it.
pub async fn listings_equal_those_of_a_simple_model(open: Open<'_>) {
    let store = open();
    let mut dice = Dice::new(2);
    let model = fill(&*store, &mut dice).await;
    let owners = [Some("a"), Some("b"), Some("nobody"), None];
    for _ in 0..500 {
        let (owner, agent) = (dice.pick(&owners), dice.pick(&[Some("x"), Some("y"), None]));
        let scope = scope("deployment", "tenant", owner, agent);
        let query = random_query(&mut dice);
        let answer = answer(&*store, &scope, &query).await;
        assert_eq!(answer, expected(&model, &scope, &query), "{scope:?} {query:?}");
    }
}

/// Following the places of a listing meets every task once, with its document.
pub async fn pages_follow_one_another_without_gap_or_repetition(open: Open<'_>) {
    let store = open();
    for number in 0..23 {
        let mut draft = Draft::new(&*store);
        write(&*store, [draft.settle(2, STATES[number % 4], (number / 5) as i64)]).await;
    }
    for limit in [1, 4, 23, 50] {
        let mut query = Query { limit, ..Query::default() };
        let mut met: Vec<(Timestamp, TaskKey)> = Vec::new();
        loop {
            let page = list(&*store, &home(), &query).await;
            assert_eq!(page.total, 23);
            assert!(page.tasks.iter().all(|task| task.document().is_some()));
            met.extend(page.tasks.iter().map(|task| (task.status_at, task.key)));
            let Some(last) = page.tasks.last().filter(|_| page.more) else { break };
            query.after = Some(Place { status_at: last.status_at, key: last.key });
        }
        assert_eq!(met.len(), 23, "pages of {limit}");
        assert!(met.is_sorted_by(|one, next| one > next), "pages of {limit}");
    }
}
