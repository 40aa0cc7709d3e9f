//! The transport by hand: what the driver does with it, without the driver.

use alloc::{
    format,
    string::{String, ToString as _},
    vec,
    vec::Vec,
};
use core::{cell::Cell, future::poll_fn, pin::pin, task::Poll, time::Duration};

use klamm_wasi::{
    ByteStream, Endpoint, Reactor, TcpStream, Transport, TransportError, Wasi,
    wire::{
        Encode, Reader, api_versions_request::ApiVersionsRequest, api_versions_response::ApiVersionsResponse,
        decode_body, frame,
    },
};
use wasip2::clocks::monotonic_clock::{now, subscribe_duration};

use crate::say;

fn text(e: impl core::fmt::Display) -> String {
    e.to_string()
}

async fn connect(to: &Endpoint) -> Result<TcpStream, TransportError> {
    Wasi::new().connect(to).await
}

async fn write_all(stream: &mut TcpStream, slices: &[&[u8]]) -> Result<(), String> {
    let all: Vec<u8> = slices.concat();
    let mut sent = 0;
    // Whatever part of the slices was taken, the rest goes as two.
    while sent < all.len() {
        let (head, tail) = all[sent..].split_at((all.len() - sent) / 3);
        let whole: &[&[u8]] = if sent == 0 { slices } else { &[head, tail] };
        let n = poll_fn(|cx| stream.poll_write(cx, whole)).await.map_err(text)?;
        if n == 0 {
            return Err("a write took nothing".to_string());
        }
        sent += n;
    }
    poll_fn(|cx| stream.poll_flush(cx)).await.map_err(text)
}

async fn read_exact(stream: &mut TcpStream, buf: &mut [u8]) -> Result<(), String> {
    let mut got = 0;
    while got < buf.len() {
        match poll_fn(|cx| stream.poll_read(cx, &mut buf[got..])).await.map_err(text)? {
            0 => return Err(format!("the end after {got} of {} bytes", buf.len())),
            n => got += n,
        }
    }
    Ok(())
}

/// Asks a broker for its APIs and prints them.
pub async fn versions(to: &Endpoint) -> Result<(), String> {
    let mut stream = connect(to).await.map_err(text)?;
    let request = ApiVersionsRequest::default();
    let request = frame::request_frame(&request, 0, 7, Some("klamm-wasm")).map_err(text)?.bytes;
    write_all(&mut stream, &[&request[..4], &request[4..9], &[], &request[9..]]).await?;
    let mut size = [0; 4];
    read_exact(&mut stream, &mut size).await?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).map_err(text)?];
    read_exact(&mut stream, &mut answer).await?;
    let mut reader = Reader::new(&answer);
    let id = frame::read_response_header(&mut reader, ApiVersionsRequest::API, 0).map_err(text)?;
    let answer: ApiVersionsResponse<'_> = decode_body(&mut reader, 0).map_err(text)?;
    say(&format!("correlation id {id}, error {}", answer.error_code));
    for api in &answer.api_keys {
        say(&format!("API {}: {} to {}", api.api_key, api.min_version, api.max_version));
    }
    poll_fn(|cx| stream.poll_close(cx)).await.map_err(text)
}

/// Writes and reads this many bytes at the same time, in slices of all sizes, with a peer that sends them back.
pub async fn echo(to: &Endpoint, bytes: usize) -> Result<(), String> {
    let mut stream = connect(to).await.map_err(text)?;
    let pattern: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
    let (mut sent, mut got, mut calls, mut refused) = (0, 0, 0, 0);
    let mut buf = vec![0; 100_000];
    poll_fn(|cx| {
        loop {
            let mut busy = false;
            if sent < bytes {
                let slices = in_slices(&pattern[sent..], calls);
                match stream.poll_write(cx, &slices) {
                    Poll::Ready(n) => {
                        sent += n.map_err(text)?;
                        busy = true;
                        calls += 1;
                    }
                    Poll::Pending => refused += 1,
                }
            }
            if let Poll::Ready(n) = stream.poll_read(cx, &mut buf) {
                let n = n.map_err(text)?;
                if n == 0 || buf[..n] != pattern[got..got + n] {
                    return Poll::Ready(Err(format!("{n} wrong bytes after {got}")));
                }
                got += n;
                busy = true;
            }
            if got == bytes {
                return Poll::Ready(Ok(()));
            }
            if !busy {
                return Poll::Pending;
            }
        }
    })
    .await?;
    say(&format!("echoed {got} bytes in {calls} writes, {refused} refused"));
    poll_fn(|cx| stream.poll_close(cx)).await.map_err(text)
}

