//! The signals that ask a process to stop, or to read its configuration again.

use super::RoleError;
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

/// Reads a role's configuration anew when the process is asked to: SIGHUP.
pub struct Reload<C> {
    hangups: Signal,
    read: Box<dyn Fn() -> Result<C, RoleError>>,
}

impl<C> Reload<C> {
    /// Watches for the signal from now on. `read` reads the configuration as it was read at the start.
    ///
    /// # Errors
    /// When the signal cannot be watched.
    pub fn new(read: impl Fn() -> Result<C, RoleError> + 'static) -> std::io::Result<Self> {
        Ok(Self {
            hangups: signal(SignalKind::hangup())?,
            read: Box::new(read),
        })
    }

    /// The next configuration. One that is wrong is told in the log, and the old one stays.
    pub async fn next(&mut self) -> C {
        loop {
            if self.hangups.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            match (self.read)() {
                Ok(config) => return config,
                Err(error) => tracing::error!(
                    %error,
                    "the configuration is wrong; nothing of it is used, and all stays as it is"
                ),
            }
        }
    }
}

/// Tells what a configuration has brought: what holds from now on, and what would need a restart.
pub(super) fn tell_reload(tuned: &str, need_restart: &[&str]) {
    tracing::info!(tuned, "the configuration was read again");
    if !need_restart.is_empty() {
        tracing::warn!(
            keys = need_restart.join(", "),
            "these changes need a restart; until then the old values hold"
        );
    }
}
