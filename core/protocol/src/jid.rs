//! Wire addresses: `user[:device]@server`.
//!
//! A [`Jid`] is what stanzas carry. It is never a storage key: see [`crate::peer`].

use core::fmt;
use core::str::FromStr;

use crate::user::User;

/// The server part of a JID.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Server {
    /// `bot`: AI assistants.
    Bot,
    /// `broadcast`: broadcast lists and `status@broadcast`.
    Broadcast,
    /// `call`.
    Call,
    /// `g.us`: groups.
    Group,
    /// `hosted`: Cloud API devices of a phone-number account.
    Hosted,
    /// `hosted.lid`: Cloud API devices of a LID account.
    HostedLid,
    /// `interop`: users of other messengers.
    Interop,
    /// `c.us`: legacy text form of [`Server::Pn`].
    LegacyPn,
    /// `lid`: accounts by hidden identity, the canonical form.
    Lid,
    /// `msgr`: Messenger.
    Messenger,
    /// `newsletter`: channels.
    Newsletter,
    /// `s.whatsapp.net`: accounts by phone number, and the server itself when there is no user.
    Pn,
    /// A server we do not know; kept so that nothing is lost.
    Other(Box<str>),
}

impl Server {
    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Bot => "bot",
            Self::Broadcast => "broadcast",
            Self::Call => "call",
            Self::Group => "g.us",
            Self::Hosted => "hosted",
            Self::HostedLid => "hosted.lid",
            Self::Interop => "interop",
            Self::LegacyPn => "c.us",
            Self::Lid => "lid",
            Self::Messenger => "msgr",
            Self::Newsletter => "newsletter",
            Self::Pn => "s.whatsapp.net",
            Self::Other(text) => text,
        }
    }

    /// The server with that text; unknown text is kept.
    pub fn parse(text: &str) -> Self {
        match text {
            "bot" => Self::Bot,
            "broadcast" => Self::Broadcast,
            "call" => Self::Call,
            "g.us" => Self::Group,
            "hosted" => Self::Hosted,
            "hosted.lid" => Self::HostedLid,
            "interop" => Self::Interop,
            "c.us" => Self::LegacyPn,
            "lid" => Self::Lid,
            "msgr" => Self::Messenger,
            "newsletter" => Self::Newsletter,
            "s.whatsapp.net" => Self::Pn,
            other => Self::Other(other.into()),
        }
    }
}

/// The user part of `status@broadcast`.
const STATUS: &str = "status";

/// The device number of hosted (Cloud API) companions.
pub const HOSTED_DEVICE: u16 = 99;

/// An address on the wire. `Debug` is redacted; use [`Jid::reveal`] for the text.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Jid {
    user: User,
    device: u16,
    integrator: u16,
    server: Server,
}

/// Why a text is not a JID.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JidError {
    /// The device part is not a number up to 65535.
    #[error("the device part is not a number up to 65535")]
    Device,
    /// Empty text, or nothing behind the `@`.
    #[error("a JID is `user[:device]@server`")]
    Shape,
    /// The user part holds characters that no account id has.
    #[error("the user part holds characters that no account id has")]
    User,
}

impl Jid {
    /// `user:device@server`.
    pub fn device(user: impl Into<User>, device: u16, server: Server) -> Self {
        Self {
            user: user.into(),
            device,
            integrator: 0,
            server,
        }
    }

    /// `user@server`, device 0.
    pub fn user(user: impl Into<User>, server: Server) -> Self {
        Self::device(user, 0, server)
    }

    /// A phone-number account.
    pub fn pn(digits: impl Into<User>) -> Self {
        Self::user(digits, Server::Pn)
    }

