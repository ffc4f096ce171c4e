//! A store with one slot, a fixed instant, and randomness that repeats itself.

use std::io::{Cursor, Read};

use sendpath_protocol::error::Fault;
use sendpath_protocol::secret::Entropy;
use sendpath_protocol::time::{Mono, Now, UnixMillis};
use sendpath_protocol::txn::{self, Cx, Fence, Key, MemoryStore, Namespace, Scope, Store};

/// When everything happens.
pub(crate) const NOW: Now = Now::new(Mono(1_000_000), UnixMillis(1_786_074_400_000));

/// SplitMix64: quick, and good enough where nothing is secret.
#[derive(Clone)]
pub(crate) struct Steady(u64);

impl Steady {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Entropy for Steady {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A device of its own.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) store: MemoryStore,
    pub(crate) slot: Scope,
    pub(crate) rng: Steady,
    fence: Fence,
}

impl Bench {
    pub(crate) fn new(seed: u64) -> Self {
        let (mut store, slot) = (MemoryStore::default(), Scope::slot("fuzz"));
        let fence = store.acquire(&slot).expect("memory");
        Self {
            store,
            slot,
            rng: Steady::new(seed),
            fence,
        }
    }

    /// Runs and commits one step; whether it wrote, and what `body` answered.
    pub(crate) fn step<T>(
        &mut self,
        body: impl FnOnce(&mut Cx<'_>, &Scope) -> Result<T, Fault>,
    ) -> (T, bool) {
        let (mut answer, slot) = (None, self.slot.clone());
        let step = txn::step(NOW, &mut self.rng, &self.store, |cx| {
            answer = Some(body(cx, &slot)?);
            Ok(())
        });
        let step = step.expect("no input is a fault of ours");
        let wrote = !step.is_read_only();
        step.commit(&mut self.store, &self.fence).expect("memory");
        (answer.expect("the step ran"), wrote)
    }

    /// Puts a row, whatever it holds behind the version: one of a newer version is a fault, which is
    /// what stops an older program.
    pub(crate) fn put(&mut self, ns: Namespace, id: impl AsRef<[u8]>, row: &[u8]) {
        let key = Key::new(&self.slot, ns, id);
        let mut row = row.to_vec();
        if let Some(version) = row.first_mut() {
            *version = (*version).min(1);
        }
        self.step(|cx, _| {
            cx.txn.put_row(key, row);
            Ok(())
        });
    }
}

/// The first byte chooses what is done with the rest.
pub(crate) fn split(data: &[u8]) -> Option<(u8, &[u8])> {
    data.split_first().map(|(first, rest)| (*first, rest))
}

/// Parts with a length of two bytes in front; the last one may be shorter.
pub(crate) fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    core::iter::from_fn(move || {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length)).min(behind.len());
        let (part, after) = behind.split_at(length);
        rest = after;
        Some(part)
    })
}

/// [`parts`] written down.
pub(crate) fn joined<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        let length = u16::try_from(part.len()).expect("a short part");
        out.extend(length.to_be_bytes());
        out.extend(part);
    }
    out
}

/// At most that many bytes of what a compressor made.
pub(crate) fn inflated(bytes: &[u8], most: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut reader = flate2::read::ZlibDecoder::new(Cursor::new(bytes)).take(most + 1);
    reader.read_to_end(&mut out).ok()?;
    (out.len() as u64 <= most).then_some(out)
}
