//! Runs after the first one: what moves, what is replaced, what is left alone; and that nothing is lost or doubled while
//! the source goes on changing.

mod checksums;
mod emptied;
mod hidden;
mod killed;
mod replaced;
mod statements;
mod tables;
mod watermarks;
mod writers;
