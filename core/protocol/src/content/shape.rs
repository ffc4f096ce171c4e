//! What the stanza of a message says about its content.

use crate::wap::Node;

/// The attributes and the `<meta>` child that a content puts on its stanza.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Shape {
    /// `type` of the stanza.
    pub kind: StanzaType,
    /// `mediatype` of every `<enc>`.
    pub mediatype: Option<&'static str>,
    /// `edit` of the stanza.
    pub edit: Option<Edit>,
    /// `decrypt-fail="hide"` on every `<enc>`: whoever cannot read it shows nothing.
    pub hide: bool,
    /// Attributes of the `<meta>` child.
    pub meta: Meta,
}

/// The `type` of a message stanza.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StanzaType {
    /// `event`.
    Event,
    /// `media`; the server silently drops it without a mediatype.
    Media,
    /// `poll`.
    Poll,
    /// `reaction`.
    Reaction,
    /// `text`.
    Text,
}

/// The `edit` of a message stanza.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Edit {
    /// 1: another text for a message.
    Message,
    /// 2: pins or unpins.
    Pin,
    /// 3: a message edit in a newsletter.
    Admin,
    /// 7: the sender takes a message back, a reaction or a keep.
    SenderRevoke,
    /// 8: a group's admin takes a message back.
    AdminRevoke,
}

/// The attributes of `<meta>`; without any there is no such child.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Meta {
    /// `polltype`.
    pub polltype: Option<&'static str>,
    /// `event_type`.
    pub event_type: Option<&'static str>,
    /// `view_once="true"`.
    pub view_once: bool,
}

impl Shape {
    pub(super) const fn of(kind: StanzaType) -> Self {
        Self {
            kind,
            mediatype: None,
            edit: None,
            hide: false,
            meta: Meta {
                polltype: None,
                event_type: None,
                view_once: false,
            },
        }
    }

    pub(super) const fn text() -> Self {
        Self::of(StanzaType::Text)
    }

    pub(super) const fn media(mediatype: &'static str) -> Self {
        Self {
            mediatype: Some(mediatype),
            ..Self::of(StanzaType::Media)
        }
    }

    pub(super) const fn poll(polltype: Option<&'static str>) -> Self {
        let mut shape = Self::of(StanzaType::Poll);
        shape.meta.polltype = polltype;
        shape
    }

    pub(super) const fn event(event_type: &'static str) -> Self {
        let mut shape = Self::of(StanzaType::Event);
        shape.meta.event_type = Some(event_type);
        shape
    }

    pub(super) const fn edit(self, edit: Edit) -> Self {
        Self {
            edit: Some(edit),
            ..self
        }
    }

    pub(super) const fn hidden(self) -> Self {
        Self { hide: true, ..self }
    }

    /// The same content in a newsletter, where edits are those of its admins.
    #[must_use]
    pub fn in_newsletter(self) -> Self {
        let edit = self.edit.map(|edit| match edit {
            Edit::Message => Edit::Admin,
            Edit::SenderRevoke => Edit::AdminRevoke,
            other => other,
        });
        Self { edit, ..self }
    }

    /// The `<meta>` child, if it has something to say.
    pub fn meta_node(&self) -> Option<Node> {
        let Meta {
            polltype,
            event_type,
            view_once,
        } = self.meta;
        let node = Node::new("meta")
            .maybe("polltype", polltype)
            .maybe("event_type", event_type)
            .maybe("view_once", view_once.then_some("true"));
        (!node.attrs.is_empty()).then_some(node)
    }

    /// `enc` with the attributes that every `<enc>` of this content has.
    #[must_use]
    pub fn enc(&self, enc: Node) -> Node {
        enc.maybe("mediatype", self.mediatype)
            .maybe("decrypt-fail", self.hide.then_some("hide"))
    }
}

impl StanzaType {
    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Media => "media",
            Self::Poll => "poll",
            Self::Reaction => "reaction",
            Self::Text => "text",
        }
    }
}

impl Edit {
    /// As on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Message => "1",
            Self::Pin => "2",
            Self::Admin => "3",
            Self::SenderRevoke => "7",
            Self::AdminRevoke => "8",
        }
    }
}
