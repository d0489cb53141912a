//! Processes, servers and actors that stop in the middle of a migration: its end is the same.

// actors_killed.rs shares a file with the unit tests, which names the actors from the crate's root.
use snowhaul::actors;

mod actors_killed;
mod affinities;
mod budget;
mod connection;
mod ends;
mod fences;
mod limits;
mod limits_exact;
mod lost_replies;
mod migration;
mod outages;
mod processes_killed;
mod reloads;
mod requests;
mod sessions;
mod signals;
mod unfriendly;
mod worksheet;
mod zombies;
