//! Which devices get a message.
//!
//! ```text
//! devices(recipient) + devices(own account) - the sending device
//! ```
//! Everything in one stanza is in one namespace, that of `to`; sessions always lie at the LID when
//! it is known, whatever the wire says. Our own phone (device 0) is never dropped.

pub mod group;
pub mod stanza;

use crate::devices;
use crate::error::StoreError;
use crate::jid::Jid;
use crate::lidmap;
use crate::peer::{DeviceAddress, PeerKey};
use crate::txn::{Scope, Txn};

/// One device of a fan-out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// Its address on the wire, in the stanza's namespace.
    pub wire: Jid,
    /// Where its session lies.
    pub session: DeviceAddress,
}

/// The devices that get a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Plan {
    /// The recipient account on the wire.
    pub to: Jid,
    /// The recipient's devices.
    pub recipients: Vec<Target>,
    /// Our other devices, which get a copy.
    pub own: Vec<Target>,
}

/// Plans a message to `to`; `own` is our account in the same namespace and `device` the sending
/// device. An unknown list counts as the phone alone for our own account, and as nothing for the
/// recipient. A message to ourselves has no recipients, only own devices.
///
/// # Errors
/// What the store says.
pub fn plan(
    txn: &Txn<'_>,
    account: &Scope,
    slot: &Scope,
    to: &PeerKey,
    own: &PeerKey,
    device: u16,
) -> Result<Plan, StoreError> {
    let mut plan = Plan {
        to: to.jid(),
        recipients: Vec::new(),
        own: Vec::new(),
    };
    if to != own {
        plan.recipients = targets(txn, account, slot, to)?;
    }
    plan.own = targets(txn, account, slot, own)?;
    if !plan.own.iter().any(|target| target.session.device == 0) {
        plan.own.insert(
            0,
            target(txn, account, devices::Device::phone().address(own))?,
        );
    }
    plan.own.retain(|target| target.session.device != device);
    Ok(plan)
}

fn targets(
    txn: &Txn<'_>,
    account: &Scope,
    slot: &Scope,
    peer: &PeerKey,
) -> Result<Vec<Target>, StoreError> {
    let key = lidmap::canonical(txn, account, peer)?;
    let list = devices::load(txn, slot, &key)?;
    let devices = list.map(|list| list.devices).unwrap_or_default();
    devices
        .iter()
        .map(|device| target(txn, account, device.address(peer)))
        .collect()
}

fn target(txn: &Txn<'_>, account: &Scope, wire: DeviceAddress) -> Result<Target, StoreError> {
    let session = lidmap::canonical_address(txn, account, &wire)?;
    Ok(Target {
        wire: wire.jid(),
        session,
    })
}
