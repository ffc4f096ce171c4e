//! The server's switches and numbers ("AB props"), as far as sending needs them.
//!
//! ```text
//! -> <iq xmlns="abt" type="get" to="s.whatsapp.net"><props protocol="1" [hash] [refresh_id]/></iq>
//! <- <iq type="result"><props ..><prop config_code="909" config_value="26"/>..</props></iq>
//! <- <notification type="server"><abprops/></notification>                     ask again
//! ```
//!
//! They belong to the account and survive a restart, so that the first message already knows how long
//! tokens are valid (spec: "fetch"; whatsapp-rust, zapo, Baileys). `record` is the stored set, `codes`
//! what the values mean, `fetch` when to ask.

mod codes;
mod fetch;
mod record;

use crate::error::StoreError;
use crate::jid::Jid;
use crate::limits::capping::CappingProps;
use crate::tctoken::policy::TokenProps;
use crate::time::{Millis, Mono, UnixSeconds};
use crate::txn::{Cx, Kept, Scope, Txn};
use crate::wap::Node;
use fetch::Fetch;

pub use codes::{Code, Gates, MAX_VALUE};
pub use fetch::{BACKOFF_FIRST, BACKOFF_MAX};
pub use record::PropsRecord;

/// How long a message may wait for the first props of an account when they decide whether its token
/// is too old. Longer is noticed by people who wait for the message to leave; shorter gives up on
/// slow links and sends a token that the server may refuse.
pub const WAIT: Millis = Millis::from_secs(5);

const ROW: &str = "props";

/// Whether a notification says that the props changed: call [`Props::notified`].
pub fn is_update(notification: &Node) -> bool {
    notification.is("type", "server") && notification.find("abprops").is_some()
}

/// The props of one account.
#[derive(Debug)]
pub struct Props {
    row: Kept<PropsRecord>,
    fetch: Fetch,
    ignored: u64,
}

impl Props {
    /// The set as stored; a damaged row counts as none.
    ///
    /// # Errors
    /// What the store says.
    pub fn load(txn: &Txn<'_>, account: &Scope) -> Result<Self, StoreError> {
        let row: Kept<PropsRecord> = Kept::load(txn, account, ROW)?;
        let mut fetch = Fetch::default();
        if row.get().is_some_and(PropsRecord::outdated) {
            fetch.demand();
        }
        Ok(Self {
            row,
            fetch,
            ignored: 0,
        })
    }

    /// The question without an id, to be ended with [`Props::answered`]; `None` while one is on its
    /// way ([`Props::is_asking`]) or the last one failed a short time ago.
    pub fn want(&mut self, now: Mono) -> Option<Node> {
        if !self.fetch.begin(now) {
            return None;
        }
        let record = self.row.get();
        let owned = |text: &str| text.to_owned();
        let props = Node::new("props")
            .attr("protocol", "1")
            .maybe(
                "hash",
                record.and_then(PropsRecord::sendable_hash).map(owned),
            )
            .maybe(
                "refresh_id",
                record.and_then(|record| record.refresh_id.clone()),
            );
        let iq = Node::new("iq")
            .attr("xmlns", "abt")
            .attr("type", "get")
            .jid("to", Jid::whatsapp());
        Some(iq.child(props))
    }

    /// The question ended at server time `now`: with the IQ of the server, or `None` for an error or
    /// no answer in time. An IQ without `<props>` counts as no answer. True when a value changed;
    /// without a question of ours nothing does.
    pub fn answered(&mut self, cx: &mut Cx<'_>, answer: Option<&Node>, now: UnixSeconds) -> bool {
        if !self.fetch.end() {
            return false;
        }
        let Some(props) = answer.and_then(|iq| iq.find("props")) else {
            self.ignored += u64::from(answer.is_some());
            self.fetch.failed(cx.now.mono);
            return false;
        };
        self.fetch.succeeded();
        self.change(cx, |record| record.take(props, now))
    }

