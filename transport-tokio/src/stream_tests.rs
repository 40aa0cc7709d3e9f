use super::*;
use embedded_io::ErrorKind;
use std::future::poll_fn;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

async fn pair() -> (TcpStream, tokio::net::TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let stream = tokio::net::TcpStream::connect(listener.local_addr().expect("bound")).await.expect("a connection");
    let (peer, _) = listener.accept().await.expect("the connection");
    (TcpStream::tcp(stream).expect("options"), peer)
}

async fn read(stream: &mut TcpStream, buf: &mut [u8]) -> Result<usize, TransportError> {
    poll_fn(|cx| stream.poll_read(cx, buf)).await
}

#[tokio::test]
async fn bytes_come_as_they_arrive_and_then_the_end() {
    let (mut stream, mut peer) = pair().await;
    let mut buf = [0xEE; 16];
    assert!(poll_fn(|cx| Poll::Ready(stream.poll_read(cx, &mut buf).is_pending())).await);
    peer.write_all(b"gorge").await.expect("sent");
    assert_eq!(read(&mut stream, &mut buf[..2]).await, Ok(2));
    assert_eq!(read(&mut stream, &mut buf[2..]).await, Ok(3));
    assert_eq!(&buf[..6], b"gorge\xEE", "what was not read is untouched");
    drop(peer);
    assert_eq!(read(&mut stream, &mut buf).await, Ok(0));
    assert_eq!(read(&mut stream, &mut buf).await, Ok(0), "the end stays");
}

/// More slices than a call takes, empty ones before them, and a peer that reads slowly: all arrive once and in order.
#[tokio::test]
async fn partial_vectored_writes_lose_nothing() {
    let (mut stream, mut peer) = pair().await;
    let all: Vec<u8> = (0..8_000_000_u32).map(|i| (i % 251) as u8).collect();
    let reader = tokio::spawn(async move {
        let (mut got, mut buf) = (Vec::new(), vec![0; 50_000]);
        loop {
            match peer.read(&mut buf).await.expect("bytes") {
                0 => return got,
                n => got.extend_from_slice(&buf[..n]),
            }
            tokio::task::yield_now().await;
        }
    });
    let (mut sent, mut partial) = (0, 0);
    while sent < all.len() {
        let chunk = &all[sent..all.len().min(sent + 6_500_000)];
        let mut slices: Vec<&[u8]> = vec![&[]; 70];
        slices.extend(chunk.chunks(50_000));
        let n = poll_fn(|cx| stream.poll_write(cx, &slices)).await.expect("sent");
        assert!(n > 0 && n <= SLICES_MAX * 50_000, "{n}");
        partial += usize::from(n < chunk.len());
        sent += n;
    }
    assert!(partial > 1, "the socket took everything at once: nothing was tested");
    poll_fn(|cx| stream.poll_flush(cx)).await.expect("flushed");
    poll_fn(|cx| stream.poll_close(cx)).await.expect("closed");
    let got = reader.await.expect("a reader");
    assert!(got == all, "{} of {} bytes arrived, or not in order", got.len(), all.len());
}

/// Trap 105: requests are not held back, and a forgetful balancer hears of the connection in time.
#[tokio::test]
async fn options_are_set() {
    let (stream, _peer) = pair().await;
    assert!(stream.0.nodelay().expect("the option"));
    let socket = SockRef::from(&stream.0);
    assert!(socket.keepalive().expect("the option"));
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_keepalive_time().expect("the option"), KEEP_ALIVE);
}

#[tokio::test]
async fn a_reset_is_an_error_of_its_kind() {
    let (mut stream, peer) = pair().await;
    SockRef::from(&peer).set_linger(Some(Duration::ZERO)).expect("the option");
    drop(peer);
    let e = read(&mut stream, &mut [0; 8]).await.expect_err("reset");
    assert_eq!((e.phase, e.kind), (Phase::Io, ErrorKind::ConnectionReset));
    assert!(!e.text.is_empty());
    let e = poll_fn(|cx| stream.poll_write(cx, &[b"into the void"])).await.expect_err("closed");
    assert_eq!(e.kind, ErrorKind::BrokenPipe, "{e}");
    assert_eq!(poll_fn(|cx| stream.poll_close(cx)).await, Ok(()), "closing what the peer closed is no error");
}
