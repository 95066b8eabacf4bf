//! The small language of `MODE`: letters that add and take away, some with a parameter; PURE.
//!
//! The only file that knows which letter means what and which of them take a parameter. Whether the asker may change anything
//! is the room's business.

use super::mask::Mask;

/// Longest key of a room in bytes; announced as `KEYLEN`.
pub const KEY_MAX: usize = 23;

/// Most changes with a parameter in one MODE; announced as `MODES`. Each may need a search among the members.
pub const CHANGES_MAX: usize = 6;

/// Most parameters in one line that tells changes: three of the longest masks, beside prefix and room, fit into 512 bytes.
const PARAMS_PER_LINE: usize = 3;

/// The letters of modes by kind, as announced in `CHANMODES`: a list, always a parameter, a parameter when set, none.
pub const CHANMODES: &str = "b,k,l,imnt";

/// Every letter a room knows, for 004.
pub const ROOM_LETTERS: &str = "biklmnotv";

/// Those of [`ROOM_LETTERS`] that take a parameter.
pub const ROOM_LETTERS_WITH_PARAM: &str = "bklov";

/// Every letter a client's own modes know.
pub const USER_LETTERS: &str = "i";

/// A property of a room that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// `i`: only who was invited comes in.
    InviteOnly,
    /// `m`: only operators and the voiced speak.
    Moderated,
    /// `n`: only members speak.
    MembersOnly,
    /// `t`: only operators set the topic.
    TopicLocked,
}

impl Flag {
    /// Every flag, in the order in which they are shown.
    pub const ALL: [Self; 4] = [
        Self::InviteOnly,
        Self::Moderated,
        Self::MembersOnly,
        Self::TopicLocked,
    ];

    /// The letter.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::InviteOnly => 'i',
            Self::Moderated => 'm',
            Self::MembersOnly => 'n',
            Self::TopicLocked => 't',
        }
    }
}

/// What a member may be beyond being one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// `o`, shown as `@`: may change the room.
    Operator,
    /// `v`, shown as `+`: may speak when others may not.
    Voice,
}

impl Rank {
    /// The letter.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Operator => 'o',
            Self::Voice => 'v',
        }
    }
}

/// One change asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants say what the fields are")]
pub enum Change {
    /// A property on or off.
    Flag { flag: Flag, on: bool },
    /// A rank given to a member or taken from it.
    Rank { rank: Rank, on: bool, nick: String },
    /// The word that lets people in; `None` to need none.
    Key(Option<String>),
    /// Most members; `None` for no limit.
    Limit(Option<u32>),
    /// A mask on the ban list or off it.
    Ban { mask: Mask, on: bool },
    /// Show the ban list.
    ShowBans,
}

impl Change {
    /// Whether nothing is left of this change after a later one in the same line. So a line of `+i-i+i-i…` is one change.
    fn is_overridden_by(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Flag { flag, .. }, Self::Flag { flag: other, .. }) => flag == other,
            (Self::Key(_), Self::Key(_))
            | (Self::Limit(_), Self::Limit(_))
            | (Self::ShowBans, Self::ShowBans) => true,
            _ => false,
        }
    }
}

/// Why a part of a MODE was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No mode has this letter.
    Unknown(char),
    /// The parameter is missing.
    Missing,
    /// The parameter cannot be used; with the letter, the parameter and what was expected.
    Invalid(char, String, &'static str),
}

/// Everything one MODE asks of a room, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What was understood.
    pub changes: Vec<Change>,
    /// What was not.
    pub problems: Vec<Problem>,
}

impl Changes {
    /// Reads letters and their parameters: `["+o-k", "bob", "*"]`.
    #[must_use]
    pub fn parse(words: &[&str]) -> Self {
        let mut read = Self::default();
        let Some((letters, params)) = words.split_first() else {
            return read;
        };
        let mut params = params.iter().copied().filter(|param| !param.is_empty());
        let mut with_params = 0;
        let mut on = true;
        for letter in letters.chars() {
            match letter {
                '+' => on = true,
                '-' => on = false,
                _ if takes_param(letter, on) => {
                    // What is beyond the limit is ignored, as the announcement says.
                    if with_params < CHANGES_MAX {
                        with_params += 1;
                        read.take(with_param(letter, on, params.next()));
                    }
                }
                _ => read.take(plain(letter, on)),
            }
        }
        read
    }

    fn take(&mut self, result: Result<Change, Problem>) {
        match result {
            Ok(change) => {
                self.changes
                    .retain(|before| !before.is_overridden_by(&change));
                self.changes.push(change);
            }
            Err(problem) if self.problems.contains(&problem) => {}
            Err(problem) => self.problems.push(problem),
        }
    }
}

fn takes_param(letter: char, on: bool) -> bool {
    match letter {
        'o' | 'v' | 'k' | 'b' => true,
        'l' => on,
        _ => false,
    }
}

fn plain(letter: char, on: bool) -> Result<Change, Problem> {
    if letter == 'l' {
        return Ok(Change::Limit(None));
    }
    let flag = Flag::ALL.into_iter().find(|flag| flag.letter() == letter);
    let flag = flag.ok_or(Problem::Unknown(letter))?;
    Ok(Change::Flag { flag, on })
}

