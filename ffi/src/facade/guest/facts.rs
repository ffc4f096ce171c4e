//! What the host tells. Each call is one commit; late or repeated facts change nothing.

use sendpath_protocol::account::Background;
use sendpath_protocol::error::ApiMisuse;
use sendpath_protocol::guest::{Fact, Row, RowPut};
use sendpath_protocol::nct::Operation;
use sendpath_protocol::secret::SecretBytes;
use sendpath_protocol::tctoken::policy::MessageKind;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::MessageId;
use sendpath_protocol::wap;

use super::{Guest, address};
use crate::facade::error::Error;

/// Every method fails with `Closed`, `Forked`, `WouldDeadlock` (inside a store of the host) or what
/// the store says, and with what it names itself. Times are in Unix seconds.
impl Guest {
    /// A token that a contact gave us, with the time stamp of its notification.
    ///
    /// # Errors
    /// `BadAddress`.
    pub fn token_received(&self, from: &str, bytes: &[u8], t: i64) -> Result<(), Error> {
        self.handle(Fact::Token {
            from: address(from)?,
            bytes: secret(bytes),
            t: UnixSeconds(t),
        })
    }

    /// App state set (`Some`) or removed (`None`) the salt of cstokens.
    ///
    /// # Errors
    /// As every fact.
    pub fn salt_changed(&self, salt: Option<&[u8]>) -> Result<(), Error> {
        self.handle(Fact::Salt(salt.map(secret)))
    }

    /// App state set (`Some`: the `SyncActionValue` as protobuf) or removed (`None`) the entry with this
    /// index, which is JSON; both decrypted. Only the entry that tells the salt counts.
    ///
    /// # Errors
    /// As every fact.
    pub fn app_state(&self, index: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        self.handle(Fact::AppState {
            index: index.to_vec(),
            operation: value.map_or(Operation::Remove, |_| Operation::Set),
            value: value.unwrap_or_default().to_vec(),
        })
    }

    /// Asks for the account's limits: the questions are in [`Guest::outgoing`], a change is an event,
    /// and the answer is then in [`Guest::limits`]. Does nothing while the connection is down.
    ///
    /// # Errors
    /// As every fact.
    pub fn refresh_limits(&self) -> Result<(), Error> {
        self.handle(Fact::RefreshLimits)
    }

    /// History sync told the salt; it counts only while app state never spoke of it.
    ///
    /// # Errors
    /// As every fact.
    pub fn salt_from_history(&self, salt: &[u8]) -> Result<(), Error> {
        self.handle(Fact::SaltFromHistory(secret(salt)))
    }

    /// A history sync: the blob as downloaded (compressed) or inflated. One that cannot be read
    /// changes nothing.
    ///
    /// # Errors
    /// As every fact.
    pub fn history(&self, blob: Vec<u8>) -> Result<(), Error> {
        self.handle(Fact::History(blob))
    }

    /// What is known about the link of the account, for the diagnosis of refusals: Unix seconds of
    /// the pairing, whether the phone has sent all of its history, whether 1:1 chats are addressed
    /// by LID. `None` for what is not known.
    ///
    /// # Errors
    /// As every fact.
    pub fn background(
        &self,
        linked_at: Option<i64>,
        history_complete: Option<bool>,
        lid_migrated: Option<bool>,
    ) -> Result<(), Error> {
        self.handle(Fact::Background(Background {
            linked_at: linked_at.map(UnixSeconds),
            history_complete,
            lid_migrated,
        }))
    }

    /// Deletes everything that is stored for the account: tokens, names, limits, timelines.
    ///
    /// # Errors
    /// As every fact.
    pub fn forget_account(&self) -> Result<(), Error> {
        self.handle(Fact::Forget)
    }

    /// Two addresses of one account, by phone number and by LID, in either order.
    ///
    /// # Errors
    /// `BadAddress`.
    pub fn mapping_learned(&self, one: &str, other: &str) -> Result<(), Error> {
        self.handle(Fact::Mapping(address(one)?, address(other)?))
    }

    /// The keys of a contact's device are new.
    ///
    /// # Errors
    /// `BadAddress`.
    pub fn identity_changed(&self, jid: &str) -> Result<(), Error> {
        self.handle(Fact::IdentityChanged(address(jid)?))
    }

