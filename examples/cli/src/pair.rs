//! `pair`: shows codes until the phone has scanned one, then logs in.

use std::error::Error;
use std::io::{self, IsTerminal, Write};

use sendpath_engine::AccountEvent;
use sendpath_protocol::event::{DisconnectReason, Event, PairFailure};

use crate::args::Pair;
use crate::open::Opened;
use crate::text::{self, Names};
use crate::{Exit, qr};

pub(crate) fn run(
    opened: &Opened,
    options: &Pair,
    out: &mut impl Write,
) -> Result<Exit, Box<dyn Error>> {
    if opened.is_linked()? {
        writeln!(out, "already linked; `sendpath status` tells more")?;
        return Ok(Exit::Done);
    }
    let mut events = opened.connect()?;
    loop {
        let AccountEvent::Event(event) = events.next()? else {
            continue;
        };
        match event {
            Event::PairQr { text, seconds } => show(&text, seconds, options, out)?,
            Event::Paired { jid, .. } => {
                let jid = Names::new(&options.show).jid(&jid);
                writeln!(out, "accepted by the phone as {jid}; logging in")?;
            }
            Event::Connected => break,
            Event::PairFailed { reason } => return Err(failure(reason).into()),
            // Each link ends with a restart.
            Event::Disconnected { reason } if reason != DisconnectReason::Restart => {
                writeln!(io::stderr(), "sendpath: {}", text::reason(&reason))?;
            }
            _ => {}
        }
        out.flush()?;
    }
    writeln!(out, "linked")?;
    out.flush()?;
    events.pass(options.stay)?;
    Ok(Exit::Done)
}

fn show(
    code: &str,
    seconds: u32,
    options: &Pair,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    write!(out, "{}", qr::draw(code, io::stdout().is_terminal())?)?;
    writeln!(
        out,
        "scan within {seconds} s: Settings, Linked devices, Link a device"
    )?;
    if options.qr_text {
        writeln!(out, "code: {code}")?;
    }
    Ok(())
}

const fn failure(reason: PairFailure) -> &'static str {
    match reason {
        PairFailure::HmacMismatch => "the phone's answer does not belong to the code shown here",
        PairFailure::QrTimeout => "nobody scanned a code",
        PairFailure::SignatureMismatch => "the account's signature is wrong",
        _ => "the server's answer could not be read",
    }
}
