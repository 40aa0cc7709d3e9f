//! One connection that is kept alive, one request at a time, bodies with a Content-Length only.

use std::io::{self, ErrorKind};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// The status, as 200.
    pub status: u16,
    /// The status line and the headers, as they came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A header's value; names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What was read and belongs to no answer yet.
    read: Vec<u8>,
    request: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub async fn open(address: &str) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, read: Vec::new(), request: Vec::new() })
    }

    /// One request and its answer. Dropped before it is ready, the connection is of no more use.
    ///
    /// # Errors
    /// The connection's; [`ErrorKind::UnexpectedEof`] when the server closes it before it has answered, and
    /// [`ErrorKind::InvalidData`] for an answer that this client does not understand.
    pub async fn request(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        let length = body.len();
        self.request.clear();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: ingest\r\nContent-Length: {length}\r\n\r\n");
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        self.stream.write_all(&self.request).await?;
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = text(&self.read[..end])?;
        let status = head.get(9..12).and_then(|code| code.parse().ok()).ok_or(ErrorKind::InvalidData)?;
        let mut answer = Answer { status, head, body: String::new() };
        let length: usize = answer.header("content-length").map_or(Ok(0), str::parse).map_err(invalid)?;
        while self.read.len() < end + length {
            self.read_more().await?;
        }
        answer.body = text(&self.read[end..end + length])?;
        self.read.drain(..end + length);
        Ok(answer)
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn text(bytes: &[u8]) -> io::Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(invalid)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}
