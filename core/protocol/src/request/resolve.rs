//! Who is behind a phone number.
//!
//! ```text
//! <query><contact/><lid/></query><list><user><contact>+digits</contact></user>..</list>
//! ```
//! The server may know a number under another one (Brazil's ninth digit), so an answer is matched by
//! the echo of what was asked (spec: "which namespace"; pitfall 11).

use crate::error::ApiMisuse;
use crate::jid::Jid;
use crate::pair::code::PhoneNumber;
use crate::usync;

/// Numbers in one request. They are asked for in batches of [`usync::BATCH`], one after the other.
pub const MAX_NUMBERS: usize = 1_000;

/// Ask whether phone numbers are on WhatsApp, and under which names. What is found is remembered.
#[derive(Clone, Eq, PartialEq)]
pub struct Resolve(Vec<String>);

impl Resolve {
    /// Numbers in international form; a plus sign, blanks, dashes, dots and brackets are left out,
    /// and `@s.whatsapp.net` as well. Replies come in this order.
    ///
    /// # Errors
    /// [`ApiMisuse::BadNumber`] for something else, or for more than [`MAX_NUMBERS`].
    pub fn new<N: AsRef<str>>(numbers: impl IntoIterator<Item = N>) -> Result<Self, ApiMisuse> {
        let mut digits = Vec::new();
        for number in numbers {
            let number = number.as_ref();
            let number = number.strip_suffix("@s.whatsapp.net").unwrap_or(number);
            let number = PhoneNumber::parse(number).ok_or(ApiMisuse::BadNumber)?;
            if digits.len() == MAX_NUMBERS {
                return Err(ApiMisuse::BadNumber);
            }
            digits.push(number.digits().to_owned());
        }
        Ok(Self(digits))
    }

    pub(crate) fn into_numbers(self) -> Vec<String> {
        self.0
    }
}

impl core::fmt::Debug for Resolve {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Resolve({} numbers)", self.0.len())
    }
}

/// What became of a number.
#[derive(Clone, Eq, PartialEq)]
pub struct Resolved {
    /// The digits that were asked for.
    pub number: String,
    /// Who is there.
    pub registration: Registration,
}

impl core::fmt::Debug for Resolved {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Resolved({:?})", self.registration)
    }
}

/// Who is behind a number.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Registration {
    /// Nobody, or it is no number: messages to it are refused.
    NotRegistered,
    /// An account. Use these names instead of the number that was asked for.
    Registered {
        /// By phone number, in the server's spelling.
        pn: Jid,
        /// By LID; `None` if the server does not tell it.
        lid: Option<Jid>,
    },
    /// The server did not say.
    Unknown {
        /// Its error number, if it gave one.
        code: Option<u16>,
    },
}

impl Registration {
    /// What `answer` says of a number.
    pub(crate) fn of(answer: &usync::Answer, digits: &str) -> Self {
        let Some(user) = answer.by_number(digits) else {
            // A failure has no echo beside it.
            let asked = Some(Jid::pn(digits));
            let user = answer.users.iter().find(|user| user.pn == asked);
            let errors = user.into_iter().flat_map(|user| &user.errors);
            let mut errors = errors.filter(|error| error.protocol == "contact");
            let code = errors.find_map(|error| error.code);
            return Self::Unknown { code };
        };
        match &user.contact {
            Some(contact) if contact.registered => Self::Registered {
                pn: user.pn.clone().unwrap_or_else(|| Jid::pn(digits)),
                lid: user.lid.clone(),
            },
            _ => Self::NotRegistered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wap::Node;

    fn contact(kind: &'static str, echo: &'static str) -> Node {
        Node::new("contact").attr("type", kind).bytes(echo)
    }

    #[test]
    fn numbers_are_told_apart_by_the_echo_of_what_was_asked() {
        let list = Node::new("list").children([
            Node::new("user")
                .jid("jid", Jid::pn("551187654321"))
                .child(contact("in", "+5511987654321"))
                .child(Node::new("lid").jid("val", Jid::lid("77"))),
            Node::new("user")
                .jid("jid", Jid::lid("78"))
                .jid("pn_jid", Jid::pn("4915550002"))
                .child(contact("in", "+4915550002")),
            Node::new("user")
                .jid("jid", Jid::pn("4915550003"))
                .child(contact("out", "+4915550003")),
            Node::new("user")
                .attr("jid", "undefined")
                .child(contact("invalid", "+4915550004@c.us")),
            Node::new("user")
                .jid("jid", Jid::pn("4915550006"))
                .child(Node::new("contact").child(Node::new("error").attr("code", "500"))),
        ]);
        let iq = Node::new("iq").child(Node::new("usync").child(list));
        let answer = usync::Answer::parse(&iq).unwrap();
        let registered = |pn, lid| Registration::Registered {
            pn: Jid::pn(pn),
            lid: Some(Jid::lid(lid)),
        };
        for (number, expected) in [
            ("5511987654321", registered("551187654321", "77")),
            ("4915550002", registered("4915550002", "78")),
            ("4915550003", Registration::NotRegistered),
            ("4915550004", Registration::NotRegistered),
            ("4915550005", Registration::Unknown { code: None }),
            ("4915550006", Registration::Unknown { code: Some(500) }),
            ("551187654321", Registration::Unknown { code: None }),
        ] {
            assert_eq!(Registration::of(&answer, number), expected, "{number}");
        }
    }

    #[test]
    fn numbers_come_in_many_spellings() {
        let numbers = ["+49 (155) 50-001", "4915550002@s.whatsapp.net"];
        let resolve = Resolve::new(numbers).unwrap();
        assert_eq!(resolve.0, ["4915550001", "4915550002"]);
        assert_eq!(format!("{resolve:?}"), "Resolve(2 numbers)");
        for bad in ["", "12", "alice", "1@lid", "0155500001"] {
            assert_eq!(Resolve::new([bad]), Err(ApiMisuse::BadNumber), "{bad}");
        }
        let many = |n| Resolve::new((0..n).map(|n| format!("49155{n:05}")));
        assert!(many(MAX_NUMBERS).is_ok());
        assert_eq!(many(MAX_NUMBERS + 1), Err(ApiMisuse::BadNumber));
    }
}
