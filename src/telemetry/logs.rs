//! Logs by tracing: human on a terminal, JSON lines elsewhere or on request. `RUST_LOG` filters them as usual.

use crate::config::LogFormat;
use indicatif::MultiProgress;
use std::io::{IsTerminal, Write};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Where logs go.
#[derive(Clone)]
pub enum LogSink {
    /// Standard output: what collectors of a daemon's logs read.
    Stdout,
    /// Standard error: standard output is for the command's answer.
    Stderr,
    /// Standard error, between progress bars.
    Bars(MultiProgress),
}

/// A line on its way to a [`LogSink`].
pub enum LogLine<'a> {
    /// Straight through.
    Plain(Box<dyn Write>),
    /// The bars are taken away while it is written.
    Bars(&'a MultiProgress),
}

impl Write for LogLine<'_> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(line),
            Self::Bars(bars) => bars.suspend(|| std::io::stderr().write(line)),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Bars(_) => std::io::stderr().flush(),
        }
    }
}

impl<'a> MakeWriter<'a> for LogSink {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        match self {
            Self::Stdout => LogLine::Plain(Box::new(std::io::stdout())),
            Self::Stderr => LogLine::Plain(Box::new(std::io::stderr())),
            Self::Bars(bars) => LogLine::Bars(bars),
        }
    }
}

/// Starts logging for the process. `default` is the filter where `RUST_LOG` is not set, e.g. `warn,snowhaul=info`.
pub fn init(format: LogFormat, sink: LogSink, default: &str) {
    let mut filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // It repeats what drivers say in full, which may be pieces of a connection's secrets; errors tell it without.
    if let Ok(silent) = "odbc_api=off".parse() {
        filter = filter.add_directive(silent);
    }
    let terminal = match sink {
        LogSink::Stdout => std::io::stdout().is_terminal(),
        LogSink::Stderr | LogSink::Bars(_) => std::io::stderr().is_terminal(),
    };
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !terminal,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(sink);
    // A second start in one process (tests) keeps the first one's settings.
    let _ = if json {
        subscriber
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init()
    } else {
        subscriber.with_ansi(terminal).with_target(false).try_init()
    };
}
