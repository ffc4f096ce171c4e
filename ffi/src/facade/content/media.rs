//! A file on the media servers: what an upload gives, what a message says, what a download takes.

use core::fmt;

use sendpath_protocol::content::draft::Blob;
use sendpath_protocol::media::upload::Uploaded;
use sendpath_protocol::media::{self, Attachment};
use sendpath_protocol::secret::Secret;
use sendpath_protocol::time::UnixSeconds;

use crate::facade::{Error, Status};

/// What a file is: it decides its keys, so it is the same for the upload, the message and the download.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(i32)]
pub enum MediaKind {
    /// A picture.
    #[default]
    Image = 0,
    /// A video.
    Video = 1,
    /// A video that plays as a picture.
    Gif = 2,
    /// Music and other recordings.
    Audio = 3,
    /// A voice note.
    Voice = 4,
    /// Any file.
    Document = 5,
    /// A sticker.
    Sticker = 6,
    /// A round video message.
    Ptv = 7,
}

/// A file on the media servers. It can be stored, sent more than once, and downloaded.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Where it was put; may be empty.
    pub url: String,
    /// The same without the host.
    pub direct_path: String,
    /// What its keys are made of: 32 bytes. Whoever has them can read the file.
    pub media_key: Vec<u8>,
    /// When that key was made, if known.
    pub keyed_at: Option<UnixSeconds>,
    /// SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// SHA-256 of what is on the servers.
    pub enc_sha256: Vec<u8>,
    /// Length of the file in bytes.
    pub length: u64,
    /// Such as `image/jpeg`, if the message said it.
    pub mimetype: String,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Media({:?}, {} bytes)", self.kind, self.length)
    }
}

impl Media {
    /// The file that a received message speaks of; `None` when it speaks of none.
    pub fn of_message(payload: &[u8]) -> Option<Self> {
        let Attachment {
            kind,
            blob,
            mimetype,
        } = Attachment::of(payload)?;
        let kind = MediaKind::ALL.into_iter().find(|own| own.core() == kind)?;
        Some(Self {
            mimetype,
            ..Self::of(kind, blob)
        })
    }

    pub(in crate::facade) fn uploaded(kind: MediaKind, uploaded: Uploaded) -> Self {
        Self::of(kind, uploaded.into())
    }

    fn of(kind: MediaKind, blob: Blob) -> Self {
        Self {
            kind,
            url: blob.url,
            direct_path: blob.direct_path,
            media_key: blob.media_key.expose().to_vec(),
            keyed_at: blob.keyed_at,
            sha256: blob.sha256.to_vec(),
            enc_sha256: blob.enc_sha256.to_vec(),
            length: blob.length,
            mimetype: String::new(),
        }
    }

    /// What a message says about it.
    pub(super) fn blob(self) -> Result<Blob, Error> {
        let wrong = |what: &str| {
            let message = format!("media.{what} is not as an upload or a message gave it");
            Error::new(Status::InvalidArgument, message)
        };
        let hash = |bytes: Vec<u8>, what| bytes.try_into().map_err(|_| wrong(what));
        if self.direct_path.is_empty() {
            return Err(wrong("direct_path"));
        }
        Ok(Blob {
            url: self.url,
            direct_path: self.direct_path,
            media_key: Secret::from_slice(&self.media_key).ok_or_else(|| wrong("media_key"))?,
            keyed_at: self.keyed_at,
            sha256: hash(self.sha256, "sha256")?,
            enc_sha256: hash(self.enc_sha256, "enc_sha256")?,
            length: self.length,
        })
    }

    /// What a download takes.
    pub(in crate::facade) fn attachment(self) -> Result<Attachment, Error> {
        let attachment = Attachment {
            kind: self.kind.core(),
            mimetype: self.mimetype.clone(),
            blob: self.blob()?,
        };
        let usable = attachment.reference().is_some();
        let message = "media.direct_path is no path";
        let error = || Error::new(Status::InvalidArgument, message);
        usable.then_some(attachment).ok_or_else(error)
    }
}

impl MediaKind {
    /// Every kind, in the order of its numbers.
    ///
    /// cbindgen:ignore
    pub const ALL: [Self; 8] = [
        Self::Image,
        Self::Video,
        Self::Gif,
        Self::Audio,
        Self::Voice,
        Self::Document,
        Self::Sticker,
        Self::Ptv,
    ];

    /// The kind with that number.
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i32 == number)
    }

    pub(in crate::facade) const fn core(self) -> media::MediaKind {
        match self {
            Self::Image => media::MediaKind::Image,
            Self::Video => media::MediaKind::Video,
            Self::Gif => media::MediaKind::Gif,
            Self::Audio => media::MediaKind::Audio,
            Self::Voice => media::MediaKind::Voice,
            Self::Document => media::MediaKind::Document,
            Self::Sticker => media::MediaKind::Sticker,
            Self::Ptv => media::MediaKind::Ptv,
        }
    }
}
