//! Retry receipts that wait for new keys of the device that sent them.
//!
//! A device with a new registration cannot be answered in the old session, and its first receipt
//! brings no keys: they are asked for, and the receipt is acked only after the message has left again.
//! Source: spec "Incoming retry receipts", steps 2 and 3.

use std::collections::BTreeSet;

use crate::error::Fault;
use crate::peer::DeviceAddress;
use crate::session::Session;
use crate::session::retry::Keys;
use crate::stream::ack;
use crate::stream::iq::IqEnd;
use crate::txn::Cx;
use crate::wap::Node;

/// Receipts that may wait at once; the server delivers further ones again.
const CAPACITY: usize = 64;

/// Questions for the keys of one device that may stay without an answer.
const MOST_QUESTIONS: u8 = 3;

/// A retry receipt, unanswered until the keys are there.
#[derive(Debug)]
pub(super) struct Rekey {
    receipt: Node,
    address: DeviceAddress,
    questions: u8,
}

impl Session {
    /// Asks for the keys of a device, to answer its receipt afterwards.
    pub(super) fn await_keys(&mut self, cx: &mut Cx<'_>, receipt: &Node, address: DeviceAddress) {
        if self.rekeys.len() < CAPACITY {
            self.ask_keys(cx, BTreeSet::from([address.clone()]));
            self.rekeys.push(Rekey {
                receipt: receipt.clone(),
                address,
                questions: 1,
            });
        }
    }

    /// A question for keys ended: receipts that waited for it are handled and acked. If the server
    /// stays silent they stay unanswered, and it delivers them again on the next connection.
    pub(super) fn rekeyed(
        &mut self,
        cx: &mut Cx<'_>,
        asked: &BTreeSet<DeviceAddress>,
        end: &IqEnd,
    ) -> Result<(), Fault> {
        let waits = |rekey: &Rekey| asked.contains(&rekey.address);
        let (due, rest) = std::mem::take(&mut self.rekeys)
            .into_iter()
            .partition::<Vec<_>, _>(waits);
        self.rekeys = rest;
        for mut rekey in due {
            match end {
                IqEnd::Result(_) | IqEnd::Error { .. } => {}
                IqEnd::Timeout if rekey.questions < MOST_QUESTIONS => {
                    rekey.questions += 1;
                    self.ask_keys(cx, BTreeSet::from([rekey.address.clone()]));
                    self.rekeys.push(rekey);
                    continue;
                }
                IqEnd::Timeout | IqEnd::Disconnected => continue,
            }
            if self.resend(cx, &rekey.receipt, Keys::Asked)?.is_some() {
                // The server has no keys of that device: nobody can help.
                self.ignored += 1;
            }
            self.answer(cx, ack::ack(&rekey.receipt));
        }
        Ok(())
    }
}
