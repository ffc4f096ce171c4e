//! `<ib>`: announcements of the server that expect no answer by id.
//!
//! ```text
//! <ib><offline_preview count/> | <offline/> | <dirty type timestamp/> | <edge_routing><routing_info/>
//!     | <client_expiration [t]/> | <downgrade_webclient/> | others </ib>
//! ```
//! Source: spec 1.3, 6.5 and 6.9. Others are telemetry and notices to show; they change nothing here.

use crate::effect::Reconnect;
use crate::error::Fault;
use crate::event::{DisconnectReason, Event};
use crate::jid::Jid;
use crate::session::{Purpose, Session};
use crate::stream::offline;
use crate::time::UnixSeconds;
use crate::txn::Cx;
use crate::wap::Node;
use crate::{devices, groups};

/// Longer routing bytes do not fit into a frame's header (spec 1.3).
const MOST_ROUTING: usize = (1 << 24) - 1;

/// Connections in a row that did not come up with routing bytes, until they are dropped.
const ROUTING_FAILURES: u8 = 2;

impl Session {
    pub(super) fn info(&mut self, cx: &mut Cx<'_>, info: &Node) -> Result<(), Fault> {
        for child in info.nodes() {
            match &*child.tag {
                "client_expiration" => cx.effect(Event::ClientExpires {
                    at: child.number("t").map(UnixSeconds),
                }),
                "dirty" => self.dirty(cx, child)?,
                "downgrade_webclient" => {
                    let reason = DisconnectReason::NotMultiDevice;
                    return self.disconnect(cx, reason, Reconnect::Stop);
                }
                "edge_routing" => self.routed(cx, child),
                "offline" => self.offline_ended(cx)?,
                "offline_preview" if self.offline_queue.announced(child, cx.now.mono) => {
                    self.backlog(cx, true);
                    self.transmit(cx, &offline::batch());
                }
                "offline_preview" => self.offline_ended(cx)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes for the next connection.
    fn routed(&mut self, cx: &mut Cx<'_>, routing: &Node) {
        let bytes = routing.find("routing_info").and_then(Node::payload);
        let usable = |bytes: &&[u8]| (1..=MOST_ROUTING).contains(&bytes.len());
        let routing = bytes.filter(usable).map(<[u8]>::to_vec);
        if self.device.routing != routing {
            self.device.routing = routing;
            self.save_device(cx);
        }
    }

    /// A connection did not come up. Routing may be why: it leads to a place that is no more.
    pub(super) fn routing_failed(&mut self, cx: &mut Cx<'_>) {
        if self.device.routing.is_none() {
            return;
        }
        self.routing_failures += 1;
        if self.routing_failures >= ROUTING_FAILURES {
            self.routing_failures = 0;
            self.device.routing = None;
            self.save_device(cx);
        }
    }

    /// The server marked what changed while it did not tell us; the mark goes when we know it.
    fn dirty(&mut self, cx: &mut Cx<'_>, dirty: &Node) -> Result<(), Fault> {
        let Some(kind) = dirty.text("type") else {
            return Ok(());
        };
        let kind = kind.into_owned();
        match &*kind {
            // Nobody knows what changed: it is asked for when it is needed next.
            "account_sync" => {
                self.requests.privacy_changed();
                for own in self.own_names() {
                    let own = self.canonical(cx, &own)?;
                    devices::forget(&mut cx.txn, &self.slot, &own);
                }
            }
            "groups" => groups::doubt_all(&mut cx.txn, &self.slot)?,
            _ => {}
        }
        let app_state = kind == "syncd_app_state";
        let clean = Node::new("clean")
            .attr("type", kind)
            .maybe("timestamp", dirty.text("timestamp").map(|t| t.into_owned()));
        let request = Node::new("iq")
            .attr("xmlns", "urn:xmpp:whatsapp:dirty")
            .attr("type", "set")
            .jid("to", Jid::whatsapp())
            .child(clean);
        if app_state {
            return self.app_state.dirty(cx, &self.slot, request);
        }
        self.ask(cx, request, Purpose::Ping);
        Ok(())
    }
}
