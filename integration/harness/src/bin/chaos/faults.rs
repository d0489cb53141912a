//! Breaks things as the script says, and mends them when it is time.

use crate::fleet::Fleet;
use crate::journal::Journal;
use crate::script::{Fault, HttpAnswer, ROLES, Role, Server, Step, When};
use crate::site::Site;
use serde_json::{Value, json};
use snowhaul_integration::Signal;
use std::time::{Duration, Instant};

/// HTTP faults that wait for their requests at once: older ones are forgotten.
const MAX_HTTP: usize = 4;
const TICK: Duration = Duration::from_millis(20);

/// What one fault may hit at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Role(Role),
    Server(Server),
    Network(Server),
}

#[derive(Clone, Copy, Debug)]
enum Mending {
    Launch,
    AwaitEnd(Instant, Duration),
    Continue,
    StartServer,
    Heal { cut: bool },
}

/// Faults under way, and how to end them.
pub struct Faults<'a> {
    site: &'a Site,
    journal: &'a Journal,
    fleet: Fleet<'a>,
    mendings: Vec<(Instant, Victim, Mending)>,
    http: Vec<Value>,
    number: u64,
}

impl<'a> Faults<'a> {
    pub fn new(site: &'a Site, journal: &'a Journal) -> Self {
        Self {
            site,
            journal,
            fleet: Fleet::start(site, journal),
            mendings: Vec::new(),
            http: Vec::new(),
            number: 0,
        }
    }

    /// Waits, mends what is due, and then breaks what the step says, when its victim is whole.
    pub fn apply(&mut self, step: &Step, is_over: impl Fn() -> bool) {
        let pause = Instant::now() + step.pause;
        let victim = victim(&step.fault);
        let is_hit = |faults: &Self| {
            let mut hit = faults.mendings.iter().map(|(_, victim, _)| *victim);
            hit.any(|hit| Some(hit) == victim)
        };
        while (Instant::now() < pause || is_hit(self)) && !is_over() {
            self.mend();
            std::thread::sleep(TICK);
        }
        if is_over() {
            return;
        }
        self.number += 1;
        self.journal
            .event(&format!("#{} {}", self.number, describe(&step.fault)));
        self.journal.count(kind(&step.fault), 1);
        self.break_it(&step.fault);
    }

    fn later(&mut self, after: Duration, victim: Victim, mending: Mending) {
        self.mendings
            .push((Instant::now() + after, victim, mending));
    }

    fn break_it(&mut self, fault: &Fault) {
        match fault {
            Fault::Kill(role, away) => {
                self.fleet.kill(*role);
                self.later(*away, Victim::Role(*role), Mending::Launch);
            }
            Fault::Terminate(role, away) => {
                self.fleet.signal(*role, Signal::TERM);
                let end = Mending::AwaitEnd(Instant::now(), *away);
                self.later(Duration::ZERO, Victim::Role(*role), end);
            }
            Fault::Stop(role, long) => {
                self.fleet.signal(*role, Signal::STOP);
                self.later(*long, Victim::Role(*role), Mending::Continue);
            }
            Fault::Clock(role, seconds) => self.fleet.set_clock(*role, *seconds),
            Fault::Restart(server, away) => {
                self.site.kill(*server);
                self.later(*away, Victim::Server(*server), Mending::StartServer);
            }
            Fault::Cut(server) => {
                for proxy in self.site.proxies(*server) {
                    proxy.cut_all();
                }
            }
            Fault::CutAfter(server, bytes) => {
                for proxy in self.site.proxies(*server) {
                    proxy.cut_after(*bytes);
                }
            }
            Fault::Latency(server, late, long) => {
                for proxy in self.site.proxies(*server) {
                    proxy.set_latency(*late);
                }
                self.later(
                    *long,
                    Victim::Network(*server),
                    Mending::Heal { cut: false },
                );
            }
            Fault::HalfOpen(server, direction, long, cut) => {
                for proxy in self.site.proxies(*server) {
                    proxy.hold(*direction);
                }
                self.later(*long, Victim::Network(*server), Mending::Heal { cut: *cut });
            }
            Fault::Http {
                matches,
                when,
                answer,
                times,
            } => {
                let when = match when {
                    When::Before => "before",
                    When::After => "after",
                };
                let rule = json!({
                    "id": self.number, "match": matches, "when": when, "times": times, "answer": answer_of(*answer),
                });
                self.http.push(rule);
                if self.http.len() > MAX_HTTP {
                    self.http.remove(0);
                }
                self.write_http();
            }
        }
    }

