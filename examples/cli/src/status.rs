//! `status`: what is stored, without a connection.

use std::error::Error;
use std::io::Write;

use crate::Exit;
use crate::args::Show;
use crate::open::Opened;
use crate::text::Names;

pub(crate) fn run(
    opened: &Opened,
    options: &Show,
    out: &mut impl Write,
) -> Result<Exit, Box<dyn Error>> {
    let status = opened.account.status()?;
    if let Some(fault) = status.fault {
        return Err(fault.into());
    }
    let session = status.session.ok_or("the account is not open")?;
    let names = Names::new(options);
    match &session.jid {
        Some(jid) => writeln!(out, "linked: {}", names.jid(jid))?,
        None => writeln!(out, "linked: no; run `sendpath pair`")?,
    }
    if let Some(lid) = &session.lid {
        writeln!(out, "lid: {}", names.jid(lid))?;
    }
    writeln!(out, "messages without an answer: {}", session.outbox)?;
    Ok(Exit::Done)
}
