//! Numbers of the host, batch by batch: never two questions of one request at a time, none while
//! the server wants a pause.

use std::collections::VecDeque;

use crate::effect::OpId;
use crate::error::Fault;
use crate::request::{AnyReply, Registration, RequestError, Resolve, Resolved};
use crate::session::requests::Asked;
use crate::session::{Purpose, Session};
use crate::stream::iq::IqEnd;
use crate::txn::Cx;
use crate::usync;

/// A request under way.
#[derive(Debug)]
pub(super) struct Resolving {
    op: OpId,
    /// Asked for, without an answer.
    batch: Vec<String>,
    left: VecDeque<String>,
    found: Vec<Resolved>,
}

impl Session {
    pub(super) fn resolve(&mut self, cx: &mut Cx<'_>, op: OpId, resolve: Resolve) {
        let resolving = Resolving {
            op,
            batch: Vec::new(),
            left: resolve.into_numbers().into(),
            found: Vec::new(),
        };
        self.resolve_on(cx, resolving);
    }

    /// Asks for the next batch; ends the request when there is none.
    fn resolve_on(&mut self, cx: &mut Cx<'_>, mut resolving: Resolving) {
        let op = resolving.op;
        if resolving.left.is_empty() {
            self.reply(cx, op, Ok(AnyReply::Resolved(resolving.found)));
            return;
        }
        if let Some(seconds) = self.requests.pause.left(cx.now.mono) {
            let refused = RequestError::Refused {
                code: 429,
                backoff: Some(seconds),
            };
            self.reply(cx, op, Err(refused));
            return;
        }
        let size = resolving.left.len().min(usync::BATCH);
        resolving.batch = resolving.left.drain(..size).collect();
        let numbers: Vec<&str> = resolving.batch.iter().map(String::as_str).collect();
        let queries = usync::lid_queries(cx.rng, &numbers);
        self.requests.resolving.push(resolving);
        for query in queries {
            self.ask(cx, query, Purpose::Request(Asked::Resolve(op)));
        }
    }

    /// A batch was answered.
    pub(super) fn batch_resolved(
        &mut self,
        cx: &mut Cx<'_>,
        op: OpId,
        end: &IqEnd,
    ) -> Result<(), Fault> {
        let under_way = &mut self.requests.resolving;
        let Some(at) = under_way.iter().position(|resolving| resolving.op == op) else {
            return Ok(());
        };
        let mut resolving = under_way.swap_remove(at);
        let answer = end.result().and_then(usync::Answer::parse);
        let Some(answer) = answer else {
            let error = RequestError::of(end).unwrap_or(RequestError::Strange);
            let error = self.paused_by(cx, error);
            self.reply(cx, op, Err(error));
            return Ok(());
        };
        self.learn_from_usync(cx, Some(&answer))?;
        if let Some(failed) = answer.error("contact") {
            let refused = RequestError::Refused {
                code: failed.code.unwrap_or(0),
                backoff: failed.backoff,
            };
            let error = self.paused_by(cx, refused);
            self.reply(cx, op, Err(error));
            return Ok(());
        }
        self.requests.pause.end();
        for number in std::mem::take(&mut resolving.batch) {
            let mut registration = Registration::of(&answer, &number);
            if let Registration::Registered { pn, lid } = &mut registration
                && lid.is_none()
            {
                *lid = self.lid_of(cx, pn)?;
            }
            resolving.found.push(Resolved {
                number,
                registration,
            });
        }
        if self.requests.is_open(op) {
            self.resolve_on(cx, resolving);
        }
        Ok(())
    }

    /// Begins the pause that the server wants, and says how long it is.
    fn paused_by(&mut self, cx: &mut Cx<'_>, error: RequestError) -> RequestError {
        let RequestError::Refused { code: 429, backoff } = error else {
            return error;
        };
        let wait = self.requests.pause.begin(cx.now.mono, backoff, cx.rng);
        let seconds = u32::try_from(wait.0.div_ceil(1000)).unwrap_or(u32::MAX);
        RequestError::Refused {
            code: 429,
            backoff: Some(seconds),
        }
    }
}
