//! What the driver needs of a session and of a Noise link; nothing else of them is known here.

use sendpath_protocol::account::{Answer, Inquiry};
use sendpath_protocol::error::{Fault, StoreError};
use sendpath_protocol::noise::{self, LinkError, LinkOutput};
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::session::{Input, Session, SessionConfig, Status};
use sendpath_protocol::time::{Mono, Now, UnixSeconds};
use sendpath_protocol::txn::{Reader, Scope, Step};

/// A session.
pub(crate) trait Machine {
    fn handle(
        &mut self,
        now: Now,
        rng: &mut dyn Entropy,
        reader: &dyn Reader,
        input: Input,
    ) -> Result<Step, Fault>;

    fn link(&self, rng: &mut dyn Entropy) -> (Box<dyn Link>, Vec<u8>);

    fn deadline(&self) -> Option<Mono>;

    fn status(&self) -> Status;

    fn ask_account(
        &mut self,
        now: Now,
        reader: &dyn Reader,
        inquiry: &Inquiry,
    ) -> Result<Option<Answer>, StoreError>;

    /// The scope that sessions of one account share; `None` before pairing.
    fn account_scope(&self) -> Option<&Scope>;
}

/// Opens the session of a slot.
pub(crate) type Open = fn(
    &str,
    SessionConfig,
    Now,
    &mut dyn Entropy,
    &dyn Reader,
) -> Result<(Box<dyn Machine>, Step), Fault>;

/// The encryption of one connection.
pub(crate) trait Link {
    fn receive(&mut self, now: UnixSeconds, bytes: &[u8]) -> Result<Vec<LinkOutput>, LinkError>;

    fn seal(&mut self, stanza: &[u8]) -> Result<Vec<u8>, LinkError>;
}

/// [`Open`] for a [`Session`].
pub(crate) const OPEN: Open = |name, config, now, rng, reader| {
    let (session, step) = Session::open(name, config, now, rng, reader)?;
    Ok((Box::new(session), step))
};

impl Machine for Session {
    fn handle(
        &mut self,
        now: Now,
        rng: &mut dyn Entropy,
        reader: &dyn Reader,
        input: Input,
    ) -> Result<Step, Fault> {
        Self::handle(self, now, rng, reader, input)
    }

    fn link(&self, rng: &mut dyn Entropy) -> (Box<dyn Link>, Vec<u8>) {
        let (link, first) = Self::link(self, rng);
        (Box::new(link), first)
    }

    fn deadline(&self) -> Option<Mono> {
        Self::deadline(self)
    }

    fn status(&self) -> Status {
        Self::status(self)
    }

    fn ask_account(
        &mut self,
        now: Now,
        reader: &dyn Reader,
        inquiry: &Inquiry,
    ) -> Result<Option<Answer>, StoreError> {
        Self::ask_account(self, now, reader, inquiry)
    }

    fn account_scope(&self) -> Option<&Scope> {
        Self::account_scope(self)
    }
}

impl Link for noise::Link {
    fn receive(&mut self, now: UnixSeconds, bytes: &[u8]) -> Result<Vec<LinkOutput>, LinkError> {
        Self::receive(self, now, bytes)
    }

    fn seal(&mut self, stanza: &[u8]) -> Result<Vec<u8>, LinkError> {
        Self::seal(self, stanza)
    }
}
