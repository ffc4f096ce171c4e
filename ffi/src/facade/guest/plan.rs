//! What a message carries, flat; and the rows of hosts whose library sees only rows.

use sendpath_protocol::account::Inquiry;
use sendpath_protocol::guest::{GuestPlan, Row};
use sendpath_protocol::limits::gate::RecipientHint;
use sendpath_protocol::nct::NoCstoken;
use sendpath_protocol::secret::SecretBytes;
use sendpath_protocol::tctoken::Attach;
use sendpath_protocol::tctoken::policy::{Freshness, MessageKind};
use sendpath_protocol::time::UnixSeconds;
use sendpath_protocol::verdict::WhyNot;

use super::{Guest, address};
use crate::facade::error::Error;
use crate::facade::limits::Limits;
use crate::facade::questions::{self, Asked, CanSend, Explanation};

/// Which element a message carries to open the chat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[repr(i32)]
pub enum AttachKind {
    /// None.
    Nothing = 0,
    /// `<tctoken>`: the contact's token.
    Tctoken = 1,
    /// `<cstoken>`: the account's own proof.
    Cstoken = 2,
}

impl AttachKind {
    /// The stable word; for an element its tag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Tctoken => "tctoken",
            Self::Cstoken => "cstoken",
        }
    }
}

/// The decision for one message.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Plan {
    /// Which element it carries.
    pub attach: AttachKind,
    /// The content of the element; empty for `Nothing`.
    pub bytes: SecretBytes,
    /// The time stamp of the contact's token.
    pub token_time: Option<UnixSeconds>,
    /// The server has not said yet how old a token may be, and this one may be too old. Worth a short
    /// wait for the props, if the host can.
    pub ambiguous: bool,
    /// Why no tctoken, as a word: `expired`, `gate_off`, `never_received`, `not_eligible`,
    /// `store_error`.
    pub no_tctoken: Option<&'static str>,
    /// Why not even a cstoken, as a word: `gate_off`, `no_lid`, `no_salt`, `not_eligible`,
    /// `store_error`.
    pub no_cstoken: Option<&'static str>,
    /// Why the message must not leave; `None` when it may.
    pub refusal: Option<Error>,
}

impl Guest {
    /// What a message to `to` carries, and whether it may leave. Asks nobody; answered from memory
    /// for contacts that were asked about lately. A store that fails costs the token only.
    ///
    /// # Errors
    /// `BadAddress`, `Closed`, `Forked`, `WouldDeadlock`.
    pub fn plan(&self, to: &str, kind: MessageKind, hint: RecipientHint) -> Result<Plan, Error> {
        let to = address(to)?;
        self.with(|machine, events| {
            let (now, store) = (machine.now(), machine.store().clone());
            Ok(match machine.guest(events) {
                Some(guest) => guest.plan(now, &store, &to, kind, hint).into(),
                None => Plan::without_store(),
            })
        })
    }

    /// Whether messages to these may be sent, by what is known here. `to` as in [`Guest::plan`].
    ///
    /// # Errors
    /// `BadAddress`, `Closed`, `Forked`, `WouldDeadlock`, what the store says.
    pub fn can_send(&self, to: &[&str], hint: RecipientHint) -> Result<Vec<CanSend>, Error> {
        self.ask(&questions::can_send(to, hint)?)
    }

    /// What happened with a contact, and what is known about it.
    ///
    /// # Errors
    /// As [`Guest::can_send`].
    pub fn explain(&self, to: &str) -> Result<Explanation, Error> {
        self.ask(&questions::explain(to)?)
    }

    /// The limits of the account, with when and from whom each is known.
    ///
    /// # Errors
    /// As [`Guest::can_send`].
    pub fn limits(&self) -> Result<Limits, Error> {
        self.ask(&Inquiry::Limits)
    }

    fn ask<A: Asked>(&self, inquiry: &Inquiry) -> Result<A, Error> {
        self.with(|machine, events| {
            let (now, store) = (machine.now(), machine.store().clone());
            A::of(machine.live(events)?.ask(now, &store, inquiry)?)
        })
    }

    /// The row of a contact as the host's library must see it; `None` for no row.
    ///
    /// # Errors
    /// `BadAddress`, `Closed`, `Forked`, `WouldDeadlock`, what the store says.
    pub fn row_get(&self, peer: &str) -> Result<Option<Row>, Error> {
        let peer = address(peer)?;
        self.with(|machine, events| {
            let (now, store) = (machine.now(), machine.store().clone());
            Ok(machine.live(events)?.row(now, &store, &peer)?)
        })
    }

    /// The salt as the host's library must see it; `None` when no cstoken may be sent.
    ///
    /// # Errors
    /// `Closed`, `Forked`, `WouldDeadlock`, what the store says.
    pub fn salt_get(&self) -> Result<Option<SecretBytes>, Error> {
        self.with(|machine, events| {
            let store = machine.store().clone();
            Ok(machine.live(events)?.salt_row(&store)?)
        })
    }
}

impl Plan {
    fn of(attach: Attach) -> Self {
        let plan = Self {
            attach: AttachKind::Nothing,
            bytes: SecretBytes::default(),
            token_time: None,
            ambiguous: false,
            no_tctoken: None,
            no_cstoken: None,
            refusal: None,
        };
        match attach {
            Attach::Cstoken { bytes, instead_of } => Self {
                attach: AttachKind::Cstoken,
                bytes: SecretBytes::new(bytes.to_vec()),
                no_tctoken: Some(why_not(instead_of)),
                ..plan
            },
            Attach::Nothing { token, cstoken } => Self {
                no_tctoken: Some(why_not(token)),
                no_cstoken: Some(why_no_cstoken(cstoken)),
                ..plan
            },
            Attach::Tctoken {
                bytes,
                t,
                freshness,
                ..
            } => Self {
                attach: AttachKind::Tctoken,
                bytes,
                token_time: Some(t),
                ambiguous: freshness == Freshness::Ambiguous,
                ..plan
            },
        }
    }

    fn without_store() -> Self {
        Self::of(Attach::Nothing {
            token: WhyNot::StoreError,
            cstoken: NoCstoken::StoreError,
        })
    }
}

impl From<GuestPlan> for Plan {
    fn from(plan: GuestPlan) -> Self {
        Self {
            refusal: plan.refusal.map(Into::into),
            ..Self::of(plan.attach)
        }
    }
}

const fn why_not(why: WhyNot) -> &'static str {
    match why {
        WhyNot::Expired { .. } => "expired",
        WhyNot::NeverReceived => "never_received",
        WhyNot::NotEligible => "not_eligible",
        WhyNot::GateOff => "gate_off",
        WhyNot::StoreError => "store_error",
        _ => "other",
    }
}

const fn why_no_cstoken(why: NoCstoken) -> &'static str {
    match why {
        NoCstoken::GateOff => "gate_off",
        NoCstoken::NoLid => "no_lid",
        NoCstoken::NoSalt => "no_salt",
        NoCstoken::NotEligible => "not_eligible",
        NoCstoken::StoreError => "store_error",
        _ => "other",
    }
}
