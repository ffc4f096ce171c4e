//! What a host tells its guest. Times are in Unix seconds.

use sendpath::facade;
use sendpath_protocol::secret::SecretBytes;
use sendpath_protocol::time::UnixSeconds;

use crate::error::NativeError;
use crate::guest::Guest;
use crate::questions::texts;

/// What a message is, as far as tokens are concerned.
#[derive(Clone, Copy, Debug, Eq, PartialEq, uniffi::Enum)]
pub enum MessageKind {
    /// Text, media, reaction, edit, poll vote.
    Content,
    /// To our own devices.
    Peer,
    /// A protocol message, revokes included.
    Protocol,
}

/// An AB prop.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Prop {
    /// Its code.
    pub code: u32,
    /// Its value.
    pub value: String,
}

/// A row as the store of the host's library sees it.
#[derive(Clone, uniffi::Record)]
pub struct Row {
    /// The token, or a placeholder when none may be attached but something is known.
    pub token: Vec<u8>,
    /// The time the host compares with its own window.
    pub time: Option<i64>,
    /// When our token was issued to the contact last.
    pub sender_time: Option<i64>,
}

#[uniffi::export]
impl Guest {
    /// A token that a contact gave us.
    pub fn token_received(&self, peer: String, token: Vec<u8>, t: i64) -> Result<(), NativeError> {
        Ok(self.0.token_received(&peer, &token, t)?)
    }

    /// App state set or removed the salt of cstokens.
    pub fn salt_changed(&self, salt: Option<Vec<u8>>) -> Result<(), NativeError> {
        Ok(self.0.salt_changed(salt.as_deref())?)
    }

    /// App state set or removed an entry; `None` for removed.
    pub fn app_state(&self, index: Vec<u8>, value: Option<Vec<u8>>) -> Result<(), NativeError> {
        Ok(self.0.app_state(&index, value.as_deref())?)
    }

    /// The account's limits are asked for.
    pub fn refresh_limits(&self) -> Result<(), NativeError> {
        Ok(self.0.refresh_limits()?)
    }

    /// History sync told the salt.
    pub fn salt_from_history(&self, salt: Vec<u8>) -> Result<(), NativeError> {
        Ok(self.0.salt_from_history(&salt)?)
    }

    /// A history sync, compressed or inflated.
    pub fn history(&self, blob: Vec<u8>) -> Result<(), NativeError> {
        Ok(self.0.history(blob)?)
    }

    /// What is known about the link of the account.
    pub fn background(
        &self,
        linked_at: Option<i64>,
        history_complete: Option<bool>,
        lid_migrated: Option<bool>,
    ) -> Result<(), NativeError> {
        Ok(self
            .0
            .background(linked_at, history_complete, lid_migrated)?)
    }

    /// Deletes everything that is stored for the account.
    pub fn forget_account(&self) -> Result<(), NativeError> {
        Ok(self.0.forget_account()?)
    }

    /// Two addresses of one account.
    pub fn mapping_learned(&self, one: String, other: String) -> Result<(), NativeError> {
        Ok(self.0.mapping_learned(&one, &other)?)
    }

    /// The keys of a contact's device are new.
    pub fn identity_changed(&self, jid: String) -> Result<(), NativeError> {
        Ok(self.0.identity_changed(&jid)?)
    }

    /// AB props that the host fetched.
    pub fn props(&self, values: Vec<Prop>) -> Result<(), NativeError> {
        let pair = |prop: Prop| (prop.code, prop.value);
        let values: Vec<_> = values.into_iter().map(pair).collect();
        Ok(self.0.props(&values)?)
    }

    /// A message was handed to the connection.
    pub fn handed(&self, id: String, to: String, kind: MessageKind) -> Result<(), NativeError> {
        Ok(self.0.handed(&id, &to, kind.into())?)
    }

    /// The server answered a message; `None` for a yes.
    pub fn ack(&self, id: String, code: Option<u16>) -> Result<(), NativeError> {
        Ok(self.0.ack(&id, code)?)
    }

    /// Messages of ours arrived at a device of their recipient.
    pub fn receipt(&self, ids: Vec<String>) -> Result<(), NativeError> {
        Ok(self.0.receipt(&texts(&ids))?)
    }

    /// A contact wrote to us.
    pub fn wrote(&self, jid: String) -> Result<(), NativeError> {
        Ok(self.0.wrote(&jid)?)
    }

    /// The host's connection is up and logged in.
    pub fn connected(&self) -> Result<(), NativeError> {
        Ok(self.0.connected()?)
    }

    /// The host's connection is gone.
    pub fn disconnected(&self) -> Result<(), NativeError> {
        Ok(self.0.disconnected()?)
    }

    /// The server begins or has ended to deliver what it kept.
    pub fn backlog(&self, open: bool) -> Result<(), NativeError> {
        Ok(self.0.backlog(open)?)
    }

    /// The server's time.
    pub fn server_time(&self, t: i64) -> Result<(), NativeError> {
        Ok(self.0.server_time(t)?)
    }

    /// Any stanza that arrived, decrypted (flag byte first).
    pub fn observe_stanza(&self, stanza: Vec<u8>) -> Result<(), NativeError> {
        Ok(self.0.observe_stanza(&stanza)?)
    }

    /// The host's library writes a row.
    pub fn row_put(&self, peer: String, row: Row) -> Result<(), NativeError> {
        Ok(self.0.row_put(&peer, row.into())?)
    }

    /// The host gives up: no work any more.
    pub fn stop(&self) -> Result<(), NativeError> {
        Ok(self.0.stop()?)
    }
}

impl From<MessageKind> for facade::MessageKind {
    fn from(kind: MessageKind) -> Self {
        match kind {
            MessageKind::Content => Self::Content,
            MessageKind::Peer => Self::Peer,
            MessageKind::Protocol => Self::Protocol,
        }
    }
}

impl From<Row> for facade::Row {
    fn from(row: Row) -> Self {
        Self {
            token: SecretBytes::new(row.token),
            t: row.time.map(UnixSeconds),
            sender_t: row.sender_time.map(UnixSeconds),
        }
    }
}

impl From<facade::Row> for Row {
    fn from(row: facade::Row) -> Self {
        Self {
            token: row.token.expose().to_vec(),
            time: row.t.map(|t| t.0),
            sender_time: row.sender_t.map(|t| t.0),
        }
    }
}
