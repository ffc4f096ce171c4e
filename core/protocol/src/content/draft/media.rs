//! Content that lies encrypted on the media servers: a message says where, and how to read it.

use super::{BadDraft, given, required, wrapped};
use crate::pb;
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// A blob on the media servers, as an upload gives it.
#[derive(Clone, Eq, PartialEq)]
pub struct Blob {
    /// Where it was put.
    pub url: String,
    /// The same without the host.
    pub direct_path: String,
    /// What its keys are made of.
    pub media_key: Secret<32>,
    /// When that key was made, if known.
    pub keyed_at: Option<UnixSeconds>,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// SHA-256 of the blob.
    pub enc_sha256: [u8; 32],
    /// Length of the file in bytes.
    pub length: u64,
}

/// A picture.
#[derive(Clone, Eq, PartialEq)]
pub struct Image {
    /// The file.
    pub blob: Blob,
    /// Such as `image/jpeg`.
    pub mimetype: String,
    /// Text below it; may be empty.
    pub caption: String,
    /// Width and height in pixels, if known.
    pub size: Option<(u32, u32)>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
    /// It can be looked at once.
    pub view_once: bool,
}

/// A video.
#[derive(Clone, Eq, PartialEq)]
pub struct Video {
    /// The file.
    pub blob: Blob,
    /// Such as `video/mp4`.
    pub mimetype: String,
    /// Text below it; may be empty.
    pub caption: String,
    /// Width and height in pixels, if known.
    pub size: Option<(u32, u32)>,
    /// Length in seconds, if known.
    pub seconds: Option<u32>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
    /// It is a GIF: without sound, again and again.
    pub gif: bool,
    /// It can be looked at once.
    pub view_once: bool,
}

/// Sound.
#[derive(Clone, Eq, PartialEq)]
pub struct Audio {
    /// The file.
    pub blob: Blob,
    /// Such as `audio/ogg; codecs=opus`, which voice notes have to be.
    pub mimetype: String,
    /// Length in seconds, if known.
    pub seconds: Option<u32>,
    /// It was spoken just now.
    pub voice: bool,
    /// Loudness of a voice note over time, 64 values from 0 to 100.
    pub waveform: Option<Vec<u8>>,
    /// It can be listened to once.
    pub view_once: bool,
}

/// A file.
#[derive(Clone, Eq, PartialEq)]
pub struct Document {
    /// The file.
    pub blob: Blob,
    /// Such as `application/pdf`.
    pub mimetype: String,
    /// Its name.
    pub file_name: String,
    /// Text below it; may be empty.
    pub caption: String,
    /// Number of pages, if known.
    pub pages: Option<u32>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
}

/// A sticker.
#[derive(Clone, Eq, PartialEq)]
pub struct Sticker {
    /// The file.
    pub blob: Blob,
    /// Such as `image/webp`.
    pub mimetype: String,
    /// Width and height in pixels, if known.
    pub size: Option<(u32, u32)>,
    /// It moves.
    pub animated: bool,
    /// A small PNG.
    pub thumbnail: Option<Vec<u8>>,
}

/// Fills in the fields that say where a blob is, which every kind has at other numbers.
macro_rules! located {
    ($kind:ident, $media:expr) => {
        pb::$kind {
            url: Some($media.blob.url.clone()),
            direct_path: Some($media.blob.direct_path.clone()),
            media_key: Some($media.blob.media_key.expose().to_vec()),
            media_key_timestamp: $media.blob.keyed_at.map(|t| t.0),
            file_sha256: Some($media.blob.sha256.to_vec()),
            file_enc_sha256: Some($media.blob.enc_sha256.to_vec()),
            file_length: Some($media.blob.length),
            mimetype: given(&$media.mimetype),
            ..pb::$kind::default()
        }
    };
}

impl Image {
    pub(super) fn compose(&self, context: Option<pb::ContextInfo>) -> pb::Composed {
        let image = pb::ImageMessage {
            caption: given(&self.caption),
            width: self.size.map(|size| size.0),
            height: self.size.map(|size| size.1),
            jpeg_thumbnail: self.thumbnail.clone(),
            context_info: context,
            view_once: self.view_once.then_some(true),
            ..located!(ImageMessage, self)
        };
        pb::Composed {
            image_message: Some(Box::new(image)),
            ..pb::Composed::default()
        }
    }
}

impl Video {
    pub(super) fn compose(&self, context: Option<pb::ContextInfo>) -> pb::Composed {
        let video = pb::VideoMessage {
            caption: given(&self.caption),
            width: self.size.map(|size| size.0),
            height: self.size.map(|size| size.1),
            seconds: self.seconds,
            gif_playback: self.gif.then_some(true),
            jpeg_thumbnail: self.thumbnail.clone(),
            context_info: context,
            view_once: self.view_once.then_some(true),
            ..located!(VideoMessage, self)
        };
        pb::Composed {
            video_message: Some(Box::new(video)),
            ..pb::Composed::default()
        }
    }
}

impl Audio {
    pub(super) fn compose(&self, context: Option<pb::ContextInfo>) -> pb::Composed {
        let audio = pb::AudioMessage {
            seconds: self.seconds,
            ptt: self.voice.then_some(true),
            waveform: self.waveform.clone(),
            context_info: context,
            view_once: self.view_once.then_some(true),
            ..located!(AudioMessage, self)
        };
        pb::Composed {
            audio_message: Some(Box::new(audio)),
            ..pb::Composed::default()
        }
    }
}

impl Document {
    pub(super) fn compose(
        &self,
        context: Option<pb::ContextInfo>,
    ) -> Result<pb::Composed, BadDraft> {
        let document = pb::DocumentMessage {
            file_name: required(&self.file_name, "the file name")?,
            title: given(&self.file_name),
            caption: given(&self.caption),
            page_count: self.pages,
            jpeg_thumbnail: self.thumbnail.clone(),
            context_info: context,
            ..located!(DocumentMessage, self)
        };
        let plain = pb::Composed {
            document_message: Some(Box::new(document)),
            ..pb::Composed::default()
        };
        if self.caption.is_empty() {
            return Ok(plain);
        }
        Ok(pb::Composed {
            document_with_caption_message: wrapped(plain),
            ..pb::Composed::default()
        })
    }
}

impl Sticker {
    pub(super) fn compose(&self, context: Option<pb::ContextInfo>) -> pb::Composed {
        let sticker = pb::StickerMessage {
            width: self.size.map(|size| size.0),
            height: self.size.map(|size| size.1),
            is_animated: self.animated.then_some(true),
            png_thumbnail: self.thumbnail.clone(),
            context_info: context,
            ..located!(StickerMessage, self)
        };
        pb::Composed {
            sticker_message: Some(Box::new(sticker)),
            ..pb::Composed::default()
        }
    }
}
