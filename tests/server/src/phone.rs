//! What the account's own phone tells its companions.
//!
//! ```text
//! Message { protocolMessage 12 { type 2 = 5, historySyncNotification 6 { .., inline 11 } } }
//! inline: zlib of HistorySync { conversations 2, pairs 15, nctSalt 19 }
//! ```
//! Source: spec 10.8. A part of the history that is small enough comes inside its notification.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use prost::Message;
use sendpath_protocol::time::UnixSeconds;

use crate::command;
use crate::media::FileFault;
use crate::people::{ClientId, PersonId, Token};
use crate::schema::{
    ChatMessage, GlobalSettings, History, HistoryChat, HistoryNotice, NumberAndLid, ProtocolMessage,
};
use crate::world::World;

/// `HISTORY_SYNC_NOTIFICATION`.
const HISTORY_SYNC: i32 = 5;

/// `RECENT`.
const RECENT: i32 = 3;

/// How an upload of the phone goes.
pub(crate) struct Upload {
    pub(crate) fault: Option<FileFault>,
    /// Asked again, the phone uploads it as it should be.
    pub(crate) repairs: bool,
}

impl World {
    /// The phone sends a part of its history to every companion; the message id.
    pub(crate) fn write_history(
        &mut self,
        account: PersonId,
        chats: &[command::HistoryChat],
        salt: Option<String>,
        progress: u32,
    ) -> Result<String, String> {
        let salt = salt.map(hex::decode).transpose();
        let mut history = History {
            sync_type: Some(RECENT),
            salt: salt.map_err(|error| error.to_string())?,
            settings: self.people[account].lid_migrated.then(|| GlobalSettings {
                lid_migration: Some(self.now().0),
            }),
            ..History::default()
        };
        for chat in chats {
            let (chat, pair) = self.history_chat(account, chat)?;
            history.chats.push(chat);
            history.pairs.push(pair);
        }
        if history.salt.is_some() {
            self.people[account].nct_salt.clone_from(&history.salt);
        }
        let inline = Some(packed(&history.encode_to_vec())?);
        let notice = HistoryNotice {
            inline,
            ..HistoryNotice::default()
        };
        self.announce(account, notice, progress)
    }

    /// As [`World::write_history`], uploaded: chats with people whom nobody here knows, each with a
    /// token.
    pub(crate) fn upload_strangers(
        &mut self,
        account: PersonId,
        strangers: u32,
        salt: Option<String>,
        progress: u32,
        upload: Upload,
    ) -> Result<String, String> {
        let salt = salt.map(hex::decode).transpose();
        let mut history = History {
            sync_type: Some(RECENT),
            salt: salt.map_err(|error| error.to_string())?,
            ..History::default()
        };
        let t = self.now().0;
        for number in 0..strangers {
            let pn = format!("{}@s.whatsapp.net", 49_150_000_000_u64 + u64::from(number));
            let lid = format!("{}@lid", 200_000_000_000_u64 + u64::from(number));
            history.chats.push(HistoryChat {
                id: Some(pn.clone()),
                token: Some(number.to_be_bytes().to_vec()),
                t: Some(t),
                sender_t: None,
            });
            history.pairs.push(NumberAndLid {
                pn: Some(pn),
                lid: Some(lid),
            });
        }
        let packed = packed(&history.encode_to_vec())?;
        let (notice, kept) = self.upload_history(&packed, upload.fault, upload.repairs);
        let id = self.announce(account, notice, progress)?;
        self.kept.insert(id.clone(), kept);
        Ok(id)
    }

    fn announce(
        &mut self,
        account: PersonId,
        notice: HistoryNotice,
        progress: u32,
    ) -> Result<String, String> {
        let notice = HistoryNotice {
            sync_type: Some(RECENT),
            chunk_order: Some(1),
            progress: Some(progress),
            ..notice
        };
        let body = ChatMessage {
            protocol: Some(ProtocolMessage {
                kind: Some(HISTORY_SYNC),
                history: Some(notice),
                ..ProtocolMessage::default()
            }),
            ..ChatMessage::default()
        };
        let phone = ClientId {
            person: account,
            device: 0,
        };
        self.write_body(phone, account, &body, None, false)
    }

    fn history_chat(
        &mut self,
        account: PersonId,
        chat: &command::HistoryChat,
    ) -> Result<(HistoryChat, NumberAndLid), String> {
        let peer = self.person(&chat.peer)?;
        let token = chat.token.as_ref().map(hex::decode).transpose();
        let token = token.map_err(|error| error.to_string())?;
        if let (Some(bytes), Some(t)) = (token.clone(), chat.t) {
            let t = UnixSeconds(t);
            self.grant(peer, account, Token { bytes, t });
        }
        let [pn, lid] = [false, true].map(|lid| Some(self.people[peer].jid(lid).reveal()));
        let told = HistoryChat {
            id: pn.clone(),
            token,
            t: chat.t,
            sender_t: chat.sender_t,
        };
        Ok((told, NumberAndLid { pn, lid }))
    }
}

fn packed(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes);
    let packed = written.and_then(|()| encoder.finish());
    packed.map_err(|error| error.to_string())
}
