//! Faults that a test plans for the calls.

use crate::checkpoint::{CheckpointError, StoreError, StoreFailure};
use crate::domain::retry::Failure;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails before its effect, for a passing reason.
    Reject,
    /// It fails before its effect, and waiting does not help.
    Refuse,
    /// It fails before its effect for a reason that is not the statement's: a privilege that was taken away.
    Forbid,
    /// Its effect is there, and the reply is lost.
    LoseReply,
    /// The caller's code panics before the effect.
    Panic,
    /// It has no effect, and no reply ever.
    Hang,
}

/// Planned faults, and how often each method was called.
#[derive(Default)]
pub struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    calls: HashMap<&'static str, usize>,
    planned: HashMap<(&'static str, usize), Fault>,
    down: bool,
    latency: Duration,
    slow: HashMap<&'static str, Duration>,
}

impl Faults {
    /// The `nth` call (from 1) of `method`, counted from the start of the test, meets `fault`.
    pub fn plan(&self, method: &'static str, nth: usize, fault: Fault) {
        self.inner
            .lock()
            .unwrap()
            .planned
            .insert((method, nth), fault);
    }

    /// Every call takes this long: half of it before its effect, half of it after.
    pub fn set_latency(&self, latency: Duration) {
        self.inner.lock().unwrap().latency = latency;
    }

    /// Every call of `method` takes this long before its effect, besides.
    pub fn slow_down(&self, method: &'static str, by: Duration) {
        self.inner.lock().unwrap().slow.insert(method, by);
    }

    /// While the store is down, every call fails before its effect.
    pub fn set_down(&self, down: bool) {
        self.inner.lock().unwrap().down = down;
    }

    /// How often `method` was called.
    pub fn calls(&self, method: &str) -> usize {
        let inner = self.inner.lock().unwrap();
        inner.calls.get(method).copied().unwrap_or_default()
    }

    /// All calls of all methods.
    pub fn all_calls(&self) -> usize {
        self.inner.lock().unwrap().calls.values().sum()
    }

    /// Begins a call: answers what is to befall it after its effect.
    pub(super) async fn enter(&self, method: &'static str) -> Result<After, CheckpointError> {
        let (fault, latency, slow) = {
            let mut inner = self.inner.lock().unwrap();
            let count = inner.calls.entry(method).or_default();
            *count += 1;
            let key = (method, *count);
            let down = inner.down.then_some(Fault::Reject);
            let slow = inner.slow.get(method).copied().unwrap_or_default();
            (down.or(inner.planned.remove(&key)), inner.latency, slow)
        };
        tokio::time::sleep(latency / 2 + slow).await;
        match fault {
            Some(Fault::Reject) => Err(store_error("rejected by the test", true)),
            Some(Fault::Refuse) => Err(store_error("refused by the test", false)),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Forbid) => {
                let mut error = store_error("forbidden by the test", false);
                if let CheckpointError::Store(error) = &mut error {
                    error.what = StoreFailure::Other;
                }
                Err(error)
            }
            Some(Fault::Panic) => panic!("{method} panics, as the test planned"),
            Some(Fault::LoseReply) => Ok(After {
                lost: true,
                latency,
            }),
            None => Ok(After {
                lost: false,
                latency,
            }),
        }
    }
}

/// The second half of a call.
pub(super) struct After {
    lost: bool,
    latency: Duration,
}

impl After {
    /// Ends the call with `answer`, unless its reply is lost.
    pub(super) async fn leave<T>(
        self,
        answer: Result<T, CheckpointError>,
    ) -> Result<T, CheckpointError> {
        tokio::time::sleep(self.latency / 2).await;
        if self.lost {
            return Err(store_error("the reply was lost, as the test planned", true));
        }
        answer
    }
}

pub(super) fn store_error(message: &str, retryable: bool) -> CheckpointError {
    CheckpointError::Store(StoreError {
        message: message.to_owned(),
        failure: if retryable {
            Failure::Transient
        } else {
            Failure::Permanent
        },
        unreachable: false,
        what: if retryable {
            StoreFailure::Other
        } else {
            StoreFailure::Refused
        },
        source: None,
    })
}
