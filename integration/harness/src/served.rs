//! A server process that says on its first line of output where it listens, and ends when its input does.

use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    input: Option<ChildStdin>,
    // Kept open: the server may write to it.
    _output: BufReader<ChildStdout>,
    /// The line.
    pub(crate) greeting: Value,
}

impl Served {
    /// Starts it, with its standard error appended to `log`.
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        let errors = File::options().create(true).append(true).open(log);
        let errors = errors.unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("{command:?} has no pipes");
        };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let greeting = match output.read_line(&mut line) {
            Ok(1..) => serde_json::from_str(&line).ok(),
            _ => None,
        };
        let Some(greeting) = greeting else {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            panic!("{command:?} did not start: {line}{said}");
        };
        Self {
            child,
            input: Some(input),
            _output: output,
            greeting,
        }
    }

    /// The port in the greeting.
    pub(crate) fn port(&self) -> u16 {
        self.port_named("port")
    }

    /// Another port in the greeting.
    pub(crate) fn port_named(&self, key: &str) -> u16 {
        let port = self.greeting[key].as_u64();
        port.and_then(|port| u16::try_from(port).ok())
            .unwrap_or_else(|| panic!("no {key} in {}", self.greeting))
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends its input and waits for its end.
    pub(crate) fn stop(&mut self) {
        self.input = None;
        let _ = self.child.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}
