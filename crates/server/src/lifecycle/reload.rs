//! SIGHUP: what can change without a restart does, and what cannot is said.

use std::sync::Arc;

use net::tls::Reload;

use crate::assembly::{Assembly, Door, session_limits};
use crate::config::Config;

/// Reads the certificates again, and the configuration.
pub fn reload(assembly: &Assembly, doors: &[Arc<Door>]) {
    for door in doors {
        if let Some(tls) = &door.tls {
            match tls.reload() {
                Ok(()) => tracing::info!(listener = door.config.name, "certificates read again"),
                Err(error) => tracing::error!(listener = door.config.name, %error, "the old certificates stay"),
            }
        }
    }
    if let Some(trust) = assembly.trust.clone() {
        tokio::spawn(async move { trust.refresh().await });
    }
    match Config::load(&assembly.config.file) {
        Ok(new) => apply(assembly, &new),
        Err(problems) => {
            for problem in &problems.0 {
                tracing::error!(%problem, "the configuration is wrong: the old one stays");
            }
        }
    }
}

/// Looks whether certificate files changed.
pub fn changed_certificates(doors: &[Arc<Door>]) {
    for door in doors {
        match door.tls.as_ref().map(|tls| tls.reload_if_changed()) {
            None | Some(Reload::Unchanged) => {}
            Some(Reload::Done) => tracing::info!(listener = door.config.name, "certificates read again"),
            Some(Reload::Failed(error)) => {
                tracing::error!(listener = door.config.name, %error, "the old certificates stay");
            }
        }
    }
}

fn apply(assembly: &Assembly, new: &Config) {
    assembly.sessions.set_limits(session_limits(new));
    crate::telemetry::set_log_filter(&new.log.filter);
    tracing::info!("session limits and log levels are those of the file");
    for key in needing_restart(&assembly.config, new) {
        tracing::warn!(key, "this change waits for a restart");
    }
}

fn needing_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let compared = [
        ("server.name", old.name == new.name),
        ("server.data", old.data == new.data),
        ("server.postmaster", old.postmaster == new.postmaster),
        ("server.admin_socket", old.admin_socket == new.admin_socket),
        ("server.stop_seconds", old.stop_within == new.stop_within),
        ("log.format", old.log.format == new.log.format),
        ("admin.listen", old.admin == new.admin),
        ("limits.message_megabytes", old.limits.message_octets == new.limits.message_octets),
        ("limits.reserve_megabytes", old.limits.reserve_octets == new.limits.reserve_octets),
        ("passwords", old.passwords == new.passwords),
        ("trust", old.trust == new.trust),
        ("relay", old.relay == new.relay),
        ("certificate", old.certificates == new.certificates),
        ("identity_provider", old.identity_provider == new.identity_provider),
        ("receiving", old.receiving == new.receiving),
        ("listener", old.listeners == new.listeners),
    ];
    compared.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_waits_for_a_restart_is_named() {
        let read = |text: &str| Config::parse(Path::new("sceau.toml"), text).unwrap();
        let old = read("[server]\nname = \"a.example\"\n[limits]\nsessions = 10\n");
        let new = read("[server]\nname = \"b.example\"\n[limits]\nsessions = 20\nmessage_megabytes = 10\n");
        assert_eq!(needing_restart(&old, &new), ["server.name", "limits.message_megabytes"]);
        assert!(needing_restart(&old, &old).is_empty());
    }
}
