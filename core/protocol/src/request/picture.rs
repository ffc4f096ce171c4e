//! The picture of a person or group.
//!
//! ```text
//! -> <iq xmlns="w:profile:picture" type="get" to="s.whatsapp.net" target><picture type query="url" [id]>[<tctoken/>]</picture></iq>
//! <- <picture id type url direct_path/>, or without one when nothing changed; 401, 404
//! ```
//! Source: tokens specification "Everywhere else"; what the server says without a picture is that of
//! whatsmeow.

use crate::jid::Jid;
use crate::request::RequestError;
use crate::stream::iq::IqEnd;
use crate::tctoken::gated;
use crate::wap::Node;

/// Where somebody's picture is. The contact's token goes along, if there is one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProfilePicture {
    /// The person, group or channel; we ourselves too.
    pub of: Jid,
    /// In full or small.
    pub size: gated::Picture,
    /// The id of the one we have: the answer is then [`PictureReply::Unchanged`] if it is that.
    pub known: Option<String>,
}

/// What there is to see.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PictureReply {
    /// The person does not show it to us.
    Hidden,
    /// There is none.
    None,
    /// There is one.
    Shown(Picture),
    /// It is the one we have.
    Unchanged,
}

/// A picture on the server. The address ends after some days; the id stays.
#[derive(Clone, Eq, PartialEq)]
pub struct Picture {
    /// Changes with the picture.
    pub id: String,
    /// Where it is, over HTTPS and without a key.
    pub url: String,
    /// The path of that address, for other hosts.
    pub direct_path: Option<String>,
}

impl core::fmt::Debug for Picture {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Picture({} bytes of address)", self.url.len())
    }
}

impl PictureReply {
    /// What the end of the question says; `known`: it named the one we have.
    pub(crate) fn of(end: &IqEnd, known: bool) -> Result<Self, RequestError> {
        match end {
            IqEnd::Error { code: 401, .. } => Ok(Self::Hidden),
            IqEnd::Error { code: 404, .. } => Ok(Self::None),
            IqEnd::Result(answer) => Self::parse(answer, known),
            _ => Err(RequestError::of(end).unwrap_or(RequestError::Strange)),
        }
    }

    fn parse(answer: &Node, known: bool) -> Result<Self, RequestError> {
        let Some(picture) = answer.find("picture") else {
            return Ok(if known { Self::Unchanged } else { Self::None });
        };
        match picture.number::<u16>("status") {
            Some(304) => return Ok(Self::Unchanged),
            Some(204 | 404) => return Ok(Self::None),
            Some(401) => return Ok(Self::Hidden),
            _ => {}
        }
        let text = |key| picture.text(key).map(|text| text.into_owned());
        let (Some(id), Some(url)) = (text("id"), text("url")) else {
            return Err(RequestError::Strange);
        };
        Ok(Self::Shown(Picture {
            id,
            url,
            direct_path: text("direct_path"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(child: Option<Node>, known: bool) -> Result<PictureReply, RequestError> {
        let iq = Node::new("iq").children(child);
        PictureReply::of(&IqEnd::Result(iq), known)
    }

    #[test]
    fn an_answer_without_a_picture_means_what_was_asked() {
        assert_eq!(told(None, true), Ok(PictureReply::Unchanged));
        assert_eq!(told(None, false), Ok(PictureReply::None));
        let same = Node::new("picture").attr("status", "304");
        assert_eq!(told(Some(same), false), Ok(PictureReply::Unchanged));
    }

    #[test]
    fn refusals_are_answers_where_they_say_something_about_the_picture() {
        let end = |code| {
            let end = IqEnd::Error {
                code,
                backoff: None,
            };
            PictureReply::of(&end, true)
        };
        assert_eq!(end(401), Ok(PictureReply::Hidden));
        assert_eq!(end(404), Ok(PictureReply::None));
        let refused = RequestError::Refused {
            code: 429,
            backoff: None,
        };
        assert_eq!(end(429), Err(refused));
        assert_eq!(
            PictureReply::of(&IqEnd::Timeout, true),
            Err(RequestError::Timeout)
        );
    }

    #[test]
    fn a_picture_has_an_id_and_an_address() {
        let picture = || {
            Node::new("picture")
                .attr("id", "17")
                .attr("direct_path", "/v/t")
        };
        let shown = told(Some(picture().attr("url", "https://pps/x")), false);
        let expected = Picture {
            id: "17".into(),
            url: "https://pps/x".into(),
            direct_path: Some("/v/t".into()),
        };
        assert!(!format!("{expected:?}").contains("pps"));
        assert_eq!(shown, Ok(PictureReply::Shown(expected)));
        assert_eq!(told(Some(picture()), false), Err(RequestError::Strange));
    }
}
