//! Our own phone, groups, and the files of the servers.

use sendpath_model_server::{Command, FileFault, RowChange};
use sendpath_protocol::media::decrypt::Damage;
use sendpath_protocol::media::download::{Failure, Tries};
use sendpath_protocol::media::fetch::{Fetch, Fetched};
use sendpath_protocol::request::MediaTicket;
use sendpath_protocol::session::{Command as Order, Input};

use crate::world::{CONTACTS, GROUP, World};

/// What the phone did last.
#[derive(Clone, Default)]
pub(crate) struct Phone {
    /// Our name, as it set it.
    pub(crate) name: Option<String>,
    /// The salt, in hex; the inner `None` when it was removed.
    pub(crate) salt: Option<Option<String>>,
    /// The third contact is in the group.
    joined: bool,
    /// Members are addressed by number.
    numbers: bool,
}

impl World {
    /// The phone changes app state, shares a key or sends its history; or the host wants to upload.
    pub(crate) fn phone(&mut self) {
        let serial = self.dice.roll(200);
        match self.dice.roll(8) {
            0 | 1 => self.rename(format!("Shop {serial}")),
            2 | 3 => {
                let salt = (self.dice.roll(4) > 0).then(|| format!("{serial:02x}").repeat(32));
                self.salt(salt);
            }
            4 => {
                self.log.push("the phone shares its keys".into());
                self.order(Command::ShareKeys { account: None });
            }
            5 | 6 => self.history(serial),
            _ => {
                let (op, renew) = (self.host.upload(), self.dice.roll(3) == 0);
                self.log.push(format!("upload {op:?}"));
                self.revive();
                match self.session.is_some() {
                    true => self.input(Input::Command(
                        op,
                        Order::Request(MediaTicket { renew }.into()),
                    )),
                    false => self.host.crash(),
                }
            }
        }
    }

    fn rename(&mut self, name: String) {
        self.log.push(format!("the phone names us {name}"));
        self.phone.name = Some(name.clone());
        self.change(
            "critical_block",
            RowChange {
                index: vec!["setting_pushName".into()],
                name: Some(name),
                ..RowChange::default()
            },
        );
    }

    fn salt(&mut self, salt: Option<String>) {
        // A row that is not there cannot be removed.
        if salt.is_none() && !matches!(self.phone.salt, Some(Some(_))) {
            return;
        }
        self.log.push(format!("the phone's salt is {salt:?}"));
        self.phone.salt = Some(salt.clone());
        self.change(
            "regular_high",
            RowChange {
                index: vec!["nct_salt_sync".into()],
                remove: salt.is_none(),
                salt,
                ..RowChange::default()
            },
        );
    }

    fn change(&mut self, collection: &str, row: RowChange) {
        let (fresh_key, external) = (self.dice.roll(4) == 0, self.dice.roll(3) == 0);
        self.order(Command::ChangeAppState {
            account: None,
            collection: collection.into(),
            changes: vec![row],
            fresh_key,
            fault: None,
            external,
            push: true,
        });
        if self.dice.roll(6) == 0 {
            self.order(Command::CompactAppState {
                account: None,
                collection: collection.into(),
            });
        }
    }

    fn history(&mut self, serial: usize) {
        let fault = [
            None,
            None,
            Some(FileFault::Changed),
            Some(FileFault::Forged),
            Some(FileFault::Lost),
            Some(FileFault::Truncated),
        ][self.dice.roll(6)];
        let (repairs, strangers) = (self.dice.roll(2) == 0, 1 + serial % 5);
        self.log
            .push(format!("history, {fault:?}, repairs {repairs}"));
        if self.dice.roll(3) == 0 {
            let statuses = [vec![503], vec![429, 500], vec![503; 5]][self.dice.roll(3)].clone();
            self.order(Command::MediaFaults {
                statuses,
                cut_after: None,
                renew: false,
            });
        }
        self.order(Command::PhoneUploads {
            account: None,
            strangers: u32::try_from(strangers).expect("a small number"),
            salt: None,
            progress: 50,
            fault,
            repairs,
        });
    }

    /// Something happens in the group: a member writes, comes, goes; or its addressing changes.
    pub(crate) fn group(&mut self) {
        let (group, announce) = (GROUP.to_owned(), self.dice.roll(3) > 0);
        match self.dice.roll(6) {
            0..4 => {
                let (contact, with_key) = (self.dice.roll(2), self.dice.roll(4) > 0);
                let reply = self.order(Command::GroupSend {
                    group,
                    peer: CONTACTS[contact].0.into(),
                    text: "hello all".into(),
                    device: 0,
                    with_key,
                });
                let how = if with_key { "with" } else { "without" };
                self.log
                    .push(format!("contact {contact} writes: {reply:?} {how} its key"));
            }
            4 => {
                let peer = CONTACTS[2].0.to_owned();
                let leaves = self.phone.joined;
                self.phone.joined = !leaves;
                self.log.push(format!("contact 2 leaves: {leaves}"));
                self.order(match leaves {
                    true => Command::GroupLeave {
                        group,
                        peer,
                        announce,
                    },
                    false => Command::GroupJoin {
                        group,
                        peer,
                        announce,
                    },
                });
            }
            _ => {
                self.phone.numbers = !self.phone.numbers;
                let lid = !self.phone.numbers;
                self.log
                    .push(format!("the group is addressed by LID: {lid}"));
                self.order(Command::GroupMode { group, lid });
            }
        }
    }

    /// Gets the next file that the session wants; whether there was one.
    pub(crate) fn fetch(&mut self) -> bool {
        let Some(fetch) = self.fetches.pop_front() else {
            return false;
        };
        let mut tries = fetch.download.tries();
        let got = loop {
            match self.try_once(&fetch, &tries) {
                Ok(plain) => break Ok(Fetched::new(plain)),
                Err(failure) => match tries.failed(failure) {
                    Ok(_) => {}
                    Err(error) => break Err(error),
                },
            }
        };
        self.input(Input::Fetched(fetch.id, got));
        true
    }

    fn try_once(&mut self, fetch: &Fetch, tries: &Tries<'_>) -> Result<Vec<u8>, Failure> {
        let url = tries.url().expect("the server has a media host");
        let (status, body) = self.server.get(url);
        if status != 200 {
            return Err(Failure::Status(status, None));
        }
        let open = || -> Result<Vec<u8>, Damage> {
            let (mut decryptor, mut plain) = (fetch.download.decryptor(), Vec::new());
            decryptor.push(&body, &mut plain)?;
            decryptor.finish(&mut plain)?;
            Ok(plain)
        };
        open().map_err(Failure::Damaged)
    }
}
