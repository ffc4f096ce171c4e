/// Who told us about a limit.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// Concluded here from a refusal.
    Local,
    /// The server's answer to our question.
    Pull,
    /// The server by itself.
    Push,
}

impl Origin {
    /// The stable word for hosts and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }

    /// The number in a row; 0 is for rows that do not tell.
    pub(super) const fn number(origin: Option<Self>) -> u32 {
        match origin {
            None => 0,
            Some(Self::Local) => 1,
            Some(Self::Pull) => 2,
            Some(Self::Push) => 3,
        }
    }

    pub(super) const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Local),
            2 => Some(Self::Pull),
            3 => Some(Self::Push),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_never_change() {
        for (origin, word, number) in [
            (Origin::Local, "local", 1),
            (Origin::Pull, "pull", 2),
            (Origin::Push, "push", 3),
        ] {
            assert_eq!(origin.as_str(), word);
            assert_eq!(Origin::number(Some(origin)), number);
            assert_eq!(Origin::from_number(number), Some(origin));
        }
        assert_eq!(Origin::number(None), 0);
        assert_eq!([0, 4].map(Origin::from_number), [None, None]);
    }
}