    /// The account a host names: `<digits>@s.whatsapp.net`, `<digits>@lid`, `<digits>@c.us` or the
    /// digits of a phone number. `None` for anything one cannot send to.
    pub fn recipient(text: &str) -> Option<Self> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::pn(text));
        }
        let jid: Self = text.parse().ok()?;
        if jid.server == Server::LegacyPn && jid.device == 0 && !jid.user.is_empty() {
            return Some(Self::pn(jid.user));
        }
        jid.is_user().then(|| jid.account())
    }

    /// The chat a host names: a [`Jid::recipient`], a group, `<id>@g.us`, or a channel,
    /// `<id>@newsletter`. `None` for anything one cannot send to.
    pub fn chat(text: &str) -> Option<Self> {
        let shared = |jid: &Self| {
            let server = matches!(jid.server, Server::Group | Server::Newsletter);
            server && jid.device == 0 && !jid.user.is_empty()
        };
        Self::recipient(text).or_else(|| text.parse().ok().filter(shared))
    }

    /// A LID account.
    pub fn lid(digits: impl Into<User>) -> Self {
        Self::user(digits, Server::Lid)
    }

    /// A server alone, such as `s.whatsapp.net`.
    pub fn server(server: Server) -> Self {
        Self::user("", server)
    }

    /// The messaging server, the usual `to` of an IQ.
    pub fn whatsapp() -> Self {
        Self::server(Server::Pn)
    }

    /// A user of another messenger.
    pub fn interop(user: impl Into<User>, device: u16, integrator: u16) -> Self {
        Self {
            user: user.into(),
            device,
            integrator,
            server: Server::Interop,
        }
    }

    /// The user part; empty for a server.
    pub fn user_part(&self) -> &str {
        &self.user
    }

    /// [`Jid::user_part`], to be copied.
    pub const fn user_id(&self) -> &User {
        &self.user
    }

    /// The device number; 0 is the primary device (the phone).
    pub const fn device_part(&self) -> u16 {
        self.device
    }

    /// The integrator of an interop user, else 0.
    pub const fn integrator(&self) -> u16 {
        self.integrator
    }

    /// The server part.
    pub const fn server_part(&self) -> &Server {
        &self.server
    }

    /// The same account without a device; hosted servers become the account's own (`lid`, PN).
    pub fn account(&self) -> Self {
        let server = match &self.server {
            Server::Hosted | Server::LegacyPn => Server::Pn,
            Server::HostedLid => Server::Lid,
            other => other.clone(),
        };
        Self {
            user: self.user.clone(),
            device: 0,
            integrator: self.integrator,
            server,
        }
    }

    /// The same account with another device number.
    pub fn with_device(&self, device: u16) -> Self {
        Self {
            device,
            ..self.clone()
        }
    }

    /// A person or business: PN, LID or a hosted form of these, with a user part.
    pub fn is_user(&self) -> bool {
        !self.user.is_empty()
            && matches!(
                self.server,
                Server::Pn | Server::Lid | Server::Hosted | Server::HostedLid | Server::LegacyPn
            )
    }

    /// An account addressed by LID.
    pub const fn is_lid(&self) -> bool {
        matches!(self.server, Server::Lid | Server::HostedLid)
    }

    /// An account addressed by phone number.
    pub fn is_pn(&self) -> bool {
        !self.user.is_empty()
            && matches!(self.server, Server::Pn | Server::Hosted | Server::LegacyPn)
    }

    /// The chat of status updates, `status@broadcast`.
    pub fn status() -> Self {
        Self::user(STATUS, Server::Broadcast)
    }

    /// The chat of status updates.
    pub fn is_status(&self) -> bool {
        self.server == Server::Broadcast && &*self.user == STATUS
    }

    /// A channel.
    pub fn is_newsletter(&self) -> bool {
        self.server == Server::Newsletter && !self.user.is_empty()
    }

    /// The official announcements account, `0@s.whatsapp.net` (or `0@c.us`).
    pub fn is_psa(&self) -> bool {
        self.user.as_bytes() == b"0" && matches!(self.server, Server::Pn | Server::LegacyPn)
    }

    /// A bot: server `bot`, or a phone number in the two reserved ranges
    /// `1313555dddd` and `131655500dd` (tokens: never attached, never issued).
    pub fn is_bot(&self) -> bool {
        if self.server == Server::Bot {
            return true;
        }
        let digits_after = |prefix: &[u8], count: usize| {
            let rest = self.user.as_bytes().strip_prefix(prefix);
            rest.is_some_and(|rest| rest.len() == count && rest.iter().all(u8::is_ascii_digit))
        };
        self.is_pn() && (digits_after(b"1313555", 4) || digits_after(b"131655500", 2))
    }

    /// The full text. Named so that a reader sees where personal data leaves.
    pub fn reveal(&self) -> String {
        self.to_string()
    }
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        let Some((left, server)) = text.split_once('@') else {
            return match Server::parse(text) {
                Server::Other(_) => Err(JidError::Shape),
                server => Ok(Self::server(server)),
            };
        };
        if left.is_empty() || server.is_empty() || server.contains('@') {
            return Err(JidError::Shape);
        }
        let (user, device) = match left.split_once(':') {
            Some((user, device)) => (user, device.parse().map_err(|_| JidError::Device)?),
            None => (left, 0),
        };
        let plain = user.bytes().all(|byte| byte.is_ascii_graphic());
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if user.is_empty() || !plain && user.chars().any(odd) {
            return Err(JidError::User);
        }
        Ok(Self::device(user, device, Server::parse(server)))
    }
}

