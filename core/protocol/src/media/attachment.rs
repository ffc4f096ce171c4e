//! The file that a received message speaks of.
//!
//! ```text
//! Message { .. wrapper { Message { imageMessage(3) | documentMessage(7) | audioMessage(8)
//!                                | videoMessage(9) | stickerMessage(26) | ptvMessage(66) } } }
//! ```
//! The message is walked down to that one content, which alone is decoded. Source: spec section 16.

use prost::Message as _;

use crate::content::draft::Blob;
use crate::content::innermost;
use crate::media::MediaKind;
use crate::media::download::Reference;
use crate::pb;
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// A file on the media servers, as a message speaks of it.
#[derive(Clone, Eq, PartialEq)]
pub struct Attachment {
    /// Its kind.
    pub kind: MediaKind,
    /// Where it is and how it is opened; put into a draft, it is sent on without an upload.
    pub blob: Blob,
    /// Such as `image/jpeg`; empty if the sender gave none.
    pub mimetype: String,
}

impl core::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Attachment({:?})", self.kind)
    }
}

/// Takes the fields that say where a blob is, which every kind has at other numbers.
macro_rules! attached {
    ($kind:expr, $media:expr) => {{
        let (kind, media) = ($kind, $media);
        let blob = Blob {
            url: media.url.unwrap_or_default(),
            direct_path: media.direct_path?,
            media_key: Secret::from_slice(&media.media_key?)?,
            keyed_at: media.media_key_timestamp.map(UnixSeconds),
            sha256: media.file_sha256?.try_into().ok()?,
            enc_sha256: media.file_enc_sha256?.try_into().ok()?,
            length: media.file_length?,
        };
        let mimetype = media.mimetype.unwrap_or_default();
        Attachment {
            kind,
            blob,
            mimetype,
        }
    }};
}

impl Attachment {
    /// The file of an encoded `Message`; `None` when its content is no file, or does not say where the
    /// file is and what it must be.
    pub fn of(message: &[u8]) -> Option<Self> {
        let (number, content) = innermost(message)?;
        let attachment = match number {
            3 => attached!(MediaKind::Image, pb::ImageMessage::decode(content).ok()?),
            7 => attached!(
                MediaKind::Document,
                pb::DocumentMessage::decode(content).ok()?
            ),
            8 => {
                let audio = pb::AudioMessage::decode(content).ok()?;
                let kind = match audio.ptt {
                    Some(true) => MediaKind::Voice,
                    _ => MediaKind::Audio,
                };
                attached!(kind, audio)
            }
            9 | 66 => {
                let video = pb::VideoMessage::decode(content).ok()?;
                let kind = match (number, video.gif_playback) {
                    (66, _) => MediaKind::Ptv,
                    (_, Some(true)) => MediaKind::Gif,
                    _ => MediaKind::Video,
                };
                attached!(kind, video)
            }
            26 => attached!(
                MediaKind::Sticker,
                pb::StickerMessage::decode(content).ok()?
            ),
            _ => return None,
        };
        attachment.reference().is_some().then_some(attachment)
    }

    /// What a download needs; `None` when the path is none.
    pub fn reference(&self) -> Option<Reference> {
        let blob = &self.blob;
        Reference::new(
            self.kind,
            &blob.direct_path,
            blob.media_key.expose(),
            &blob.enc_sha256,
            Some(&blob.sha256),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Draft;
    use crate::content::draft::{Audio, Body, Context, Document, Image, Scene, Timer};
    use crate::jid::Jid;
    use crate::secret::Entropy;
    use crate::time::UnixMillis;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(0);
        }
    }

    fn blob(path: &str) -> Blob {
        Blob {
            url: "https://x/y".into(),
            direct_path: path.into(),
            media_key: Secret::new([1; 32]),
            keyed_at: Some(UnixSeconds(7)),
            sha256: [2; 32],
            enc_sha256: [3; 32],
            length: 300,
        }
    }

    fn composed(body: Body, context: Context) -> Vec<u8> {
        let jid = Jid::pn("1");
        let mut scene = Scene {
            chat: &jid,
            own: &jid,
            now: UnixMillis(1),
            rng: &mut Zeros,
            secret: None,
        };
        Draft { body, context }.compose(&mut scene).unwrap()
    }

    fn image(path: &str) -> Body {
        Body::Image(Image {
            blob: blob(path),
            mimetype: "image/jpeg".into(),
            caption: String::new(),
            size: None,
            thumbnail: None,
            view_once: true,
        })
    }

    #[test]
    fn what_was_composed_is_found_again_inside_its_wrappers() {
        let timer = Timer {
            seconds: 60,
            set_at: None,
        };
        let context = Context {
            timer: Some(timer),
            ..Context::default()
        };
        let found = Attachment::of(&composed(image("/y"), context)).unwrap();
        assert_eq!(found.kind, MediaKind::Image);
        assert_eq!(found.blob, blob("/y"));
        assert_eq!(found.mimetype, "image/jpeg");
        let document = Body::Document(Document {
            blob: blob("/d"),
            mimetype: "text/plain".into(),
            file_name: "a.txt".into(),
            caption: "wraps it".into(),
            pages: None,
            thumbnail: None,
        });
        let found = Attachment::of(&composed(document, Context::default())).unwrap();
        assert_eq!((found.kind, found.blob), (MediaKind::Document, blob("/d")));
    }

    #[test]
    fn a_voice_note_is_told_from_other_sound() {
        for (voice, kind) in [(true, MediaKind::Voice), (false, MediaKind::Audio)] {
            let audio = Body::Audio(Audio {
                blob: blob("/a"),
                mimetype: "audio/ogg".into(),
                seconds: None,
                voice,
                waveform: None,
                view_once: false,
            });
            let message = composed(audio, Context::default());
            assert_eq!(Attachment::of(&message).unwrap().kind, kind);
        }
    }

    #[test]
    fn a_message_without_a_usable_file_has_none() {
        assert_eq!(Attachment::of(b"\x0a\x02hi"), None);
        assert_eq!(Attachment::of(b"\x1a\x00"), None);
        assert_eq!(Attachment::of(b"\xff"), None);
        let no_path = composed(image("y"), Context::default());
        assert_eq!(Attachment::of(&no_path), None);
    }
}
