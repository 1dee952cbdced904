use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use crate::{
    ConnectError,
    testing::{Broker, Peer, info, text_of},
};

/// A server for the host `broker` under its own authority, and that authority's certificate as PEM.
fn acceptor() -> (TlsAcceptor, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["broker".into()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    (TlsAcceptor::from(Arc::new(config)), cert.pem())
}

#[tokio::test(start_paused = true)]
async fn a_broker_under_a_private_authority_is_reached_by_its_certificate() {
    let mut broker = Broker::new();
    let (acceptor, authority) = acceptor();
    let (client, mut peer) = tokio::join!(broker.tls_builder().ca_certificates(authority).connect(), async {
        let mut peer = Peer::upgrade(acceptor.accept(broker.raw().await).await.unwrap()).await;
        peer.expect_connect().await;
        peer.send_connected(info()).await;
        peer
    });
    client.unwrap().publish("a").unacknowledged().text("over TLS").await.unwrap();
    assert_eq!(text_of(&peer.expect_publish().await), "over TLS");
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let mut broker = Broker::new();
    let (acceptor, _) = acceptor();
    let (error, _) = tokio::join!(broker.tls_builder().connect(), async {
        acceptor.accept(broker.raw().await).await.err()
    });
    let error = error.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    assert!(error.to_string().contains("ca_certificates"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_broker_without_tls_is_told_as_such() {
    let mut broker = Broker::new();
    let (error, ()) = tokio::join!(broker.tls_builder().connect(), async {
        let mut stream = broker.raw().await;
        let mut hello = [0; 16];
        assert!(stream.read(&mut hello).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    assert!(matches!(error, Err(ConnectError::Tls { .. })), "{error:?}");
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_an_error() {
    let broker = Broker::new();
    let error = broker.tls_builder().ca_certificates("hello").start().unwrap_err();
    assert!(error.to_string().contains("has no certificate"), "{error}");
}
