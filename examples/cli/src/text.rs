//! Times, names and reasons as text for people.

use sendpath_protocol::event::DisconnectReason;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::time::UnixSeconds;

use crate::args::Show;

/// How numbers and contents are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    reveal: bool,
}

impl Names {
    pub(crate) const fn new(options: &Show) -> Self {
        Self {
            reveal: options.reveal,
        }
    }

    /// An address; redacted, its last two digits tell contacts apart.
    pub(crate) fn jid(self, jid: &Jid) -> String {
        if self.reveal {
            return jid.reveal();
        }
        let user = jid.user_part();
        let end: String = user.chars().skip(user.chars().count().max(6) - 2).collect();
        format!("…{end}@{}", jid.server_part().as_str())
    }

    /// What somebody wrote.
    pub(crate) fn content(self, text: &str) -> String {
        match self.reveal {
            true => text.into(),
            false => format!("{} characters", text.chars().count()),
        }
    }
}

/// `2026-08-08 19:47:07 UTC`.
pub(crate) fn utc(at: UnixSeconds) -> String {
    let (days, second) = (at.0.div_euclid(86_400), at.0.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Year, month and day of a number of days since 1970-01-01.
///
/// Years begin in March here, so that the leap day is the last of its year; 146097 days are 400
/// years, and 153 days are five months from March on.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (400 * era + year + next, month, day)
}

/// Why a connection ended.
pub(crate) fn reason(reason: &DisconnectReason) -> String {
    match reason {
        DisconnectReason::Banned { code, until, .. } => {
            let until = until.map_or(String::new(), |until| format!(" until {}", utc(until)));
            format!("the account is banned or locked ({code}){until}")
        }
        DisconnectReason::Fault(fault) => fault.to_string(),
        DisconnectReason::Handshake(why) => format!("the server could not be trusted: {why}"),
        DisconnectReason::KeepAliveTimeout => "the server fell silent".into(),
        DisconnectReason::Network(why) => format!("no connection: {why}"),
        DisconnectReason::OutdatedClient => {
            "the server wants a newer web version than this one claims to be".into()
        }
        DisconnectReason::Replaced => "the account was connected elsewhere".into(),
        DisconnectReason::Restart => "the server asks to connect again".into(),
        DisconnectReason::Server { code: Some(code) } => format!("the server says {code}"),
        DisconnectReason::Stopped => "closed".into(),
        DisconnectReason::Unlinked { .. } => "the phone has removed this device".into(),
        _ => "the server closed the connection".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_calendar_dates_in_utc() {
        for (at, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_786_218_427, "2026-08-08 19:47:07 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
        ] {
            assert_eq!(utc(UnixSeconds(at)), text);
        }
    }

    #[test]
    fn short_names_are_redacted_completely() {
        let names = Names { reveal: false };
        assert_eq!(names.jid(&Jid::pn("12")), "…@s.whatsapp.net");
        assert_eq!(names.jid(&Jid::lid("100000000000042")), "…42@lid");
    }
}
