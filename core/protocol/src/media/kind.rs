//! What a blob is: it decides the keys and the name that the servers know it by.

/// A kind of blob.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum MediaKind {
    /// A snapshot or patches of the app state.
    AppState,
    /// Music and other recordings.
    Audio,
    /// Any file.
    Document,
    /// A video that plays as a picture.
    Gif,
    /// A part of the phone's history.
    History,
    /// A picture.
    Image,
    /// The picture of a link preview.
    LinkThumbnail,
    /// A round video message.
    Ptv,
    /// A sticker.
    Sticker,
    /// A pack of stickers.
    StickerPack,
    /// The picture of a pack of stickers.
    StickerPackThumbnail,
    /// A video.
    Video,
    /// A voice note.
    Voice,
}

impl MediaKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::AppState,
        Self::Audio,
        Self::Document,
        Self::Gif,
        Self::History,
        Self::Image,
        Self::LinkThumbnail,
        Self::Ptv,
        Self::Sticker,
        Self::StickerPack,
        Self::StickerPackThumbnail,
        Self::Video,
        Self::Voice,
    ];

    /// The info of the key derivation.
    pub const fn info(self) -> &'static str {
        match self {
            Self::AppState => "WhatsApp App State Keys",
            Self::Audio | Self::Voice => "WhatsApp Audio Keys",
            Self::Document => "WhatsApp Document Keys",
            Self::History => "WhatsApp History Keys",
            Self::Image | Self::Sticker => "WhatsApp Image Keys",
            Self::LinkThumbnail => "WhatsApp Link Thumbnail Keys",
            Self::StickerPack => "WhatsApp Sticker Pack Keys",
            Self::StickerPackThumbnail => "WhatsApp Sticker Pack Thumbnail Keys",
            Self::Gif | Self::Ptv | Self::Video => "WhatsApp Video Keys",
        }
    }

    /// The name in URLs: the folder of an upload, `mms-type` of a download. Where peers differ this is
    /// the name that most of them use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AppState => "md-app-state",
            Self::Audio | Self::Voice => "audio",
            Self::Document => "document",
            Self::History => "md-msg-hist",
            Self::Image | Self::Sticker => "image",
            Self::LinkThumbnail => "thumbnail-link",
            Self::StickerPack => "sticker-pack",
            Self::StickerPackThumbnail => "thumbnail-sticker-pack",
            Self::Gif | Self::Ptv | Self::Video => "video",
        }
    }

    /// Whether recipients play it while they load it, which takes a
    /// [`sidecar`](super::encrypt::Sealed::sidecar).
    pub const fn is_streamed(self) -> bool {
        matches!(
            self,
            Self::Audio | Self::Gif | Self::Ptv | Self::Video | Self::Voice
        )
    }
}
