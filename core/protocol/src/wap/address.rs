//! Addresses in their four binary forms (spec: section 3.4).
//!
//! ```text
//! 250 user|0 server               no device
//! 247 domain u8, device u8, user  a device of s.whatsapp.net, lid, hosted, hosted.lid
//! 246 user, device u16, "msgr"
//! 245 user, device u16, integrator u16, "interop"
//! ```

use super::Text;
use super::WapError;
use super::decode::Reader;
use super::encode::{LIST_EMPTY, write_text};
use crate::jid::{Jid, Server};
use crate::user::User;

pub(super) const INTEROP_JID: u8 = 245;
pub(super) const FB_JID: u8 = 246;
pub(super) const AD_JID: u8 = 247;
pub(super) const JID_PAIR: u8 = 250;

/// Writes `jid`; `None` only when a part is over 4 GiB.
pub(super) fn write_jid(out: &mut Vec<u8>, jid: &Jid) -> Option<()> {
    let (user, device, server) = (jid.user_part(), jid.device_part(), jid.server_part());
    match server {
        Server::Messenger if !user.is_empty() => {
            out.push(FB_JID);
            write_text(out, user)?;
            out.extend(device.to_be_bytes());
            write_text(out, server.as_str())
        }
        // WhatsApp Web leaves the server out here; we write what every decoder reads.
        Server::Interop if !user.is_empty() => {
            out.push(INTEROP_JID);
            write_text(out, user)?;
            out.extend(device.to_be_bytes());
            out.extend(jid.integrator().to_be_bytes());
            write_text(out, server.as_str())
        }
        _ if user.is_empty() || device == 0 => {
            out.push(JID_PAIR);
            match user {
                "" => out.push(LIST_EMPTY),
                user => write_text(out, user)?,
            }
            write_text(out, server.as_str())
        }
        _ => match (domain(server), u8::try_from(device)) {
            (Some(domain), Ok(device)) => {
                out.extend([AD_JID, domain, device]);
                write_text(out, user)
            }
            // No binary form holds it; without its device it would be somebody else's address.
            _ => write_text(out, &jid.reveal()),
        },
    }
}

const fn domain(server: &Server) -> Option<u8> {
    match server {
        Server::Pn => Some(0),
        Server::Lid => Some(1),
        Server::Hosted => Some(128),
        Server::HostedLid => Some(129),
        _ => None,
    }
}

impl Reader<'_> {
    /// The address that begins with the next byte.
    pub(super) fn jid(&mut self) -> Result<Jid, WapError> {
        match self.u8()? {
            AD_JID => self.ad_jid(),
            FB_JID => self.fb_jid(),
            INTEROP_JID => self.interop_jid(),
            JID_PAIR => self.jid_pair(),
            other => Err(WapError::UnexpectedTag(other)),
        }
    }

    fn ad_jid(&mut self) -> Result<Jid, WapError> {
        let domain = self.u8()?;
        let device = self.u8()?;
        let server = match domain {
            0 => Server::Pn,
            1 => Server::Lid,
            129 => Server::HostedLid,
            128.. if domain % 2 == 0 => Server::Hosted,
            other => return Err(WapError::Domain(other)),
        };
        Ok(Jid::device(self.user()?, u16::from(device), server))
    }

    fn jid_pair(&mut self) -> Result<Jid, WapError> {
        let user = match self.peek()? {
            LIST_EMPTY => {
                self.u8()?;
                User::from("")
            }
            _ => self.user()?,
        };
        Ok(Jid::user(user, self.server()?))
    }

    fn fb_jid(&mut self) -> Result<Jid, WapError> {
        let user = self.user()?;
        let device = self.u16()?;
        match self.server()? {
            Server::Messenger => Ok(Jid::device(user, device, Server::Messenger)),
            _ => Err(WapError::Jid),
        }
    }

    fn interop_jid(&mut self) -> Result<Jid, WapError> {
        let user = self.user()?;
        let device = self.u16()?;
        let integrator = self.u16()?;
        match self.server()? {
            Server::Interop => Ok(Jid::interop(user, device, integrator)),
            _ => Err(WapError::Jid),
        }
    }

    fn user(&mut self) -> Result<User, WapError> {
        let user = self.jid_part()?;
        // With these characters the text form would read back as another address.
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | ':');
        match user.contains(odd) {
            true => Err(WapError::Jid),
            false => Ok(User::from(&*user)),
        }
    }

    fn server(&mut self) -> Result<Server, WapError> {
        Ok(Server::parse(&self.jid_part()?))
    }

    fn jid_part(&mut self) -> Result<Text, WapError> {
        self.name().map_err(|error| match error {
            WapError::Name => WapError::Jid,
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wap::encode::{BINARY_8, LIST_8, NIBBLE_8};
    use crate::wap::{Node, decode_body, encode_body};

    #[test]
    fn domain_bytes_are_those_of_the_data_file() {
        let data: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/jid_servers.json")).unwrap();
        for row in data["servers"].as_array().unwrap() {
            let server = Server::parse(row["server"].as_str().unwrap());
            assert!(!matches!(server, Server::Other(_)), "{server:?}");
            let expected = row.get("domain_type").and_then(serde_json::Value::as_u64);
            assert_eq!(domain(&server).map(u64::from), expected, "{server:?}");
        }
    }

    #[test]
    fn a_domain_byte_with_bit_7_alone_is_hosted_and_others_are_refused() {
        let decode =
            |domain| decode_body(&[LIST_8, 3, 25, 17, AD_JID, domain, 2, NIBBLE_8, 1, 0x77]);
        let server =
            |domain| decode(domain).map(|node| node.address("to").unwrap().server_part().clone());
        assert_eq!(server(130), Ok(Server::Hosted));
        assert_eq!(server(254), Ok(Server::Hosted));
        for domain in [2, 64, 127, 131, 255] {
            assert_eq!(server(domain), Err(WapError::Domain(domain)));
        }
    }

    #[test]
    fn a_user_that_would_read_back_as_another_address_is_refused() {
        for user in [*b"1:2", *b"1@l", *b"1 2", *b"1\n2"] {
            let body = [&[LIST_8, 3, 25, 17, JID_PAIR, BINARY_8, 3][..], &user, &[3]].concat();
            assert_eq!(decode_body(&body), Err(WapError::Jid));
        }
        let no_user = [LIST_8, 3, 25, 17, AD_JID, 0, 2, LIST_EMPTY];
        assert_eq!(decode_body(&no_user), Err(WapError::Jid));
    }

    #[test]
    fn an_address_that_no_binary_form_holds_keeps_its_device() {
        for jid in [
            Jid::device("4915551", 256, Server::Pn),
            Jid::device("4915551", 1, Server::Bot),
        ] {
            let node = decode_body(&encode_body(&Node::new("iq").jid("to", jid.clone()))).unwrap();
            assert_eq!(node.address("to"), Some(jid));
        }
    }
}
