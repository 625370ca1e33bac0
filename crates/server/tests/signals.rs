//! `sceau serve` as a service manager drives it: SIGHUP reads again, SIGTERM ends it with status 0, sockets are handed over.

#![allow(clippy::disallowed_types, clippy::disallowed_methods, clippy::unwrap_used, reason = "tests run the program")]

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use server::development_certificates::DevelopmentCertificates;

/// A running `sceau serve`; killed when dropped.
struct Serve {
    child: Child,
    log: BufReader<ChildStderr>,
}

impl Serve {
    fn start(config: &Path) -> Serve {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sceau"));
        command.args(["serve", "--config"]).arg(config).env_remove("SCEAU_LOG");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        Serve { child, log }
    }

    /// Reads the log up to a line that holds this.
    fn await_line(&mut self, part: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the log ended without {part:?}:\n{seen}");
            if line.contains(part) {
                return line;
            }
            seen.push_str(&line);
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Path, port: u16, limits: &str) -> std::path::PathBuf {
    let files = DevelopmentCertificates::ensure(&folder.join("certificates")).unwrap();
    let text = format!(
        "[server]\nname = \"localhost\"\ndata = \"data\"\n[limits]\n{limits}\n\
         [[certificate]]\nname = \"c\"\nchain = \"{}\"\nkey = \"{}\"\n\
         [[listener]]\nname = \"relay\"\nrole = \"relay\"\ntrust = \"off\"\nlisten = [\"127.0.0.1:{port}\"]\n",
        files.server.chain.display(),
        files.server.key.display()
    );
    let path = folder.join("sceau.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A port nobody has at this moment.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn hang_up_reads_again_and_says_what_must_wait_and_terminate_ends_with_0() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = configuration(folder.path(), port, "");
    let mut serve = Serve::start(&config);
    serve.await_line("listening");

    configuration(folder.path(), port, "sessions_per_address = 1\nmessage_megabytes = 10");
    serve.signal(Signal::HUP);
    serve.await_line("certificates read again");
    serve.await_line("session limits and log levels are those of the file");
    assert!(serve.await_line("waits for a restart").contains("limits.message_megabytes"));
    let mut first = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_ne!(first.read(&mut [0; 4]).unwrap(), 0);
    let mut said = String::new();
    TcpStream::connect(("127.0.0.1", port)).unwrap().read_to_string(&mut said).unwrap();
    assert!(said.starts_with("421 "), "the new limit counts: {said}");

    std::fs::write(&config, "[server]\nnom = \"x\"\n").unwrap();
    serve.signal(Signal::HUP);
    assert!(serve.await_line("the old one stays").contains("server.name: missing"));

    drop(first);
    serve.signal(Signal::TERM);
    serve.await_line("stopped");
    assert_eq!(serve.child.wait().unwrap().code(), Some(0));
    assert!(!folder.path().join("data/admin.sock").exists());
}

#[test]
fn a_killed_server_leaves_nothing_that_prevents_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), free_port(), "");
    for _ in 0..3 {
        let mut serve = Serve::start(&config);
        serve.await_line("listening");
        serve.signal(Signal::KILL);
        serve.child.wait().unwrap();
        assert!(folder.path().join("data/admin.sock").exists());
    }
}

#[test]
fn sockets_of_the_service_manager_are_taken_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    // The file names the same port: what was handed over comes first, or the two would collide.
    let config = configuration(folder.path(), port, "");
    // sd_listen_fds(3): descriptors from 3 on, counted and named in the environment of this very process.
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=relay exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_sceau"), "serve", "--config"]).arg(&config);
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(socket))).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let log = BufReader::new(child.stderr.take().unwrap());
    let mut serve = Serve { child, log };
    assert!(serve.await_line("listening").contains(&port.to_string()));
    let mut greeting = [0; 4];
    TcpStream::connect(("127.0.0.1", port)).unwrap().read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"220 ");
}
