//! Blobs that the session wants, and the hosts that have them.
//!
//! ```text
//! fetch -> <iq xmlns="w:m"><media_conn/></iq>, unless the hosts are known -> Effect::Fetch
//!   -> Input::Fetched -> whoever wanted it
//! ```
//! Nothing here is stored: whoever wants a blob keeps that itself and asks again after a restart.

use std::collections::BTreeMap;

use crate::appstate::Collection;
use crate::effect::{Effect, OpId};
use crate::error::Fault;
use crate::media::conn::{self, MediaConn, Scheme};
use crate::media::download::Reference;
use crate::media::fetch::{Fetch, FetchError, FetchId, Fetched};
use crate::media::ticket::Ticket;
use crate::request::{AnyReply, RequestError};
use crate::session::input::Blobs;
use crate::session::{Phase, Purpose, Session};
use crate::stream::iq::IqEnd;
use crate::txn::Cx;
use crate::verdict::MessageId;

/// Larger files are not fetched: nothing that is read here comes near.
const MOST_BYTES: u64 = 256 << 20;

/// What a blob is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Want {
    /// A snapshot of this collection, or mutations of it.
    AppState(Collection),
    /// The part of the history that this message announced.
    History(MessageId),
}

/// The hosts, and what is wanted of them.
#[derive(Debug, Default)]
pub(super) struct Media {
    conn: Option<MediaConn>,
    /// Waits for the hosts.
    waiting: Vec<(Want, Reference)>,
    /// Uploads and downloads of the host that wait for the hosts.
    tickets: Vec<OpId>,
    fetching: BTreeMap<FetchId, Want>,
    pub(super) counted: Blobs,
}

impl Media {
    /// Whether a blob like that is on its way.
    pub(super) fn wants(&self, like: impl Fn(&Want) -> bool) -> bool {
        let waiting = self.waiting.iter().map(|(want, _)| want);
        waiting.chain(self.fetching.values()).any(like)
    }

    /// What was wanted is of no use any more.
    pub(super) fn forget(&mut self) {
        *self = Self {
            counted: self.counted,
            ..Self::default()
        };
    }
}

impl Session {
    /// Gets a blob; whoever wanted it hears how that ended. False when nobody knows the hosts and
    /// there is no connection to ask on.
    pub(super) fn fetch(&mut self, cx: &mut Cx<'_>, want: Want, reference: Reference) -> bool {
        let now = cx.now.mono;
        if let Some(conn) = self.media.conn.as_ref().filter(|conn| conn.holds(now)) {
            let scheme = Scheme::beside(&self.config.server.url);
            let fetch = Fetch {
                id: FetchId::random(cx.rng),
                download: reference.download(&Ticket::of(conn, scheme), MOST_BYTES),
            };
            self.media.fetching.insert(fetch.id, want);
            cx.effect(Effect::Fetch(fetch));
            return true;
        }
        let online = self.ask_hosts(cx);
        if online {
            self.media.waiting.push((want, reference));
        }
        online
    }

    /// A blob is there, or it is not to be had.
    pub(super) fn fetched(
        &mut self,
        cx: &mut Cx<'_>,
        id: FetchId,
        end: Result<Fetched, FetchError>,
    ) -> Result<(), Fault> {
        match self.media.fetching.remove(&id) {
            Some(want) => self.deliver(cx, want, end),
            // Another session of this slot asked.
            None => {
                self.ignored += 1;
                Ok(())
            }
        }
    }

    /// A host of ours wants to upload or to download.
    pub(super) fn media_ticket(&mut self, cx: &mut Cx<'_>, op: OpId, renew: bool) {
        if renew {
            self.media.conn = None;
        }
        let now = cx.now.mono;
        let known = self.media.conn.as_ref().filter(|conn| conn.holds(now));
        if let Some(conn) = known {
            let ticket = Ticket::of(conn, Scheme::beside(&self.config.server.url));
            self.reply(cx, op, Ok(AnyReply::Ticket(ticket)));
        } else if self.ask_hosts(cx) {
            self.media.tickets.push(op);
        } else {
            self.reply(cx, op, Err(RequestError::NotConnected));
        }
    }

    /// The question for the hosts ended.
    pub(super) fn hosts_known(&mut self, cx: &mut Cx<'_>, end: &IqEnd) -> Result<(), Fault> {
        let now = cx.now.mono;
        let conn = end.result().and_then(|node| MediaConn::parse(node, now));
        self.media.conn = conn.clone();
        let scheme = Scheme::beside(&self.config.server.url);
        for op in std::mem::take(&mut self.media.tickets) {
            let reply = match &conn {
                Some(conn) => Ok(AnyReply::Ticket(Ticket::of(conn, scheme))),
                None => Err(RequestError::of(end).unwrap_or(RequestError::Strange)),
            };
            self.reply(cx, op, reply);
        }
        for (want, reference) in std::mem::take(&mut self.media.waiting) {
            if conn.is_some() {
                self.fetch(cx, want, reference);
            } else {
                let why = "the server names no hosts".to_owned();
                self.deliver(cx, want, Err(FetchError::Unreachable(why)))?;
            }
        }
        Ok(())
    }

    /// False without a connection.
    fn ask_hosts(&mut self, cx: &mut Cx<'_>) -> bool {
        let asked = |purpose: &Purpose| matches!(purpose, Purpose::Media);
        if self.phase != Phase::Online {
            return false;
        }
        if !self.iqs.purposes().any(asked) {
            self.ask(cx, conn::query(), Purpose::Media);
        }
        true
    }

    fn deliver(
        &mut self,
        cx: &mut Cx<'_>,
        want: Want,
        end: Result<Fetched, FetchError>,
    ) -> Result<(), Fault> {
        match &end {
            Ok(_) => self.media.counted.fetched += 1,
            Err(_) => self.media.counted.failed += 1,
        }
        match want {
            Want::AppState(collection) => self.app_state_fetched(cx, collection, end.ok().as_ref()),
            Want::History(id) => self.history_fetched(cx, &id, end),
        }
    }
}
