//! What `sceau check` looks at beside the file itself: are the certificates there, can the data be written.

use std::path::Path;

use net::tls::TlsServer;

use super::{Config, Problem};

impl Config {
    /// Faults of what the configuration names: each certificate that cannot be served, a data folder nobody can make.
    pub fn faults_of_surroundings(&self) -> Vec<Problem> {
        let mut faults: Vec<Problem> = self
            .certificates
            .iter()
            .filter_map(|(name, files)| {
                let error = TlsServer::open(vec![files.clone()]).err()?;
                let remedy = "give readable PEM files of one certificate and its key".to_owned();
                Some(self.fault(format!("certificate.{name}"), error.to_string(), remedy))
            })
            .collect();
        if let Some(ground) = existing(&self.data)
            && !ground.is_dir()
        {
            let fault = format!("{} is no folder", ground.display());
            faults.push(self.fault("server.data".into(), fault, "name a folder, or one that can be made".into()));
        }
        faults
    }

    fn fault(&self, key: String, fault: String, remedy: String) -> Problem {
        Problem { file: self.file.clone(), line: None, key, fault, remedy }
    }
}

/// The path, or the nearest thing above it that exists.
fn existing(path: &Path) -> Option<&Path> {
    path.ancestors().find(|ancestor| ancestor.exists())
}