fn with_param(letter: char, on: bool, param: Option<&str>) -> Result<Change, Problem> {
    let invalid = |param: &str, why| Problem::Invalid(letter, param.to_owned(), why);
    match (letter, param) {
        ('b', None) => Ok(Change::ShowBans),
        ('b', Some(mask)) => Ok(Change::Ban {
            mask: Mask::new(mask),
            on,
        }),
        // Taking the key away needs no knowledge of it, so a client that forgets the parameter is understood.
        ('k', _) if !on => Ok(Change::Key(None)),
        ('k', Some(key)) if is_key(key) => Ok(Change::Key(Some(key.to_owned()))),
        ('k', Some(key)) => Err(invalid(
            key,
            "Key must be 1 to 23 characters without space, comma or colon",
        )),
        ('l', Some(limit)) => match limit.parse() {
            Ok(limit @ 1..) => Ok(Change::Limit(Some(limit))),
            _ => Err(invalid(limit, "Limit must be a number from 1")),
        },
        ('o' | 'v', Some(nick)) => Ok(Change::Rank {
            rank: if letter == 'o' {
                Rank::Operator
            } else {
                Rank::Voice
            },
            on,
            nick: nick.to_owned(),
        }),
        _ => Err(Problem::Missing),
    }
}

/// Whether `key` can be the key of a room: it must fit into a list of keys and into a line.
fn is_key(key: &str) -> bool {
    let forbidden = |letter: char| letter.is_control() || matches!(letter, ' ' | ',' | ':');
    (1..=KEY_MAX).contains(&key.len()) && !key.contains(forbidden)
}

/// Changes that were made, for telling them: `+o-l` and the parameters.
#[derive(Debug, Default)]
pub struct Applied {
    /// Signs and letters.
    letters: String,
    /// The parameters of those letters that have one.
    params: Vec<String>,
    /// The last sign in `letters`: added (`true`) or taken away.
    sign: Option<bool>,
}

impl Applied {
    /// Adds one change.
    pub fn push(&mut self, on: bool, letter: char, param: Option<&str>) {
        self.sign(on);
        self.letters.push(letter);
        self.params.extend(param.map(str::to_owned));
    }

    /// Makes sure that what follows is added, or taken away.
    pub fn sign(&mut self, on: bool) {
        if self.sign != Some(on) {
            self.sign = Some(on);
            self.letters.push(if on { '+' } else { '-' });
        }
    }

    /// Whether there is no room for another parameter in one line.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.params.len() == PARAMS_PER_LINE
    }

    /// Whether nothing was changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Letters first, then their parameters.
    #[must_use]
    pub fn words(&self) -> Vec<&str> {
        let params = self.params.iter().map(String::as_str);
        std::iter::once(self.letters.as_str())
            .chain(params)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters and parameters come together as in the documents of the protocol.
    #[test]
    fn reads_changes() {
        let flag = |flag, on| Change::Flag { flag, on };
        let rank = |rank, on, nick: &str| Change::Rank {
            rank,
            on,
            nick: nick.to_owned(),
        };
        let ban = |mask, on| Change::Ban {
            mask: Mask::new(mask),
            on,
        };
        let cases: [(&[&str], Vec<Change>); 10] = [
            (&[], vec![]),
            (&["+"], vec![]),
            (&["i"], vec![flag(Flag::InviteOnly, true)]),
            (
                &["+m-n"],
                vec![flag(Flag::Moderated, true), flag(Flag::MembersOnly, false)],
            ),
            (
                &["+o-v", "bob", "eve"],
                vec![
                    rank(Rank::Operator, true, "bob"),
                    rank(Rank::Voice, false, "eve"),
                ],
            ),
            (
                &["+kl", "word", "5"],
                vec![Change::Key(Some("word".to_owned())), Change::Limit(Some(5))],
            ),
            (&["-kl"], vec![Change::Key(None), Change::Limit(None)]),
            (
                &["b+b-b", "eve", "x@y"],
                vec![ban("eve", true), ban("x@y", true), Change::ShowBans],
            ),
            (&["tt"], vec![flag(Flag::TopicLocked, true)]),
            (
                &["+i-il+i+l-l", "5", "6"],
                vec![flag(Flag::InviteOnly, true), Change::Limit(None)],
            ),
        ];
        for (words, expect) in cases {
            let read = Changes::parse(words);
            assert_eq!(read.changes, expect, "{words:?}");
            assert!(read.problems.is_empty(), "{words:?}");
        }
    }

    /// What cannot be understood is told, once each, and the rest is done.
    #[test]
    fn tells_problems() {
        let cases: [(&[&str], usize, Vec<Problem>); 5] = [
            (&["xix"], 1, vec![Problem::Unknown('x')]),
            (&["+ovvv"], 0, vec![Problem::Missing]),
            (
                &["+l", "-5"],
                0,
                vec![Problem::Invalid(
                    'l',
                    "-5".to_owned(),
                    "Limit must be a number from 1",
                )],
            ),
            (&["+é"], 0, vec![Problem::Unknown('é')]),
            (&["+oooooooo", "a", "b", "c", "d", "e", "f", "g"], 6, vec![]),
        ];
        for (words, changes, problems) in cases {
            let read = Changes::parse(words);
            assert_eq!(read.changes.len(), changes, "{words:?}");
            assert_eq!(read.problems, problems, "{words:?}");
        }
        for key in ["a,b", ":", "x x", &"k".repeat(KEY_MAX + 1)] {
            let read = Changes::parse(&["+k", key]);
            assert!(
                matches!(read.problems[0], Problem::Invalid('k', ..)),
                "{key}"
            );
        }
    }

    /// What was done is told with as few signs as possible.
    #[test]
    fn tells_what_was_done() {
        let mut applied = Applied::default();
        assert!(applied.is_empty());
        applied.push(true, 'o', Some("bob"));
        applied.push(true, 'n', None);
        applied.push(false, 'l', None);
        applied.push(true, 'k', Some("word"));
        assert_eq!(applied.words(), ["+on-l+k", "bob", "word"]);
    }
}
