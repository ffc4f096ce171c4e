//! A descriptor that is readable while something waits.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// A pair of sockets with one byte in it while raised.
#[derive(Debug)]
pub(crate) struct Signal {
    host: UnixStream,
    ours: UnixStream,
    raised: bool,
}

impl Signal {
    pub(crate) fn new() -> io::Result<Self> {
        let (host, ours) = UnixStream::pair()?;
        host.set_nonblocking(true)?;
        ours.set_nonblocking(true)?;
        Ok(Self {
            host,
            ours,
            raised: false,
        })
    }

    pub(crate) fn set(&mut self, raised: bool) {
        if raised != self.raised {
            // A byte always fits: at most one is in the pair.
            let moved = if raised {
                self.ours.write(&[1])
            } else {
                self.host.read(&mut [0])
            };
            self.raised = raised == moved.is_ok();
        }
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.host.as_raw_fd()
    }

    /// What `poll` would see, without a look at our own books.
    #[cfg(test)]
    pub(crate) fn has_byte(&self) -> bool {
        let mut probe = self.host.try_clone().unwrap();
        let found = probe.read(&mut [0; 2]).is_ok();
        if found {
            (&self.ours).write_all(&[1]).unwrap();
        }
        found
    }
}
