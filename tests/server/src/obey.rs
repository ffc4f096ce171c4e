//! Commands meet the world.

use sendpath_protocol::jid::Jid;
use sendpath_protocol::secret::EntropyExt;
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::wap::Node;

use crate::command::{Command, StreamErrorKind};
use crate::connection::Out;
use crate::groups::Group;
use crate::limits::{Capping, Timelock};
use crate::pairing::Scan;
use crate::passkey::Demand;
use crate::people::{ClientId, PersonId, Profile, Token};
use crate::reply::Reply;
use crate::world::World;

/// The account that scans a code when the command names none.
const DEFAULT_PN: &str = "15550100001";
const DEFAULT_LID: &str = "900100001";

pub(crate) type Obeyed = Result<Reply, String>;

impl World {
    /// Obeys everything but `WaitFor`, which needs no change of the world.
    pub(crate) fn obey(&mut self, command: Command) -> Reply {
        let obeyed = match command {
            Command::AddDevice { .. }
            | Command::AddPeer { .. }
            | Command::IdentityChange { .. }
            | Command::RemoveDevice { .. } => self.obey_about_devices(command),
            Command::PeerWithholds { peer, text } => self.obey_withholding(&peer, &text),
            Command::IssueToken { .. }
            | Command::PeerSend { .. }
            | Command::RetryRequest { .. }
            | Command::SetBehaviour { .. }
            | Command::SetProfile { .. }
            | Command::SetGate { .. } => self.obey_about_peer(command),
            Command::ChangeAppState { .. }
            | Command::CompactAppState { .. }
            | Command::ShareKeys { .. } => self.obey_about_app_state(command),
            Command::AddGroup { .. }
            | Command::GroupJoin { .. }
            | Command::GroupLeave { .. }
            | Command::GroupMode { .. }
            | Command::GroupSend { .. } => self.obey_about_groups(command),
            Command::AdvanceTime { .. }
            | Command::CertFault { .. }
            | Command::ClearViolations
            | Command::DemandPasskey { .. }
            | Command::EchoTokens { .. }
            | Command::FailLogin(_)
            | Command::ScanQr { .. }
            | Command::SetMigration { .. }
            | Command::SetProps { .. }
            | Command::SetTime { .. }
            | Command::TypeCode { .. } => self.obey_about_server(command),
            Command::Heard { .. }
            | Command::Issued { .. }
            | Command::Messages
            | Command::Payloads
            | Command::PhoneCode
            | Command::Receipts
            | Command::Received { .. }
            | Command::Routing
            | Command::Stats { .. }
            | Command::Unanswered { .. }
            | Command::Unexpected
            | Command::Violations => self.report(command),
            command => self.obey_about_client(command),
        };
        obeyed.unwrap_or_else(Reply::error)
    }

    fn obey_about_devices(&mut self, command: Command) -> Obeyed {
        match command {
            Command::AddPeer {
                pn,
                lid,
                devices,
                gate,
                aliases,
            } => {
                for jid in [Jid::pn(&*pn), Jid::lid(&*lid)] {
                    if self.find(&jid).is_some() {
                        return Err(format!("{} exists", jid.reveal()));
                    }
                }
                let person = self.add_person(&pn, &lid);
                self.people[person].gate = gate;
                self.people[person].aliases = aliases;
                for _ in 1..devices {
                    self.add_companion(person);
                }
            }
            Command::AddDevice { peer, announce } => {
                let person = self.person(&peer)?;
                let device = self.add_companion(person);
                if announce {
                    self.announce_device(person, device, "add");
                }
                return Ok(Reply::Device { device });
            }
            Command::RemoveDevice {
                peer,
                device,
                announce,
            } => {
                let person = self.person(&peer)?;
                if device == 0 || self.people[person].endpoint(device).is_none() {
                    return Err("no such companion".into());
                }
                self.people[person].devices.retain(|d| d.device != device);
                if announce {
                    self.announce_device(person, device, "remove");
                }
            }
            Command::IdentityChange { peer, announce } => {
                let person = self.person(&peer)?;
                self.change_identity(person, announce);
            }
            _ => return Err("not about devices".into()),
        }
        Ok(Reply::Done)
    }

