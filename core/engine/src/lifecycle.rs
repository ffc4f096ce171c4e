//! How accounts of a shard begin, break and end.

use sendpath_protocol::effect::Effect;
use sendpath_protocol::error::{Fault, StoreError};
use sendpath_protocol::event::{DisconnectReason, Event};
use sendpath_protocol::session::Input;
use sendpath_protocol::time::Millis;
use sendpath_protocol::txn::Scope;

use crate::clock::Random;
use crate::engine::EngineError;
use crate::shard::{Opening, Shard, SlotId, guarded};
use crate::slot::{self, Connection, Slot};
use crate::socket::Inlet;

/// How long a new connection waits for the session to hear the end of the last one.
const ENDING: Millis = Millis(10);

impl Shard {
    pub(crate) fn open_slot(&mut self, opening: Opening) -> Result<SlotId, EngineError> {
        let scope = Scope::slot(&opening.name);
        if self.scopes.contains(&scope) {
            return Err(EngineError::AlreadyOpen);
        }
        let fence = self.store.acquire(&scope)?;
        self.last_slot += 1;
        let id = self.last_slot;
        let mut slot = Slot::new(opening, fence);
        let effects = self.build(&mut slot)?;
        self.slots.insert(id, slot);
        self.scopes.insert(scope);
        self.release(id, effects);
        Ok(id)
    }

    /// Opens the session of a slot from the store.
    pub(crate) fn build(&mut self, slot: &mut Slot) -> Result<Vec<Effect>, Fault> {
        let (now, rng) = (self.clock.now(), &mut Random(&*self.clock));
        if slot.fault == Some(Fault::Store(StoreError::Fenced)) {
            // The host asked to connect again, so it wants the account back.
            slot.fence = self.store.acquire(&slot.fence.scope)?;
        }
        let config = slot.config.clone();
        let opened = guarded(|| (self.open)(&slot.name, config, now, rng, &*self.store));
        let (machine, step) = opened?;
        let effects = guarded(|| Ok(step.commit(&mut *self.store, &slot.fence)?))?;
        slot.machine = Some(machine);
        slot.fault = None;
        Ok(effects)
    }

    /// Rebuilds the session if there is none, dials if a connection is wanted.
    pub(crate) fn revive(&mut self, id: SlotId) {
        let Some(mut slot) = self.slots.remove(&id) else {
            return;
        };
        let built = match slot.machine {
            Some(_) => Ok(Vec::new()),
            None => self.build(&mut slot),
        };
        if built.is_ok() && slot.wanted && slot.connection.is_none() {
            if slot.is_ending() {
                slot.retry = Some(self.clock.now().mono.plus(ENDING));
            } else {
                self.dial(id, &mut slot);
            }
        }
        self.slots.insert(id, slot);
        match built {
            Ok(effects) => self.release(id, effects),
            Err(fault) => self.fail(id, fault),
        }
    }

    pub(crate) fn dial(&mut self, id: SlotId, slot: &mut Slot) {
        let Some(machine) = &slot.machine else {
            return;
        };
        let (link, first) = machine.link(&mut Random(&*self.clock));
        self.last_connection += 1;
        let inlet = Inlet::new(id, self.last_connection, self.inbox.clone());
        slot.connection = Some(Connection {
            id: self.last_connection,
            link,
            writer: self
                .dialer
                .dial(&slot.config.server.url, slot.proxy.clone(), first, inlet),
            limit: Some(self.clock.now().mono.plus(slot::LIMIT)),
        });
    }

    /// Drops a session after a fault. Nothing of the failed step has left.
    pub(crate) fn fail(&mut self, id: SlotId, fault: Fault) {
        let Some(slot) = self.slots.get_mut(&id) else {
            return;
        };
        match &fault {
            Fault::Bug(assumption) => tracing::error!(assumption, "a session broke"),
            other => tracing::warn!(fault = %other, "a session was dropped"),
        }
        if slot.connection.is_some() {
            let reason = DisconnectReason::Fault(fault.clone());
            slot.shared.events.push(Event::Disconnected { reason });
        }
        let fenced = fault == Fault::Store(StoreError::Fenced);
        slot.fail(self.clock.now(), &mut Random(&*self.clock), fault);
        if fenced {
            // Another handle owns the account now; taking it back would start a fight.
            slot.wanted = false;
            slot.retry = None;
        }
        self.settle(id);
    }

    /// Ends an account: its session stops, every operation completes, its queue closes.
    pub(crate) fn close(&mut self, id: SlotId) {
        let Some(mut slot) = self.slots.remove(&id) else {
            return;
        };
        self.scopes.remove(&slot.fence.scope);
        if let Some(armed) = slot.armed {
            self.deadlines.remove(&(armed, id));
        }
        let (now, rng) = (self.clock.now(), &mut Random(&*self.clock));
        let Some(mut machine) = slot.machine.take() else {
            return;
        };
        let stopped = guarded(|| machine.handle(now, rng, &*self.store, Input::Stop))
            .and_then(|step| guarded(|| Ok(step.commit(&mut *self.store, &slot.fence)?)));
        slot.act(now, rng, stopped.unwrap_or_default());
    }
}
