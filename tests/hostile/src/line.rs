//! A connection, as a script that does not care for requests has it.

use std::{
    fmt,
    io::{self, Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use crate::front::Seen;

/// A connection with a client.
pub struct Line {
    /// It.
    pub stream: TcpStream,
    pub(crate) seen: std::sync::Arc<Seen>,
}

impl Line {
    /// Says these bytes, which are a lie.
    pub fn lie(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seen.lied();
        self.stream.write_all(bytes)
    }

    /// Waits for the client's first bytes.
    pub fn hear(&mut self) -> io::Result<()> {
        self.stream.read_exact(&mut [0; 4])
    }

    /// Says nothing more, until the client hangs up.
    pub fn silence(&mut self) -> io::Result<()> {
        self.seen.lied();
        until_end(&mut self.stream)
    }

    /// Says the same over and over, until the client hangs up.
    pub fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seen.lied();
        let block = bytes.repeat((16 << 10) / bytes.len() + 1);
        (0..FLOOD / block.len()).try_for_each(|_| self.stream.write_all(&block))?;
        until_end(&mut self.stream)
    }

    /// Says these bytes one by one.
    pub fn drip(&mut self, bytes: &[u8], pause: Duration) -> io::Result<()> {
        self.seen.lied();
        drip(&mut self.stream, bytes, pause)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("stream", &self.stream).finish_non_exhaustive()
    }
}

/// So much of what does not end is sent on a connection that stays open.
pub(crate) const FLOOD: usize = 32 << 20;

pub(crate) fn until_end(stream: &mut (impl Read + ?Sized)) -> io::Result<()> {
    let mut away = [0; 4_096];
    while stream.read(&mut away)? > 0 {}
    Ok(())
}

pub(crate) fn drip(stream: &mut (impl Write + ?Sized), bytes: &[u8], pause: Duration) -> io::Result<()> {
    for byte in bytes {
        stream.write_all(&[*byte])?;
        stream.flush()?;
        thread::sleep(pause);
    }
    Ok(())
}
