//! Logs by tracing: human on a terminal, JSON lines elsewhere or on request. `RUST_LOG` filters them as usual.

use crate::domain::log_format::LogFormat;
use indicatif::MultiProgress;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

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

/// The settings of logs.
pub struct LogSettings<'a> {
    /// How lines look.
    pub format: LogFormat,
    /// Where they go; `None`: into the file alone.
    pub sink: Option<LogSink>,
    /// The file to which they are appended too.
    pub file: Option<File>,
    /// The filter that was asked for, whatever `RUST_LOG` says.
    pub level: Option<&'a str>,
    /// The filter where nothing says another, e.g. `warn,snowhaul=info`.
    pub default: &'a str,
}

/// Starts logging for a command: `default` is the filter where `RUST_LOG` is not set.
pub fn init(format: LogFormat, sink: LogSink, default: &str) {
    start(LogSettings {
        format,
        sink: Some(sink),
        file: None,
        level: None,
        default,
    });
}

/// Starts logging for the process.
pub fn start(settings: LogSettings<'_>) {
    let mut filter = match settings.level {
        Some(level) => EnvFilter::new(level),
        None => {
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(settings.default))
        }
    };
    // It repeats what drivers say in full, which may be pieces of a connection's secrets; errors say it without.
    if let Ok(silent) = "odbc_api=off".parse() {
        filter = filter.add_directive(silent);
    }
    let format = settings.format;
    // Colours of the one would appear in the other: lines for people share what their spans say.
    let plain_file = settings.file.is_some() && format == LogFormat::Human;
    let console = settings.sink.map(|sink| {
        let terminal = match sink {
            LogSink::Stdout => std::io::stdout().is_terminal(),
            LogSink::Stderr | LogSink::Bars(_) => std::io::stderr().is_terminal(),
        };
        layer(format, terminal, terminal && !plain_file, sink)
    });
    let file = settings
        .file
        .map(|file| layer(format, false, false, Arc::new(file)));
    // A second start in one process (tests) keeps the first one's settings.
    let _ = tracing_subscriber::registry()
        .with(console.into_iter().chain(file).collect::<Vec<_>>())
        .with(filter)
        .try_init();
}

fn layer<W>(
    format: LogFormat,
    terminal: bool,
    ansi: bool,
    writer: W,
) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Human => false,
        LogFormat::Auto => !terminal,
    };
    if json {
        layer
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed()
    } else {
        layer.with_ansi(ansi).with_target(false).boxed()
    }
}
