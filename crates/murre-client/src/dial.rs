//! Making a connection: TCP, TLS, the WebSocket handshake, CONNECT, and the broker's answer.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use murre_protocol::{
    Code, Codec, SUBPROTOCOL_MSGPACK,
    packet::{BrokerPacket, ClientPacket, Connected},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config,
    tungstenite::{
        self,
        client::IntoClientRequest,
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::{CloseFrame, Message, WebSocketConfig},
    },
};

use crate::{address::Address, config::Config, error::ConnectError};

/// The most bytes that one message from the broker may have. Brokers send 256 KiB and a packet at most.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// How much of an HTTP answer's body an error quotes.
const BODY_CHARACTERS_MAX: usize = 200;

/// A stream of bytes in both directions.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A WebSocket over whatever the dialer gave.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<Box<dyn Io>>>;

/// How bytes get to the broker.
#[derive(Clone)]
pub(crate) enum Dialer {
    /// Over the network.
    Tcp,
    /// To a broker in the same test.
    #[cfg(test)]
    Memory(crate::testing::Network),
}

impl Dialer {
    async fn dial(&self, address: &Address) -> Result<Box<dyn Io>, ConnectError> {
        match self {
            Self::Tcp => Ok(Box::new(dial_tcp(address).await?)),
            #[cfg(test)]
            Self::Memory(network) => match network.dial().await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(network_error(address, error)),
            },
        }
    }
}

/// Tries all addresses of the host in turn; the error is the last one's.
async fn dial_tcp(address: &Address) -> Result<TcpStream, ConnectError> {
    let no_such_host = |source| ConnectError::NoSuchHost { host: address.host.clone(), source };
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await.map_err(no_such_host)?;
    let mut last = no_such_host(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    for candidate in found {
        match TcpStream::connect(candidate).await {
            Ok(tcp) => {
                // Packets are joined here already: waiting for more in the system only costs time.
                tcp.set_nodelay(true).map_err(|error| network_error(address, error))?;
                return Ok(tcp);
            }
            Err(error) => last = network_error(address, error),
        }
    }
    Err(last)
}

fn network_error(address: &Address, source: io::Error) -> ConnectError {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => {
            ConnectError::NothingListens { address: address.to_string(), source }
        }
        _ => ConnectError::Io { address: address.to_string(), source },
    }
}

/// A connection that the broker accepted.
pub(crate) struct Connection {
    pub(crate) socket: Socket,
    pub(crate) info: Connected<'static>,
    /// The message that CONNECTED came in, from behind CONNECTED on.
    pub(crate) rest: Bytes,
}

/// Makes a connection, within the configured time.
pub(crate) async fn connect(config: &Config, client_id: Option<&str>) -> Result<Connection, ConnectError> {
    let after = config.connect_timeout;
    let timeout = |_| ConnectError::Timeout { address: config.address.to_string(), after };
    tokio::time::timeout(after, connect_patiently(config, client_id)).await.map_err(timeout)?
}

async fn connect_patiently(config: &Config, client_id: Option<&str>) -> Result<Connection, ConnectError> {
    let address = &config.address;
    let stream = config.dialer.dial(address).await?;
    let mut socket = upgrade(config, stream).await?;
    let mut hello = Vec::new();
    Codec::MessagePack.write_client(&ClientPacket::Connect(Box::new(config.connect(client_id))), &mut hello);
    socket.send(Message::Binary(hello.into())).await.map_err(|error| handshake_error(address, error))?;
    loop {
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => return accepted(address, socket, &frame),
            Some(Ok(Message::Close(frame))) => return Err(closed_early(address, frame)),
            Some(Ok(Message::Text(_))) => return Err(not_a_broker(address, "it sent text")),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(handshake_error(address, error)),
            None => return Err(closed_early(address, None)),
        }
    }
}

async fn upgrade(config: &Config, stream: Box<dyn Io>) -> Result<Socket, ConnectError> {
    let address = &config.address;
    let url_error = |error: tungstenite::Error| ConnectError::Url {
        url: address.url.clone(),
        problem: error.to_string(),
    };
    let mut request = address.url.as_str().into_client_request().map_err(url_error)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL_MSGPACK));
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connector = config.tls.clone().map_or(Connector::Plain, Connector::Rustls);
    let upgraded = client_async_tls_with_config(request, stream, Some(limits), Some(connector)).await;
    upgraded.map(|(socket, _)| socket).map_err(|error| handshake_error(address, error))
}

/// Reads the broker's answer to CONNECT.
fn accepted(address: &Address, socket: Socket, frame: &Bytes) -> Result<Connection, ConnectError> {
    match Codec::MessagePack.broker_packet(frame, MESSAGE_BYTES_MAX) {
        Ok(Some((BrokerPacket::Connected(info), rest))) => {
            Ok(Connection { socket, info: owned(&info), rest: frame.slice(frame.len() - rest.len()..) })
        }
        Ok(Some((BrokerPacket::Disconnect(farewell), _))) => Err(ConnectError::Refused {
            address: address.to_string(),
            code: farewell.code,
            reason: farewell.reason.into_owned(),
            retry_after: farewell.retry_after.map(Duration::from_millis),
        }),
        Ok(_) => Err(not_a_broker(address, "its first packet is not CONNECTED")),
        Err(error) => Err(not_a_broker(address, &format!("its first packet can't be read: {error}"))),
    }
}

fn owned(info: &Connected<'_>) -> Connected<'static> {
    Connected {
        client_id: info.client_id.to_string().into(),
        epoch: info.epoch.to_string().into(),
        server: info.server.to_string().into(),
        session_present: info.session_present,
        session_expiry: info.session_expiry,
        durable: info.durable,
        keep_alive: info.keep_alive,
        max_packet: info.max_packet,
        max_message: info.max_message,
        time: info.time,
    }
}

fn closed_early(address: &Address, frame: Option<CloseFrame>) -> ConnectError {
    let (code, reason) =
        frame.map_or((1006, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
    match protocol_code(code) {
        Some(code) => ConnectError::Refused { address: address.to_string(), code, reason, retry_after: None },
        None => not_a_broker(address, &format!("it closed the connection at once, with {code} {reason}")),
    }
}

/// The protocol's code in a WebSocket close code, where it is one.
pub(crate) fn protocol_code(close: u16) -> Option<Code> {
    (4000..5000).contains(&close).then(|| Code::from_wire(close))
}

fn not_a_broker(address: &Address, problem: &str) -> ConnectError {
    ConnectError::NotABroker { address: address.to_string(), problem: problem.to_owned() }
}

fn handshake_error(address: &Address, error: tungstenite::Error) -> ConnectError {
    match error {
        tungstenite::Error::Http(answer) => {
            let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned();
            let body = body.chars().take(BODY_CHARACTERS_MAX).collect::<String>().trim().to_owned();
            ConnectError::Http { address: address.to_string(), status: answer.status().as_u16(), body }
        }
        tungstenite::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => {
            ConnectError::Tls { address: address.to_string(), problem: error.to_string() }
        }
        tungstenite::Error::Tls(error) => {
            ConnectError::Tls { address: address.to_string(), problem: error.to_string() }
        }
        tungstenite::Error::Io(error) => network_error(address, error),
        other => not_a_broker(address, &other.to_string()),
    }
}
