//! Another operator that takes everything and keeps nothing: SMTP under TLS, certificates demanded of whoever sends.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// The other operator, until dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    accepted: Receiver<Accepted>,
    connections: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

/// A message it took.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// When its last line came.
    pub at: Instant,
    /// What its field X-Ledger says; empty without one.
    pub name: String,
}

impl Sink {
    /// Listens, shows this certificate, and believes whom these authorities do.
    pub fn start(address: SocketAddr, chain: &Path, key: &Path, authorities: &Path) -> Result<Sink> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authorities)? {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let chain = CertificateDer::pem_file_iter(chain)?.collect::<Result<Vec<_>, _>>()?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
        let (config, listener) = (Arc::new(config), listen(address)?);
        let (accepts, accepted) = mpsc::channel();
        let connections = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let (counted, stopped) = (Arc::clone(&connections), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                counted.fetch_add(1, Ordering::Relaxed);
                let (config, accepts) = (Arc::clone(&config), accepts.clone());
                // Whoever leaves ends its session: nothing to tell.
                std::thread::spawn(move || drop(serve(stream, config, &accepts)));
            }
        });
        Ok(Sink { address, accepted, connections, stop })
    }

    /// Waits until so many messages were accepted; gives their rate per second, from the first to the last.
    pub fn rate(&self, count: usize) -> Result<f64> {
        let mut times = Vec::with_capacity(count);
        while times.len() < count {
            let accepted = self.next_within(Duration::from_secs(60));
            times.push(accepted.with_context(|| format!("{} of {count} messages came", times.len()))?.at);
        }
        let (first, last) = (times.iter().min(), times.iter().max());
        let took = first.zip(last).map(|(first, last)| last.duration_since(*first)).context("no message was asked")?;
        Ok((count - 1) as f64 / took.as_secs_f64())
    }

    /// The next message it took, if there is one in time.
    #[must_use]
    pub fn next_within(&self, patience: Duration) -> Option<Accepted> {
        self.accepted.recv_timeout(patience).ok()
    }

    /// Connections it took so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes up the thread that accepts.
        let _nobody = TcpStream::connect(self.address);
    }
}

/// A sink that was here before may take a moment to be gone.
fn listen(address: SocketAddr) -> Result<TcpListener> {
    for _ in 0..100 {
        if let Ok(listener) = TcpListener::bind(address) {
            return Ok(listener);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    TcpListener::bind(address).with_context(|| format!("listening on {address}"))
}

fn serve(mut stream: TcpStream, config: Arc<ServerConfig>, accepted: &Sender<Accepted>) -> Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(b"220 mx.ailleurs.example ESMTP\r\n")?;
    let mut line = String::new();
    let mut plain = BufReader::new(stream.try_clone()?);
    loop {
        line.clear();
        ensure!(plain.read_line(&mut line)? > 0);
        match verb(&line).as_str() {
            "EHLO" => stream.write_all(b"250-mx.ailleurs.example\r\n250 STARTTLS\r\n")?,
            "STARTTLS" => break stream.write_all(b"220 2.0.0 go ahead\r\n")?,
            "QUIT" => return Ok(stream.write_all(b"221 2.0.0 bye\r\n")?),
            _ => stream.write_all(b"530 5.7.0 TLS first\r\n")?,
        }
    }
    let mut tls = BufReader::with_capacity(65_536, StreamOwned::new(ServerConnection::new(config)?, stream));
    let mut answers = Vec::new();
    loop {
        line.clear();
        ensure!(tls.read_line(&mut line)? > 0);
        let verb = verb(&line);
        answers.extend_from_slice(match verb.as_str() {
            "EHLO" => {
                b"250-mx.ailleurs.example\r\n250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n"
            }
            "DATA" => b"354 go ahead\r\n",
            "QUIT" => b"221 2.0.0 bye\r\n",
            _ => b"250 2.0.0 yes\r\n",
        });
        // What was pipelined is answered in one go.
        if verb == "DATA" || tls.buffer().is_empty() {
            tls.get_mut().write_all(&answers)?;
            tls.get_mut().flush()?;
            answers.clear();
        }
        match verb.as_str() {
            "QUIT" => return Ok(()),
            "DATA" => {
                let name = name_in_body(&mut tls)?;
                accepted.send(Accepted { at: Instant::now(), name })?;
                answers.extend_from_slice(b"250 2.0.0 taken\r\n");
                if tls.buffer().is_empty() {
                    tls.get_mut().write_all(&answers)?;
                    tls.get_mut().flush()?;
                    answers.clear();
                }
            }
            _ => {}
        }
    }
}

/// Reads to the end of the message; gives what its field X-Ledger says.
fn name_in_body(stream: &mut impl BufRead) -> Result<String> {
    let (mut line, mut name) = (Vec::new(), String::new());
    loop {
        line.clear();
        ensure!(stream.read_until(b'\n', &mut line)? > 0);
        if line == b".\r\n" {
            return Ok(name);
        }
        if let Some(value) = line.strip_prefix(b"X-Ledger: ") {
            name = String::from_utf8_lossy(value).trim().to_owned();
        }
    }
}

fn verb(line: &str) -> String {
    line.split([' ', '\r', '\n']).next().unwrap_or_default().to_ascii_uppercase()
}