    fn obey_about_groups(&mut self, command: Command) -> Obeyed {
        match command {
            Command::AddGroup {
                group,
                members,
                account,
                lid,
            } => {
                let mut people = vec![self.account(account.as_deref())?];
                for member in &members {
                    people.push(self.person(member)?);
                }
                self.groups.push(Group {
                    id: group,
                    lid,
                    members: people,
                    timer: 0,
                });
            }
            Command::GroupJoin {
                group,
                peer,
                announce,
            } => {
                let (group, peer) = (self.named_group(&group)?, self.person(&peer)?);
                self.change_member(group, peer, true, announce);
            }
            Command::GroupLeave {
                group,
                peer,
                announce,
            } => {
                let (group, peer) = (self.named_group(&group)?, self.person(&peer)?);
                self.change_member(group, peer, false, announce);
            }
            Command::GroupMode { group, lid } => {
                let group = self.named_group(&group)?;
                self.groups[group].lid = lid;
            }
            Command::GroupSend {
                group,
                peer,
                text,
                device,
                with_key,
            } => {
                let (group, person) = (self.named_group(&group)?, self.person(&peer)?);
                let from = ClientId { person, device };
                let id = self.write_group(from, group, &text, with_key)?;
                return Ok(Reply::Sent { id });
            }
            _ => return Err("not about groups".into()),
        }
        Ok(Reply::Done)
    }

    fn obey_about_peer(&mut self, command: Command) -> Obeyed {
        match command {
            Command::IssueToken { .. } => return self.issue_token(command),
            Command::PeerSend {
                peer,
                text,
                account,
                device,
                id,
                from_lid,
            } => {
                let person = self.person(&peer)?;
                let to = self.account(account.as_deref())?;
                let from = ClientId { person, device };
                let id = self.write_text(from, to, &text, id, from_lid)?;
                return Ok(Reply::Sent { id });
            }
            Command::RetryRequest {
                peer,
                account,
                device,
                id,
                count,
            } => {
                let person = self.person(&peer)?;
                let to = self.linked(account.as_deref())?;
                self.request_retry(ClientId { person, device }, to, &id, count);
            }
            Command::SetBehaviour {
                peer,
                receipts,
                retries,
                hidden_by_pn,
            } => {
                let person = self.person(&peer)?;
                let behaviour = &mut self.people[person].behaviour;
                behaviour.receipts = receipts.unwrap_or(behaviour.receipts);
                behaviour.retries = retries.unwrap_or(behaviour.retries);
                behaviour.hidden_by_pn = hidden_by_pn.unwrap_or(behaviour.hidden_by_pn);
            }
            Command::SetProfile {
                peer,
                picture,
                contacts_only,
                read_receipts,
            } => {
                let person = self.person(&peer)?;
                self.people[person].profile = Profile {
                    picture,
                    contacts_only,
                    read_receipts,
                };
            }
            Command::SetGate { peer, gate } => {
                let person = self.person(&peer)?;
                self.people[person].gate = gate;
            }
            _ => return Err("not about a peer".into()),
        }
        Ok(Reply::Done)
    }

    fn issue_token(&mut self, command: Command) -> Obeyed {
        let Command::IssueToken {
            peer,
            account,
            bytes,
            t,
            push,
            from_lid,
        } = command
        else {
            return Err("no token".into());
        };
        let (issuer, to) = (self.person(&peer)?, self.account(account.as_deref())?);
        let token = Token {
            bytes: match bytes {
                Some(bytes) => hex::decode(bytes).map_err(|error| error.to_string())?,
                None => self.rng.bytes::<11>().to_vec(),
            },
            t: t.map_or_else(|| self.now(), UnixSeconds),
        };
        let reply = Reply::Token {
            bytes: hex::encode(&token.bytes),
            t: token.t.0,
        };
        self.grant(issuer, to, token);
        if push {
            self.push_token(issuer, to, from_lid);
        }
        Ok(reply)
    }

