//! What we ask the server, and what each answer changes.

use std::collections::BTreeSet;

use crate::account::Account;
use crate::appstate::Collection;
use crate::devices::DeviceList;
use crate::error::Fault;
use crate::jid::Jid;
use crate::peer::{DeviceAddress, PeerKey};
use crate::send::{Answered, Stage};
use crate::session::requests::Asked;
use crate::session::{Phase, Session};
use crate::stream::iq::IqEnd;
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::usync;
use crate::verdict::{Cause, Outcome};
use crate::wap::Node;
use crate::{account, devices, lidmap, pair, prekeys};

/// What a request was for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// `<active/>`: the server starts to deliver.
    Active,
    /// These collections of app state.
    AppState(Vec<Collection>),
    /// Number of one-time keys the server still has.
    Count,
    /// A digest of our keys.
    Digest,
    /// The metadata of this group.
    Group(Jid),
    /// Bundles of these devices.
    Keys(BTreeSet<DeviceAddress>),
    /// Hosts for blobs.
    Media,
    /// Device lists of these accounts.
    Lists(BTreeSet<PeerKey>),
    /// The LID of this phone number.
    Lid(PeerKey),
    /// A question of the account's machine.
    Account(account::Purpose),
    /// A step of linking.
    Pair(pair::Request),
    /// A request of the host.
    Request(Asked),
    /// An answer that only shows that the server is there, or that nobody needs.
    Ping,
    /// A new signed prekey.
    Rotate,
    /// An upload of one-time keys.
    Upload,
}

