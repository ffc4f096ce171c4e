//! How long messages stay.
//!
//! ```text
//! <iq xmlns="disappearing_mode" type="set" to="s.whatsapp.net"><disappearing_mode duration/></iq>
//! <iq xmlns="w:g2" type="set" to=group><ephemeral expiration/> | <not_ephemeral/></iq>
//! ```
//! The timer of a chat with one person is a message: [`Body::Timer`](crate::content::draft::Body).

use crate::jid::Jid;
use crate::wap::Node;

/// Set how long messages stay.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SetTimer {
    /// Where.
    pub of: TimerOf,
    /// For how many seconds: a day, a week or 90 days; 0 for ever. The server refuses others.
    pub seconds: u32,
}

/// Whose messages.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TimerOf {
    /// Those of chats that begin from now on.
    Account,
    /// Those of a group.
    Group(Jid),
}

impl SetTimer {
    /// The question, without an id.
    pub(crate) fn query(&self) -> Node {
        let set = |xmlns: &'static str, to: Jid, child: Node| {
            Node::new("iq")
                .attr("xmlns", xmlns)
                .attr("type", "set")
                .jid("to", to)
                .child(child)
        };
        match &self.of {
            TimerOf::Account => set(
                "disappearing_mode",
                Jid::whatsapp(),
                Node::new("disappearing_mode").num("duration", self.seconds),
            ),
            TimerOf::Group(group) => {
                let child = match self.seconds {
                    0 => Node::new("not_ephemeral"),
                    seconds => Node::new("ephemeral").num("expiration", seconds),
                };
                set("w:g2", group.clone(), child)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_keeps_messages_is_told_so_by_another_name() {
        let group: Jid = "1@g.us".parse().unwrap();
        let query = |of, seconds| SetTimer { of, seconds }.query();
        let day = query(TimerOf::Group(group.clone()), 86_400);
        assert!(day.is("to", "1@g.us") && day.is("xmlns", "w:g2") && day.is("type", "set"));
        assert!(day.find("ephemeral").unwrap().is("expiration", "86400"));
        let ever = query(TimerOf::Group(group), 0);
        assert!(ever.find("not_ephemeral").is_some() && ever.find("ephemeral").is_none());
        let account = query(TimerOf::Account, 0);
        assert!(account.is("xmlns", "disappearing_mode") && account.is("to", "s.whatsapp.net"));
        assert!(
            account
                .find("disappearing_mode")
                .unwrap()
                .is("duration", "0")
        );
    }
}