    /// AB props as pairs of code and value, for hosts that fetch them by themselves.
    ///
    /// # Errors
    /// As every fact.
    pub fn props(&self, values: &[(u32, String)]) -> Result<(), Error> {
        self.handle(Fact::Props(values.to_vec()))
    }

    /// A message was handed to the connection; tell its end with [`Guest::ack`].
    ///
    /// # Errors
    /// `BadMessageId`, `BadAddress`.
    pub fn handed(&self, id: &str, to: &str, kind: MessageKind) -> Result<(), Error> {
        self.handle(Fact::Handed {
            id: message_id(id)?,
            to: address(to)?,
            kind,
        })
    }

    /// The server answered a message: `code` is the error in its ack, `None` for a yes. What a
    /// refusal meant comes as an `Outcome` event.
    ///
    /// # Errors
    /// `BadMessageId`.
    pub fn ack(&self, id: &str, code: Option<u16>) -> Result<(), Error> {
        self.handle(Fact::Ack {
            id: message_id(id)?,
            code,
        })
    }

    /// Messages of ours arrived at a device of their recipient.
    ///
    /// # Errors
    /// `BadMessageId`.
    pub fn receipt(&self, ids: &[&str]) -> Result<(), Error> {
        let ids = ids
            .iter()
            .map(|id| message_id(id))
            .collect::<Result<_, _>>()?;
        self.handle(Fact::Receipt(ids))
    }

    /// A contact wrote to us.
    ///
    /// # Errors
    /// `BadAddress`.
    pub fn wrote(&self, jid: &str) -> Result<(), Error> {
        self.handle(Fact::Wrote(address(jid)?))
    }

    /// The host's connection is up and logged in.
    ///
    /// # Errors
    /// As every fact.
    pub fn connected(&self) -> Result<(), Error> {
        self.handle(Fact::Connected)
    }

    /// The host's connection is gone; open work is lost with it.
    ///
    /// # Errors
    /// As every fact.
    pub fn disconnected(&self) -> Result<(), Error> {
        self.handle(Fact::Disconnected)
    }

    /// The server begins (true) or has ended (false) to deliver what it kept while the host was
    /// away.
    ///
    /// # Errors
    /// As every fact.
    pub fn backlog(&self, open: bool) -> Result<(), Error> {
        self.handle(Fact::Backlog(open))
    }

    /// The server's time, from any stanza that has it.
    ///
    /// # Errors
    /// As every fact.
    pub fn server_time(&self, t: i64) -> Result<(), Error> {
        self.handle(Fact::ServerTime(UnixSeconds(t)))
    }

    /// Any stanza that arrived, decrypted, as it came out of the Noise layer (flag byte first).
    /// What does not concern tokens and limits changes nothing.
    ///
    /// # Errors
    /// `BadBytes` when they do not decode.
    pub fn observe_stanza(&self, bytes: &[u8]) -> Result<(), Error> {
        self.handle(Fact::Stanza(Box::new(node(bytes)?)))
    }

    /// The host's library writes a row of its store. A row that it had read from here tells only
    /// when it issued our token.
    ///
    /// # Errors
    /// `BadAddress`.
    pub fn row_put(&self, peer: &str, row: Row) -> Result<(), Error> {
        let peer = address(peer)?;
        self.handle(Fact::RowPut(Box::new(RowPut { peer, row })))
    }

    /// The host gives up: no work any more, open refusals end as undetermined. Facts are still
    /// taken in.
    ///
    /// # Errors
    /// As every fact.
    pub fn stop(&self) -> Result<(), Error> {
        self.handle(Fact::Stop)
    }
}

fn secret(bytes: &[u8]) -> SecretBytes {
    SecretBytes::new(bytes.to_vec())
}

fn message_id(text: &str) -> Result<MessageId, Error> {
    Ok(MessageId::parse(text).ok_or(ApiMisuse::BadMessageId)?)
}

pub(super) fn node(bytes: &[u8]) -> Result<wap::Node, Error> {
    Ok(wap::decode(bytes).map_err(|_| ApiMisuse::BadBytes)?)
}
