//! What the contract promises, one function a promise. `contract_suite` makes a test of each.

pub mod changes;
pub mod ends;
pub mod ownership;
pub mod plans;
pub mod requests;
pub mod scene;
pub mod synchronization;
pub mod tasks;

/// Makes a test of each promise. `$run` is given a function from a [`Bench`](super::bench::Bench) to a boxed future, and runs
/// it over a new store. The module `suite` must be in scope.
macro_rules! contract_suite {
    ($run:path) => {
        contract_suite! { $run;
            ownership::a_workflow_belongs_to_one_until_its_lease_runs_out,
            ownership::a_workflow_that_is_given_back_is_free_at_once,
            ownership::an_owner_hears_of_requests_that_it_does_not_know_under_its_epoch,
            ownership::workflows_are_taken_in_the_order_of_their_creation_up_to_the_limit,
            ownership::workflows_of_another_affinity_are_left,
            ownership::nothing_that_a_former_owner_writes_changes_anything,
            ownership::a_workflow_starts_once,
            tasks::a_task_that_is_queued_twice_is_there_once,
            tasks::a_task_is_claimed_by_one,
            tasks::claims_follow_the_priority_up_to_the_limit,
            tasks::claims_are_for_the_platform_and_the_affinity,
            tasks::a_claim_that_was_lost_ends_nothing,
            tasks::a_claim_that_ended_is_known_again,
            tasks::an_end_says_when_the_task_may_be_claimed_again,
            tasks::a_failure_for_good_is_an_end_with_its_error,
            tasks::a_silent_worker_counts_as_a_failure_until_there_are_too_many,
            tasks::a_renewed_claim_is_not_returned_to_the_queue,
            tasks::ends_are_answered_in_their_order,
            tasks::a_worker_learns_what_its_tables_are,
            plans::a_plan_is_written_once,
            plans::a_plan_collects_the_analysis_and_moves_nothing_that_has_not_changed,
            plans::a_table_is_planned_also_if_nobody_said_that_it_is_analyzed,
            plans::partitions_are_read_by_phase_in_order,
            synchronization::a_state_belongs_to_one_workflow_until_it_has_ended,
            synchronization::a_plan_from_an_older_state_is_refused_and_analyzed_again,
            synchronization::a_plan_whose_state_was_taken_writes_nothing,
            synchronization::a_load_moves_the_state_on,
            synchronization::a_table_whose_state_was_taken_does_not_run_again_and_says_so,
            changes::changes_of_all_kinds_are_applied_together_and_again,
            changes::only_the_attempt_that_won_is_staged_and_loaded,
            changes::what_has_ended_stays_so,
            changes::a_table_completes_only_from_executing,
            changes::a_table_that_fails_takes_its_tasks_along,
            changes::a_load_is_whole_or_nothing,
            changes::what_is_applied_is_collected,
            requests::a_paused_workflow_or_table_gives_no_task_out,
            requests::a_cancelled_claim_ends_nothing_and_gives_up_its_lease,
            requests::a_cancelled_table_keeps_what_is_loaded,
            requests::what_failed_runs_again_under_new_attempts,
            requests::a_table_that_was_never_planned_is_analyzed_again,
            requests::a_workflow_that_has_ended_runs_again,
            requests::of_two_commands_at_once_one_is_taken,
            requests::a_cancellation_ends_what_else_was_asked,
            requests::a_request_to_run_again_is_withdrawn_only_while_its_workflow_is_cancelled,
            ends::a_workflow_ends_when_its_tables_have_and_not_before,
            ends::a_workflow_does_not_end_over_a_request_that_its_owner_does_not_know,
            ends::tasks_that_are_left_end_with_their_workflow,
        }
    };
    ($run:path; $($group:ident::$test:ident),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                $run(|bench| ::std::boxed::Box::pin(suite::$group::$test(bench)));
            }
        )*
    };
}
pub(crate) use contract_suite;
