//! What can go wrong, by what was being done.

use std::{io, time::Duration};

use crate::spool::SpoolError;
use murre_protocol::{Code, Format, client_id::ClientIdError, topic::TopicError};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL can't be used.
    #[error("{url:?} is no broker's address: {problem}; write it as ws://host:port/ws or wss://host:port/ws")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The client id breaks a rule.
    #[error("{client_id:?} is no client id: {source}")]
    ClientId {
        /// As it was given.
        client_id: String,
        /// The rule.
        source: ClientIdError,
    },
    /// The will's topic breaks a rule.
    #[error("the will's topic {topic:?} is no topic: {source}")]
    WillTopic {
        /// As it was given.
        topic: String,
        /// The rule.
        source: TopicError,
    },
    /// Nothing listens there.
    #[error(
        "no broker listens at {address}; start one with `murre serve`, or give the address of one that runs"
    )]
    NothingListens {
        /// Host and port.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The name isn't known.
    #[error("the host {host:?} can't be found: {source}; check the name and the network")]
    NoSuchHost {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Another fault of the network.
    #[error("no connection to {address}: {source}")]
    Io {
        /// Host and port.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The certificates don't fit, or the other side doesn't speak TLS.
    #[error(
        "no TLS connection to {address}: {problem}; a broker without TLS is reached by ws://, a private \
         authority's certificate is given by `ca_certificates`"
    )]
    Tls {
        /// Host and port.
        address: String,
        /// What the TLS library said.
        problem: String,
    },
    /// An HTTP answer came instead of a WebSocket.
    #[error("{address} answered the WebSocket handshake with HTTP {status}{}{body}; is the path right?",
        if body.is_empty() { "" } else { ": " })]
    Http {
        /// Host and port.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer's body.
        body: String,
    },
    /// What listens there speaks something else.
    #[error("what listens at {address} is no Murre broker of protocol version 1: {problem}")]
    NotABroker {
        /// Host and port.
        address: String,
        /// What was unexpected.
        problem: String,
    },
    /// The broker doesn't want this client.
    #[error("the broker at {address} refused the connection with {code}{}{reason}",
        if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// Host and port.
        address: String,
        /// Why, as a code.
        code: Code,
        /// Why, in the broker's words.
        reason: String,
        /// How long the broker wants the client to wait before it tries again.
        retry_after: Option<Duration>,
    },
    /// It took too long.
    #[error("{address} didn't answer within {after:?}; is it a broker, and is the way there free?")]
    Timeout {
        /// Host and port.
        address: String,
        /// The time that was allowed.
        after: Duration,
    },
    /// The spool can't be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// There is no tokio runtime to run in.
    #[error("there is no tokio runtime here; call this from within one, for example under #[tokio::main]")]
    NoRuntime,
}

impl ConnectError {
    /// The broker's code, where the broker said why; an HTTP status is turned into the code that is like it.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Http { status, .. } => Some(Code::from_wire(4000 + status % 1000)),
            _ => None,
        }
    }

    /// Whether trying again later may help without any change here.
    pub fn should_reconnect(&self) -> bool {
        match self {
            Self::Url { .. }
            | Self::ClientId { .. }
            | Self::WillTopic { .. }
            | Self::Spool(_)
            | Self::NoRuntime => false,
            _ => self.code().is_none_or(Code::should_reconnect),
        }
    }
}

/// The client has ended: it was closed, or the broker said that it should not come back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the client is closed: {reason}")]
#[non_exhaustive]
pub struct ClientClosed {
    /// The broker's code, where it was the broker's wish.
    pub code: Option<Code>,
    /// Why, for people.
    pub reason: String,
}

impl ClientClosed {
    /// The application's own wish.
    pub(crate) fn by_us() -> Self {
        Self { code: None, reason: "close() was called, or the last Client was dropped".into() }
    }
}

/// A value that could not be turned into a payload.
#[derive(Debug, thiserror::Error)]
#[error("the value can't be written as {format}: {problem}")]
#[non_exhaustive]
pub struct EncodeError {
    /// The format that was asked for.
    pub format: Format,
    /// What the serialiser said.
    pub problem: String,
}

