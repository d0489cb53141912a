//! What the processes report about themselves: logs.

pub mod logs;
