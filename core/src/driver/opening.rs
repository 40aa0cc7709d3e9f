//! Opening a connection: what the transport does for it, and TLS on top where that is wanted.

use alloc::{boxed::Box, string::String};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{ByteStream, Transport, TransportError};
use crate::{
    Clock, Config, Endpoint,
    budget::Lease,
    sync::Arc,
    tls::{Tls, TlsStream},
};

/// How connections are opened.
pub(super) struct Opener {
    tls: Option<Tls>,
    clock: Arc<dyn Clock>,
}

/// What a connection's TLS is to be, once there is a connection.
pub(super) struct Wanted {
    tls: Tls,
    clock: Arc<dyn Clock>,
    host: String,
    memory: Lease,
}

/// A connection that is being opened.
pub(super) enum Opening<T: Transport> {
    Dialling(T::Connecting, Option<Wanted>),
    Greeting(Secured<T::Stream>),
    /// Nobody polls it any more.
    Done,
}

/// A stream with the memory that its TLS may take.
pub(super) struct Secured<S> {
    stream: Box<TlsStream<S>>,
    _memory: Lease,
}

/// An open connection.
pub(super) enum Opened<T: Transport> {
    Plain(T::Stream),
    Secured(Secured<T::Stream>),
}

impl Opener {
    pub(super) fn new(config: &Config, clock: &Arc<dyn Clock>) -> Self {
        Opener { tls: config.tls.clone(), clock: Arc::clone(clock) }
    }

    pub(super) fn open<T: Transport>(&self, transport: &mut T, to: &Endpoint, memory: Lease) -> Opening<T> {
        let wanted = self.tls.clone().map(|tls| {
            let (clock, host) = (Arc::clone(&self.clock), to.host.clone());
            Wanted { tls, clock, host, memory }
        });
        Opening::Dialling(transport.connect(to), wanted)
    }
}

impl<T: Transport> Opening<T> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Opened<T>, TransportError>> {
        loop {
            match self {
                Opening::Dialling(connecting, wanted) => {
                    let stream = ready!(Pin::new(connecting).poll(cx))?;
                    let Some(Wanted { tls, clock, host, memory }) = wanted.take() else {
                        return Poll::Ready(Ok(Opened::Plain(stream)));
                    };
                    let stream = Box::new(TlsStream::new(stream, &tls, &clock, &host)?);
                    *self = Opening::Greeting(Secured { stream, _memory: memory });
                }
                Opening::Greeting(secured) => {
                    ready!(secured.stream.poll_handshake(cx))?;
                    let Opening::Greeting(secured) = core::mem::replace(self, Opening::Done) else { continue };
                    return Poll::Ready(Ok(Opened::Secured(secured)));
                }
                Opening::Done => return Poll::Pending,
            }
        }
    }
}

impl<T: Transport> ByteStream for Opened<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Result<usize, TransportError>> {
        match self {
            Opened::Plain(stream) => stream.poll_read(cx, buf),
            Opened::Secured(secured) => secured.stream.poll_read(cx, buf),
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bufs: &[&[u8]]) -> Poll<Result<usize, TransportError>> {
        match self {
            Opened::Plain(stream) => stream.poll_write(cx, bufs),
            Opened::Secured(secured) => secured.stream.poll_write(cx, bufs),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self {
            Opened::Plain(stream) => stream.poll_flush(cx),
            Opened::Secured(secured) => secured.stream.poll_flush(cx),
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        match self {
            Opened::Plain(stream) => stream.poll_close(cx),
            Opened::Secured(secured) => secured.stream.poll_close(cx),
        }
    }
}
