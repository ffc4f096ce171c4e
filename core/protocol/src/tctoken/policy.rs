//! Who may carry a token, to whom we issue ours, and the numbers the server configures.
//!
//! | recipient or stanza | token |
//! |---|---|
//! | person or business, also hosted ones, by PN or LID | yes |
//! | ourselves, announcements, bots, groups, broadcast, status, channels | no |
//! | `category="peer"` (own devices) | no: the server answers 479 |
//!
//! All kinds of direct messages and their retry resends follow the same rule (spec: "attach").

use crate::jid::{Jid, Server};
use crate::peer::{AccountKey, Names, PeerKey};
use crate::tctoken::bucket::{BucketCount, BucketSpan, Window};
use crate::time::UnixSeconds;

/// Our own account under both of its names; at least one is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Own {
    lid: Option<PeerKey>,
    pn: Option<PeerKey>,
}

impl Own {
    /// From our own JIDs, devices stripped; `None` unless one of them names an account.
    pub fn new(lid: Option<&Jid>, pn: Option<&Jid>) -> Option<Self> {
        let lid = lid.filter(|jid| jid.is_lid()).and_then(PeerKey::of);
        let pn = pn.filter(|jid| jid.is_pn()).and_then(PeerKey::of);
        (lid.is_some() || pn.is_some()).then_some(Self { lid, pn })
    }

    /// The owner of our rows: by LID if known, never the companion device.
    pub fn account(&self) -> Option<AccountKey> {
        self.lid.clone().or_else(|| self.pn.clone()).map(AccountKey)
    }

    /// Both names, as far as known.
    pub fn names(&self) -> Names {
        Names {
            lid: self.lid.clone(),
            pn: self.pn.clone(),
        }
    }

    /// Whether `peer` is this account.
    pub fn is(&self, peer: &PeerKey) -> bool {
        self.lid.as_ref() == Some(peer) || self.pn.as_ref() == Some(peer)
    }

    /// Whether `jid` is a device of this account.
    pub fn is_jid(&self, jid: &Jid) -> bool {
        let mut names = [&self.lid, &self.pn].into_iter().flatten();
        names.any(|own| own.is(jid))
    }

    /// Whether either name is this account.
    pub fn is_any(&self, names: &Names) -> bool {
        [&names.lid, &names.pn]
            .into_iter()
            .flatten()
            .any(|peer| self.is(peer))
    }
}

/// What kind of chat an address is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    /// An assistant, or a number in the bots' ranges.
    Bot,
    /// Status posts and broadcast lists.
    Broadcast,
    /// A person or business: the only class with tokens.
    Contact,
    /// A group, community or announcement group.
    Group,
    /// A channel.
    Newsletter,
    /// Anything else.
    Other,
    /// Ourselves.
    Own,
    /// WhatsApp's announcements, `0@s.whatsapp.net`.
    Psa,
}

/// The class of `to`, hosted forms counting as their account.
pub fn class(to: &Jid, own: &Own) -> Class {
    if to.is_psa() {
        return Class::Psa;
    }
    if to.is_bot() {
        return Class::Bot;
    }
    // Without a key of `to`, which would be an allocation for each message.
    match to.server_part() {
        _ if own.is_jid(to) => Class::Own,
        _ if to.is_user() => Class::Contact,
        Server::Broadcast => Class::Broadcast,
        Server::Group => Class::Group,
        Server::Newsletter => Class::Newsletter,
        _ => Class::Other,
    }
}

/// What a message is, as far as tokens are concerned.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum MessageKind {
    /// Text, media, reaction, edit, poll vote.
    Content,
    /// To our own devices (`category="peer"`).
    Peer,
    /// A protocol message, revokes included: carries a token, causes no issue.
    Protocol,
}

/// The AB props that concern tokens. `None` means that the server never told us.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TokenProps {
    /// 865 and 909: window of the tokens that contacts gave us.
    pub receive: Option<Window>,
    /// 996 and 997: window of our issues.
    pub send: Option<Window>,
    /// 14303: issue to the contact's LID (true) or PN (false).
    pub issue_to_lid: Option<bool>,
    /// 24941: cstokens may be sent.
    pub cstoken: Option<bool>,
}

/// Whether a received token may be attached.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Freshness {
    /// The props are unknown and it depends on them: older than the default window, not older than
    /// the widest one seen. Worth one bounded wait for the props; attached if they do not come.
    Ambiguous,
    /// Too old.
    Expired,
    /// Valid.
    Fresh,
}

impl TokenProps {
    /// Whether a token of time `t` may be attached at `now`.
    pub fn freshness(&self, t: UnixSeconds, now: UnixSeconds) -> Freshness {
        let widest = Window {
            span: BucketSpan::DEFAULT,
            count: BucketCount::WIDEST_SEEN,
        };
        match self.receive {
            Some(window) if window.expired(t, now) => Freshness::Expired,
            Some(_) => Freshness::Fresh,
            None if !Window::default().expired(t, now) => Freshness::Fresh,
            None if !widest.expired(t, now) => Freshness::Ambiguous,
            None => Freshness::Expired,
        }
    }

    /// The window of our issues.
    pub fn send_window(&self) -> Window {
        self.send.unwrap_or_default()
    }

    /// Whether a cstoken may be sent; a salt proves enrolment while the props are unknown.
    pub fn cstoken_allowed(&self) -> bool {
        self.cstoken.unwrap_or(true)
    }

