//! The way from a client to a broker, which a test cuts.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// An address at which clients find a broker, whatever its own is at the time. Connections break when the test says.
pub(crate) struct Link {
    address: SocketAddr,
    /// Where new connections lead to. Whenever it is set anew, all that there are break.
    target: watch::Sender<Option<SocketAddr>>,
}

impl Link {
    /// Leads nowhere yet.
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let target = watch::Sender::new(None);
        tokio::spawn(accept(listener, target.clone()));
        Self { address, target }
    }

    /// Where clients connect to.
    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Leads to the broker at `address` from now on.
    pub(crate) fn lead_to(&self, address: SocketAddr) {
        self.target.send_replace(Some(address));
    }

    /// Breaks all connections, and takes no new ones.
    pub(crate) fn take_down(&self) {
        self.target.send_replace(None);
    }

    /// Breaks all connections; new ones lead where the old ones did.
    pub(crate) fn cut(&self) {
        self.target.send_modify(|_| {});
    }
}

async fn accept(listener: TcpListener, target: watch::Sender<Option<SocketAddr>>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(carry(client, target.subscribe()));
    }
}

async fn carry(mut client: TcpStream, mut target: watch::Receiver<Option<SocketAddr>>) {
    let Some(address) = *target.borrow_and_update() else { return };
    let Ok(mut broker) = TcpStream::connect(address).await else { return };
    tokio::select! {
        // An error is the end of one side, which is the end of both.
        _ = copy_bidirectional(&mut client, &mut broker) => {}
        _ = target.changed() => {}
    }
}
