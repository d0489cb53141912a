//! When something that failed is tried again, when it is asked first what became of it, and when it is given up: every number
//! and every decision about attempts. Pure: chance comes in as an argument.
//!
//! What is final names its remedy where it arises; the operator lets it run again with `snowhaul workflow retry`.

use std::time::Duration;

/// What a failure says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Nothing was done, and another attempt may help: a lock, an expired session, a deadlock.
    Transient,
    /// Nothing was done, because something outside is away: waiting helps, and what was tried is not to blame.
    Outage,
    /// The reply is lost: it may have been done. Only the truth tells.
    InDoubt,
    /// Nobody knows what it means. It may pass, and is tried again, but not for ever.
    Unexplained,
    /// Another attempt cannot help before somebody fixes what the error names.
    Permanent,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this pause.
    TryAgain(Duration),
    /// Ask, after this pause, what became of it; what was not done is tried again.
    AskWhatHappened(Duration),
    /// Try no more.
    GiveUp,
}

impl Decision {
    /// The pause before whatever follows; `None`: nothing does.
    pub fn pause(self) -> Option<Duration> {
        match self {
            Self::TryAgain(pause) | Self::AskWhatHappened(pause) => Some(pause),
            Self::GiveUp => None,
        }
    }
}

/// Attempts with growing pauses, and an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Failures after which nothing is tried any more.
    pub max_failures: u32,
    /// Longest pause after the first failure; each further one doubles it.
    pub base: Duration,
    /// Longest pause of all.
    pub cap: Duration,
}

impl RetryPolicy {
    /// Tasks: a partition that cannot be extracted fails alone after these.
    pub const TASK: Self = Self {
        max_failures: 5,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
    };

    /// Tasks whose source, or Snowflake, is away: about half an hour, which a warehouse that restarts or is resized needs.
    /// Past it the task has failed.
    pub const OUTAGE: Self = Self {
        max_failures: 48,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
    };

    /// Plans, which look the target up or create it; counted only while the checkpoint answers.
    pub const PLAN: Self = Self {
        max_failures: 20,
        base: Duration::from_millis(500),
        cap: Duration::from_secs(30),
    };

    /// Loads; counted only while the checkpoint answers.
    pub const LOAD: Self = Self {
        max_failures: 20,
        base: Duration::from_millis(500),
        cap: Duration::from_secs(30),
    };

    /// A statement of the checkpoint that is fenced or only reads, briefly: whoever asked for it goes on for longer.
    pub const STATEMENT: Self = Self {
        max_failures: 6,
        base: Duration::from_millis(200),
        cap: Duration::from_secs(5),
    };

    /// The choice of what may start under rate limits, which others make at the same time: for about a second.
    pub const LIMITS: Self = Self {
        max_failures: 7,
        base: Duration::from_millis(50),
        cap: Duration::from_millis(250),
    };

    /// What a worker needs to know of tasks that it has claimed already, before it gives them back.
    pub const CLAIMED_TABLES: Self = Self {
        max_failures: 4,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(5),
    };

    /// What nothing can go on without: changes of state, ends of tasks, questions to the checkpoint. For as long as whoever
    /// asks lives.
    pub const UNTIL_ANSWERED: Self = Self {
        max_failures: u32::MAX,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(5),
    };

    /// What nobody can explain: about three minutes, whatever a policy says of other failures.
    pub const UNEXPLAINED: Self = Self {
        max_failures: 10,
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
    };

    /// What to do after `failures` failures (1 = the first), of which this is the last. `chance` is anything from 0 to 1: it
    /// spreads those who failed together over the second half of the pause.
    pub fn decide(&self, failure: Failure, failures: u32, chance: f64) -> Decision {
        let policy = match failure {
            Failure::Unexplained => Self::UNEXPLAINED,
            _ => *self,
        };
        if failures >= policy.max_failures {
            return Decision::GiveUp;
        }
        let pause = policy.pause(failures, chance);
        match failure {
            Failure::Transient | Failure::Outage | Failure::Unexplained => {
                Decision::TryAgain(pause)
            }
            Failure::InDoubt => Decision::AskWhatHappened(pause),
            Failure::Permanent => Decision::GiveUp,
        }
    }

    /// The pause after `failures` failures (1 = the first), whether or not another attempt follows.
    pub fn pause(&self, failures: u32, chance: f64) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        let longest = self.base.saturating_mul(1 << doublings).min(self.cap);
        longest.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
    }
}

/// What becomes of a task that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskDecision {
    /// Back to the queue for so long, with one failure more.
    FailedFor(Duration),
    /// Back to the queue for so long, without blame.
    PostponedFor(Duration),
    /// It ends as failed.
    GiveUp,
}