    fn write_http(&self) {
        let rules = Value::from(self.http.clone());
        self.site.replace("faults.json", &rules.to_string());
    }

    /// Ends what is due.
    pub fn mend(&mut self) {
        let now = Instant::now();
        let mendings = std::mem::take(&mut self.mendings);
        let (due, waiting) = mendings.into_iter().partition(|(due, ..)| *due <= now);
        self.mendings = waiting;
        for (_, victim, mending) in due {
            self.mend_one(victim, mending);
        }
        self.look_for_the_dead();
    }

    fn look_for_the_dead(&mut self) {
        let terminating = self
            .mendings
            .iter()
            .any(|(.., mending)| matches!(mending, Mending::AwaitEnd(..)));
        // One that was told to end is no surprise.
        if !terminating {
            self.fleet.look_for_the_dead();
        }
    }

    fn mend_one(&mut self, victim: Victim, mending: Mending) {
        match (victim, mending) {
            (Victim::Role(role), Mending::Launch) => self.fleet.launch(role),
            (Victim::Role(role), Mending::Continue) => self.fleet.signal(role, Signal::CONT),
            (Victim::Role(role), Mending::AwaitEnd(since, away)) => {
                if self.fleet.has_terminated(role, since) {
                    self.later(away, victim, Mending::Launch);
                } else {
                    self.later(TICK, victim, mending);
                }
            }
            (Victim::Server(server), Mending::StartServer) => self.site.start_again(server),
            (Victim::Network(server), Mending::Heal { cut }) => {
                for proxy in self.site.proxies(server) {
                    if cut {
                        proxy.cut_all();
                    }
                    proxy.heal();
                }
            }
            (victim, mending) => unreachable!("{mending:?} of {victim:?}"),
        }
    }

    /// Ends all faults, now or as soon as it can be.
    pub fn end(&mut self) {
        self.http.clear();
        self.write_http();
        for mending in &mut self.mendings {
            mending.0 = Instant::now();
        }
        while !self.mendings.is_empty() {
            self.mend();
            std::thread::sleep(TICK);
        }
        for server in [Server::Snowflake, Server::Source] {
            for proxy in self.site.proxies(server) {
                proxy.heal();
            }
        }
        self.journal.event("no more faults");
    }

    /// Ends all processes, politely.
    pub fn end_processes(self) {
        self.fleet.end();
    }
}

fn victim(fault: &Fault) -> Option<Victim> {
    match fault {
        Fault::Kill(role, _) | Fault::Terminate(role, _) | Fault::Stop(role, _) => {
            Some(Victim::Role(*role))
        }
        Fault::Restart(server, _) => Some(Victim::Server(*server)),
        Fault::Latency(server, ..) | Fault::HalfOpen(server, ..) => Some(Victim::Network(*server)),
        Fault::Clock(..) | Fault::Cut(_) | Fault::CutAfter(..) | Fault::Http { .. } => None,
    }
}

fn answer_of(answer: HttpAnswer) -> Value {
    match answer {
        HttpAnswer::Status(status) => status.into(),
        HttpAnswer::Reset => "reset".into(),
        HttpAnswer::Expire => "expire".into(),
        HttpAnswer::Forget => "forget".into(),
    }
}

fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Kill(..) => "fault: SIGKILL",
        Fault::Terminate(..) => "fault: SIGTERM",
        Fault::Stop(..) => "fault: SIGSTOP for longer than a lease",
        Fault::Clock(..) => "fault: clock jumped",
        Fault::Restart(Server::Snowflake, _) => "fault: Snowflake killed and started again",
        Fault::Restart(Server::Source, _) => "fault: source killed and started again",
        Fault::Cut(_) => "fault: all connections cut",
        Fault::CutAfter(..) => "fault: connection cut in the middle",
        Fault::Latency(..) => "fault: latency",
        Fault::HalfOpen(..) => "fault: half-open for longer than a lease",
        Fault::Http { .. } => "fault: HTTP and tokens, planned",
    }
}

fn describe(fault: &Fault) -> String {
    match fault {
        Fault::Kill(role, away) => format!("SIGKILL {}, away for {away:?}", ROLES[*role]),
        Fault::Terminate(role, away) => format!("SIGTERM {}, away for {away:?}", ROLES[*role]),
        Fault::Stop(role, long) => format!("SIGSTOP {} for {long:?}", ROLES[*role]),
        Fault::Clock(role, seconds) => format!("clock of {} is off by {seconds} s", ROLES[*role]),
        other => format!("{other:?}"),
    }
}