    /// A host that fetches props itself has these values at server time `now`; other codes keep
    /// theirs. It postpones our own fetch like an answer of the server. True when a value changed.
    pub fn feed<'v>(
        &mut self,
        cx: &mut Cx<'_>,
        values: impl IntoIterator<Item = (u32, &'v str)>,
        now: UnixSeconds,
    ) -> bool {
        self.change(cx, |record| record.feed(values, now))
    }

    /// The server says that the props changed, or we logged in: a fetch is due, also when one is on
    /// its way, because its answer may be older.
    pub const fn notified(&mut self) {
        self.fetch.demand();
    }

    /// The connection went away and the question with it; it is due again on the next one.
    pub const fn disconnected(&mut self) {
        self.fetch.disconnected();
    }

    /// When to call [`Props::want`]; `None` while a question is on its way. Server time decides about
    /// the age of the set.
    pub fn deadline(&self, now: Mono, server_now: UnixSeconds) -> Option<Mono> {
        let seconds = self.row.get().map_or(0, |r| r.due_in(server_now));
        let left = Millis::from_secs(u64::try_from(seconds).unwrap_or(0));
        self.fetch.deadline(now, left)
    }

    /// Whether to call [`Props::want`] now.
    pub fn is_due(&self, now: Mono, server_now: UnixSeconds) -> bool {
        self.deadline(now, server_now).is_some_and(|due| due <= now)
    }

    /// Whether a question is on its way.
    pub const fn is_asking(&self) -> bool {
        self.fetch.asking()
    }

    /// Whether the server or a host ever told anything.
    pub const fn known(&self) -> bool {
        self.row.get().is_some()
    }

    /// Server time at which the set was told last; `None` when it never was.
    pub fn fetched_at(&self) -> Option<UnixSeconds> {
        let record = self.row.get()?;
        Some(UnixSeconds(record.fetched_at))
    }

    /// What concerns tokens. A code that the server left out of a whole set has its default; a code
    /// that a host did not feed is unknown.
    pub fn tokens(&self) -> TokenProps {
        let record = self.row.get();
        record.map_or_else(TokenProps::default, |record| record.read().tokens())
    }

    /// What concerns the quota of new chats, known and unknown as in [`Props::tokens`].
    pub fn capping(&self) -> CappingProps {
        let record = self.row.get();
        record.map_or_else(CappingProps::default, |record| record.read().capping())
    }

    /// Which other stanzas carry tokens.
    pub fn gates(&self) -> Gates {
        match self.row.get() {
            Some(record) => record.read().gates(),
            None => PropsRecord::default().read().gates(),
        }
    }

    /// Answers without props and values that were left out, since the machine was made.
    pub const fn ignored(&self) -> u64 {
        self.ignored
    }

