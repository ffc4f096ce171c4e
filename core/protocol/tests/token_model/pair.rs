//! One operation on the machine and on the model, inside of a step.

use sendpath_protocol::error::Fault;
use sendpath_protocol::nct::{self, NoCstoken};
use sendpath_protocol::peer::{Names, PeerKey};
use sendpath_protocol::secret::SecretBytes;
use sendpath_protocol::tctoken::issue::{IqEnd, Issue};
use sendpath_protocol::tctoken::policy::{Freshness, MessageKind};
use sendpath_protocol::tctoken::stanza::Notification;
use sendpath_protocol::tctoken::{Attach, HistoryEntry, TokenEvidence, Tokens};
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::txn::Cx;
use sendpath_protocol::verdict::{Attached, WhyNot};
use sendpath_protocol::wap::Node;

use crate::model::{Both, Carried, Given, Model, Name, NoSalt, Why};
use crate::ops::{Addr, Op, Tok};
use crate::world::{Sent, key, name_of, token_props};

/// The machine and the model, inside of a step.
pub(crate) struct Pair<'a> {
    pub(crate) tokens: &'a mut Tokens,
    pub(crate) model: &'a mut Model,
}

impl Pair<'_> {
    pub(crate) fn apply(&mut self, cx: &mut Cx<'_>, op: &Op) -> Result<Vec<Issue>, Fault> {
        let now = UnixSeconds(self.model.now);
        match op {
            Op::Cancel(to) => {
                self.tokens.cancel(&to.jid(), &self.names(*to));
                let names = to.person().map(|name| self.model.known(name));
                for name in names.into_iter().flat_map(Both::each) {
                    self.model.pacing.cancel(name);
                }
            }
            Op::History {
                of,
                token,
                t,
                sender_t,
            } => {
                let entry = HistoryEntry {
                    token: token.clone().map(SecretBytes::new),
                    t: Some(*t),
                    sender_t: Some(*sender_t),
                };
                let chunk = [(self.names(*of), entry)];
                self.tokens.receive_chunk(cx, chunk, now)?;
                match of.contact().map(|name| self.model.known(name)) {
                    Some(names) => self.model.history(names, token.as_deref(), *t, *sender_t),
                    None => self.model.counted.not_a_contact += 1,
                }
            }
            Op::Hold(held) => {
                self.tokens.hold_issues(*held);
                self.model.pacing.held = *held;
            }
            Op::Identity(of) => return Ok(self.identity(cx, *of)),
            Op::Jump(seconds) => self.model.now += seconds,
            Op::Learn { pn, lid } => {
                let (pn_key, lid_key) = (key(Name::Pn(*pn)), key(Name::Lid(*lid)));
                self.tokens.mapping_learned(cx, &pn_key, &lid_key)?;
                self.model.learn(Name::Pn(*pn), Name::Lid(*lid));
                self.model.map(*pn, *lid);
            }
            Op::Map { pn, lid } => self.model.map(*pn, *lid),
            Op::Notify {
                from,
                sender_lid,
                tokens,
            } => {
                self.notify(cx, *from, *sender_lid, tokens)?;
            }
            Op::Pass(ms) => {
                self.model.mono += ms;
                self.model.now += i64::try_from(*ms / 1_000).unwrap();
            }
            Op::Props(props) => {
                self.tokens.set_props(token_props(*props));
                self.model.props = *props;
            }
            Op::Salt(salt) => self.salt(cx, salt.as_deref())?,
            Op::SaltOfHistory(salt) => {
                nct::backfill(cx, self.tokens.scope(), SecretBytes::new(salt.clone()))?;
                self.model.salt_of_history(salt);
            }
            Op::Stop => {
                self.tokens.stop();
                self.model.pacing.stop();
            }
            Op::Tick => {
                let issues = self.tokens.tick(cx.now.mono);
                return Ok(self.leave(issues));
            }
            other => panic!("{other:?} is not for here"),
        }
        Ok(Vec::new())
    }

    /// What a message to `to` carries, compared.
    pub(crate) fn attach(&mut self, cx: &Cx<'_>, to: Addr, kind: MessageKind) -> Attach {
        let now = UnixSeconds(self.model.now);
        let names = self.names(to);
        let attach = self.tokens.attach(&cx.txn, &to.jid(), &names, kind, now);
        let contact = to.contact().filter(|_| kind != MessageKind::Peer);
        let contact = contact.map(|name| self.model.known(name));
        self.compare(&attach, &self.model.carried(contact), to);
        self.model.counted.failed_reads += u64::from(self.model.blind && contact.is_some());
        attach
    }

    /// What else can be asked about a contact's row, compared.
    pub(crate) fn row(&mut self, cx: &Cx<'_>, name: Name) -> Result<(), Fault> {
        let names = self.names(Addr::Person(name, 0));
        let expected = self.model.view(self.model.known(name));
        let issued = self.tokens.issued_at(&cx.txn, &names)?;
        assert_eq!(issued.map(|t| t.0), expected.sender_t, "issue to {name:?}");
        let stored = expected.token.map(|token| token.bytes);
        for bytes in [b"A", b"B"] {
            let token = SecretBytes::new(bytes.to_vec());
            let holds = self.tokens.holds(&cx.txn, &names, &token)?;
            assert_eq!(holds, stored.as_deref() == Some(bytes), "token of {name:?}");
        }
        Ok(())
    }

    fn compare(&self, attach: &Attach, expected: &Carried, to: Addr) {
        let same = match (attach, expected) {
            (Attach::Nothing { token, cstoken }, Carried::NotEligible) => {
                (token, cstoken) == (&WhyNot::NotEligible, &NoCstoken::NotEligible)
            }
            (Attach::Nothing { token, cstoken }, Carried::Nothing(why, no_salt)) => {
                *token == why_not(*why) && *cstoken == no_cstoken(*no_salt)
            }
            (Attach::Cstoken { bytes, instead_of }, Carried::Cstoken { salt, lid, why }) => {
                let salt = SecretBytes::new(salt.clone());
                *instead_of == why_not(*why) && nct::cstoken(&salt, &key(*lid)) == Some(*bytes)
            }
            (
                Attach::Tctoken {
                    bytes,
                    t,
                    freshness,
                    ..
                },
                Carried::Token {
                    bytes: expected,
                    t: of,
                    ambiguous,
                },
            ) => {
                let ambiguous = if *ambiguous {
                    Freshness::Ambiguous
                } else {
                    Freshness::Fresh
                };
                bytes.expose() == expected && t.0 == *of && *freshness == ambiguous
            }
            _ => false,
        };
        assert!(
            same,
            "a message to {to:?} carries {attach:?}, not {expected:?}"
        );
    }

    pub(crate) fn send(
        &mut self,
        cx: &mut Cx<'_>,
        to: Addr,
        kind: MessageKind,
    ) -> (Sent, Vec<Issue>) {
        let built = self.model.now;
        let attached = self.attach(cx, to, kind).summary();
        let names = self.names(to);
        let issues = self
            .tokens
            .sent(cx, &to.jid(), &names, kind, UnixSeconds(built));
        // "message is not a protocol message", "recipient regular user"
        if let Some(name) = to.contact().filter(|_| kind == MessageKind::Content) {
            self.model.sent(self.model.known(name));
        }
        (
            Sent {
                to,
                attached,
                built,
            },
            self.leave(issues),
        )
    }

    pub(crate) fn end(
        &mut self,
        cx: &mut Cx<'_>,
        (name, t): (Name, i64),
        end: IqEnd,
    ) -> Result<Vec<Issue>, Fault> {
        let now = cx.now.unix();
        let issues = self
            .tokens
            .iq_result(cx, &key(name), UnixSeconds(t), end, now)?;
        let end = match end {
            IqEnd::Ok => Ok(()),
            IqEnd::Error(code) => Err(Some(code)),
            IqEnd::Disconnected | IqEnd::Timeout => Err(None),
        };
        self.model.ended(name, t, end);
        Ok(self.leave(issues))
    }

    pub(crate) fn refused(&mut self, cx: &mut Cx<'_>, sent: &Sent) -> Result<(), Fault> {
        let (Attached::Tctoken { t }, Some(name)) = (sent.attached, sent.to.contact()) else {
            return Ok(());
        };
        let names = self.names(sent.to);
        self.tokens.token_refused(cx, &sent.to.jid(), &names, t)?;
        self.model.refused(self.model.known(name), t.0);
        Ok(())
    }

    pub(crate) fn evidence(&mut self, cx: &Cx<'_>, sent: &Sent) -> Result<(), Fault> {
        let (jid, names) = (sent.to.jid(), self.names(sent.to));
        let message = (sent.attached, UnixSeconds(sent.built));
        let now = UnixSeconds(self.model.now);
        let found = self.tokens.evidence(&cx.txn, &jid, &names, message, now)?;
        let carried = match sent.attached {
            Attached::Tctoken { t } => Some(t.0),
            _ => None,
        };
        let contact = sent.to.contact().map(|name| self.model.known(name));
        let (arrived_late, was_unused) = contact.map_or((false, false), |names| {
            self.model.evidence(names, carried, sent.built)
        });
        let expected = TokenEvidence {
            arrived_late,
            was_unused,
        };
        assert_eq!(found, expected, "evidence of a message to {:?}", sent.to);
        Ok(())
    }

    fn identity(&mut self, cx: &Cx<'_>, of: Addr) -> Vec<Issue> {
        let names = self.names(of);
        let now = UnixSeconds(self.model.now);
        let issues = self.tokens.identity_changed(cx, &of.jid(), &names, now);
        // "from device 0, not self"
        if let (Addr::Person(_, 0), Some(name)) = (of, of.contact()) {
            self.model.identity_changed(self.model.known(name));
        }
        self.leave(issues)
    }

    fn notify(
        &mut self,
        cx: &mut Cx<'_>,
        from: Addr,
        sender_lid: Option<Addr>,
        tokens: &[Tok],
    ) -> Result<(), Fault> {
        let mut node = Node::new("notification")
            .attr("type", "privacy_token")
            .jid("from", from.jid())
            .child(Node::new("tokens").children(tokens.iter().map(element)));
        if let Some(lid) = sender_lid {
            node = node.jid("sender_lid", lid.jid());
        }
        let known = self.names(from);
        let now = UnixSeconds(self.model.now);
        self.tokens
            .receive(cx, Notification::parse(&node), &known, now)?;
        let lid = sender_lid.and_then(Addr::person);
        let lid = lid.filter(|name| matches!(name, Name::Lid(_)));
        let counted = &mut self.model.counted;
        let given: Vec<Given> = tokens.iter().filter_map(|t| t.given(counted)).collect();
        let stranger = matches!(from, Addr::Stranger(_));
        self.model.notified(from.person(), stranger, lid, &given);
        Ok(())
    }

    fn salt(&mut self, cx: &mut Cx<'_>, salt: Option<&[u8]>) -> Result<(), Fault> {
        let scope = self.tokens.scope();
        match salt {
            Some(salt) => nct::set(cx, scope, SecretBytes::new(salt.to_vec()))?,
            None => nct::clear(cx, scope)?,
        };
        self.model.salt_of_app_state(salt);
        Ok(())
    }

    /// Checks the IQs that the machine hands out, and that it keeps none back without a reason.
    fn leave(&mut self, issues: Vec<Issue>) -> Vec<Issue> {
        let mono = self.model.mono;
        for issue in &issues {
            let target = PeerKey::of(&issue.target).unwrap();
            assert_eq!(issue.target.device_part(), 0);
            let issue = (name_of(&issue.peer), name_of(&target), issue.t.0);
            self.model.pacing.leaves(issue, mono);
        }
        let kept_back = self.model.pacing.next().is_some_and(|at| at <= mono);
        assert!(
            !kept_back,
            "an issue does not leave: {:?}",
            self.model.pacing
        );
        issues
    }

    /// What a caller knows about the names behind an address: what its LID map says.
    fn names(&self, addr: Addr) -> Names {
        let both = addr.person().map(|name| self.model.known(name));
        let names = both.into_iter().flat_map(Both::each);
        names.fold(Names::default(), |names, name| names.including(key(name)))
    }
}

fn element(token: &Tok) -> Node {
    let mut node = Node::new("token").attr("type", token.kind);
    if let Some(t) = &token.t {
        node = node.attr("t", t.clone());
    }
    if let Some(target) = token.target {
        node = node.jid("jid", target.jid());
    }
    match &token.bytes {
        Some(bytes) => node.bytes(bytes.clone()),
        None => node,
    }
}

fn why_not(why: Why) -> WhyNot {
    match why {
        Why::Never => WhyNot::NeverReceived,
        Why::Expired(t) => WhyNot::Expired { t: UnixSeconds(t) },
        Why::Unreadable => WhyNot::StoreError,
    }
}

fn no_cstoken(why: NoSalt) -> NoCstoken {
    match why {
        NoSalt::Gate => NoCstoken::GateOff,
        NoSalt::Lid => NoCstoken::NoLid,
        NoSalt::Salt => NoCstoken::NoSalt,
        NoSalt::Unreadable => NoCstoken::StoreError,
    }
}
