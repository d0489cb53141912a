//! Logs, metrics, progress.
