//! How fast a full queue empties to another operator: through TLS with certificates on both sides, over 1, 10 and 100
//! connections; ours, and Postfix to the same sink.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::{Result, ensure};
use tests::{
    letter,
    postfix::Postfix,
    server::{Doors, Options, Server},
    serving::Serving,
    sink::Sink,
    smtp::Smtp,
};

use crate::{Plan, figures::Figures, target::Target};

/// Sessions that fill the queue.
const FILLERS: usize = 10;

/// The one to whom everything goes.
const RECIPIENT: &str = "someone@ailleurs.example";

/// The sink's address: another one than that of the Postfix that sends to it.
const SINK: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);

/// Messages per second to the sink.
pub fn rates(figures: &mut Figures, target: &mut Target, plan: &Plan) -> Result<()> {
    let folder = tempfile::TempDir::with_prefix("sceau-bench-relay-")?;
    let demo = Server::start_with(Options { folder: Some(folder.path().join("demo")), ..Options::default() })?;
    // Its certificates and settings are what is needed; what is measured listens on its ports.
    let doors = Doors::clone(&demo);
    drop(demo);
    for connections in [1, 10, 100] {
        let rates = (0..plan.runs()).map(|_| match target.side {
            "ours" => ours(&doors, connections, plan),
            _ => postfix(&doors, connections, plan),
        });
        let rates = rates.collect::<Result<Vec<_>>>()?;
        let plural = if connections == 1 { "connection" } else { "connections" };
        figures.all(&format!("relay of 10 kB by mutual TLS, {connections} {plural}, per second"), target.side, &rates);
    }
    Ok(())
}

fn ours(doors: &Doors, connections: usize, plan: &Plan) -> Result<f64> {
    let port = doors.settings.address("B_SMTP_PORT").port();
    let relay = format!(
        "connections = {connections}\nconnections_per_destination = {connections}\n\
         route = [{{ domain = \"ailleurs.example\", host = \"{SINK}\", port = {port} }}]\n"
    );
    let server = Serving::start(doors, &relay)?;
    let sender = doors.settings.get("USER1");
    fill(sender, plan, || {
        let (name, password) = doors.user(1);
        Smtp::signed_in(doors.settings.address("SUBMISSIONS_PORT"), &doors.trust, name, password)
    })?;
    let sink = sink(doors, "CERT_OTHER_DOMAIN", "KEY_OTHER_DOMAIN")?;
    let retried = tests::server::run(server.config(), &["queue", "retry", "all"])?;
    ensure!(retried.status.success(), "queue retry: {}", retried.err);
    measured(&sink, connections, plan)
}

fn postfix(doors: &Doors, connections: usize, plan: &Plan) -> Result<f64> {
    let port = doors.settings.address("B_SMTP_PORT").port();
    let postfix = Postfix::start_with(
        doors,
        &format!(
            "transport_maps = inline:{{ ailleurs.example=smtp:[{SINK}]:{port} }}\nvirtual_mailbox_domains =\n\
             smtp_tls_secure_cert_match = mx.operateur-b.example\ndefault_process_limit = 150\n\
             default_destination_concurrency_limit = {connections}\n\
             initial_destination_concurrency = {connections}\nminimal_backoff_time = 300s\n\
             maximal_backoff_time = 300s\nqueue_run_delay = 300s\n"
        ),
    )?;
    fill("someone@elsewhere.example", plan, || postfix.user())?;
    // Shows another name than Postfix, which would take it for itself.
    let sink = sink(doors, "CERT_VALID", "KEY_VALID")?;
    postfix.flush(count(plan))?;
    measured(&sink, connections, plan)
}

fn sink(doors: &Doors, chain: &str, key: &str) -> Result<Sink> {
    let (chain, key) = (Path::new(doors.settings.get(chain)), Path::new(doors.settings.get(key)));
    let address = SocketAddr::from((SINK, doors.settings.address("B_SMTP_PORT").port()));
    Sink::start(address, chain, key, &chain.with_file_name("root.pem"))
}

fn measured(sink: &Sink, connections: usize, plan: &Plan) -> Result<f64> {
    let rate = sink.rate(count(plan))?;
    ensure!(sink.connections() > 0, "nobody connected");
    eprintln!("          {} connections were opened, {connections} at most at one time", sink.connections());
    Ok(rate)
}

/// Messages of one run.
fn count(plan: &Plan) -> usize {
    if plan.quick { 500 } else { 3_000 }
}

/// Fills the queue while nobody listens at the other end.
fn fill(sender: &str, plan: &Plan, connect: impl Fn() -> Result<Smtp> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let fill = || -> Result<()> {
            let mut session = connect()?;
            for _ in 0..count(plan) / FILLERS {
                let reply = session.send(sender, &[RECIPIENT], &letter::plain(sender, RECIPIENT, 10_240))?;
                ensure!(reply.is_ok(), "{reply:?}");
            }
            Ok(())
        };
        let filling: Vec<_> = (0..FILLERS).map(|_| scope.spawn(fill)).collect();
        filling.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow::anyhow!("a session panicked"))?)
    })
}
