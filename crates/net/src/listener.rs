//! Sockets that accept, bound by us or handed over by the service manager.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections the kernel holds for us before we accept them.
const BACKLOG: i32 = 1_024;

/// The first wait when descriptors or memory run out; it doubles up to [`BACK_OFF_MAX`].
const BACK_OFF_FIRST: Duration = Duration::from_millis(5);

/// The longest such wait. Without one the loop would spin all cores (bar.md S23).
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// Silence after which the kernel asks an idle client whether it is still there: laptops vanish during IDLE.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(600);

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds an address. An IPv6 address takes IPv6 only, so that `0.0.0.0` and `[::]` stand side by side.
    ///
    /// # Errors
    /// Those of the kernel: taken, forbidden, no such address.
    pub fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Listener::from_std(socket.into())
    }

    /// Takes over a socket that listens already.
    ///
    /// # Errors
    /// When it is no listening TCP socket.
    pub fn from_std(socket: StdListener) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Listener { socket: TcpListener::from_std(socket)?, address })
    }

    /// Where it listens, with the port the kernel chose when 0 was asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection. Errors of single connections are passed over; when descriptors or memory are short it
    /// waits, and logs that once. Cancel safe.
    pub async fn accept(&self) -> (TcpStream, SocketAddr) {
        let mut wait = BACK_OFF_FIRST;
        loop {
            match self.socket.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
                    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
                    return (stream, SocketAddr::new(peer.ip().to_canonical(), peer.port()));
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    if wait == BACK_OFF_FIRST {
                        tracing::warn!(address = %self.address, %error, "cannot accept connections now");
                    }
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(BACK_OFF_MAX);
                }
            }
        }
    }

    /// The tokio socket, for a server that has an accept loop of its own.
    pub fn into_tokio(self) -> TcpListener {
        self.socket
    }
}

/// accept(2): errors already pending on the new connection, to be treated like EAGAIN.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable, PermissionDenied, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | PermissionDenied
            | TimedOut
    )
}

/// The sockets the service manager opened for us, with the names of their units (`FileDescriptorName=`, sd_listen_fds(3)).
/// None without socket activation.
///
/// # Errors
/// When the environment announces descriptors that cannot be taken.
pub fn activated() -> io::Result<Vec<(String, StdListener)>> {
    let announced: Vec<(i32, String)> = match sd_notify::listen_fds_with_names() {
        Ok(announced) => announced.collect(),
        Err(error) => return Err(error),
    };
    if announced.is_empty() {
        return Ok(Vec::new());
    }
    // A descriptor number is only a number: the kernel duplicates it for us, which needs no unsafe code.
    let ourselves = pidfd_open(getpid(), PidfdFlags::empty())?;
    announced
        .into_iter()
        .map(|(number, name)| {
            let owned = pidfd_getfd(&ourselves, number, PidfdGetfdFlags::empty())?;
            Ok((name, StdListener::from(owned)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn both_families_take_the_same_port() {
        let v4 = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let v6 = Listener::bind(SocketAddr::new("::1".parse().unwrap(), v4.address().port()));
        // A machine without IPv6 has no ::1; there is nothing to show then.
        if let Err(error) = v6 {
            assert_ne!(error.kind(), io::ErrorKind::AddrInUse);
        }
    }

    #[tokio::test]
    async fn a_taken_address_is_an_error() {
        let first = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(Listener::bind(first.address()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[tokio::test]
    async fn a_socket_handed_over_accepts() {
        let socket = StdListener::bind("127.0.0.1:0").unwrap();
        let ourselves = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&socket);
        let taken = pidfd_getfd(&ourselves, number, PidfdGetfdFlags::empty()).unwrap();
        drop(socket);
        let listener = Listener::from_std(StdListener::from(taken)).unwrap();
        let client = TcpStream::connect(listener.address());
        let (accepted, client) = tokio::join!(listener.accept(), client);
        drop(accepted);
        assert_eq!(client.unwrap().read(&mut [0; 1]).await.unwrap(), 0);
    }
}
