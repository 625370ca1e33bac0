//! One of the two operators of a demo: its ports, its files, its configuration.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;
use net::tls::CertificateFiles;

use super::outside::{A_HOST, B_HOST};
use super::write_whole;
use crate::development_certificates::DevelopmentCertificates;
use crate::development_trust_space::{DevelopmentTrustSpace, Holder, Signing};

/// The ports of an operator: those of the services, by their last two digits.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// SMTP from other operators.
    pub smtp: u16,
    /// Submission with STARTTLS.
    pub submission: u16,
    /// Submission under TLS.
    pub submissions: u16,
    /// IMAP with STARTTLS.
    pub imap: u16,
    /// IMAP under TLS.
    pub imaps: u16,
    /// Metrics and health.
    pub admin: u16,
    /// SMTP from a content filter that would stand in front.
    pub gateway: Option<u16>,
}

/// One operator.
pub struct Operator {
    /// Its host's name among operators.
    pub host: &'static str,
    /// Its configuration.
    pub config: PathBuf,
    /// Its data.
    pub data: PathBuf,
    /// Where it listens.
    pub ports: Ports,
    /// Its name in greetings and in what it writes.
    name: &'static str,
    /// What other operators are shown.
    certificate: CertificateFiles,
    /// When mail that cannot leave is tried again, told, given up.
    retry: &'static str,
}

/// What both operators have in common.
pub struct Surroundings<'a> {
    /// What users are shown.
    pub certificates: &'a DevelopmentCertificates,
    /// Who believes whom.
    pub space: &'a DevelopmentTrustSpace,
    /// Who answers DNS.
    pub dns: SocketAddr,
}

/// The demo's own operator keeps trying for five days, as everybody does; only the first pauses are short.
const PATIENT: &str = "first_pauses_seconds = [\"1\", \"2\", \"5\", \"10\", \"30\"]\npause_max_seconds = 300\n";

/// The other one shows what becomes of mail for a dead operator, and nobody wants to watch that for five days.
const IMPATIENT: &str = "first_pauses_seconds = [\"1\"]\npause_max_seconds = 1\nnotice_after_seconds = 1\n\
                         trust_notice_after_seconds = 1\ngive_up_after_seconds = 4\n";

impl Ports {
    fn from_base(base: u16) -> Ports {
        Ports {
            smtp: base + 25,
            submission: base + 87,
            submissions: base + 65,
            imap: base + 43,
            imaps: base + 93,
            admin: base + 80,
            gateway: None,
        }
    }
}

impl Ports {
    /// Finds a taken port before anything is started.
    ///
    /// # Errors
    /// One, with the port.
    pub fn ensure_free(self) -> anyhow::Result<()> {
        let Ports { smtp, submission, submissions, imap, imaps, admin, gateway } = self;
        for port in [smtp, submission, submissions, imap, imaps, admin].into_iter().chain(gateway) {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .with_context(|| format!("port {port} cannot be had, another --port-base may help"))?;
        }
        Ok(())
    }
}

impl Operator {
    /// Operator A, in the demo's folder.
    pub fn a(folder: &Path, base: u16, space: &DevelopmentTrustSpace) -> Operator {
        Operator {
            host: A_HOST,
            config: folder.join("sceau.toml"),
            data: folder.join("data"),
            ports: Ports { gateway: Some(base + 35), ..Ports::from_base(base) },
            name: "localhost",
            certificate: space.certificate(Holder::OperatorA),
            retry: PATIENT,
        }
    }

    /// Operator B, in a folder below; each of its ports is one above that of A.
    pub fn b(folder: &Path, base: u16, space: &DevelopmentTrustSpace) -> Operator {
        Operator {
            host: B_HOST,
            config: folder.join("sceau.toml"),
            data: folder.join("data"),
            ports: Ports::from_base(base + 1),
            name: B_HOST,
            certificate: space.certificate(Holder::Valid),
            retry: IMPATIENT,
        }
    }

