//! `sceau serve` on the folder of a demo that is stopped, with other settings of the relay.

use std::{
    fs::{self, File},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::server::{Doors, binary};

/// Operator A alone, until dropped. The DNS server of the demo is gone: mail goes where `relay` routes it.
#[derive(Debug)]
pub struct Serving {
    process: Child,
    config: PathBuf,
}

impl Serving {
    /// Starts it on the ports of the demo; `relay` are more lines of `[relay]`.
    pub fn start(doors: &Doors, relay: &str) -> Result<Serving> {
        let written = Path::new(doors.settings.get("CONFIG"));
        let config = written.with_file_name("serving.toml");
        fs::write(&config, fs::read_to_string(written)?.replace("[relay]\n", &format!("[relay]\n{relay}")))?;
        let log = File::create(config.with_extension("log"))?;
        let mut command = Command::new(binary());
        command.arg("serve").arg("--config").arg(&config).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let serving = Serving { process: command.spawn()?, config };
        let begun = Instant::now();
        while TcpStream::connect(doors.settings.address("SUBMISSIONS_PORT")).is_err() {
            ensure!(begun.elapsed() < Duration::from_secs(30), "sceau serve does not listen:\n{}", serving.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(serving)
    }

    /// What it was configured by.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.config.with_extension("log")).unwrap_or_default()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("--- sceau serve said:\n{}", self.log());
        }
    }
}
