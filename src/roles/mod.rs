//! The roles: build the clients, spawn the tree of actors, and drain it on a signal.
//!
//! [`crate::extract::runner`], [`crate::target::planner`] and [`crate::target::loader`] are the effects behind
//! [`crate::actors::ports`] on the real servers.

pub mod orchestrator;
pub mod shutdown;
pub mod standalone;
pub mod worker;

/// A name for this process: host, process id and a random part, so that two processes never share one.
pub fn process_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() {
        std::env::var("HOSTNAME").unwrap_or_else(|_| "host".to_owned())
    } else {
        host.trim().to_owned()
    };
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("{host}/{}/{}", std::process::id(), &random[..8])
}
