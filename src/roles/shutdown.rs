//! The signals that ask a process to stop, or to read its configuration again.

use crate::app::AppError;
use crate::checkpoint::HybridCheckpoint;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves when the process is asked to stop: SIGTERM, or SIGINT (Ctrl-C).
///
/// # Errors
/// When the signals cannot be watched.
pub fn requested() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// How long a transaction may continue when a command is asked to stop; as long again for its rollback.
const END_TRANSACTIONS: Duration = Duration::from_secs(2);

/// Does `work` on the checkpoint, unless `stop` comes before it ends: then its transactions are ended, and the work is given
/// up, unless that brings it to its end. `None`: it was given up.
pub async fn unless_stopped<T>(
    checkpoint: &HybridCheckpoint,
    work: impl Future<Output = T>,
    stop: &mut (impl Future<Output = ()> + Unpin),
) -> Option<T> {
    {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            done = &mut work => return Some(done),
            () = stop => {}
        }
        tokio::select! {
            done = &mut work => return Some(done),
            _ = checkpoint.end_transactions(END_TRANSACTIONS) => {}
        }
    }
    // What the work has still held is rolled back, now that it is gone.
    checkpoint.end_transactions(END_TRANSACTIONS).await;
    None
}

/// Reads a role's configuration again when the process is asked to: SIGHUP.
pub struct Reload<C> {
    hangups: Signal,
    read: Box<dyn Fn() -> Result<C, AppError>>,
}

impl<C> Reload<C> {
    /// Watches for the signal from now on. `read` reads the configuration as it was read at the start.
    ///
    /// # Errors
    /// When the signal cannot be watched.
    pub fn new(read: impl Fn() -> Result<C, AppError> + 'static) -> std::io::Result<Self> {
        Ok(Self {
            hangups: signal(SignalKind::hangup())?,
            read: Box::new(read),
        })
    }

    /// The next configuration. An invalid one is logged and ignored as a whole.
    pub async fn next(&mut self) -> C {
        loop {
            if self.hangups.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            match (self.read)() {
                Ok(config) => return config,
                Err(error) => tracing::error!(
                    %error,
                    "invalid configuration; it is ignored as a whole, and the old one stays in force"
                ),
            }
        }
    }
}

/// Logs what a configuration has brought: what holds from now on, and what needs a restart.
pub(super) fn log_reload(tuned: &str, need_restart: &[&str]) {
    tracing::info!(tuned, "configuration reloaded");
    if !need_restart.is_empty() {
        tracing::warn!(
            keys = need_restart.join(", "),
            "these keys take effect after a restart"
        );
    }
}
