//! Commands about app state.

use crate::command::Command;
use crate::obey::Obeyed;
use crate::reply::Reply;
use crate::world::World;

impl World {
    pub(crate) fn obey_about_app_state(&mut self, command: Command) -> Obeyed {
        match command {
            Command::ChangeAppState {
                account,
                collection,
                changes,
                fresh_key,
                fault,
                external,
                push,
            } => {
                let account = self.account(account.as_deref())?;
                self.change_app_state(
                    account,
                    &collection,
                    &changes,
                    (fresh_key, external),
                    fault,
                )?;
                if push {
                    self.push_server_sync(account, &collection);
                }
                Ok(Reply::Done)
            }
            Command::CompactAppState {
                account,
                collection,
            } => {
                let account = self.account(account.as_deref())?;
                self.compact_app_state(account, &collection)?;
                Ok(Reply::Done)
            }
            Command::SetSalt { account, salt } => {
                let person = self.account(account.as_deref())?;
                let salt = salt.map(hex::decode).transpose();
                self.people[person].nct_salt = salt.map_err(|error| error.to_string())?;
                Ok(Reply::Done)
            }
            Command::ShareKeys { account } => {
                let account = self.account(account.as_deref())?;
                let id = self.share_keys(account)?;
                Ok(Reply::Sent { id })
            }
            _ => Err("not about app state".into()),
        }
    }
}
