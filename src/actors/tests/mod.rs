//! The trees of both roles over the doubles of [`super::testing`], on a paused clock.

mod documented;
mod faults;
mod idle;
mod kills;
mod leases;
mod locks;
mod many;
mod operations;
mod outcomes;
mod pool;
mod retries;
mod synchronization;
