//! Encrypted files on their way: in memory while they are small, in a file without a name beyond.
//!
//! Only ciphertext is kept here. Whoever reads plain bytes decrypts them as it goes, so no content is
//! ever on the disk.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};

use sendpath_protocol::media::PIECE;
use sendpath_protocol::media::decrypt::Decryptor;
use sendpath_protocol::media::download::Download;
use sendpath_protocol::media::fetch::Source;
use zeroize::Zeroizing;

/// Bytes that stay in memory. More saves files, less saves memory: several may be on their way.
const IN_MEMORY: usize = 1 << 20;

/// A file that grows.
#[derive(Debug)]
pub struct Spool {
    most: usize,
    memory: Vec<u8>,
    file: Option<File>,
    length: u64,
}

impl Default for Spool {
    fn default() -> Self {
        Self::keeping(IN_MEMORY)
    }
}

impl Spool {
    /// With `most` bytes in memory.
    pub const fn keeping(most: usize) -> Self {
        Self {
            most,
            memory: Vec::new(),
            file: None,
            length: 0,
        }
    }

    /// Appends.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() && self.memory.len() + bytes.len() > self.most {
            // It has no name, so it is gone with its last handle, also after a crash.
            let mut file = tempfile::tempfile()?;
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes)?,
            None => self.memory.extend_from_slice(bytes),
        }
        self.length += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// It is complete.
    pub fn finish(self) -> Spooled {
        Spooled(self)
    }
}

/// A complete file.
#[derive(Debug)]
pub struct Spooled(Spool);

impl Spooled {
    /// Number of bytes.
    pub const fn length(&self) -> u64 {
        self.0.length
    }

    /// Whether it is in a file of the operating system.
    pub const fn is_on_disk(&self) -> bool {
        self.0.file.is_some()
    }

    /// Reads from byte `at` on. Several readers do not disturb each other.
    pub fn read_from(&self, at: u64) -> impl Read + Send + '_ {
        At { spool: &self.0, at }
    }
}

struct At<'a> {
    spool: &'a Spool,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = match &self.spool.file {
            Some(file) => read_at(file, out, self.at)?,
            None => {
                let at = usize::try_from(self.at).unwrap_or(usize::MAX);
                let mut rest = self.spool.memory.get(at..).unwrap_or_default();
                rest.read(out)?
            }
        };
        self.at += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count)
    }
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, at)
}

#[cfg(windows)]
fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, at)
}

/// A file that was verified from its first to its last byte.
pub(crate) struct Verified {
    pub(crate) file: Spooled,
    pub(crate) download: Download,
    /// Plain bytes.
    pub(crate) length: u64,
}

impl Source for Verified {
    fn open(&self) -> Box<dyn BufRead + '_> {
        Box::new(Opened {
            file: self.file.read_from(0),
            decryptor: Some(self.download.decryptor()),
            piece: vec![0; PIECE],
            plain: Zeroizing::new(Vec::new()),
            at: 0,
        })
    }

    fn length(&self) -> u64 {
        self.length
    }
}

/// Decrypts as it is read.
struct Opened<R> {
    file: R,
    /// `None` behind the end.
    decryptor: Option<Decryptor>,
    piece: Vec<u8>,
    plain: Zeroizing<Vec<u8>>,
    at: usize,
}

impl<R: Read> BufRead for Opened<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.plain.len() {
            let Some(mut decryptor) = self.decryptor.take() else {
                break;
            };
            self.plain.clear();
            self.at = 0;
            let count = self.file.read(&mut self.piece)?;
            let changed = |damage| io::Error::new(io::ErrorKind::InvalidData, damage);
            if count == 0 {
                decryptor.finish(&mut self.plain).map_err(changed)?;
            } else {
                let piece = &self.piece[..count];
                decryptor.push(piece, &mut self.plain).map_err(changed)?;
                self.decryptor = Some(decryptor);
            }
        }
        Ok(&self.plain[self.at..])
    }

    fn consume(&mut self, count: usize) {
        self.at = (self.at + count).min(self.plain.len());
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_memory_goes_into_a_file() {
        let body: Vec<u8> = (0..=255).cycle().take(1000).collect();
        for (most, on_disk) in [(999, true), (1000, false)] {
            let mut spool = Spool::keeping(most);
            body.chunks(300)
                .for_each(|piece| spool.write(piece).unwrap());
            let file = spool.finish();
            assert_eq!((file.is_on_disk(), file.length()), (on_disk, 1000));
            for at in [0, 299, 300, 1000, 5000] {
                let mut read = Vec::new();
                file.read_from(at).read_to_end(&mut read).unwrap();
                let at = usize::try_from(at).unwrap().min(body.len());
                assert_eq!(read, body[at..]);
            }
        }
    }
}
