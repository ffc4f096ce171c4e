//! The account's phone and files that its companions cannot get.
//!
//! ```text
//! <receipt type="server-error" id to><encrypt><enc_p/><enc_iv/></encrypt><rmr/></receipt>
//!   -> <notification type="mediaretry" id from><encrypt><enc_p/><enc_iv/></encrypt></notification>
//! ```
//! Source: spec 10.8, 11 and 16.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use prost::Message;
use sendpath_protocol::media::MediaKind;
use sendpath_protocol::media::encrypt::{Encryptor, Sealed};
use sendpath_protocol::secret::{EntropyExt, Secret};
use sendpath_protocol::wap::Node;
use sha2::{Digest, Sha256};

use crate::command::Command;
use crate::connection::ConnectionId;
use crate::media::FileFault;
use crate::people::{ClientId, PersonId};
use crate::phone::Upload;
use crate::reply::Reply;
use crate::schema::{ChatMessage, HistoryNotice, MediaRetry, Picture, ServerError};
use crate::world::World;

/// A file that the phone can upload once more.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    media_key: [u8; 32],
    file: Vec<u8>,
    repairs: bool,
}

/// A file on the servers, and what a message says about it.
struct Put {
    media_key: [u8; 32],
    direct_path: String,
    file_enc_sha256: [u8; 32],
    sealed: Sealed,
    /// The file as it should be.
    whole: Vec<u8>,
}

impl World {
    /// Encrypts and uploads what belongs to a notification, and spoils it as ordered.
    pub(crate) fn upload_history(
        &mut self,
        packed: &[u8],
        fault: Option<FileFault>,
        repairs: bool,
    ) -> (HistoryNotice, Kept) {
        let put = self.put(MediaKind::History, packed, fault);
        let notice = HistoryNotice {
            file_sha256: Some(put.sealed.file_sha256.to_vec()),
            file_length: Some(put.sealed.file_length),
            media_key: Some(put.media_key.to_vec()),
            file_enc_sha256: Some(put.file_enc_sha256.to_vec()),
            direct_path: Some(put.direct_path),
            ..HistoryNotice::default()
        };
        let kept = Kept {
            media_key: put.media_key,
            file: put.whole,
            repairs,
        };
        (notice, kept)
    }

    /// A model device uploads a picture of so many bytes, which are 0, 1, .. 255, 0, .., and sends it to
    /// the account; the message id.
    fn send_picture(
        &mut self,
        from: ClientId,
        to: PersonId,
        bytes: u32,
        fault: Option<FileFault>,
    ) -> Result<String, String> {
        let plain: Vec<u8> = (0..bytes).map(|at| at.to_le_bytes()[0]).collect();
        let put = self.put(MediaKind::Image, &plain, fault);
        let picture = Picture {
            mimetype: Some("image/png".to_owned()),
            file_sha256: Some(put.sealed.file_sha256.to_vec()),
            file_length: Some(put.sealed.file_length),
            media_key: Some(put.media_key.to_vec()),
            file_enc_sha256: Some(put.file_enc_sha256.to_vec()),
            direct_path: Some(put.direct_path),
        };
        let body = ChatMessage {
            picture: Some(picture),
            ..ChatMessage::default()
        };
        self.write_body(from, to, &body, None, true)
    }

    /// Encrypts a file, spoils it as ordered, and puts it on the servers.
    fn put(&mut self, kind: MediaKind, plain: &[u8], fault: Option<FileFault>) -> Put {
        let media_key: [u8; 32] = self.rng.bytes();
        let (mut file, sealed) = seal(&media_key, kind, plain);
        let whole = file.clone();
        let mut file_enc_sha256 = sealed.file_enc_sha256;
        match fault {
            Some(FileFault::Changed) => file[0] ^= 1,
            Some(FileFault::Forged) => {
                file[0] ^= 1;
                file_enc_sha256 = Sha256::digest(&file).into();
            }
            Some(FileFault::Truncated) => file.truncate(file.len() - 1),
            Some(FileFault::Lost) | None => {}
        }
        let direct_path = self.media.store(file);
        if fault == Some(FileFault::Lost) {
            self.media.lose(&direct_path);
        }
        Put {
            media_key,
            direct_path,
            file_enc_sha256,
            sealed,
            whole,
        }
    }

