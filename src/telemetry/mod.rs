//! What the processes tell about themselves: logs.

pub mod logs;
