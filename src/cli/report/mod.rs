//! What commands print: text for people, JSON for programs. Pure, but for the bars of the progress.

pub mod doctor;
pub mod plan;
pub mod probe;
pub mod progress;
pub mod tables;
