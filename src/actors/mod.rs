//! One file per actor; `actors.md` draws the tree, the messages and the numbers on the edges.
//!
//! An actor is thin: message → pure decision → effect. Effects stand behind the traits of [`ports`], so that the
//! tree runs the same over the real servers and over the doubles of the tests. Long effects run in tasks that cast
//! their result back, so that a handler is always short and a stop always works. Whatever dies is rebuilt from the
//! checkpoint alone.

mod effects;
pub mod ports;
mod supervision;

pub mod checkpoint_writer;
pub mod copy_into;
mod driven_workflows;
mod handover;
mod lease_effects;
pub mod lease_reaper;
pub mod orchestrator_supervisor;
pub mod partition;
pub mod remote_extractor_pool;
pub mod services;
mod table_effects;
pub mod table_gates;
pub mod table_planner;
pub mod workflow;
pub mod workflow_dispatcher;
pub mod workflow_reader;

pub mod extractor;
pub mod lease_keeper;
mod task_claim;
pub mod task_end_writer;
pub mod task_puller;
pub mod worker_supervisor;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

/// Where an answer goes: usually a closure that casts a message back to the asker.
pub type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// A [`Reply`] that casts what `wrap` makes of the answer. An asker that is gone misses its answer: it will be
/// rebuilt from the checkpoint.
pub fn reply_to<M, T>(
    actor: &ractor::ActorRef<M>,
    wrap: impl FnOnce(T) -> M + Send + 'static,
) -> Reply<T>
where
    M: ractor::Message,
    T: 'static,
{
    let actor = actor.clone();
    Box::new(move |answer| {
        let _ = actor.cast(wrap(answer));
    })
}