    /// A companion cannot get a file: the phone uploads it again, or says that it has not got it.
    pub(crate) fn on_server_error(
        &mut self,
        connection: ConnectionId,
        client: ClientId,
        id: &str,
        node: &Node,
    ) {
        let Some(kept) = self.kept.get(id) else {
            return self.violation(connection, "server_error", "no such message");
        };
        let asked = opened(&kept.media_key, id, node);
        if asked.and_then(|asked| asked.stanza_id).as_deref() != Some(id) {
            return self.violation(connection, "server_error", "it cannot be opened");
        }
        let (media_key, file) = (kept.media_key, kept.file.clone());
        let answer = if kept.repairs {
            let told = MediaRetry {
                stanza_id: Some(id.to_owned()),
                direct_path: Some(self.media.store(file)),
                result: Some(1),
            };
            let iv: [u8; 12] = self.rng.bytes();
            let payload = Payload {
                msg: &told.encode_to_vec(),
                aad: id.as_bytes(),
            };
            let sealed = cipher(&media_key).encrypt(&iv.into(), payload);
            Node::new("encrypt")
                .child(Node::new("enc_p").bytes(sealed.unwrap_or_default()))
                .child(Node::new("enc_iv").bytes(iv.to_vec()))
        } else {
            Node::new("error").attr("code", "2")
        };
        let notification = Node::new("notification")
            .attr("id", id.to_owned())
            .attr("type", "mediaretry")
            .jid("from", self.own_number(client.person))
            .child(answer);
        self.post(client, notification);
    }

    /// Orders and questions about files.
    pub(crate) fn obey_about_media(&mut self, command: Command) -> Result<Reply, String> {
        match command {
            Command::PhoneUploads {
                account,
                strangers,
                salt,
                progress,
                fault,
                repairs,
            } => {
                let account = self.account(account.as_deref())?;
                let upload = Upload { fault, repairs };
                let id = self.upload_strangers(account, strangers, salt, progress, upload)?;
                Ok(Reply::Sent { id })
            }
            Command::PeerPicture { peer, bytes, fault } => {
                let person = self.person(&peer)?;
                let to = self.account(None)?;
                let from = ClientId { person, device: 0 };
                let id = self.send_picture(from, to, bytes, fault)?;
                Ok(Reply::Sent { id })
            }
            Command::MediaFaults {
                statuses,
                cut_after,
                renew,
            } => {
                self.media.statuses = statuses;
                self.media.cut_after = cut_after;
                self.media.ticket += u32::from(renew);
                Ok(Reply::Done)
            }
            Command::MediaFile { path } => {
                let file = self.media.file(&path).ok_or("no such file")?;
                let texts = vec![hex::encode(file)];
                Ok(Reply::Texts { texts })
            }
            Command::MediaRequests => {
                let texts = self.media.requests.clone();
                Ok(Reply::Texts { texts })
            }
            _ => Err("not about media".to_owned()),
        }
    }

    fn own_number(&self, person: PersonId) -> sendpath_protocol::jid::Jid {
        self.people[person].jid(false)
    }
}

/// A file as it lies on the servers, and what names it.
pub(crate) fn seal(media_key: &[u8; 32], kind: MediaKind, plain: &[u8]) -> (Vec<u8>, Sealed) {
    let mut encryptor = Encryptor::new(&Secret::new(*media_key), kind);
    let mut file = Vec::new();
    encryptor.push(plain, &mut file);
    let sealed = encryptor.finish(&mut file);
    (file, sealed)
}

fn opened(media_key: &[u8; 32], id: &str, receipt: &Node) -> Option<ServerError> {
    let encrypt = receipt.find("encrypt")?;
    receipt.find("rmr")?;
    let iv: [u8; 12] = encrypt.find("enc_iv")?.payload()?.try_into().ok()?;
    let payload = Payload {
        msg: encrypt.find("enc_p")?.payload()?,
        aad: id.as_bytes(),
    };
    let plain = cipher(media_key).decrypt(&iv.into(), payload).ok()?;
    ServerError::decode(&*plain).ok()
}

fn cipher(media_key: &[u8; 32]) -> Aes256Gcm {
    let mut key = [0; 32];
    // 32 bytes are always to be had.
    let _ =
        Hkdf::<Sha256>::new(None, media_key).expand(b"WhatsApp Media Retry Notification", &mut key);
    Aes256Gcm::new(&key.into())
}
