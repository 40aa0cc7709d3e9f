//! Without the feature `tls` a connection is open once the transport says so.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use super::{Transport, TransportError};
use crate::{Clock, Config, Endpoint, budget::Lease, sync::Arc};

/// An open connection.
pub(super) type Opened<T> = <T as Transport>::Stream;

/// How connections are opened.
pub(super) struct Opener;

/// A connection that is being opened.
pub(super) struct Opening<T: Transport>(T::Connecting);

impl Opener {
    pub(super) fn new(_: &Config, _: &Arc<dyn Clock>) -> Self {
        Opener
    }

    pub(super) fn open<T: Transport>(&self, transport: &mut T, to: &Endpoint, _: Lease) -> Opening<T> {
        Opening(transport.connect(to))
    }
}

impl<T: Transport> Opening<T> {
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Opened<T>, TransportError>> {
        Pin::new(&mut self.0).poll(cx)
    }
}
