//! What the child told, against what the server knows.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::ChildStdout;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use sendpath_model_server::{Command, ModelServer, Reply};

use crate::faults::{Faults, account};

/// Everything that was told.
pub(crate) struct Tally {
    lines: Receiver<String>,
    qr: Vec<(u64, String)>,
    online: BTreeSet<u64>,
    sent: u64,
    accepted: BTreeSet<String>,
    refused: u64,
    /// Nobody knew at first.
    unknown: BTreeSet<String>,
    got: BTreeMap<String, u32>,
    overflows: u64,
}

impl Tally {
    pub(crate) fn listen(pipe: ChildStdout) -> Self {
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            lines,
            qr: Vec::new(),
            online: BTreeSet::new(),
            sent: 0,
            accepted: BTreeSet::new(),
            refused: 0,
            unknown: BTreeSet::new(),
            got: BTreeMap::new(),
            overflows: 0,
        }
    }

    /// Phones scan until every account is online.
    pub(crate) fn link(&mut self, server: &ModelServer, accounts: u64) {
        let mut scanned = BTreeSet::new();
        while u64::try_from(self.online.len()).expect("a small number") < accounts {
            self.hear(Duration::from_secs(1));
            for (number, qr) in std::mem::take(&mut self.qr) {
                if scanned.insert(number) {
                    let (pn, lid) = account(number);
                    let linked = server.control(Command::ScanQr {
                        qr,
                        pn: Some(pn),
                        lid: Some(lid),
                        lid_migrated: None,
                    });
                    assert!(!matches!(linked, Reply::Error { .. }), "{linked:?}");
                }
            }
        }
    }

    /// Reads lines for that long.
    pub(crate) fn hear(&mut self, time: Duration) {
        let end = Instant::now() + time;
        let left = || end.saturating_duration_since(Instant::now());
        while let Ok(line) = self.lines.recv_timeout(left()) {
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "accepted" => {
                self.unknown.remove(rest);
                self.accepted.insert(rest.to_owned());
            }
            "got" => *self.got.entry(rest.to_owned()).or_default() += 1,
            "online" => drop(self.online.insert(rest.parse().expect("a number"))),
            "overflow" => self.overflows += 1,
            "qr" => {
                let (number, text) = rest.split_once(' ').expect("a number and a text");
                let number = number.parse().expect("a number");
                self.qr.push((number, text.to_owned()));
            }
            "refused" => {
                self.unknown.remove(rest);
                self.refused += 1;
            }
            "sent" => self.sent += 1,
            "unknown" => drop(self.unknown.insert(rest.to_owned())),
            other => panic!("unexpected line {other}"),
        }
    }

    fn ends(&self) -> u64 {
        let known = self.accepted.len() + self.unknown.len();
        self.refused + u64::try_from(known).expect("a small number")
    }

    /// Every send has its end, and everything that was written has come.
    pub(crate) fn is_complete(&self, wrote: &[String]) -> bool {
        self.ends() == self.sent
            && self.unknown.is_empty()
            && wrote.iter().all(|id| self.got.contains_key(id))
    }

    /// Prints the figures; whether nothing was lost.
    pub(crate) fn verdict(
        &self,
        server: &ModelServer,
        wrote: &[String],
        faults: &Faults<'_>,
    ) -> bool {
        let Reply::Received { messages } = server.control(Command::Received { peer: None }) else {
            panic!("no list of messages");
        };
        let mut arrived: BTreeMap<&str, u32> = BTreeMap::new();
        let read = messages.iter().filter(|got| got.error.is_none());
        // Copies for own devices are not counted: the text has a destination there.
        for got in read.filter(|got| !got.duplicate && got.destination.is_none()) {
            *arrived.entry(&got.id).or_default() += 1;
        }
        let times = |id: &str| arrived.get(id).copied().unwrap_or(0);
        let lost = self.accepted.iter().filter(|id| times(id) == 0).count();
        let twice = arrived.values().filter(|times| **times > 1).count();
        let missing = wrote.iter().filter(|id| !self.got.contains_key(*id));
        let missing = missing.count();
        let repeated = self.got.values().filter(|times| **times > 1).count();
        let Reply::Violations { violations } = server.control(Command::Violations) else {
            panic!("no list of violations");
        };
        let [cuts, nacks, ends, backlogs, silences] = faults.counts;
        println!("faults: {cuts} cuts at a message, {nacks} times 429 or 503, {ends} stream ends,");
        println!("        {backlogs} backlogs, {silences} questions without an answer");
        println!("sent {}: {} accepted,", self.sent, self.accepted.len());
        println!(
            "        {} refused, {} open",
            self.refused,
            self.unknown.len()
        );
        println!("accepted and never read: {lost}; read twice: {twice}");
        println!(
            "written to us {}: {missing} lost, {repeated} told twice",
            wrote.len()
        );
        println!(
            "{} broken rules, {} overflows",
            violations.len(),
            self.overflows
        );
        for violation in violations.iter().take(5) {
            println!("  {violation:?}");
        }
        let open = self.sent - self.ends() + u64::try_from(self.unknown.len()).unwrap_or(u64::MAX);
        let bad = lost + twice + missing + violations.len();
        bad == 0 && open == 0 && self.overflows == 0
    }
}