/// What becomes of a task that failed after so many earlier failures and postponements. Each is counted by itself: an outage
/// takes no attempt away.
pub fn after_task(
    policy: &RetryPolicy,
    failure: Failure,
    (failures, postponed): (u32, u32),
    chance: f64,
) -> TaskDecision {
    match failure {
        Failure::Outage => RetryPolicy::OUTAGE
            .decide(failure, postponed.saturating_add(1), chance)
            .pause()
            .map_or(TaskDecision::GiveUp, TaskDecision::PostponedFor),
        // A task that is claimed again stages under a new attempt, so that nothing needs to be asked.
        Failure::Transient | Failure::InDoubt | Failure::Unexplained | Failure::Permanent => policy
            .decide(failure, failures.saturating_add(1), chance)
            .pause()
            .map_or(TaskDecision::GiveUp, TaskDecision::FailedFor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLICY: RetryPolicy = RetryPolicy {
        max_failures: 3,
        base: Duration::from_secs(2),
        cap: Duration::from_secs(3),
    };

    #[test]
    fn each_kind_of_failure_has_its_decision() {
        let seconds = Duration::from_secs;
        for (failure, failures, expected) in [
            (Failure::Transient, 1, Decision::TryAgain(seconds(2))),
            (Failure::Transient, 2, Decision::TryAgain(seconds(3))),
            (Failure::Transient, 3, Decision::GiveUp),
            (Failure::Outage, 1, Decision::TryAgain(seconds(2))),
            (Failure::InDoubt, 1, Decision::AskWhatHappened(seconds(2))),
            (Failure::InDoubt, 3, Decision::GiveUp),
            (Failure::Unexplained, 1, Decision::TryAgain(seconds(1))),
            (Failure::Unexplained, 9, Decision::TryAgain(seconds(60))),
            (Failure::Unexplained, 10, Decision::GiveUp),
            (Failure::Permanent, 1, Decision::GiveUp),
        ] {
            let decision = POLICY.decide(failure, failures, 1.0);
            assert_eq!(decision, expected, "{failure:?} {failures}");
        }
    }

    #[test]
    fn an_outage_takes_no_attempt_away_and_ends_after_about_half_an_hour() {
        let decide = |failure, counts| after_task(&POLICY, failure, counts, 1.0);
        let postponed = TaskDecision::PostponedFor(Duration::from_secs(1));
        assert_eq!(decide(Failure::Outage, (2, 0)), postponed);
        let failed = TaskDecision::FailedFor(Duration::from_secs(2));
        assert_eq!(decide(Failure::Transient, (0, 30)), failed);
        assert_eq!(decide(Failure::Transient, (2, 0)), TaskDecision::GiveUp);
        assert_eq!(decide(Failure::Permanent, (0, 0)), TaskDecision::GiveUp);
        let pauses = (0..).map_while(|n| match decide(Failure::Outage, (0, n)) {
            TaskDecision::PostponedFor(pause) => Some(pause * 3 / 4),
            TaskDecision::FailedFor(_) | TaskDecision::GiveUp => None,
        });
        let minutes = pauses.sum::<Duration>().as_secs() / 60;
        assert!((25..=40).contains(&minutes), "{minutes}");
    }

    proptest! {
        #[test]
        fn pauses_grow_up_to_the_cap_and_end(max_failures in 1u32..40, base in 1u64..5_000, cap in 1u64..100_000, chance in 0.0f64..=1.0) {
            let policy = RetryPolicy { max_failures, base: Duration::from_millis(base), cap: Duration::from_millis(cap) };
            let pauses: Vec<_> = (1..=max_failures + 3).map(|n| policy.decide(Failure::Transient, n, chance).pause()).collect();
            prop_assert_eq!(pauses.iter().flatten().count() as u32, max_failures - 1);
            prop_assert!(pauses.iter().flatten().is_sorted());
            prop_assert!(pauses.iter().flatten().all(|pause| *pause <= policy.cap));
        }

        #[test]
        fn chance_spreads_a_pause_over_its_second_half(failures in 1u32..100, chance in -1.0f64..2.0) {
            let longest = RetryPolicy::TASK.pause(failures, 1.0);
            let pause = RetryPolicy::TASK.pause(failures, chance);
            prop_assert!(pause >= longest / 2 && pause <= longest);
        }

        #[test]
        fn nothing_final_is_tried_again(failures in 1u32..100, chance in 0.0f64..=1.0) {
            prop_assert_eq!(RetryPolicy::UNTIL_ANSWERED.decide(Failure::Permanent, failures, chance), Decision::GiveUp);
            prop_assert!(RetryPolicy::UNTIL_ANSWERED.decide(Failure::Transient, failures, chance).pause().is_some());
        }
    }
}
