//! The contract of [`TaskStore`], as checks that every store runs.
//!
//! A check is given a function that opens the store in one and the same place, so it can leave the
//! store and come back. [`store_contract!`](crate::store_contract!) makes a test of each.

pub mod erasure;
pub mod fencing;
mod fixture;
pub mod keys;
pub mod lifecycle;
pub mod listing;
pub mod log;
pub mod results;
pub mod retention;
pub mod scopes;
pub mod usage;

use std::sync::Arc;

use legation_core::TaskStore;

/// Opens the store, which is to count what is used; every call opens the same one. The one before is
/// dropped by then.
pub type Open<'a> = &'a dyn Fn() -> Arc<dyn TaskStore>;

/// Makes a test of every rule for a store.
///
/// The argument is evaluated once in each test and gives the function that opens the store.
#[macro_export]
macro_rules! store_contract {
    ($home:expr) => {
        $crate::store_contract! { $home =>
            log::a_task_survives_its_store,
            log::entries_come_in_order_with_their_numbers,
            log::entries_are_limited_by_bytes_but_come_at_all,
            log::the_newest_snapshot_comes_with_what_follows_it,
            log::merged_appends_equal_separate_ones,
            log::keys_are_new_also_after_a_restart,
            fencing::a_lower_epoch_is_refused_and_a_higher_one_takes_over,
            fencing::entry_numbers_neither_repeat_nor_leave_a_gap,
            fencing::a_refused_append_fails_alone,
            keys::a_key_belongs_to_one_task,
            keys::a_further_message_has_a_key_of_its_own,
            keys::an_append_takes_all_its_keys_or_none,
            keys::a_direct_answer_is_kept_with_its_key,
            keys::a_sweep_removes_what_old_keys_stand_for,
            scopes::what_is_foreign_does_not_exist,
            scopes::a_context_of_somebody_else_is_another_context,
            scopes::a_context_spans_the_agents_of_its_owner,
            scopes::a_scope_without_owner_or_agent_reaches_all_of_them,
            scopes::the_longest_names_that_the_service_lets_pass_are_kept,
            listing::listings_equal_those_of_a_simple_model,
            listing::pages_follow_one_another_without_gap_or_repetition,
            retention::a_sweep_removes_what_ended_before_a_moment,
            retention::a_sweep_takes_all_that_is_old,
            retention::a_context_goes_with_its_last_task,
            retention::a_context_that_was_removed_begins_anew,
            retention::unfinished_tasks_are_found_by_key,
            erasure::a_context_is_erased_with_all_that_its_scope_has_of_it,
            erasure::a_task_at_work_keeps_its_context,
            erasure::a_large_context_is_erased_whole,
            erasure::an_owner_is_erased_with_all_there_is,
            lifecycle::a_context_goes_idle_and_is_active_again,
            lifecycle::what_is_at_work_keeps_its_context_alive,
            lifecycle::a_context_expires_at_the_end_of_its_life,
            lifecycle::a_context_may_expire_without_having_been_idle,
            lifecycle::a_sweep_is_begun_when_it_is_due,
            results::a_result_outlives_its_task,
            results::a_result_is_its_owners,
            results::a_result_is_erased_with_its_context,
            results::a_later_task_of_the_same_name_leaves_the_result,
            usage::tasks_of_a_day_and_bytes_are_counted_for_tenants_and_callers,
            usage::what_is_refused_is_not_counted,
            usage::what_is_removed_gives_bytes_back_and_no_tasks,
        }
    };
    ($home:expr => $($module:ident :: $rule:ident),+ $(,)?) => {
        $(
            #[::tokio::test]
            async fn $rule() {
                let open = $home;
                $crate::store_contract::$module::$rule(&open).await;
            }
        )+
    };
}
