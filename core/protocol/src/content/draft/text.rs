//! Text that is more than plain: with a link preview, or with a context.

use super::{BadDraft, required};
use crate::content::MAX_TEXT;
use crate::pb;

/// Text.
#[derive(Clone, Eq, PartialEq)]
pub struct Text {
    /// What it says, 1 to 65536 bytes.
    pub body: String,
    /// The preview of a link in it.
    pub preview: Option<LinkPreview>,
}

/// What is shown of a link.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct LinkPreview {
    /// The link as it stands in the text.
    pub link: String,
    /// Title of the page.
    pub title: Option<String>,
    /// Description of the page.
    pub description: Option<String>,
    /// A small JPEG.
    pub thumbnail: Option<Vec<u8>>,
}

impl Text {
    pub(super) fn compose(
        &self,
        context: Option<pb::ContextInfo>,
    ) -> Result<pb::Composed, BadDraft> {
        let body = required(&self.body, "the text")?;
        if self.body.len() > MAX_TEXT {
            return Err(BadDraft::OutOfRange("the text"));
        }
        if self.preview.is_none() && context.is_none() {
            return Ok(pb::Composed {
                conversation: body,
                ..pb::Composed::default()
            });
        }
        let mut text = pb::ExtendedTextMessage {
            text: body,
            context_info: context,
            ..pb::ExtendedTextMessage::default()
        };
        if let Some(preview) = &self.preview {
            if preview.link.trim().is_empty() || !self.body.contains(&preview.link) {
                return Err(BadDraft::OutOfRange("the link"));
            }
            text.matched_text = Some(preview.link.clone());
            text.title.clone_from(&preview.title);
            text.description.clone_from(&preview.description);
            text.jpeg_thumbnail.clone_from(&preview.thumbnail);
        }
        Ok(pb::Composed {
            extended_text_message: Some(Box::new(text)),
            ..pb::Composed::default()
        })
    }
}