impl Session {
    /// A request of ours ended.
    pub(super) fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        purpose: Purpose,
        end: IqEnd,
    ) -> Result<(), Fault> {
        match purpose {
            Purpose::Active | Purpose::Ping => self.clock_from(cx, &end),
            Purpose::AppState(asked) => {
                let now = self.server_now(cx);
                self.app_state.answered(cx, &self.slot, &asked, &end, now)?;
            }
            Purpose::Count => self.counted(cx, &end)?,
            Purpose::Digest => self.digested(cx, &end)?,
            Purpose::Rotate => self.rotated(cx, &end)?,
            Purpose::Account(purpose) => {
                let now = self.server_now(cx);
                if let Some(account) = &mut self.account {
                    account.answered(cx, &purpose, &end, now)?;
                }
                if purpose == account::Purpose::Props {
                    for send in &mut self.sends {
                        send.resume_props(true, cx.now.mono);
                    }
                    self.progress(cx)?;
                }
            }
            Purpose::Group(group) => self.group_told(cx, group, &end)?,
            Purpose::Keys(asked) => {
                if let IqEnd::Result(answer) = &end {
                    self.bundles(cx, answer)?;
                }
                self.ask_phone_again(cx)?;
                self.rekeyed(cx, &asked, &end)?;
                self.resume(cx, &Answered::Keys(asked), &end)?;
            }
            Purpose::Lid(pn) => {
                if let IqEnd::Result(answer) = &end {
                    let answer = usync::Answer::parse(answer);
                    self.learn_from_usync(cx, answer.as_ref())?;
                    self.resolved(&pn, &answer.unwrap_or_default());
                }
                self.resume(cx, &Answered::Lid(pn), &end)?;
            }
            Purpose::Media => self.hosts_known(cx, &end)?,
            Purpose::Lists(asked) => {
                if let IqEnd::Result(answer) = &end {
                    self.learn_from_usync(cx, usync::Answer::parse(answer).as_ref())?;
                }
                self.resume(cx, &Answered::Lists(asked), &end)?;
            }
            Purpose::Pair(request) => self.pairing_answered(cx, request, &end)?,
            Purpose::Request(asked) => self.request_answered(cx, asked, &end)?,
            Purpose::Upload => self.uploaded(cx, &end)?,
        }
        Ok(())
    }

    /// Lets the messages go on that waited for this answer, or refuses them if there was none.
    /// After a lost connection they ask again.
    pub(super) fn resume(
        &mut self,
        cx: &mut Cx<'_>,
        answered: &Answered,
        end: &IqEnd,
    ) -> Result<(), Fault> {
        if matches!(end, IqEnd::Disconnected) {
            return Ok(());
        }
        for mut send in std::mem::take(&mut self.sends) {
            if send.resume(answered) && end.result().is_none() {
                self.end_send(cx, &send, Cause::ServerBusy)?;
            } else {
                self.sends.push(send);
            }
        }
        self.progress(cx)
    }

    /// A number was looked up. The server may know it under another number (a digit that was added
    /// in Brazil); the message then goes to the account that it names.
    fn resolved(&mut self, pn: &PeerKey, answer: &usync::Answer) {
        let Some(user) = answer.by_number(pn.user()) else {
            return;
        };
        let waiting = Stage::Resolving(pn.clone());
        for send in self.sends.iter_mut().filter(|send| send.stage == waiting) {
            send.asked.registered = user
                .contact
                .as_ref()
                .is_some_and(|contact| contact.registered);
            if let Some(lid) = user.lid.as_ref().filter(|_| send.asked.registered) {
                send.to = lid.account();
            }
        }
    }

    fn clock_from(&mut self, cx: &Cx<'_>, end: &IqEnd) {
        if let Some(t) = end.result().and_then(|answer| answer.number("t")) {
            self.device.clock.observe(UnixSeconds(t), cx.now);
        }
    }

    pub(super) fn learn_from_usync(
        &mut self,
        cx: &mut Cx<'_>,
        answer: Option<&usync::Answer>,
    ) -> Result<(), Fault> {
        let (Some(answer), Some(account)) = (answer, &self.account) else {
            self.ignored += 1;
            return Ok(());
        };
        let scope = account.scope().clone();
        let mappings: Vec<_> = answer.mappings().collect();
        self.learn_all(cx, &mappings)?;
        for user in &answer.users {
            let peer = user.jid.as_ref().and_then(PeerKey::of);
            if let (Some(peer), Some(reported)) = (peer, &user.devices) {
                let key = lidmap::canonical(&cx.txn, &scope, &peer)?;
                let known = devices::load(&cx.txn, &self.slot, &key)?;
                let told = devices::record(cx, &self.slot, &key, reported)?;
                let raw_id = |list: Option<DeviceList>| list.and_then(|list| list.raw_id);
                let (before, after) = (raw_id(known), raw_id(told));
                if before.is_some() && before != after {
                    self.rotate_groups_of(cx, &key)?;
                }
            }
        }
        Ok(())
    }

    /// [`Session::learn`] for many pairs, with few reads.
    pub(super) fn learn_all(
        &mut self,
        cx: &mut Cx<'_>,
        pairs: &[lidmap::Mapping],
    ) -> Result<(), Fault> {
        match &mut self.account {
            Some(account) => account.learn_all(cx, &self.slot, pairs),
            None => Ok(()),
        }
    }

    /// Stores a pair of PN and LID and lets everything keyed by either follow.
    pub(super) fn learn(&mut self, cx: &mut Cx<'_>, pair: &lidmap::Mapping) -> Result<(), Fault> {
        match &mut self.account {
            Some(account) => account.learn(cx, &self.slot, pair),
            None => Ok(()),
        }
    }

    /// Starts sessions with the devices whose bundles are good.
    fn bundles(&mut self, cx: &mut Cx<'_>, answer: &Node) -> Result<(), Fault> {
        let Some(account) = &self.account else {
            return Ok(());
        };
        let scope = account.scope().clone();
        let ours = self.own_identity();
        for (jid, bundle) in prekeys::fetch::parse(answer) {
            let Some(address) = DeviceAddress::of(&jid) else {
                continue;
            };
            let address = lidmap::canonical_address(&cx.txn, &scope, &address)?;
            match prekeys::fetch::accept(cx, &self.slot, &ours, &address, bundle)? {
                Ok(established) if established.identity_changed => {
                    self.identity_changed(cx, &address)?;
                }
                Ok(_) => {}
                Err(_) => self.ignored += 1,
            }
        }
        Ok(())
    }

    pub(super) fn ask_lid(&mut self, cx: &mut Cx<'_>, pn: &PeerKey) {
        if self
            .iqs
            .purposes()
            .any(|purpose| matches!(purpose, Purpose::Lid(asked) if asked == pn))
        {
            return;
        }
        for query in usync::lid_queries(cx.rng, &[pn.user()]) {
            self.ask(cx, query, Purpose::Lid(pn.clone()));
        }
    }

    pub(super) fn ask_lists(&mut self, cx: &mut Cx<'_>, mut wanted: BTreeSet<PeerKey>) {
        for purpose in self.iqs.purposes() {
            if let Purpose::Lists(asked) = purpose {
                wanted.retain(|peer| !asked.contains(peer));
            }
        }
        let wanted: Vec<PeerKey> = wanted.into_iter().collect();
        for batch in wanted.chunks(usync::BATCH) {
            let users: Vec<_> = batch.iter().map(PeerKey::jid).collect();
            for query in usync::device_queries(cx.rng, &users) {
                self.ask(cx, query, Purpose::Lists(batch.iter().cloned().collect()));
            }
        }
    }

    pub(super) fn ask_keys(&mut self, cx: &mut Cx<'_>, mut wanted: BTreeSet<DeviceAddress>) {
        for purpose in self.iqs.purposes() {
            if let Purpose::Keys(asked) = purpose {
                wanted.retain(|device| !asked.contains(device));
            }
        }
        let wanted: Vec<DeviceAddress> = wanted.into_iter().collect();
        for batch in wanted.chunks(prekeys::fetch::BATCH) {
            let jids: Vec<_> = batch.iter().map(DeviceAddress::jid).collect();
            for query in prekeys::fetch::queries(&jids) {
                self.ask(cx, query, Purpose::Keys(batch.iter().cloned().collect()));
            }
        }
    }

    /// Does what the account's machine asks for: its queries leave, and messages whose cause it
    /// has found end.
    pub(super) fn follow_account(&mut self, cx: &mut Cx<'_>) {
        let Some(account) = &mut self.account else {
            return;
        };
        let (queries, settled) = (account.take_queries(), account.take_settled());
        for query in queries {
            self.ask(cx, query.node, Purpose::Account(query.purpose));
        }
        for stanza in self
            .account
            .as_mut()
            .map(Account::take_stanzas)
            .unwrap_or_default()
        {
            self.transmit(cx, &stanza);
        }
        for settled in settled {
            let op = self.refused.remove(&settled.id).flatten();
            self.done(cx, op, Outcome::Refused(settled.refusal));
        }
    }

    /// Follows the presence of a contact, for as long as the connection lasts.
    pub(super) fn subscribe(&mut self, cx: &mut Cx<'_>, to: &Jid) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let account = self.account.as_mut();
        if let Some(account) = account.filter(|_| self.phase == Phase::Online)
            && let Some(stanza) = account.subscribe(&cx.txn, to, now)?
        {
            self.transmit(cx, &stanza);
        }
        Ok(())
    }

    /// True when the notification was the account's.
    pub(super) fn tell_account(&mut self, cx: &mut Cx<'_>, node: &Node) -> Result<bool, Fault> {
        let now = self.server_now(cx);
        match &mut self.account {
            Some(account) => account.notification(cx, &self.slot, node, now),
            None => Ok(false),
        }
    }

    pub(super) fn tick_account(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = self.server_now(cx);
        match &mut self.account {
            Some(account) => account.tick(cx, now),
            None => Ok(()),
        }
    }

    /// Every message that waits for its cause ends now.
    pub(super) fn stop_account(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let now = self.server_now(cx);
        if let Some(account) = &mut self.account {
            account.stop(cx, now)?;
        }
        self.follow_account(cx);
        Ok(())
    }
}
