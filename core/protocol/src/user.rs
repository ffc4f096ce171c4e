//! The user part of an address, without the heap for those of usual length.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

/// Longest that lies in place. Numbers and LIDs have 15 digits, groups 18, old groups 22 characters.
const IN_PLACE: usize = 22;

/// Who is meant within a server: digits for people, an id for groups. A group of 1 000 makes tens of
/// thousands of copies of each on the way to its message, so a copy must be nothing but a few words.
/// `Debug` is redacted.
#[derive(Clone)]
pub struct User(Form);

#[derive(Clone)]
enum Form {
    /// The first `u8` bytes, which are UTF-8.
    InPlace(u8, [u8; IN_PLACE]),
    Long(Box<str>),
}

impl User {
    /// Its text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Form::InPlace(..) => str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Form::Long(text) => text,
        }
    }

    /// The bytes of its text; cheaper.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::InPlace(length, bytes) => &bytes[..usize::from(*length)],
            Form::Long(text) => text.as_bytes(),
        }
    }

    /// No text at all, as in the address of a server.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl From<&str> for User {
    fn from(text: &str) -> Self {
        let mut bytes = [0; IN_PLACE];
        let (Some(place), Ok(length)) = (bytes.get_mut(..text.len()), u8::try_from(text.len()))
        else {
            return Self(Form::Long(text.into()));
        };
        place.copy_from_slice(text.as_bytes());
        Self(Form::InPlace(length, bytes))
    }
}

impl From<&String> for User {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for User {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Deref for User {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for User {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for User {}

impl Ord for User {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for User {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for User {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("User(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_any_length_are_their_text() {
        let text = "120363000000000001-é".repeat(3);
        let lengths = [0, 1, 15, 18, IN_PLACE - 1, IN_PLACE, IN_PLACE + 1, 60];
        let mut users: Vec<User> = Vec::new();
        for length in lengths {
            let text = &text[..text.floor_char_boundary(length)];
            let user = User::from(text);
            assert_eq!((user.as_str(), user.as_bytes()), (text, text.as_bytes()));
            assert_eq!((&user.clone(), user.is_empty()), (&user, length == 0));
            users.push(user);
        }
        assert!(users.is_sorted(), "a shorter one first");
        assert!(
            User::from("2") > User::from("10"),
            "as texts, not as numbers"
        );
        assert_ne!(User::from("7"), User::from("7\0"));
    }

    #[test]
    fn one_of_usual_length_is_three_words() {
        assert_eq!(size_of::<User>(), 24);
        assert!(matches!(User::from("200000000000001").0, Form::InPlace(..)));
    }
}
