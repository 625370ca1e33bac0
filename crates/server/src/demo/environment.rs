//! What the demo tells: `demo.env` for programs, a table of settings for people.

use std::path::Path;

use comfy_table::{Table, presets};

use super::Place;
use super::outside::OTHER_DOMAIN;
use super::people::{Counterpart, FIRST_DOMAIN, People};
use crate::development_trust_space::Holder;

/// Characters that a shell would read otherwise; `demo.env` holds none.
const FORBIDDEN: [char; 7] = [' ', '"', '\'', '\\', '$', '#', '\n'];

/// Paths end up in `demo.env`.
pub fn check_path(folder: &Path) -> anyhow::Result<()> {
    let text = folder.to_str().unwrap_or("\n");
    anyhow::ensure!(
        !text.contains(FORBIDDEN),
        "{}: choose a folder without spaces, quotes, backslashes, $ and # in its path",
        folder.display()
    );
    Ok(())
}

/// Writes `demo.env`, renamed into place: who sees it may connect.
pub(super) fn write(place: &Place, people: &People, counterpart: &Counterpart) -> anyhow::Result<()> {
    let (ports, b) = (place.a.ports, place.b.ports);
    let mut lines: Vec<(&str, String)> = vec![
        ("HOST", "127.0.0.1".to_owned()),
        // Whoever has no operator's certificate sends by the gateway.
        ("SMTP_PORT", ports.gateway.unwrap_or(ports.smtp).to_string()),
        ("RELAY_PORT", ports.smtp.to_string()),
        ("SUBMISSION_PORT", ports.submission.to_string()),
        ("SUBMISSIONS_PORT", ports.submissions.to_string()),
        ("IMAP_PORT", ports.imap.to_string()),
        ("IMAPS_PORT", ports.imaps.to_string()),
        ("ADMIN_PORT", ports.admin.to_string()),
        ("CA_FILE", place.certificates.authority.display().to_string()),
        ("USER1", people.user1.address.clone()),
        ("PASSWORD1", people.user1.password.clone()),
        ("USER2", people.user2.address.clone()),
        ("PASSWORD2", people.user2.password.clone()),
        ("USER3", people.user3.address.clone()),
        ("PASSWORD3", people.user3.password.clone()),
        ("MSS1", people.user1.address.clone()),
        ("MSS2", people.user2.address.clone()),
        ("LOAD_DOMAIN", FIRST_DOMAIN.to_owned()),
        ("LOAD_PASSWORD", people.load_password.clone()),
        ("PID", std::process::id().to_string()),
        ("DATA_DIR", place.a.data.display().to_string()),
        ("CONFIG", place.a.config.display().to_string()),
        ("B_HOST", "127.0.0.1".to_owned()),
        ("B_SMTP_PORT", b.smtp.to_string()),
        ("B_SUBMISSION_PORT", b.submission.to_string()),
        ("B_IMAPS_PORT", b.imaps.to_string()),
        ("B_USER1", counterpart.user1.address.clone()),
        ("B_MSS1", counterpart.user1.address.clone()),
        ("B_PASSWORD1", counterpart.user1.password.clone()),
        ("DNS_ADDR", place.dns.to_string()),
        ("OTHER_DOMAIN", OTHER_DOMAIN.to_owned()),
    ];
    lines.extend(ports.gateway.map(|port| ("GATEWAY_PORT", port.to_string())));
    let mut text: String = lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    for (case, holder) in Holder::CASES {
        let files = place.space.certificate(holder);
        text.push_str(&format!("CERT_{case}={}\nKEY_{case}={}\n", files.chain.display(), files.key.display()));
    }
    super::write_whole(&place.folder.join("demo.env"), &text, 0o600)
}

/// What to type into Thunderbird or Outlook.
pub(super) fn settings_table(place: &Place, people: &People, counterpart: &Counterpart) -> String {
    let ports = place.a.ports;
    let mut accounts = Table::new();
    accounts.load_style(presets::UTF8_FULL_CONDENSED).set_header(["name", "address and user name", "password"]);
    for person in [&people.user1, &people.user2, &people.user3] {
        accounts.add_row([&person.name, &person.address, &person.password]);
    }
    let mut servers = Table::new();
    servers.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "server",
        "host",
        "port",
        "security",
        "authentication",
    ]);
    for (name, port, security) in [
        ("incoming, IMAP", ports.imaps, "SSL/TLS"),
        ("outgoing, SMTP", ports.submissions, "SSL/TLS"),
        ("or incoming, IMAP", ports.imap, "STARTTLS"),
        ("or outgoing, SMTP", ports.submission, "STARTTLS"),
    ] {
        servers.add_row([name, "localhost", &port.to_string(), security, "normal password"]);
    }
    format!(
        "Settings for Thunderbird, Outlook and others, on this machine:\n{accounts}\n{servers}\n\
         NeoMutt: set smtp_authenticators=plain\n\
         Trust this authority first: {authority}\n\
         Operators, by certificate: localhost:{smtp}. Metrics and health: http://localhost:{admin}/metrics\n\
         At operator B: {b_address}, password {b_password}, IMAP on port {b_imaps}, SMTP on port {b_submissions}\n\
         All this for programs: {environment}",
        authority = place.certificates.authority.display(),
        smtp = ports.smtp,
        b_address = counterpart.user1.address,
        b_password = counterpart.user1.password,
        b_imaps = place.b.ports.imaps,
        b_submissions = place.b.ports.submissions,
        admin = ports.admin,
        environment = place.folder.join("demo.env").display(),
    )
}
