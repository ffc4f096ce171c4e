//! Addresses as text: what is one is written the same way, and its storage keys read back.

use sendpath_protocol::jid::Jid;
use sendpath_protocol::peer::{DeviceAddress, PeerKey};
use sendpath_protocol::verdict::MessageId;

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(jid) = text.parse::<Jid>() {
        known(&jid);
        let account = jid.account();
        assert!(account.account() == account && account.device_part() == 0);
        let shown = format!("{jid:?}");
        let user = jid.user_part();
        assert!(user.len() < 5 || !shown.contains(user), "shown in a log");
    }
    for jid in [Jid::recipient(&text), Jid::chat(&text)]
        .into_iter()
        .flatten()
    {
        known(&jid);
        assert!(jid.device_part() == 0 && !jid.user_part().is_empty());
    }
    if let Some(peer) = PeerKey::parse_storage(&text) {
        assert!(PeerKey::parse_storage(&peer.storage()) == Some(peer));
    }
    if let Some(id) = MessageId::parse(&text) {
        assert!(MessageId::parse(&id.to_string()) == Some(id));
    }
}

fn known(jid: &Jid) {
    let again = jid.reveal().parse::<Jid>();
    assert!(again.as_ref() == Ok(jid), "the text says something else");
    if let Some(peer) = PeerKey::of(jid) {
        assert!(peer.is(jid) && PeerKey::of(&peer.jid()) == Some(peer));
    }
    if let Some(device) = DeviceAddress::of(jid) {
        assert!(DeviceAddress::of(&device.jid()) == Some(device));
    }
}
