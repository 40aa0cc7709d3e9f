//! Connections: frames in, one request at a time, answers out.

use crate::api::{Outcome, Parked, Request};
use crate::cluster::{Cluster, Now};
use crate::fault::Action;
use bytes::Bytes;
use klamm::Instant;
use klamm::wire::frame::{RequestHeader, read_request_header};
use klamm::wire::{Api, Reader, api};
use std::collections::VecDeque;

/// One accepted connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub(crate) u64);

/// So many bytes are taken in while a request waits for its answer, so that the end of the connection is noticed.
const READ_AHEAD: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) node: i32,
    inbox: Vec<u8>,
    outbox: VecDeque<Bytes>,
    busy: Busy,
    closing: bool,
}

/// Why the next request is not served yet. Kafka serves one at a time, which keeps the answers in order.
#[derive(Debug)]
enum Busy {
    No,
    Fetch(Box<Parked>),
    Delayed { until: Instant, answer: Vec<Bytes> },
    Silent,
}

impl Connection {
    pub(crate) fn new(node: i32) -> Self {
        Connection { node, inbox: Vec::new(), outbox: VecDeque::new(), busy: Busy::No, closing: false }
    }

    fn is_idle(&self) -> bool {
        !self.closing && matches!(self.busy, Busy::No)
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.busy {
            Busy::Fetch(parked) => Some(parked.deadline),
            Busy::Delayed { until, .. } => Some(*until),
            Busy::No | Busy::Silent => None,
        }
    }
}

