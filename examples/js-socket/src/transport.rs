//! The host as the core sees it: sockets are pairs of WHATWG streams, as Cloudflare's `connect()` gives them; the timer is
//! `setTimeout`.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use embedded_io::ErrorKind;
use js_sys::{Function, Promise, Uint8Array};
use klamm::{ByteStream, Clock, Endpoint, Instant, Phase, Transport, TransportError};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    ReadableStream, ReadableStreamDefaultReader, ReadableStreamReadResult, WritableStream, WritableStreamDefaultWriter,
};

#[wasm_bindgen]
extern "C" {
    type JsSocket;
    #[wasm_bindgen(method, getter)]
    fn opened(this: &JsSocket) -> JsValue;
    #[wasm_bindgen(method, getter)]
    fn readable(this: &JsSocket) -> ReadableStream;
    #[wasm_bindgen(method, getter)]
    fn writable(this: &JsSocket) -> WritableStream;
    #[wasm_bindgen(method)]
    fn close(this: &JsSocket) -> JsValue;

    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(then: &Function, ms: f64) -> JsValue;
    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue);
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now() -> f64;
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(out: &mut [u8]);
}

/// A write is copied out of wasm's memory, and one at a time is under way: so much.
const WRITE_MAX: usize = 256 * 1024;

/// `setTimeout` takes 31 bits; later timers are armed again.
const TIMEOUT_MAX_MS: f64 = 1e9;

/// A [`Transport`] whose sockets come from a function of JS.
pub struct JsSockets {
    connect: Function,
    timer: Option<Timer>,
}

impl JsSockets {
    pub fn new(connect: Function) -> Self {
        JsSockets { connect, timer: None }
    }
}

impl Transport for JsSockets {
    type Stream = Stream;
    type Connecting = Pin<Box<dyn Future<Output = Result<Stream, TransportError>>>>;

    fn connect(&mut self, to: &Endpoint) -> Self::Connecting {
        // The engine looks names up by itself, so `attempt` has nothing to choose from.
        let socket = self.connect.call2(&JsValue::NULL, &JsValue::from_str(&to.host), &JsValue::from(to.port));
        Box::pin(async move {
            let failed = |e| failed(Phase::Connect, e);
            // Held from here on: whoever stops waiting closes it.
            let socket = Closing(socket.map_err(failed)?.unchecked_into());
            JsFuture::from(Promise::resolve(&socket.0.opened())).await.map_err(failed)?;
            let reader = ReadableStreamDefaultReader::new(&socket.0.readable()).map_err(failed)?;
            let writer = WritableStreamDefaultWriter::new(&socket.0.writable()).map_err(failed)?;
            Ok(Stream { reader, writer, reading: None, writing: None, rest: None, _socket: socket })
        })
    }

    fn poll_sleep(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        while JsClock.now() < until {
            let armed = self.timer.take().filter(|timer| timer.until == until);
            let timer = self.timer.insert(armed.unwrap_or_else(|| Timer::new(until)));
            ready!(Pin::new(&mut timer.fired).poll(cx)).expect("nobody rejects it");
            self.timer = None;
        }
        Poll::Ready(())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(JsClock)
    }

    fn entropy(&mut self, out: &mut [u8; 32]) {
        get_random_values(out);
    }
}

struct JsClock;

impl Clock for JsClock {
    fn now(&self) -> Instant {
        Instant::from_nanos((performance_now() * 1e6) as u64)
    }

    fn unix_ms(&self) -> Option<i64> {
        Some(js_sys::Date::now() as i64)
    }
}

/// A timer that is cleared when nobody waits for it: node would stay for it.
struct Timer {
    until: Instant,
    id: JsValue,
    fired: JsFuture,
}

impl Timer {
    fn new(until: Instant) -> Timer {
        let ms = (until.since(JsClock.now()).as_secs_f64() * 1e3).ceil().min(TIMEOUT_MAX_MS);
        let mut id = JsValue::UNDEFINED;
        let promise = Promise::new(&mut |resolve, _| id = set_timeout(&resolve, ms));
        Timer { until, id, fired: JsFuture::from(promise) }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(&self.id);
    }
}

/// A socket that is closed with its owner.
struct Closing(JsSocket);

impl Drop for Closing {
    fn drop(&mut self) {
        // That somebody listens is enough: engines end programs over errors that nobody looks at.
        drop(JsFuture::from(Promise::resolve(&self.0.close())));
    }
}

/// An open connection.
pub struct Stream {
    reader: ReadableStreamDefaultReader,
    writer: WritableStreamDefaultWriter,
    reading: Option<JsFuture>,
    writing: Option<JsFuture>,
    /// What came and was not asked for yet. It is the engine's memory, beside the client's budget: one chunk.
    rest: Option<Uint8Array>,
    _socket: Closing,
}

impl Stream {
    /// Ready when what was written last is taken.
    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        let Some(writing) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let written = ready!(Pin::new(writing).poll(cx));
        self.writing = None;
        Poll::Ready(written.map(drop).map_err(|e| failed(Phase::Io, e)))
    }
}

impl ByteStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        loop {
            if let Some(bytes) = self.rest.take().filter(|bytes| bytes.length() > 0) {
                let count = buf.len().min(bytes.length() as usize);
                bytes.subarray(0, count as u32).copy_to(&mut buf[..count]);
                self.rest = Some(bytes.subarray(count as u32, bytes.length()));
                return Poll::Ready(Ok(count));
            }
            let reading = self.reading.get_or_insert_with(|| JsFuture::from(self.reader.read()));
            let read = ready!(Pin::new(reading).poll(cx));
            self.reading = None;
            let chunk: ReadableStreamReadResult = read.map_err(|e| failed(Phase::Io, e))?.unchecked_into();
            if chunk.get_done() == Some(true) {
                return Poll::Ready(Ok(0));
            }
            self.rest = Some(chunk.get_value().unchecked_into());
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        ready!(self.poll_written(cx))?;
        let count = bufs.iter().map(|buf| buf.len()).sum::<usize>().min(WRITE_MAX);
        let bytes = Uint8Array::new_with_length(count as u32);
        let mut at = 0;
        for buf in bufs {
            let part = &buf[..buf.len().min(count - at)];
            bytes.subarray(at as u32, (at + part.len()) as u32).copy_from(part);
            at += part.len();
        }
        self.writing = Some(JsFuture::from(self.writer.write_with_chunk(&bytes)));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        // Nothing is kept back: the engine has it.
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        // Dropped, it is closed.
        self.poll_written(cx)
    }
}

fn failed(phase: Phase, why: JsValue) -> TransportError {
    // An error's own words, and those of whatever else was thrown.
    let text = why.dyn_ref::<js_sys::Error>().map_or_else(|| format!("{why:?}"), |e| e.to_string().into());
    TransportError::new(phase, ErrorKind::Other, text)
}