/// The first bytes as slices, whose sizes change from call to call: tiny ones, empty ones, large ones.
fn in_slices(mut bytes: &[u8], call: usize) -> Vec<&[u8]> {
    let mut slices = Vec::new();
    for size in [[1, 0, 700, 40_000], [20_000, 3, 0, 9], [0, 0, 5, 16_380]][call % 3] {
        let (slice, rest) = bytes.split_at(bytes.len().min(size));
        slices.push(slice);
        bytes = rest;
    }
    // The last bytes may be fewer than the sizes, but never none.
    slices.push(&bytes[..bytes.len().min(1)]);
    slices
}

/// Reads until the peer's end, which stays the end.
pub async fn end(to: &Endpoint) -> Result<(), String> {
    let mut stream = connect(to).await.map_err(text)?;
    let (mut all, mut buf) = (Vec::new(), [0; 64]);
    loop {
        match poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.map_err(text)? {
            0 => break,
            n => all.extend_from_slice(&buf[..n]),
        }
    }
    let again = poll_fn(|cx| stream.poll_read(cx, &mut buf)).await.map_err(text)?;
    say(&format!("{} and the end, then {again}", String::from_utf8_lossy(&all)));
    Ok(())
}

/// Holds a connection for a second, in which it could write at any time but does not want to.
pub async fn idle(to: &Endpoint) -> Result<(), String> {
    let mut stream = connect(to).await.map_err(text)?;
    Reactor::wait(subscribe_duration(1_000_000_000)).await;
    poll_fn(|cx| stream.poll_close(cx)).await.map_err(text)
}

/// Prints why no connection comes about.
pub async fn error(to: &Endpoint) -> Result<(), String> {
    match connect(to).await {
        Ok(_) => Err("connected".to_string()),
        Err(e) => {
            say(&format!("{:?} {:?} {} {}", e.phase, e.kind, e.retriable, e.text));
            Ok(())
        }
    }
}

/// The driver's timer moves both ways, and other pollables can be waited for beside it.
pub async fn time() -> Result<(), String> {
    let mut wasi = Wasi::new();
    let clock = wasi.clock();
    let start = clock.now();
    let far = start.after(Duration::from_secs(60));
    let soon = start.after(Duration::from_millis(60));
    let mut other = pin!(Reactor::wait(subscribe_duration(20_000_000)));
    let mut first = None;
    poll_fn(|cx| {
        if wasi.poll_sleep(cx, far).is_ready() {
            return Poll::Ready(Err("the far deadline came first".to_string()));
        }
        if first.is_none() && other.as_mut().poll(cx).is_ready() {
            first = Some(clock.now().since(start));
        }
        wasi.poll_sleep(cx, soon).map(Ok)
    })
    .await?;
    let all = clock.now().since(start);
    let later = clock.now().after(Duration::from_millis(20));
    poll_fn(|cx| wasi.poll_sleep(cx, later)).await;
    let first = first.ok_or("the other pollable never came")?;
    if clock.now() < later || all < Duration::from_millis(60) || first < Duration::from_millis(20) || first >= all {
        return Err(format!("woken at {first:?} and {all:?}"));
    }
    let (mut a, mut b) = ([0; 32], [0; 32]);
    wasi.entropy(&mut a);
    wasi.entropy(&mut b);
    if a == b || a == [0; 32] {
        return Err("the host's randomness repeats itself".to_string());
    }
    let unix_ms = clock.unix_ms().ok_or("the host does not know the time")?;
    say(&format!("on time; now is {unix_ms}, and the monotonic clock says {}", now() > 0));
    Ok(())
}

/// A future that wakes itself without a pause, beside one that waits for the host.
pub fn share() -> Result<(), String> {
    let came = Cell::new(false);
    let waits = async {
        Reactor::wait(subscribe_duration(20_000_000)).await;
        came.set(true);
    };
    let until = now() + 5_000_000_000;
    Reactor::run_beside(
        waits,
        poll_fn(|cx| {
            if came.get() {
                return Poll::Ready(Ok(()));
            }
            if now() > until {
                return Poll::Ready(Err("the other one never got its turn".to_string()));
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        }),
    )
}