/// The first frame's payload. Errors: a size that no request has.
fn first_frame(bytes: &[u8], max: usize) -> Result<Option<&[u8]>, ()> {
    let Some((size, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let size = usize::try_from(i32::from_be_bytes(*size)).ok().filter(|&size| size <= max).ok_or(())?;
    Ok(rest.get(..size))
}

impl Cluster {
    /// Takes a new connection to a broker; `None` if it is down.
    pub fn open(&mut self, node: i32) -> Option<ConnId> {
        self.nodes.get(&node).filter(|node| node.up)?;
        self.last_conn += 1;
        let id = ConnId(self.last_conn);
        self.conns.insert(id, Connection::new(node));
        Some(id)
    }

    /// Takes bytes from a connection, in pieces of any size, and serves what is complete.
    pub fn receive(&mut self, conn: ConnId, bytes: &[u8], now: Now) {
        self.now = now;
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.inbox.extend_from_slice(bytes);
        self.pump(conn);
        self.settle();
    }

    /// Whether the broker would read more of this connection now. While a request waits it reads only little ahead.
    pub fn wants_input(&self, conn: ConnId) -> bool {
        let wants = |c: &Connection| !c.closing && (c.is_idle() || c.inbox.len() < READ_AHEAD);
        self.conns.get(&conn).is_some_and(wants)
    }

    /// The next bytes to send on a connection. To be called until it gives `None` after each call that takes the time,
    /// and when [`Cluster::poll_ready`] names the connection.
    #[must_use]
    pub fn poll_transmit(&mut self, conn: ConnId) -> Option<Bytes> {
        self.conns.get_mut(&conn)?.outbox.pop_front()
    }

    /// Whether the broker closes this connection, now that all was sent. Also true for one that does not exist.
    pub fn should_close(&self, conn: ConnId) -> bool {
        self.conns.get(&conn).is_none_or(|connection| connection.closing && connection.outbox.is_empty())
    }

    /// Forgets a connection that is closed, on whose side ever.
    pub fn close(&mut self, conn: ConnId) {
        if let Some(connection) = self.conns.remove(&conn) {
            connection.deadline().map(|at| self.deadlines.remove(&(at, conn)));
            self.ready.remove(&conn);
        }
    }

    /// The open connections and the brokers they lead to.
    pub fn connections(&self) -> impl Iterator<Item = (ConnId, i32)> {
        self.conns.iter().map(|(&id, connection)| (id, connection.node))
    }

    /// A connection that has something to send or is to be closed, each one once.
    #[must_use]
    pub fn poll_ready(&mut self) -> Option<ConnId> {
        self.ready.pop_first()
    }

    /// When [`Cluster::handle_timeout`] must be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Answers what has waited long enough.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        while let Some(&(at, conn)) = self.deadlines.first() {
            if at > now.instant {
                break;
            }
            self.unpark(conn);
        }
        self.settle();
    }

    /// Closes a connection from the broker's side, when what is in the outbox was sent.
    pub fn disconnect(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.closing = true;
        connection.inbox = Vec::new();
        connection.deadline().map(|at| self.deadlines.remove(&(at, conn)));
        connection.busy = Busy::No;
        self.ready.insert(conn);
    }

    /// Closes all connections of a broker at once, with what they had to send.
    pub(crate) fn cut(&mut self, node: i32) {
        let of_node: Vec<ConnId> = self.connections().filter(|(_, of)| *of == node).map(|(id, _)| id).collect();
        for conn in of_node {
            self.disconnect(conn);
            if let Some(connection) = self.conns.get_mut(&conn) {
                connection.outbox.clear();
            }
        }
    }

    /// Serves complete requests until one has to wait.
    fn pump(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        let mut inbox = core::mem::take(&mut connection.inbox);
        let mut served = 0;
        while self.conns.get(&conn).is_some_and(Connection::is_idle) {
            match first_frame(&inbox[served..], self.config.max_request_bytes) {
                Ok(Some(frame)) => {
                    served += 4 + frame.len();
                    if self.serve(conn, frame).is_none() {
                        self.disconnect(conn);
                    }
                }
                Ok(None) => break,
                Err(()) => self.disconnect(conn),
            }
        }
        if let Some(connection) = self.conns.get_mut(&conn).filter(|connection| !connection.closing) {
            inbox.drain(..served);
            connection.inbox = inbox;
        }
    }

    /// Looks again at all fetches that wait, until nothing has changed for them.
    pub(crate) fn settle(&mut self) {
        while core::mem::take(&mut self.changed) {
            let waiting: Vec<ConnId> = self.deadlines.iter().map(|(_, conn)| *conn).collect();
            for conn in waiting {
                let busy = self.conns.get(&conn).map(|connection| &connection.busy);
                if matches!(busy, Some(Busy::Fetch(parked)) if self.is_satisfied(parked)) {
                    self.unpark(conn);
                }
            }
        }
    }

    /// Gives the answer for which a connection waited and goes on with its next request.
    fn unpark(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.get_mut(&conn) else { return };
        connection.deadline().map(|at| self.deadlines.remove(&(at, conn)));
        match core::mem::replace(&mut connection.busy, Busy::No) {
            Busy::Fetch(parked) => match self.answer_fetch(*parked) {
                Ok(answer) => self.send(conn, answer),
                Err(_) => self.disconnect(conn),
            },
            Busy::Delayed { answer, .. } => self.send(conn, answer),
            Busy::No | Busy::Silent => {}
        }
        self.pump(conn);
    }

    fn send(&mut self, conn: ConnId, answer: Vec<Bytes>) {
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.outbox.extend(answer);
            self.ready.insert(conn);
        }
    }

    fn wait(&mut self, conn: ConnId, busy: Busy) {
        if let Some(connection) = self.conns.get_mut(&conn) {
            connection.busy = busy;
            connection.deadline().map(|at| self.deadlines.insert((at, conn)));
        }
    }

    /// Serves one request. `None`: the connection must be closed, because the request is none, or its client must not
    /// go on.
    fn serve(&mut self, conn: ConnId, frame: &[u8]) -> Option<()> {
        let node = self.conns.get(&conn)?.node;
        let mut body = Reader::new(frame);
        let header = read_request_header(&mut body).ok()?;
        *self.requests.entry((header.api_key, node)).or_default() += 1;
        let fault = self.faults.of_request(header.api_key, node);
        match fault {
            Some(Action::Close) => return None,
            Some(Action::Silence) => {
                self.wait(conn, Busy::Silent);
                return Some(());
            }
            Some(Action::Reply(bytes)) => {
                self.send(conn, vec![bytes.into()]);
                return Some(());
            }
            _ => {}
        }
        let outcome = self.outcome(node, &header, body, fault.as_ref())?;
        match (outcome, fault) {
            (_, Some(Action::CloseAfter)) | (Outcome::Close, _) => return None,
            (_, Some(Action::SilenceAfter)) => self.wait(conn, Busy::Silent),
            (Outcome::Reply(answer), Some(Action::Delay(delay))) => {
                self.wait(conn, Busy::Delayed { until: self.now.instant.after(delay), answer });
            }
            (Outcome::Reply(answer), _) => self.send(conn, answer),
            (Outcome::NoReply, _) => {}
            (Outcome::Park(parked), _) => self.wait(conn, Busy::Fetch(parked)),
        }
        Some(())
    }

    fn outcome(
        &mut self,
        node: i32,
        header: &RequestHeader<'_>,
        body: Reader<'_>,
        fault: Option<&Action>,
    ) -> Option<Outcome> {
        let api = Api::find(header.api_key)?;
        let request = Request::new(node, api, header, fault, self.now);
        if !self.speaks(node, api, header.version) {
            // Only ApiVersions has an answer for a version that the broker does not know (KIP-511).
            return if api == api::API_VERSIONS { self.refuse_api_versions(&request).ok() } else { None };
        }
        self.handle(&request, body).ok()
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