    /// The address an issue after a message goes to: `None` when the form the server asks for is
    /// not known.
    pub fn issue_target(&self, contact: &Names) -> Option<Jid> {
        let peer = match self.issue_to_lid {
            Some(true) => contact.lid.as_ref(),
            Some(false) => contact.pn.as_ref(),
            None => contact.pn.as_ref().or(contact.lid.as_ref()),
        };
        peer.map(PeerKey::jid)
    }

    /// The address an issue after an identity change goes to: as [`TokenProps::issue_target`], else
    /// the form that is known.
    pub fn reissue_target(&self, contact: &Names) -> Option<Jid> {
        self.issue_target(contact)
            .or_else(|| contact.canonical().map(PeerKey::jid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);

    fn own() -> Own {
        let lid = Jid::device("900000000000009", 12, Server::Lid);
        Own::new(Some(&lid), Some(&Jid::pn("4915559999"))).unwrap()
    }

    #[test]
    fn every_address_has_one_class() {
        for (text, expected) in [
            ("100000000000001@lid", Class::Contact),
            ("4915550001:3@s.whatsapp.net", Class::Contact),
            ("4915550001@c.us", Class::Contact),
            ("7:99@hosted.lid", Class::Contact),
            ("900000000000009:4@lid", Class::Own),
            ("4915559999@c.us", Class::Own),
            ("0@s.whatsapp.net", Class::Psa),
            ("0@c.us", Class::Psa),
            ("13135550002@s.whatsapp.net", Class::Bot),
            ("867051314767696@bot", Class::Bot),
            ("120363@g.us", Class::Group),
            ("status@broadcast", Class::Broadcast),
            ("120363@newsletter", Class::Newsletter),
            ("s.whatsapp.net", Class::Other),
        ] {
            assert_eq!(class(&text.parse().unwrap(), &own()), expected, "{text}");
        }
    }

    #[test]
    fn an_own_account_needs_a_name() {
        assert_eq!(Own::new(None, None), None);
        assert_eq!(Own::new(Some(&Jid::pn("1")), None), None);
        let by_pn = Own::new(None, Some(&Jid::pn("1"))).unwrap();
        assert_eq!(
            by_pn.account(),
            PeerKey::of(&Jid::pn("1")).map(AccountKey),
            "the PN stands in while the LID is unknown"
        );
    }

    #[test]
    fn our_names_are_those_that_are_known() {
        let [lid, pn] = ["900000000000009@lid", "4915559999@s.whatsapp.net"]
            .map(|text| PeerKey::of(&text.parse().unwrap()).unwrap());
        assert_eq!(own().names(), Names::pair(lid, pn.clone()));
        let by_pn = Own::new(None, Some(&pn.jid())).unwrap();
        assert_eq!(by_pn.names(), Names::of(pn));
    }

    #[test]
    fn we_are_ourselves_under_either_name() {
        let peer = |text: &str| PeerKey::of(&text.parse().unwrap()).unwrap();
        let (lid, pn) = (
            peer("900000000000009@lid"),
            peer("4915559999@s.whatsapp.net"),
        );
        let other = Names::pair(peer("1@lid"), peer("1@s.whatsapp.net"));
        for (names, expected) in [
            (other.clone().including(lid), true),
            (other.clone().including(pn), true),
            (other, false),
            (Names::default(), false),
        ] {
            assert_eq!(own().is_any(&names), expected);
        }
    }

    #[test]
    fn only_unknown_props_leave_a_token_ambiguous() {
        let unknown = TokenProps::default();
        let known = TokenProps {
            receive: Some(Window::default()),
            ..unknown
        };
        for (t, when_unknown, when_known) in [
            (1_784_160_000, Freshness::Fresh, Freshness::Fresh),
            (1_784_159_999, Freshness::Ambiguous, Freshness::Expired),
            (1_770_854_400, Freshness::Ambiguous, Freshness::Expired),
            (1_770_854_399, Freshness::Expired, Freshness::Expired),
        ] {
            assert_eq!(unknown.freshness(UnixSeconds(t), NOW), when_unknown, "{t}");
            assert_eq!(known.freshness(UnixSeconds(t), NOW), when_known, "{t}");
        }
    }

    #[test]
    fn the_issue_goes_to_the_form_the_server_asks_for() {
        let lid = Jid::lid("100000000000001");
        let pn = Jid::pn("4915550001");
        let both = Names::pair(PeerKey::of(&lid).unwrap(), PeerKey::of(&pn).unwrap());
        let lid_only = Names::of(PeerKey::of(&lid).unwrap());
        let asks = |issue_to_lid| TokenProps {
            issue_to_lid,
            ..TokenProps::default()
        };
        for (asked, contact, after_message, after_change) in [
            (Some(true), &both, Some(&lid), Some(&lid)),
            (Some(false), &both, Some(&pn), Some(&pn)),
            (None, &both, Some(&pn), Some(&pn)),
            (None, &lid_only, Some(&lid), Some(&lid)),
            (Some(false), &lid_only, None, Some(&lid)),
        ] {
            let props = asks(asked);
            assert_eq!(props.issue_target(contact).as_ref(), after_message);
            assert_eq!(props.reissue_target(contact).as_ref(), after_change);
        }
    }
}
