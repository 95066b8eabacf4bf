//! Answers of several lines: the welcome, MOTD, LUSERS, NAMES, TOPIC, LIST, the ban list; PURE.
//!
//! Takes facts, gives lines. Where an answer could grow without bound it is cut here, because every line of it takes a
//! place in the asker's send queue and a long answer would evict the one who asked.

use super::isupport::{self, Limits};
use super::line::{LINE_MAX, Line};
use super::listing::Listed;
use super::mask::Mask;
use super::mode::{ROOM_LETTERS, ROOM_LETTERS_WITH_PARAM, USER_LETTERS};
use super::motd::Motd;
use super::numeric::{Addressee, Numeric};

/// Most lines of one WHO or LIST answer; well below the default send queue.
pub const LINES_MAX: usize = 200;

/// Bytes of names in one 353 line; what is left of 512 holds prefix, nick and room at their longest.
const NAMES_MAX: usize = LINE_MAX - 150;

/// The version in 002, 004 and 351.
pub const VERSION: &str = concat!("chat-", env!("CARGO_PKG_VERSION"));

/// 001 to 005.
#[must_use]
pub fn welcome(to: Addressee<'_>, address: &str, limits: Limits) -> Vec<Line> {
    let hello = format!("Welcome to the chat, {address}");
    let host = format!("Your host is {}, running {VERSION}", to.server);
    let info = [
        to.server,
        VERSION,
        USER_LETTERS,
        ROOM_LETTERS,
        ROOM_LETTERS_WITH_PARAM,
    ];
    let mut lines = vec![
        to.filled(Numeric::Welcome, &[], &hello),
        to.filled(Numeric::YourHost, &[], &host),
        to.filled(
            Numeric::Created,
            &[],
            "This server keeps nothing from before it was started",
        ),
        to.plain(Numeric::MyInfo, &info),
    ];
    lines.extend(isupport::lines(to, limits));
    lines
}

/// 375, 372 for each line, 376; or 422.
#[must_use]
pub fn motd(to: Addressee<'_>, motd: &Motd) -> Vec<Line> {
    if motd.is_empty() {
        return vec![to.fixed(Numeric::NoMotd, &[])];
    }
    let start = format!("- {} Message of the day -", to.server);
    let mut lines = vec![to.filled(Numeric::MotdStart, &[], &start)];
    for line in motd.lines() {
        lines.push(to.filled(Numeric::Motd, &[], &format!("- {line}")));
    }
    lines.push(to.fixed(Numeric::EndOfMotd, &[]));
    lines
}

/// Sizes of the server, for LUSERS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Registered clients.
    pub clients: usize,
    /// Those of them with mode `+i`.
    pub invisible: usize,
    /// Most registered clients at once since the start.
    pub clients_max: usize,
    /// Clients that have a nickname and are not registered yet.
    pub unregistered: usize,
    /// Rooms.
    pub rooms: usize,
}

/// 251, 253, 254, 255, 265, 266.
#[must_use]
pub fn lusers(to: Addressee<'_>, census: Census) -> Vec<Line> {
    let Census {
        clients, invisible, ..
    } = census;
    let there = format!(
        "There are {} users and {invisible} invisible on 1 servers",
        clients.saturating_sub(invisible)
    );
    let here = format!("I have {clients} clients and 0 servers");
    let (now, max) = (clients.to_string(), census.clients_max.to_string());
    let local = format!("Current local users {now}, max {max}");
    let global = format!("Current global users {now}, max {max}");
    vec![
        to.filled(Numeric::LuserClient, &[], &there),
        to.fixed(Numeric::LuserUnknown, &[&census.unregistered.to_string()]),
        to.fixed(Numeric::LuserChannels, &[&census.rooms.to_string()]),
        to.filled(Numeric::LuserMe, &[], &here),
        to.filled(Numeric::LocalUsers, &[&now, &max], &local),
        to.filled(Numeric::GlobalUsers, &[&now, &max], &global),
    ]
}

/// 353 as often as needed, then 366. `members` are the signs of their ranks and their nicknames.
#[must_use]
pub fn names<'a>(
    to: Addressee<'_>,
    room: &str,
    members: impl Iterator<Item = (&'static str, &'a str)>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut packed = String::new();
    for (signs, nick) in members {
        if !packed.is_empty() && packed.len() + 1 + signs.len() + nick.len() > NAMES_MAX {
            lines.push(to.filled(Numeric::NamesReply, &["=", room], &packed));
            packed.clear();
        }
        if !packed.is_empty() {
            packed.push(' ');
        }
        packed.push_str(signs);
        packed.push_str(nick);
    }
    if !packed.is_empty() {
        lines.push(to.filled(Numeric::NamesReply, &["=", room], &packed));
    }
    lines.push(to.fixed(Numeric::EndOfNames, &[room]));
    lines
}

