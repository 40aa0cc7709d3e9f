//! TLS in front of a cluster that speaks none, in a thread that is not counted.

use std::{io::Read, io::Write, sync::Arc};

use klamm_kafka_tests::Certificates;
use klamm_tokio::tls::rustls::{
    ServerConfig, ServerConnection,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::counting::Brokers;

/// A cluster's brokers, which advertise addresses that are encrypted.
#[derive(Debug)]
pub struct Secured {
    /// These addresses, separated by commas.
    pub bootstrap: String,
    /// Whom clients must trust, as PEM.
    pub ca: String,
}

/// Puts TLS in front of every broker, until the process ends.
pub fn secure(brokers: &Brokers) -> Secured {
    let certificates = Certificates::new();
    let config = server(&certificates);
    let nodes: Vec<i32> = brokers.cluster().nodes().collect();
    let mut addresses = Vec::new();
    for (node, behind) in nodes.into_iter().zip(brokers.bootstrap().split(',')) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        brokers.cluster().set_address(node, "127.0.0.1", address.port());
        addresses.push(address.to_string());
        let (behind, config) = (behind.to_owned(), Arc::clone(&config));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(accept(listener, behind, config));
        });
    }
    Secured { bootstrap: addresses.join(","), ca: certificates.ca }
}

/// What a broker's side of TLS is set to.
pub fn server(certificates: &Certificates) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(certificates.broker.as_bytes()).collect::<Result<_, _>>().expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(certificates.broker_key.as_bytes()).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    Arc::new(builder.with_single_cert(chain, key).expect("a certificate"))
}

async fn accept(listener: std::net::TcpListener, behind: String, config: Arc<ServerConfig>) {
    listener.set_nonblocking(true).expect("it can");
    let listener = TcpListener::from_std(listener).expect("a runtime");
    while let Ok((client, _)) = listener.accept().await {
        let (behind, config) = (behind.clone(), Arc::clone(&config));
        // However a connection ends, the other side is closed with it.
        tokio::spawn(async move { drop(between(client, behind, config).await) });
    }
}

async fn between(mut client: TcpStream, behind: String, config: Arc<ServerConfig>) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut broker = TcpStream::connect(behind).await?;
    broker.set_nodelay(true)?;
    let mut tls = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let (mut sealed, mut plain) = (vec![0; 16 << 10], vec![0; 64 << 10]);
    loop {
        let mut out = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut out)?;
        }
        client.write_all(&out).await?;
        tokio::select! {
            count = client.read(&mut sealed) => {
                let mut rest = &sealed[..count?];
                if rest.is_empty() {
                    return Ok(());
                }
                while !rest.is_empty() {
                    tls.read_tls(&mut rest)?;
                    let state = tls.process_new_packets().map_err(std::io::Error::other)?;
                    let mut told = vec![0; state.plaintext_bytes_to_read()];
                    tls.reader().read_exact(&mut told)?;
                    broker.write_all(&told).await?;
                }
            }
            count = broker.read(&mut plain), if !tls.is_handshaking() => {
                match count? {
                    0 => return Ok(()),
                    count => tls.writer().write_all(&plain[..count])?,
                }
            }
        }
    }
}
