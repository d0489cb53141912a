//! Which faults come, in which order: a pure function of the seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use snowhaul_integration::Direction;
use std::time::Duration;

/// The leases of orchestrators' workflows and workers' tasks, in seconds.
pub const LEASE: u64 = 6;
/// A pause or a silence of this many seconds is longer than a lease.
const LONG: std::ops::Range<u64> = LEASE + 1..LEASE + 5;
/// After this many faults comes a calm, so that work gets on.
const STORM: u64 = 8;
const CALM: Duration = Duration::from_secs(8);

/// A process of snowhaul by its place in [`ROLES`].
pub type Role = usize;

/// The processes. The first orchestrators, then workers.
pub const ROLES: [&str; 5] = [
    "orchestrator-1",
    "orchestrator-2",
    "worker-1",
    "worker-2",
    "worker-3",
];
/// Those whose clock can jump: one of each role.
pub const WITH_CLOCK: [Role; 2] = [1, 4];
/// It can write to no disk.
pub const WITHOUT_DISK: Role = 3;

/// One of the two servers, and the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Snowflake,
    Source,
}

/// What an HTTP fault answers, as `integration/local_snowflake/faults.py` knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpAnswer {
    Status(u16),
    Reset,
    /// All sessions expire.
    Expire,
    /// No token is known any more.
    Forget,
}

/// Before or after the request has had its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before,
    After,
}

/// One thing that breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL; it starts again after a while.
    Kill(Role, Duration),
    /// SIGTERM; it starts again a while after its end.
    Terminate(Role, Duration),
    /// SIGSTOP, and SIGCONT after longer than a lease.
    Stop(Role, Duration),
    /// The process's clock jumps by so many seconds.
    Clock(Role, i64),
    /// SIGKILL to a server; it starts again after a while.
    Restart(Server, Duration),
    /// All connections are reset.
    Cut(Server),
    /// The connection that brings the byte after these many is reset.
    CutAfter(Server, u64),
    /// Everything is late by the first, for the second.
    Latency(Server, Duration, Duration),
    /// Nothing passes in this direction for longer than a lease, on any connection; then all are cut, or go on.
    HalfOpen(Server, Direction, Duration, bool),
    /// The next requests that match, of so many, are answered so.
    Http {
        matches: &'static str,
        when: When,
        answer: HttpAnswer,
        times: u32,
    },
}

/// A fault, and the pause before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub pause: Duration,
    pub fault: Fault,
}

/// What requests are told by: their method, path and statement.
const REQUESTS: [&str; 18] = [
    "COMMIT",
    "COMMIT",
    "COPY INTO",
    "MERGE INTO .*STAGING",
    "DELETE FROM",
    "BEGIN",
    "SET LOAD_SEQ",
    "SET PHASE",
    "SET STATUS = 'CLAIMED'",
    "SET STATUS = V",
    "INTO .*TASK_QUEUE",
    "SET LEASE_UNTIL",
    "SET OWNER",
    "SYNC_PARTITION",
    "login-request",
    " PUT '",
    "PUT /fs_bucket",
    "REMOVE |DROP TABLE",
];

/// The endless sequence of a seed.
pub struct Script {
    random: StdRng,
    number: u64,
}

impl Script {
    pub fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            number: 0,
        }
    }

    fn millis(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(range))
    }

    fn long(&mut self) -> Duration {
        Duration::from_secs(self.random.random_range(LONG))
    }

    fn role(&mut self) -> Role {
        self.random.random_range(0..ROLES.len())
    }

    fn server(&mut self) -> Server {
        *[Server::Snowflake, Server::Source]
            .choose(&mut self.random)
            .unwrap_or(&Server::Snowflake)
    }

    fn fault(&mut self) -> Fault {
        match self.random.random_range(0..100) {
            0..14 => Fault::Kill(self.role(), self.millis(0..6_000)),
            14..20 => Fault::Terminate(self.role(), self.millis(0..3_000)),
            20..29 => Fault::Stop(self.role(), self.long()),
            29..33 => {
                let role = WITH_CLOCK.choose(&mut self.random).copied();
                let jump = [-86_400, -3_600, -60, 60, 3_600, 86_400, 31_536_000];
                let jump = jump.choose(&mut self.random).copied();
                Fault::Clock(role.unwrap_or_default(), jump.unwrap_or_default())
            }
            33..40 => Fault::Restart(self.server(), self.millis(0..4_000)),
            40..46 => Fault::Cut(self.server()),
            46..56 => {
                let server = self.server();
                Fault::CutAfter(server, self.random.random_range(1..120_000))
            }
            56..61 => Fault::Latency(
                self.server(),
                self.millis(5..200),
                self.millis(1_000..6_000),
            ),
            61..68 => {
                let direction = if self.random.random() {
                    Direction::Up
                } else {
                    Direction::Down
                };
                let (server, long) = (self.server(), self.long());
                Fault::HalfOpen(server, direction, long, self.random.random())
            }
            68..74 => {
                let answer = if self.random.random() {
                    HttpAnswer::Expire
                } else {
                    HttpAnswer::Forget
                };
                self.http(answer, When::Before)
            }
            74..84 => {
                let status = [500, 503, 429].choose(&mut self.random).copied();
                let answer = HttpAnswer::Status(status.unwrap_or(503));
                let when = self.when();
                self.http(answer, when)
            }
            _ => {
                let when = self.when();
                self.http(HttpAnswer::Reset, when)
            }
        }
    }

    /// Lost replies are what matters most.
    fn when(&mut self) -> When {
        if self.random.random_bool(0.75) {
            When::After
        } else {
            When::Before
        }
    }

    fn http(&mut self, answer: HttpAnswer, when: When) -> Fault {
        let matches = REQUESTS.choose(&mut self.random).copied();
        Fault::Http {
            matches: matches.unwrap_or_default(),
            when,
            answer,
            times: self.random.random_range(1..=3),
        }
    }
}

impl Iterator for Script {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        self.number += 1;
        let pause = self.millis(100..2_500);
        let pause = if self.number.is_multiple_of(STORM) {
            pause + CALM
        } else {
            pause
        };
        let fault = self.fault();
        Some(Step { pause, fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_again_and_another_gives_others() {
        let steps = |seed| Script::new(seed).take(200).collect::<Vec<_>>();
        assert_eq!(steps(1), steps(1));
        assert_ne!(steps(1), steps(2));
    }

    #[test]
    fn every_kind_of_fault_comes_soon() {
        let faults: Vec<Fault> = Script::new(1).take(300).map(|step| step.fault).collect();
        let kinds: [fn(&Fault) -> bool; 10] = [
            |fault| matches!(fault, Fault::Kill(..)),
            |fault| matches!(fault, Fault::Terminate(..)),
            |fault| matches!(fault, Fault::Stop(..)),
            |fault| matches!(fault, Fault::Clock(..)),
            |fault| matches!(fault, Fault::Restart(..)),
            |fault| matches!(fault, Fault::Cut(..)),
            |fault| matches!(fault, Fault::CutAfter(..)),
            |fault| matches!(fault, Fault::Latency(..)),
            |fault| matches!(fault, Fault::HalfOpen(..)),
            |fault| matches!(fault, Fault::Http { .. }),
        ];
        for (number, is_kind) in kinds.iter().enumerate() {
            assert!(faults.iter().any(is_kind), "kind {number}");
        }
    }
}
