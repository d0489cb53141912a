//! The real binary as a process.

use crate::places;
use crate::scratch::Scratch;
use crate::snowflake::LocalSnowflake;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(20);

/// A call of `snowhaul` that is being written.
#[derive(Debug)]
pub struct Snowhaul {
    command: Command,
    scratch: Scratch,
    has_disk: bool,
}

impl Snowhaul {
    /// `Snowhaul::new(["worker", "-c", "configuration.toml"])`. It runs in a directory of its own, with a home of its
    /// own, and sees none of the environment variables that snowhaul knows but those set here.
    pub fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self::behind(&[], true, arguments)
    }

    /// The same as if every disk were full: no write into a file succeeds. What it says goes through pipes.
    pub fn without_disk<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let refusing = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
        Self::behind(&["sh", "-c", refusing, "sh"], false, arguments)
    }

    fn behind<A: AsRef<OsStr>>(
        prefix: &[&str],
        has_disk: bool,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        let scratch = Scratch::new("snowhaul");
        // The kernel ends it with the thread that starts it: a test that was killed leaves nothing.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .args(prefix)
            .arg(places::binary())
            .args(arguments);
        for (key, _) in std::env::vars_os() {
            let ours = [
                "SNOWFLAKE_",
                "CUSTOM_SNOWFLAKE_",
                "DATA_MIGRATION_",
                "SNOWHAUL_",
                "RUST_",
            ];
            if ours
                .iter()
                .any(|prefix| key.to_string_lossy().starts_with(prefix))
            {
                command.env_remove(key);
            }
        }
        command
            .current_dir(scratch.path())
            .env("HOME", scratch.path())
            .env("ODBCSYSINI", places::odbc_directory())
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null());
        Self {
            command,
            scratch,
            has_disk,
        }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Connects to `server` by its connection `local`.
    #[must_use]
    pub fn snowflake(self, server: &LocalSnowflake) -> Self {
        self.env("SNOWFLAKE_HOME", server.home())
            .env("SNOWFLAKE_CONNECTION_NAME", "local")
    }

    /// Keeps the metadata in `database` (schema `DATA_MIGRATION`), so that tests can share a server. Workers need the
    /// same in their configuration: `snowflake_database_for_metadata`.
    #[must_use]
    pub fn metadata(self, database: &str) -> Self {
        self.env("CUSTOM_SNOWFLAKE_DATABASE_FOR_METADATA", database)
    }

    /// Its working directory, for files that its arguments name without a path.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts it. It is killed when the value is dropped, and when the thread that started it ends.
    #[must_use]
    pub fn start(mut self) -> Running {
        let file = |name: &str| {
            let path = self.scratch.path().join(name);
            File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        let (stdout, stderr) = (file("stdout"), file("stderr"));
        if self.has_disk {
            self.command.stdout(stdout).stderr(stderr);
            let child = spawn(&mut self.command);
            return self.running(child);
        }
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut self.command);
        write_down(child.stdout.take(), stdout);
        write_down(child.stderr.take(), stderr);
        self.running(child)
    }

    fn running(self, child: Child) -> Running {
        Running {
            child,
            call: format!("{:?}", self.command),
            scratch: self.scratch,
        }
    }

    /// Runs it to its end, which must come within `deadline`.
    #[must_use]
    pub fn run(self, deadline: Duration) -> Ended {
        self.start().wait(deadline)
    }
}

/// A process of `snowhaul`.
#[derive(Debug)]
pub struct Running {
    child: Child,
    call: String,
    scratch: Scratch,
}

/// How a process of `snowhaul` ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit code, or the signal that killed it.
    pub status: ExitStatus,
    /// All that it wrote to standard output.
    pub stdout: String,
    /// All that it wrote to standard error.
    pub stderr: String,
}

impl Ended {
    /// The exit code; `None` if a signal killed it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `Signal::TERM`, `Signal::KILL`, `Signal::STOP`, `Signal::CONT`, …
    pub fn signal(&self, signal: Signal) {
        // It is not waited for yet, so its id is still its own.
        send_signal(self.child.id(), signal);
    }

    /// What it wrote to standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// What it wrote to standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.scratch.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it has written `text` to standard output, which it must within `deadline`.
    #[track_caller]
    pub fn wait_to_say(&self, text: &str, deadline: Duration) {
        eventually(text, deadline, || self.stdout().contains(text));
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end, which must come within `deadline`.
    #[must_use]
    pub fn wait(mut self, deadline: Duration) -> Ended {
        let mut status = None;
        let over = until(deadline, || {
            status = self.ended();
            status.is_some()
        });
        let (stdout, stderr) = (self.stdout(), self.stderr());
        let Some(status) = status.filter(|_| over) else {
            panic!(
                "{} did not end within {deadline:?}\n{stdout}\n{stderr}",
                self.call
            );
        };
        Ended {
            status,
            stdout,
            stderr,
        }
    }

    /// SIGTERM, and its end.
    #[must_use]
    pub fn terminate(self, deadline: Duration) -> Ended {
        self.signal(Signal::TERM);
        self.wait(deadline)
    }

    /// SIGKILL.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}\n{}", self.call, self.stdout(), self.stderr());
        }
    }
}

fn spawn(command: &mut Command) -> Child {
    let child = command.spawn();
    child.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// Until the process closes its end.
fn write_down<R: Read + Send + 'static>(pipe: Option<R>, mut file: File) {
    std::thread::spawn(move || pipe.map(|mut pipe| std::io::copy(&mut pipe, &mut file)));
}

/// A process that has just ended is no error.
pub(crate) fn send_signal(process: u32, signal: Signal) {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let pid = pid.unwrap_or_else(|| panic!("{process} is no process id"));
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => panic!("signal to {process}: {error}"),
    }
}

/// Asks again and again until `condition` holds, which it must `within` that time: `what` is expected.
#[track_caller]
pub fn eventually(what: &str, within: Duration, condition: impl FnMut() -> bool) {
    assert!(until(within, condition), "not within {within:?}: {what}");
}

/// The same where it need not: whether it did within `deadline`.
pub fn until(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if began.elapsed() > deadline {
            return false;
        }
        std::thread::sleep(TICK);
    }
}
