//! What our own devices tell each other beside messages.
//!
//! ```text
//! Message { protocolMessage(12) { type(2), .. } }                  from our own account only
//! <receipt id type="peer_msg" to=<own number>/>                    beside the stanza's own receipt
//! ```
//! Source: spec "Protocol messages from own account". Keys and answers come from the phone alone.

use prost::Message as _;

use crate::error::Fault;
use crate::jid::Jid;
use crate::lidmap::Mapping;
use crate::pb::{self, LidMigrationMappingSyncMessage, LidMigrationMappingSyncPayload};
use crate::session::Session;
use crate::session::source::Source;
use crate::stream::ack::Delivery;
use crate::txn::Cx;
use crate::wap::Node;

impl Session {
    /// A device of our own account tells us something.
    pub(super) fn protocol_message(
        &mut self,
        cx: &mut Cx<'_>,
        stanza: &Node,
        source: &Source,
        protocol: pb::ProtocolMessage,
    ) -> Result<(), Fault> {
        let phone = self.phone();
        // A stanza that comes from there gets this receipt as its own.
        if stanza.is("category", "peer") && source.sender != phone {
            let receipt = Delivery::peer(phone).receipt(core::slice::from_ref(&source.id));
            self.answer(cx, receipt);
        }
        let from_phone = source.sender.device_part() == 0;
        if let Some(share) = protocol.app_state_sync_key_share.filter(|_| from_phone) {
            self.app_state.shared(cx, &self.slot, &share)?;
        }
        let resent = protocol.peer_data_operation_request_response_message;
        if let Some(resent) = resent.filter(|_| from_phone) {
            self.phone_resent(cx, source, resent);
        }
        if let Some(sync) = &protocol.lid_migration_mapping_sync_message {
            self.lids_assigned(cx, sync)?;
        }
        match protocol.history_sync_notification {
            Some(history) => self.history_announced(cx, &source.id, history),
            None => Ok(()),
        }
    }

    /// The account's chats are addressed by LID from now on; these are the names.
    fn lids_assigned(
        &mut self,
        cx: &mut Cx<'_>,
        sync: &LidMigrationMappingSyncMessage,
    ) -> Result<(), Fault> {
        let payload = sync.encoded_mapping_payload.as_deref().unwrap_or_default();
        let Ok(payload) = LidMigrationMappingSyncPayload::decode(payload) else {
            self.ignored += 1;
            return Ok(());
        };
        let pairs: Vec<_> = payload
            .pn_to_lid_mappings
            .iter()
            .filter_map(|pair| {
                let lid = pair.latest_lid.filter(|lid| *lid != 0);
                let lid = lid.or(pair.assigned_lid.filter(|lid| *lid != 0))?;
                let pn = pair.pn.filter(|pn| *pn != 0)?;
                Mapping::of(&Jid::pn(pn.to_string()), &Jid::lid(lid.to_string()))
            })
            .collect();
        self.learn_all(cx, &pairs)?;
        if payload.chat_db_migration_timestamp.is_some_and(|t| t > 0) {
            self.migrated(cx, true);
        }
        Ok(())
    }
}