    /// The person whose phone links devices; made when there is none.
    fn owner(&mut self, pn: Option<&str>, lid: Option<&str>) -> PersonId {
        let pn = pn.unwrap_or(DEFAULT_PN);
        match self.find(&Jid::pn(pn)) {
            Some(person) => person,
            None => self.add_person(pn, lid.unwrap_or(DEFAULT_LID)),
        }
    }

    fn obey_about_server(&mut self, command: Command) -> Obeyed {
        match command {
            Command::AdvanceTime { seconds } => self.clock = self.clock.advanced(seconds),
            Command::CertFault { fault } => self.cert_fault = fault,
            Command::ClearViolations => self.journal.violations.clear(),
            Command::EchoTokens { on } => self.echo_tokens = on,
            Command::FailLogin(failure) => self.login_faults.push(failure),
            Command::SetProps { props, push } => {
                let parse = |(code, value): (String, String)| Some((code.parse().ok()?, value));
                let parsed: Option<_> = props.into_iter().map(parse).collect();
                self.props.set(parsed.ok_or("a prop code is not a number")?);
                if push {
                    self.push_props();
                }
            }
            Command::SetTime { time } => self.clock = time,
            Command::DemandPasskey { options } => self.passkeys = Some(Demand { options }),
            Command::SetMigration { pn, lid, told } => {
                let person = self.owner(pn.as_deref(), None);
                let person = &mut self.people[person];
                person.lid_migrated = lid;
                person.tells_migration = told;
            }
            Command::ScanQr {
                qr,
                pn,
                lid,
                lid_migrated,
            } => {
                let person = self.owner(pn.as_deref(), lid.as_deref());
                let person_state = &mut self.people[person];
                person_state.lid_migrated = lid_migrated.unwrap_or(person_state.lid_migrated);
                let Some(device) = self.scan(&Scan { qr: &qr, person })? else {
                    return Ok(Reply::Done);
                };
                let client = ClientId { person, device };
                return Ok(Reply::Linked {
                    jid: self.wire(client, false).reveal(),
                    lid: self.wire(client, true).reveal(),
                    device,
                });
            }
            Command::TypeCode { code, pn } => {
                let person = self.owner(pn.as_deref(), None);
                self.type_code(person, &code)?;
            }
            _ => return Err("not about the server".into()),
        }
        Ok(Reply::Done)
    }

    fn obey_about_client(&mut self, command: Command) -> Obeyed {
        match command {
            command @ (Command::AckMode { .. }
            | Command::DropConnection { .. }
            | Command::IqFault { .. }
            | Command::NackNext { .. }) => return self.obey_about_faults(command),
            Command::Push { account, node } => {
                let client = self.linked(account.as_deref())?;
                let node = node.node()?;
                if node.value("id").is_some() && node.tag != "iq" {
                    self.post(client, node);
                } else if let Some(connection) = self.client(client).and_then(|c| c.connection) {
                    self.write(connection, node);
                }
            }
            Command::PhoneHistory {
                account,
                chats,
                salt,
                progress,
            } => {
                let account = self.account(account.as_deref())?;
                let id = self.write_history(account, &chats, salt, progress)?;
                return Ok(Reply::Sent { id });
            }
            command @ (Command::MediaFaults { .. }
            | Command::MediaFile { .. }
            | Command::MediaRequests
            | Command::PeerPicture { .. }
            | Command::PhoneUploads { .. }) => return self.obey_about_media(command),
            Command::PrekeysLow { account, value } => {
                let person = self.account(account.as_deref())?;
                self.push_prekey_count(person, value);
            }
            Command::ReleaseAcks { account } => {
                let client = self.linked(account.as_deref())?;
                let count = self.release_acks(client);
                return Ok(Reply::Count { count });
            }
            Command::StreamError { account, kind } => {
                let client = self.linked(account.as_deref())?;
                self.end(client, Some(stream_error(kind)))?;
            }
            Command::Unlink { account } => {
                let client = self.linked(account.as_deref())?;
                self.unlink(client);
            }
            command => return self.set_limits(command),
        }
        Ok(Reply::Done)
    }

