//! A proxy that counts what goes through it.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
};

const BUFFER_BYTES: usize = 16 * 1024;
/// Connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 64;

/// Listens on this machine, passes every connection on, and counts bytes within TCP. Ends when it is dropped.
#[derive(Debug)]
pub(super) struct CountingProxy {
    address: SocketAddr,
    counts: Arc<Counts>,
    task: tokio::task::JoinHandle<()>,
}

/// What went through.
#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

/// What went through up to some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Traffic {
    /// Connections made.
    pub(super) connections: u64,
    /// Bytes to the broker.
    pub(super) sent: u64,
    /// Bytes from the broker.
    pub(super) received: u64,
}

impl CountingProxy {
    /// A proxy to `target` on a free port.
    ///
    /// # Errors
    /// No port is free.
    pub(super) async fn start(target: String) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(accept(listener, target, counts.clone()));
        Ok(Self { address, counts, task })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went through so far. Bytes count before they are passed on, so whatever was received is counted.
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            connections: self.counts.connections.load(Ordering::SeqCst),
            sent: self.counts.sent.load(Ordering::SeqCst),
            received: self.counts.received.load(Ordering::SeqCst),
        }
    }
}

impl Drop for CountingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: String, counts: Arc<Counts>) {
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= CONNECTIONS_MAX {
            connections.join_next().await;
        }
        // A connection that can't be passed on is closed, which its client sees.
        let Ok((client, _)) = listener.accept().await else { continue };
        counts.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(pass_on(client, target.clone(), counts.clone()));
    }
}

async fn pass_on(client: TcpStream, target: String, counts: Arc<Counts>) -> io::Result<()> {
    let broker = TcpStream::connect(&target).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    tokio::try_join!(
        copy(from_client, to_broker, &counts.sent),
        copy(from_broker, to_client, &counts.received),
    )?;
    Ok(())
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: &AtomicU64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        count.fetch_add(read as u64, Ordering::SeqCst);
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every connection's five bytes with two, then closes.
    async fn answerer() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut five = [0; 5];
                socket.read_exact(&mut five).await.unwrap();
                socket.write_all(b"ok").await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn bytes_and_connections_are_counted_both_ways() {
        let proxy = CountingProxy::start(answerer().await.to_string()).await.unwrap();
        for _ in 0..3 {
            let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
            socket.write_all(b"hello").await.unwrap();
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"ok");
        }
        assert_eq!(proxy.traffic(), Traffic { connections: 3, sent: 15, received: 6 });
    }
}
