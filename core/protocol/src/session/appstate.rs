//! App state on our own connection: its questions leave, what it finds is used.

use std::io::Read;

use crate::appstate::{Action, Collection, Findings, Work};
use crate::error::Fault;
use crate::event::{DisplayName, Event};
use crate::media::fetch::Fetched;
use crate::session::media::Want;
use crate::session::{Purpose, Session};
use crate::txn::Cx;

/// Larger files are not read; the largest collections, with tens of thousands of contacts, have
/// a quarter of that.
const MOST_BYTES: u64 = 64 << 20;

impl Session {
    /// Does what app state asks for, until it asks for nothing more.
    pub(super) fn follow_app_state(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        loop {
            let work = self.app_state.take_work();
            if work.is_empty() {
                return Ok(());
            }
            for work in work {
                match work {
                    Work::Ask(query, asked) => self.ask(cx, query, Purpose::AppState(asked)),
                    Work::AskKeys(ids) => self.ask_phone_for_keys(cx, ids)?,
                    Work::Clean(clean) => self.ask(cx, clean, Purpose::Ping),
                    Work::Fetch(collection, reference) => {
                        if !self.fetch(cx, Want::AppState(collection), reference) {
                            self.app_state_fetched(cx, collection, None)?;
                        }
                    }
                    Work::Found {
                        collection,
                        findings,
                        whole,
                    } => self.found(cx, collection, findings, whole)?,
                }
            }
        }
    }

    /// A file is there, or it is not to be had.
    pub(super) fn app_state_fetched(
        &mut self,
        cx: &mut Cx<'_>,
        collection: Collection,
        fetched: Option<&Fetched>,
    ) -> Result<(), Fault> {
        let now = self.server_now(cx);
        let content = fetched.and_then(read);
        let content = content.as_deref();
        self.app_state
            .fetched(cx, &self.slot, collection, content, now)
    }

    /// `whole`: the collection holds nothing else.
    fn found(
        &mut self,
        cx: &mut Cx<'_>,
        collection: Collection,
        findings: Findings,
        whole: bool,
    ) -> Result<(), Fault> {
        let mut salted = false;
        for action in findings.actions {
            match action {
                Action::PushName(name) => self.push_name_set(cx, name),
                Action::Salt(mutation) => {
                    salted = true;
                    if let Some(account) = &mut self.account {
                        account.salt_changed(cx, mutation)?;
                    }
                }
            }
        }
        if whole
            && !salted
            && collection == Collection::RegularHigh
            && let Some(account) = &mut self.account
        {
            account.salt_absent(cx)?;
        }
        Ok(())
    }

    fn push_name_set(&mut self, cx: &mut Cx<'_>, name: String) {
        let Some(paired) = self.device.paired_mut() else {
            return;
        };
        if paired.push_name.as_ref() != Some(&name) {
            paired.push_name = Some(name.clone());
            let name = DisplayName(name);
            self.save_device(cx);
            cx.effect(Event::PushNameChanged { name });
        }
    }
}

/// The whole of a file; `None` when it cannot be read back, or is too long.
fn read(fetched: &Fetched) -> Option<Vec<u8>> {
    let mut content = Vec::new();
    let within = fetched.length() <= MOST_BYTES;
    let read = within.then(|| fetched.open().take(MOST_BYTES).read_to_end(&mut content));
    read?.ok()?;
    Some(content)
}