/// The text form; personal, so only for the wire and for hosts that asked.
impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.user.is_empty() {
            return f.write_str(self.server.as_str());
        }
        if self.integrator != 0 {
            write!(f, "{}-", self.integrator)?;
        }
        f.write_str(&self.user)?;
        if self.device != 0 {
            write!(f, ":{}", self.device)?;
        }
        write!(f, "@{}", self.server.as_str())
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An unknown one may be anything, such as a user on the wrong side.
        let server = match &self.server {
            Server::Other(_) => "…",
            known => known.as_str(),
        };
        if self.user.is_empty() {
            return f.write_str(server);
        }
        write!(f, "…:{}@{server}", self.device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_accounts_by_number_or_address_and_nothing_else() {
        let reveal = |text| Jid::recipient(text).map(|jid| jid.reveal());
        let pn = Some("4915551@s.whatsapp.net".to_owned());
        for text in ["4915551", "4915551@c.us", "4915551:3@s.whatsapp.net"] {
            assert_eq!(reveal(text), pn, "{text}");
        }
        assert_eq!(reveal("77@lid"), Some("77@lid".into()));
        for text in [
            "",
            "+4915551",
            "1@g.us",
            "s.whatsapp.net",
            "c.us",
            "@lid",
            "1@",
        ] {
            assert_eq!(reveal(text), None, "{text}");
        }
    }

    #[test]
    fn a_chat_may_be_a_group_too() {
        let reveal = |text| Jid::chat(text).map(|jid| jid.reveal());
        for text in ["1203630@g.us", "4915551-1400000000@g.us", "77@lid"] {
            assert_eq!(reveal(text), Some(text.into()));
        }
        for text in ["", "@g.us", "g.us", "1:2@g.us", "1@call"] {
            assert_eq!(reveal(text), None, "{text}");
        }
    }

    #[test]
    fn text_form_round_trips() {
        for text in [
            "4915551@s.whatsapp.net",
            "77:12@lid",
            "s.whatsapp.net",
            "a@g.us",
            "1@newone",
        ] {
            assert_eq!(text.parse::<Jid>().unwrap().reveal(), text);
        }
    }

    #[test]
    fn broken_text_is_a_typed_error() {
        for (text, error) in [
            ("", JidError::Shape),
            ("@lid", JidError::Shape),
            ("1@", JidError::Shape),
            ("1:x@lid", JidError::Device),
            ("1:70000@lid", JidError::Device),
            ("4 9@lid", JidError::User),
            (":1@lid", JidError::User),
        ] {
            assert_eq!(text.parse::<Jid>(), Err(error), "{text}");
        }
    }

    #[test]
    fn bots_are_the_two_ranges_and_the_server_only() {
        for bot in [
            "13135550002@s.whatsapp.net",
            "13165550099@c.us",
            "867051314767696@bot",
        ] {
            assert!(bot.parse::<Jid>().unwrap().is_bot(), "{bot}");
        }
        for user in [
            "131355500021@s.whatsapp.net",
            "13165551099@s.whatsapp.net",
            "13135550002@lid",
        ] {
            assert!(!user.parse::<Jid>().unwrap().is_bot(), "{user}");
        }
    }

    #[test]
    fn debug_hides_the_user() {
        for text in ["4915551:3@s.whatsapp.net", "3@4915551"] {
            let shown = format!("{:?}", text.parse::<Jid>().unwrap());
            assert!(!shown.contains("4915551"), "{shown}");
        }
    }

    #[test]
    fn hosted_devices_belong_to_their_account() {
        assert_eq!(
            Jid::device("7", HOSTED_DEVICE, Server::HostedLid).account(),
            Jid::lid("7")
        );
    }
}