    fn set_limits(&mut self, command: Command) -> Obeyed {
        match command {
            Command::SetTimelock {
                account,
                active,
                until,
                kind,
                push,
            } => {
                let person = self.account(account.as_deref())?;
                self.people[person].timelock = Timelock {
                    active,
                    until: until.map(UnixSeconds),
                    kind,
                };
                if push {
                    self.push_timelock(person);
                }
            }
            Command::SetCap {
                account,
                status,
                total,
                used,
                cycle_end,
                push,
            } => {
                let person = self.account(account.as_deref())?;
                self.people[person].capping = Capping {
                    status,
                    total,
                    used,
                    cycle_start: self.now(),
                    cycle_end: UnixSeconds(cycle_end),
                };
                if push {
                    self.push_capping(person);
                }
            }
            _ => return Err("not about limits".into()),
        }
        Ok(Reply::Done)
    }

    /// Ends a client's connection: with a last stanza, or cut.
    pub(crate) fn end(&mut self, client: ClientId, farewell: Option<Node>) -> Result<(), String> {
        let connection = self.client(client).and_then(|client| client.connection);
        let connection = connection.ok_or("the client is not connected")?;
        match farewell {
            Some(node) => {
                self.write(connection, node);
                self.out(connection, Out::Close);
            }
            None => self.out(connection, Out::Cut),
        }
        Ok(())
    }

    /// The person behind a number or LID in any spelling.
    pub(crate) fn person(&self, name: &str) -> Result<PersonId, String> {
        let named = |person: &&crate::people::Person| person.pn == name || person.lid == name;
        let by_jid = || self.find(&name.parse().ok()?);
        let by_digits = self.people.iter().find(named);
        by_digits
            .and_then(|found| self.people.iter().position(|p| core::ptr::eq(p, found)))
            .or_else(by_jid)
            .ok_or_else(|| format!("nobody is called {name}"))
    }

    /// The named account, or the only one with a linked client.
    pub(crate) fn account(&self, name: Option<&str>) -> Result<PersonId, String> {
        if let Some(name) = name {
            return self.person(name);
        }
        let mut linked = (0..self.people.len()).filter(|p| !self.people[*p].clients.is_empty());
        match (linked.next(), linked.next()) {
            (Some(person), None) => Ok(person),
            (None, _) => Err("no client is linked".into()),
            (Some(_), Some(_)) => Err("several accounts have clients: name one".into()),
        }
    }

    /// The newest linked client of an account.
    pub(crate) fn linked(&self, account: Option<&str>) -> Result<ClientId, String> {
        let person = self.account(account)?;
        let client = self.people[person].clients.last();
        let device = client.ok_or("the account has no linked client")?.device;
        Ok(ClientId { person, device })
    }
}

fn stream_error(kind: StreamErrorKind) -> Node {
    let error = Node::new("stream:error");
    match kind {
        StreamErrorKind::Ack { id } => error.child(Node::new("ack").attr("id", id)),
        StreamErrorKind::Code(code) => error.num("code", code),
        StreamErrorKind::DeviceRemoved => error
            .attr("code", "401")
            .child(Node::new("conflict").attr("type", "device_removed")),
        StreamErrorKind::End => Node::new("xmlstreamend"),
        StreamErrorKind::NotWellFormed => error.child(Node::new("xml-not-well-formed")),
        StreamErrorKind::Replaced => error.child(Node::new("conflict").attr("type", "replaced")),
    }
}