    fn change(&mut self, cx: &mut Cx<'_>, take: impl FnOnce(&mut PropsRecord) -> u64) -> bool {
        let mut record = self.row.get().cloned().unwrap_or_default();
        self.ignored += take(&mut record);
        let told = |record: &PropsRecord| (record.complete, record.values.clone());
        let changed = self.row.get().map(told) != Some(told(&record));
        self.row.put(cx, record);
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::Bench;
    use crate::txn::{Key, Namespace};

    const NOW: UnixSeconds = UnixSeconds(1_786_074_400);

    fn props(bench: &mut Bench) -> Props {
        let account = bench.slot.clone();
        bench.run(|cx| Ok(Props::load(&cx.txn, &account)?))
    }

    fn result(values: &[(u32, &'static str)]) -> Node {
        let values = values.iter().map(|(code, value)| {
            Node::new("prop")
                .num("config_code", code)
                .attr("config_value", *value)
        });
        let props = Node::new("props").attr("hash", "h1").children(values);
        Node::new("iq").attr("type", "result").child(props)
    }

    fn answered(bench: &mut Bench, props: &mut Props, answer: Option<&Node>) -> bool {
        bench.run(|cx| Ok(props.answered(cx, answer, NOW)))
    }

    fn fetch(bench: &mut Bench, props: &mut Props, values: &[(u32, &'static str)]) -> bool {
        assert!(props.want(bench.now.mono).is_some());
        answered(bench, props, Some(&result(values)))
    }

    fn failed(bench: &mut Bench, props: &mut Props, answer: Option<&Node>) {
        assert!(props.want(bench.now.mono).is_some());
        assert!(!answered(bench, props, answer));
    }

    #[test]
    fn the_question_names_the_set_we_have() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        let first = machine.want(bench.now.mono).unwrap();
        assert!(first.is("xmlns", "abt") && first.is("type", "get"));
        assert!(first.is("to", "s.whatsapp.net") && first.value("id").is_none());
        assert_eq!(first.nodes(), [Node::new("props").attr("protocol", "1")]);
        let answer = result(&[(909, "26")]);
        let told = answer.nodes()[0].clone().attr("refresh_id", "12");
        let answer = answer.children([told]);
        assert!(answered(&mut bench, &mut machine, Some(&answer)));
        let mut restarted = props(&mut bench);
        let second = restarted.want(bench.now.mono).unwrap();
        let expected = Node::new("props")
            .attr("protocol", "1")
            .attr("hash", "h1")
            .attr("refresh_id", "12");
        assert_eq!(second.nodes(), [expected]);
    }

    #[test]
    fn one_question_at_a_time_and_late_answers_count_for_nothing() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        let late = result(&[(909, "26")]);
        assert!(!answered(&mut bench, &mut machine, Some(&late)));
        assert!(!machine.known());
        assert!(machine.want(bench.now.mono).is_some());
        assert!(machine.is_asking() && machine.want(bench.now.mono).is_none());
        assert_eq!(machine.deadline(bench.now.mono, NOW), None);
        assert!(answered(&mut bench, &mut machine, Some(&late)));
        assert!(machine.known() && !machine.is_asking());
        assert_eq!(machine.fetched_at(), Some(NOW));
    }

    #[test]
    fn only_new_values_are_a_change() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        assert!(fetch(&mut bench, &mut machine, &[]), "defaults are known");
        assert!(!fetch(&mut bench, &mut machine, &[]));
        assert!(fetch(&mut bench, &mut machine, &[(909, "26")]));
        assert!(!fetch(&mut bench, &mut machine, &[(909, "26")]));
    }

    #[test]
    fn a_failed_fetch_changes_nothing_and_waits_longer_each_time() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        fetch(&mut bench, &mut machine, &[(909, "26")]);
        let before = machine.row.get().cloned();
        let error = Node::new("iq").attr("type", "error");
        for (answer, seconds) in [
            (None, 60),
            (Some(&error), 120),
            (None, 240),
            (None, 480),
            (None, 960),
            (None, 1_920),
            (None, 3_600),
            (None, 3_600),
        ] {
            failed(&mut bench, &mut machine, answer);
            assert_eq!(machine.row.get(), before.as_ref());
            let until = bench.now.mono.plus(Millis::from_secs(seconds));
            assert_eq!(machine.want(Mono(until.0 - 1)), None);
            assert_eq!(machine.deadline(bench.now.mono, NOW), Some(until));
            assert!(machine.is_due(until, NOW));
            bench.now.mono = until;
        }
        assert_eq!(machine.ignored(), 1);
        fetch(&mut bench, &mut machine, &[]);
        failed(&mut bench, &mut machine, None);
        let again = bench.now.mono.plus(BACKOFF_FIRST);
        assert_eq!(machine.deadline(bench.now.mono, NOW), Some(again));
    }

    #[test]
    fn the_set_is_fetched_at_first_and_then_once_a_day() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        let now = bench.now.mono;
        assert!(machine.is_due(now, NOW));
        fetch(&mut bench, &mut machine, &[]);
        assert!(!machine.is_due(now, NOW.plus(86_399)));
        assert!(machine.is_due(now, NOW.plus(86_400)));
        let tomorrow = now.plus(Millis::from_secs(86_400));
        assert_eq!(machine.deadline(now, NOW), Some(tomorrow));
        let restarted = props(&mut bench);
        assert_eq!(restarted.deadline(now, NOW), Some(tomorrow));
    }

