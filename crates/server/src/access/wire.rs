//! The stream to one client: gathered writes, and reads that hold no buffer while they wait.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// Octets gathered before they are written: one TLS record is 16 KiB, and a `writev` of a few of them is as fast as it gets.
pub const HIGH_WATER_OCTETS: usize = 64 * 1024;
/// How long a client may take nothing of what is sent to it.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5 * 60);
/// Octets taken from the socket at once; on the stack, while they are looked at.
const READ_OCTETS: usize = 16 * 1024;

/// What a session runs over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// The client is gone, or takes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnected;

/// One client's stream with what waits to be written.
pub struct Wire<'a> {
    stream: &'a mut dyn Stream,
    waiting: Vec<u8>,
}

impl<'a> Wire<'a> {
    /// Nothing waits yet.
    pub fn new(stream: &'a mut dyn Stream) -> Wire<'a> {
        Wire { stream, waiting: Vec::new() }
    }

    /// Takes octets to be sent with the next [`Wire::flush`], or now when many wait.
    pub async fn send(&mut self, octets: Vec<u8>) -> Result<(), Disconnected> {
        if self.waiting.is_empty() {
            self.waiting = octets;
        } else {
            self.waiting.extend_from_slice(&octets);
        }
        match self.waiting.len() >= HIGH_WATER_OCTETS {
            true => self.write_waiting().await,
            false => Ok(()),
        }
    }

    /// Sends all that waits.
    pub async fn flush(&mut self) -> Result<(), Disconnected> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.write_waiting().await?;
        in_time(self.stream.flush()).await
    }

    async fn write_waiting(&mut self) -> Result<(), Disconnected> {
        let waiting = std::mem::take(&mut self.waiting);
        for chunk in waiting.chunks(HIGH_WATER_OCTETS) {
            // The time is for each chunk: a slow client that reads is served to the end.
            in_time(self.stream.write_all(chunk)).await?;
        }
        Ok(())
    }

    /// Waits for octets and hands them to `take`; `false` when the client closed its side. Cancel-safe.
    pub async fn receive(&mut self, mut take: impl FnMut(&[u8])) -> Result<bool, Disconnected> {
        poll_fn(|context| {
            let mut octets = [MaybeUninit::uninit(); READ_OCTETS];
            let mut buffer = ReadBuf::uninit(&mut octets);
            match Pin::new(&mut *self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(_)) => Poll::Ready(Err(Disconnected)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Ok(false)),
                Poll::Ready(Ok(())) => {
                    take(buffer.filled());
                    Poll::Ready(Ok(true))
                }
            }
        })
        .await
    }

    /// Says goodbye to the stream itself (TLS close_notify), as far as the client lets us.
    pub async fn close(&mut self) {
        let _ = tokio::time::timeout(Duration::from_secs(5), self.stream.shutdown()).await;
    }
}

async fn in_time(write: impl Future<Output = std::io::Result<()>>) -> Result<(), Disconnected> {
    match tokio::time::timeout(WRITE_TIME_MAX, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Disconnected),
    }
}