    /// Written at each start: ports may be others. Changes by hand belong into a copy.
    pub fn write_configuration(
        &self,
        postmaster: &str,
        other: &Operator,
        around: &Surroundings<'_>,
    ) -> anyhow::Result<()> {
        let mut text = format!(
            "# Written by `sceau demo` at each start. conf/single-host.toml explains every key.\n\
             [server]\nname = \"{name}\"\ndata = {data}\npostmaster = \"{postmaster}\"\nstop_seconds = 5\n\n\
             [log]\nlevel = \"info\"\n\n\
             [admin]\nlisten = {admin}\n\n\
             [limits]\nsessions = 9000\nsessions_per_account = 8000\n\n\
             [[limits.network]]\nnetwork = \"127.0.0.0/8\"\nsessions_per_address = 8000\n\n\
             [[limits.network]]\nnetwork = \"::1/128\"\nsessions_per_address = 8000\n\n\
             # Operators judge this one's subject; no user sees it.\n\
             [[certificate]]\nname = \"operator\"\nchain = {operator_chain}\nkey = {operator_key}\n\n\
             [[certificate]]\nname = \"development\"\nchain = {chain}\nkey = {key}\n",
            name = self.name,
            data = quoted(&self.data),
            admin = listen(self.ports.admin),
            operator_chain = quoted(&self.certificate.chain),
            operator_key = quoted(&self.certificate.key),
            chain = quoted(&around.certificates.server.chain),
            key = quoted(&around.certificates.server.key),
        );
        text.push_str(&trust(around.space));
        text.push_str(&self.relay(other, around.dns));
        text.push_str(&self.listeners()?);
        write_whole(&self.config, &text, 0o644)
    }

    /// How mail leaves: every operator that DNS names listens on the port of the other one.
    fn relay(&self, other: &Operator, dns: SocketAddr) -> String {
        format!(
            "\n[relay]\nname = \"{name}\"\ncertificate = \"operator\"\nport = {port}\ndns_servers = [\"{dns}\"]\n\
             # All operators of the demo are on this machine.\nallowed_networks = [\"127.0.0.0/8\"]\n\
             pause_first_seconds = 1\npause_max_seconds = 10\n\n\
             [relay.retry]\n{retry}\n\
             [receiving]\ndns_servers = [\"{dns}\"]\n",
            name = self.host,
            port = other.ports.smtp,
            retry = self.retry,
        )
    }

    fn listeners(&self) -> anyhow::Result<String> {
        let ports = self.ports;
        let users = "certificates = [\"development\"]";
        // Whoever asks for localhost by name gets the certificate for it.
        let operators = "certificates = [\"operator\", \"development\"]";
        let gateway = "certificates = [\"development\"]\nnetworks = [\"127.0.0.0/8\", \"::1/128\"]";
        let mut text = String::new();
        for (name, role, tls, port, more) in [
            ("relay", "relay", "starttls", Some(ports.smtp), operators),
            ("gateway", "gateway", "starttls", ports.gateway, gateway),
            ("submission", "submission", "starttls", Some(ports.submission), users),
            ("submissions", "submission", "implicit", Some(ports.submissions), users),
            ("imap", "imap", "starttls", Some(ports.imap), users),
            ("imaps", "imap", "implicit", Some(ports.imaps), users),
        ] {
            let Some(port) = port else { continue };
            let listen = listen(port);
            write!(
                text,
                "\n[[listener]]\nname = \"{name}\"\nrole = \"{role}\"\nlisten = {listen}\ntls = \"{tls}\"\n{more}\n"
            )?;
        }
        Ok(text)
    }
}

fn trust(space: &DevelopmentTrustSpace) -> String {
    let verification = match space.signing {
        Signing::Done => format!("signer = \"{}\"", Holder::ListSigner.name()),
        Signing::ProgramMissing => "verification = \"unsigned\"".to_owned(),
    };
    let [organisations, root] = space.revocation_lists();
    format!(
        "\n[trust]\nroots = [{roots}]\nintermediates = [{intermediates}]\n\n\
         [trust.white_list]\nfile = {list}\n{verification}\nrefresh_minutes = 1\n\n\
         [trust.revocation]\nfiles = [{organisations}, {root}]\ndistribution_points = false\nocsp = false\n",
        roots = quoted(&space.roots()),
        intermediates = quoted(&space.organisations()),
        list = quoted(&space.white_list()),
        organisations = quoted(&organisations),
        root = quoted(&root),
    )
}

fn listen(port: u16) -> String {
    match has_ipv6() {
        true => format!("[\"{}:{port}\", \"[{}]:{port}\"]", Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST),
        false => format!("[\"{}:{port}\"]", Ipv4Addr::LOCALHOST),
    }
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// A TOML string; paths of the demo hold neither quotes nor backslashes.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display())
}