    #[test]
    fn a_notification_makes_a_fetch_due_also_while_one_is_on_its_way() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        fetch(&mut bench, &mut machine, &[]);
        machine.notified();
        assert!(machine.is_due(bench.now.mono, NOW));
        assert!(machine.want(bench.now.mono).is_some());
        machine.notified();
        answered(&mut bench, &mut machine, Some(&result(&[])));
        assert!(machine.is_due(bench.now.mono, NOW));
        fetch(&mut bench, &mut machine, &[]);
        assert!(!machine.is_due(bench.now.mono, NOW));
    }

    #[test]
    fn a_lost_connection_ends_the_question_without_a_pause() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        fetch(&mut bench, &mut machine, &[]);
        machine.disconnected();
        assert!(!machine.is_due(bench.now.mono, NOW), "nothing was lost");
        assert!(machine.want(bench.now.mono).is_some());
        machine.disconnected();
        assert!(!machine.is_asking() && machine.is_due(bench.now.mono, NOW));
    }

    #[test]
    fn a_host_feeds_what_it_knows_and_the_rest_stays_unknown() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        let feed = |bench: &mut Bench, machine: &mut Props, values: &[(u32, &'static str)]| {
            bench.run(|cx| Ok(machine.feed(cx, values.iter().copied(), NOW)))
        };
        assert!(feed(&mut bench, &mut machine, &[(909, "26"), (1, "x")]));
        assert!(!feed(&mut bench, &mut machine, &[(909, "26")]));
        let restarted = props(&mut bench);
        assert!(restarted.known() && !restarted.is_due(bench.now.mono, NOW));
        let tokens = restarted.tokens();
        assert_eq!(tokens.receive.map(|window| window.count.get()), Some(26));
        assert_eq!((tokens.send, tokens.issue_to_lid), (None, None));
        assert_eq!(restarted.capping(), CappingProps::default());
        assert!(fetch(&mut bench, &mut machine, &[(909, "26")]), "complete");
        assert_eq!(machine.tokens().issue_to_lid, Some(false));
    }

    #[test]
    fn a_damaged_row_counts_as_none_and_a_newer_one_is_an_error() {
        let mut bench = Bench::new(1);
        let key = Key::new(&bench.slot, Namespace::Props, ROW);
        bench.run(|cx| {
            cx.txn.put_row(key.clone(), vec![1, 0xFF]);
            Ok(())
        });
        assert!(!props(&mut bench).known());
        bench.run(|cx| {
            cx.txn.put_row(key, vec![2, 8, 1]);
            let newer = Props::load(&cx.txn, &Scope::slot("test")).unwrap_err();
            assert!(matches!(newer, StoreError::Version { found: 2, .. }));
            Ok(())
        });
    }

    #[test]
    fn a_set_that_lacks_codes_of_today_is_fetched_at_once() {
        let mut bench = Bench::new(1);
        let mut machine = props(&mut bench);
        fetch(&mut bench, &mut machine, &[(909, "26")]);
        let old = PropsRecord {
            revision: 0,
            ..machine.row.get().unwrap().clone()
        };
        let account = bench.slot.clone();
        bench.run(|cx| {
            cx.txn.put(&account, ROW, &old);
            Ok(())
        });
        assert!(props(&mut bench).is_due(bench.now.mono, NOW));
    }

    #[test]
    fn only_the_servers_own_notification_is_an_update() {
        let update = |kind| Node::new("notification").attr("type", kind);
        let abprops = || Node::new("abprops").attr("protocol", "1");
        assert!(is_update(&update("server").child(abprops())));
        assert!(!is_update(&update("server").child(Node::new("log"))));
        assert!(!is_update(&update("account_sync").child(abprops())));
    }
}