/// Why a message was not published, or not known to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The topic breaks a rule.
    #[error("{topic:?} is no topic: {source}")]
    Topic {
        /// As it was given.
        topic: String,
        /// The rule.
        source: TopicError,
    },
    /// The value could not be turned into a payload.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The message that was to be answered doesn't say where to.
    #[error("the message on {topic:?} has no reply_to: its sender asks for no answer")]
    NoReplyTo {
        /// Where the message came from.
        topic: String,
    },
    /// Larger than the broker takes, or than the buffer may hold.
    #[error("the message for {topic:?} has {bytes} bytes as a packet; at most {max} are allowed: split it")]
    TooLarge {
        /// Where it was to go.
        topic: String,
        /// Bytes of the whole packet.
        bytes: usize,
        /// The broker's `max_packet`, or the buffer's bytes where those are fewer.
        max: usize,
    },
    /// The buffer is full and set to leave out new messages, or not to be waited for.
    #[error("the message for {topic:?} was left out: the outgoing buffer is full")]
    BufferFull {
        /// Where it was to go.
        topic: String,
    },
    /// The spool is full and set to refuse what is new.
    #[error(
        "the message for {topic:?} was refused: the spool is full ({max} bytes); it has room again when the broker has taken some"
    )]
    SpoolFull {
        /// Where it was to go.
        topic: String,
        /// The spool's bound in bytes.
        max: u64,
    },
    /// The spool's disk didn't take it. It counts as not published.
    #[error("the message for {topic:?} could not be put into the spool: {source}")]
    Spool {
        /// Where it was to go.
        topic: String,
        /// What the system said.
        source: io::Error,
    },
    /// The buffer was full and the message, by then the oldest, had to go.
    #[error(
        "the message for {topic:?} was left out for newer ones: the outgoing buffer or the spool was full"
    )]
    Dropped {
        /// Where it was to go.
        topic: String,
    },
    /// The broker refused it.
    #[error("the broker refused the message for {topic:?} with {code}{}{reason}",
        if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// Where it was to go.
        topic: String,
        /// Why, as a code.
        code: Code,
        /// Why, in the broker's words.
        reason: String,
    },
    /// The client ended before the broker answered; the message may have been published or not.
    #[error(transparent)]
    Closed(#[from] ClientClosed),
}

/// Why there is no subscription, or no longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The filter breaks a rule.
    #[error("{filter:?} is no filter: {source}")]
    Filter {
        /// As it was given.
        filter: String,
        /// The rule.
        source: TopicError,
    },
    /// The broker refused it.
    #[error("the broker refused the subscription to {filter:?} with {code}{}{reason}",
        if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// The filter.
        filter: String,
        /// Why, as a code.
        code: Code,
        /// Why, in the broker's words.
        reason: String,
        /// The broker's rule that refused it, where it named one.
        rule: Option<String>,
    },
    /// More subscriptions than one client may have at a time.
    #[error("{filter:?} would be one subscription too many: a client may have {max} at a time")]
    TooMany {
        /// The filter.
        filter: String,
        /// The bound.
        max: usize,
    },
    /// The client has ended.
    #[error(transparent)]
    Closed(#[from] ClientClosed),
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Nobody answered in time.
    #[error("no answer from {topic:?} within {after:?}; is anyone there who answers?")]
    Timeout {
        /// Where the request went.
        topic: String,
        /// The time that was allowed.
        after: Duration,
    },
    /// The request was not published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The subscription that brings the answers was refused.
    #[error("answers can't be received: {0}")]
    Replies(#[from] SubscribeError),
    /// The system gave no random bytes for the private reply topic.
    #[error("the system gave no random bytes for a private reply topic: {0}")]
    Random(String),
    /// Too many requests wait for an answer.
    #[error("{max} requests wait for an answer already; await some of them first")]
    TooMany {
        /// The bound.
        max: usize,
    },
}

impl From<EncodeError> for RequestError {
    fn from(error: EncodeError) -> Self {
        Self::Publish(error.into())
    }
}

impl From<ClientClosed> for RequestError {
    fn from(closed: ClientClosed) -> Self {
        Self::Publish(closed.into())
    }
}

/// A payload that could not be read as the wanted type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The payload doesn't fit the type, or isn't what its format says.
    #[error("the {format} payload on {topic:?} can't be read as the wanted type: {problem}")]
    Payload {
        /// Where the message came from.
        topic: String,
        /// The payload's format.
        format: Format,
        /// What the deserialiser said.
        problem: String,
    },
    /// The payload is bytes of the application's own.
    #[error("the payload on {topic:?} is raw bytes, which only the application can read: use payload()")]
    Raw {
        /// Where the message came from.
        topic: String,
    },
}
