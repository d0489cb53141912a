//! Logs and progress: what a person or a log collector sees of a running process.

pub mod doctor_report;
pub mod logs;
pub mod plan_report;
pub mod probe_report;
pub mod progress;
pub mod report;