/// The topic of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its text, never empty.
    pub text: String,
    /// Address of who set it, shown by clients.
    pub by: String,
    /// When it was set, shown by clients.
    pub at_unix_seconds: u64,
}

/// 332 and 333, or 331.
#[must_use]
pub fn topic(to: Addressee<'_>, room: &str, topic: Option<&Topic>) -> Vec<Line> {
    match topic {
        None => vec![to.fixed(Numeric::NoTopic, &[room])],
        Some(topic) => vec![
            to.filled(Numeric::Topic, &[room], &topic.text),
            to.plain(
                Numeric::TopicWhoTime,
                &[room, &topic.by, &topic.at_unix_seconds.to_string()],
            ),
        ],
    }
}

/// A mask on a ban list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// Who is meant.
    pub mask: Mask,
    /// Address of who set it.
    pub by: String,
    /// When it was set.
    pub at_unix_seconds: u64,
}

/// 367 for each ban, then 368.
#[must_use]
pub fn bans(to: Addressee<'_>, room: &str, bans: &[Ban]) -> Vec<Line> {
    let one = |ban: &Ban| {
        let at = ban.at_unix_seconds.to_string();
        to.plain(Numeric::BanList, &[room, ban.mask.as_str(), &ban.by, &at])
    };
    let end = to.fixed(Numeric::EndOfBanList, &[room]);
    bans.iter().map(one).chain([end]).collect()
}

/// 321, 322 for each room, cut at [`LINES_MAX`], then 323.
#[must_use]
pub fn list(to: Addressee<'_>, rooms: &[Listed]) -> Vec<Line> {
    let mut lines = vec![to.fixed(Numeric::ListStart, &["Channel"])];
    for room in rooms.iter().take(LINES_MAX) {
        let members = room.members.to_string();
        lines.push(to.filled(Numeric::List, &[&room.name, &members], &room.topic));
    }
    if rooms.len() > LINES_MAX {
        lines.push(to.fixed(Numeric::TooManyMatches, &["LIST"]));
    }
    lines.push(to.fixed(Numeric::ListEnd, &[]));
    lines
}

#[cfg(test)]
mod tests {
    use super::super::name::{CaseMapping, ROOM_MAX};
    use super::*;

    const TO: Addressee<'_> = Addressee {
        server: "irc.test",
        nick: "bob",
    };

    fn text(lines: &[Line]) -> String {
        lines
            .iter()
            .map(|line| std::str::from_utf8(line.as_bytes()).unwrap())
            .collect()
    }

    /// The welcome has what clients wait for, each line within its limit.
    #[test]
    fn welcomes() {
        let limits = Limits {
            case_mapping: CaseMapping::Rfc1459,
            rooms_per_client_max: 20,
        };
        let lines = welcome(TO, "bob!u@h", limits);
        let text = text(&lines);
        for code in ["001", "002", "003", "004", "005"] {
            assert!(text.contains(&format!(":irc.test {code} bob ")), "{text}");
        }
        assert!(text.contains("CHANLIMIT=#:20 "));
        assert!(lines.iter().all(|line| line.as_bytes().len() < LINE_MAX));
    }

    /// The message of the day is framed; without one there is one line.
    #[test]
    fn shows_the_message_of_the_day() {
        assert_eq!(
            text(&motd(TO, &Motd::new("Be kind.\n\nThat is all."))),
            ":irc.test 375 bob :- irc.test Message of the day -\r\n\
             :irc.test 372 bob :- Be kind.\r\n\
             :irc.test 372 bob :- \r\n\
             :irc.test 372 bob :- That is all.\r\n\
             :irc.test 376 bob :End of MOTD command\r\n"
        );
        let none = motd(TO, &Motd::default());
        assert_eq!(
            text(&none),
            ":irc.test 422 bob :This server has no message of the day\r\n"
        );
    }

    /// A thousand names are packed into lines that are never cut, and all arrive.
    #[test]
    fn packs_names() {
        let nicks: Vec<String> = (0..1000)
            .map(|n| format!("nick-{n}-{}", "x".repeat(20)))
            .collect();
        let room = "#".repeat(ROOM_MAX);
        let lines = names(TO, &room, nicks.iter().map(|nick| ("@+", nick.as_str())));
        let text = text(&lines);
        assert!(lines.iter().all(|line| line.as_bytes().len() < LINE_MAX));
        assert!(nicks.iter().all(|nick| text.contains(nick.as_str())));
        assert!(text.ends_with(":End of NAMES list\r\n"));
    }

    /// A long LIST is cut and says so.
    #[test]
    fn cuts_lists() {
        let rooms: Vec<Listed> = (0..1000)
            .map(|n| Listed {
                name: format!("#{n}"),
                members: n,
                topic: String::new(),
            })
            .collect();
        let lines = list(TO, &rooms);
        assert_eq!(lines.len(), LINES_MAX + 3);
        assert!(text(&lines).contains(" 416 bob LIST :"));
    }
}
