//! Participant hashes: `"2:" || base64(SHA-256(sorted device strings)[0..6])`. Source: spec 8.9.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sendpath_protocol::crypto::symmetric::sha256;
use sendpath_protocol::jid::Jid;

/// The hash over a set of devices.
pub(crate) fn phash(devices: impl IntoIterator<Item = Jid>) -> String {
    let mut names: Vec<String> = devices
        .into_iter()
        .map(|jid| {
            let server = jid.server_part().as_str();
            format!("{}.0:{}@{server}", jid.user_part(), jid.device_part())
        })
        .collect();
    names.sort_unstable();
    let hash = sha256(names.concat().as_bytes());
    format!("2:{}", STANDARD_NO_PAD.encode(&hash[..6]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let hash = |list: &[&str]| phash(list.iter().map(|jid| jid.parse().unwrap()));
        assert_eq!(hash(&["5511999999999:3@s.whatsapp.net"]), "2:5s+YxCff");
        assert_eq!(hash(&["5511999999999@s.whatsapp.net"]), "2:RJWVxcMQ");
        assert_eq!(hash(&[]), "2:47DEQpj8");
    }
}
