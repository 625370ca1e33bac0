//! Logs: one event per decision, with session, account and message ids; never content, secrets or addresses.

use std::fs::File;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{LogConfig, LogFormat};

/// Overrides the configured levels, for one run: `SCEAU_LOG=debug`.
pub const FILTER_VARIABLE: &str = "SCEAU_LOG";

/// Overrides the configured form, for one run: `SCEAU_LOG_FORMAT=json`.
pub const FORMAT_VARIABLE: &str = "SCEAU_LOG_FORMAT";

static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();

/// Starts logging to standard error. A second call in one process changes nothing.
pub fn start_logs(config: &LogConfig) {
    start(config, std::io::stderr, std::io::stderr().is_terminal());
}

/// Starts logging at the end of a file; to standard error when `SCEAU_LOG` asks to see the logs of this run.
///
/// # Errors
/// When it cannot be opened.
pub fn start_logs_in_file(config: &LogConfig, file: &Path) -> std::io::Result<()> {
    if std::env::var_os(FILTER_VARIABLE).is_some() {
        start_logs(config);
        return Ok(());
    }
    let file = File::options().create(true).append(true).open(file)?;
    start(config, Mutex::new(file), false);
    Ok(())
}

fn start<W>(config: &LogConfig, writer: W, colours: bool)
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(&config.filter));
    let lines = fmt::layer().with_writer(writer);
    let format = match std::env::var(FORMAT_VARIABLE).as_deref() {
        Ok("json") => LogFormat::Json,
        Ok("text") => LogFormat::Text,
        _ => config.format,
    };
    let lines = match format {
        LogFormat::Text => lines.with_ansi(colours).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    if tracing_subscriber::registry().with(filter).with(lines).try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// Changes the levels while the server runs.
pub fn set_log_filter(text: &str) {
    if let Some(handle) = FILTER.get() {
        let _ = handle.reload(filter(text));
    }
}

fn filter(configured: &str) -> EnvFilter {
    let chosen = std::env::var(FILTER_VARIABLE).ok();
    let text = chosen.as_deref().filter(|text| !text.is_empty()).unwrap_or(configured);
    EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::new("info"))
}
