//! Dictionary words: from wire bytes to the word and back.
//!
//! ```text
//! 1..=235              one byte
//! 236..=239, index     two bytes, one of four dictionaries
//! ```
//! Words come out as `&'static str`; the way back is a hash table that the compiler fills.

use super::dictionary::{DOUBLE, SINGLE};

/// First byte of a word of dictionary 0; the three others follow.
pub(super) const DICTIONARY_0: u8 = 236;
/// First byte of a word of the last dictionary.
pub(super) const DICTIONARY_3: u8 = 239;

/// How a word travels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Token {
    Double(u8, u8),
    Single(u8),
}

/// The word of one byte; `None` for 0 and for bytes that are not words.
pub(super) fn single(byte: u8) -> Option<&'static str> {
    match byte {
        0 => None,
        _ => SINGLE.get(usize::from(byte)).copied(),
    }
}

/// The word of two bytes; `None` when `tag` names no dictionary.
pub(super) fn double(tag: u8, index: u8) -> Option<&'static str> {
    let dictionary = DOUBLE.get(usize::from(tag.checked_sub(DICTIONARY_0)?))?;
    dictionary.get(usize::from(index)).copied()
}

/// The token of `word`, if a dictionary has it.
pub(super) fn lookup(word: &str) -> Option<Token> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let mut slot = hash(word.as_bytes()) & MASK;
    loop {
        let [tag, index] = match INDEX[slot] {
            0 => return None,
            code => code.to_be_bytes(),
        };
        let (found, token) = if tag == 0 {
            (single(index), Token::Single(index))
        } else {
            (double(tag, index), Token::Double(tag, index))
        };
        if found == Some(word) {
            return Some(token);
        }
        slot = (slot + 1) & MASK;
    }
}

/// Bytes of the longest word; longer text needs no look-up.
const LONGEST: usize = 48;

/// Slots of the hash table, a power of two. 1259 words fill a third of it, so a miss costs one or
/// two probes; half the size would double that, twice the size would only cost cache.
const SLOTS: usize = 4096;
const MASK: usize = SLOTS - 1;

/// Open addressing; a slot is `tag << 8 | index` (tag 0: one-byte word), 0 when free.
static INDEX: [u16; SLOTS] = build();

const fn build() -> [u16; SLOTS] {
    let mut slots = [0; SLOTS];
    let mut index: u16 = 1;
    while (index as usize) < SINGLE.len() {
        slots = insert(slots, SINGLE[index as usize], index);
        index += 1;
    }
    let mut dictionary: u16 = 0;
    while (dictionary as usize) < DOUBLE.len() {
        let tag = DICTIONARY_0 as u16 + dictionary;
        let mut index: u16 = 0;
        while index < 256 {
            let word = DOUBLE[dictionary as usize][index as usize];
            slots = insert(slots, word, tag << 8 | index);
            index += 1;
        }
        dictionary += 1;
    }
    slots
}

const fn insert(mut slots: [u16; SLOTS], word: &str, code: u16) -> [u16; SLOTS] {
    let mut slot = hash(word.as_bytes()) & MASK;
    while slots[slot] != 0 {
        slot = (slot + 1) & MASK;
    }
    slots[slot] = code;
    slots
}

/// FNV-1a, 32 bits, folded so that the low bits see the high ones.
const fn hash(bytes: &[u8]) -> usize {
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ (hash >> 15)) as usize
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_dictionaries_are_the_published_ones() {
        let digest = |words: &[&str]| hex::encode(Sha256::digest(words.join("\n").as_bytes()));
        assert_eq!(
            digest(&SINGLE),
            "1e8302d2aba0d8c40d09fd79fc9c70347350cb00926dd0e3565683b347be35a5"
        );
        assert_eq!(
            DOUBLE.each_ref().map(|words| digest(words)),
            [
                "c19c763b07f7684fc58490eb838873edeec498d59bf4d56bbb33d8e7af4cb112",
                "e8894a798e1d92bc5f5f5cd1c2ffeef43a5c03acb1775b34d121ffe0a19b8f6a",
                "8f4081781e324d9ab95574b01ff37a44753403cebd0d1feeeb985661cc86cae8",
                "8e397aec42a6a503621910cf3d7a8f9e287e94192031265b6e55519e0e19fadc",
            ]
        );
    }

    #[test]
    fn the_dictionaries_are_those_of_the_data_file() {
        let data: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/wap_tokens.json")).unwrap();
        let words = |list: &serde_json::Value| -> Vec<String> {
            let list = list.as_array().unwrap();
            list.iter()
                .map(|word| word.as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(words(&data["single_byte"]), SINGLE);
        for (dictionary, words_of) in DOUBLE.iter().enumerate() {
            assert_eq!(words(&data["double_byte"][dictionary]), words_of);
        }
    }

    #[test]
    fn every_word_is_found_as_the_token_it_came_from() {
        for byte in 1..=235 {
            assert_eq!(lookup(single(byte).unwrap()), Some(Token::Single(byte)));
        }
        for tag in DICTIONARY_0..=DICTIONARY_3 {
            for index in 0..=255 {
                let word = double(tag, index).unwrap();
                assert_eq!(lookup(word), Some(Token::Double(tag, index)));
            }
        }
    }

    #[test]
    fn other_text_is_no_token() {
        for text in [
            "",
            "cstoken",
            "addressing_mode",
            "ib",
            "Type",
            &"x".repeat(49),
        ] {
            assert_eq!(lookup(text), None);
        }
        assert_eq!((single(0), single(236), double(240, 0)), (None, None, None));
    }

    #[test]
    fn no_look_up_walks_far() {
        let longest_run = INDEX
            .split(|&slot| slot == 0)
            .map(<[u16]>::len)
            .max()
            .unwrap();
        assert!(longest_run <= 24, "{longest_run} occupied slots in a row");
    }
}
