//! The throttle's counters, kept in a file so that a restart forgives nobody (bar.md S16).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use auth::throttle::Throttle;

/// A throttle with its file.
pub struct KeptThrottle {
    throttle: Mutex<Throttle>,
    file: PathBuf,
}

impl KeptThrottle {
    /// Reads the counters; begins with none when there are none, or none that can be read.
    pub fn open(file: &Path) -> KeptThrottle {
        let kept = fs::read(file).ok().and_then(|octets| Throttle::decode(&octets).ok());
        KeptThrottle { throttle: Mutex::new(kept.unwrap_or_default()), file: file.to_owned() }
    }

    /// Looks at the counters, or changes them; briefly.
    pub fn with<T>(&self, act: impl FnOnce(&mut Throttle) -> T) -> T {
        act(&mut self.throttle.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the counters. A failure costs the memory of failed sign-ins, not more.
    pub fn keep(&self) {
        let octets = self.with(|throttle| throttle.encode());
        let beside = self.file.with_extension("new");
        let kept = fs::write(&beside, octets).and_then(|()| fs::rename(&beside, &self.file));
        if let Err(error) = kept {
            tracing::warn!(%error, "cannot keep the counters of failed sign-ins");
        }
    }
}
