//! Answers of several lines: the welcome, NAMES, WHO, WHOIS, LIST; PURE.
//!
//! Takes facts, gives lines. Where an answer could grow without bound it is cut here, because every line of it takes a
//! place in the asker's send queue and a long answer would evict the one who asked.

use crate::directory::Person;
use crate::message::{LINE_MAX, Line};
use crate::name::{NICK_MAX, ROOM_MAX, USER_MAX};
use crate::numeric::{Addressee, Numeric};
use crate::session::{AWAY_MAX, TOPIC_MAX};

/// Most lines of one WHO or LIST answer; well below the default send queue.
pub(crate) const LINES_MAX: usize = 200;

/// Bytes of names in one 353 line; what is left of 512 holds prefix, nick and room at their longest.
const NAMES_MAX: usize = LINE_MAX - 150;

/// Sizes of the server, for LUSERS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Census {
    /// Registered clients.
    pub(crate) clients: usize,
    /// Rooms.
    pub(crate) rooms: usize,
}

/// 001 to 005, LUSERS and "no MOTD": what every client waits for.
pub(crate) fn welcome(
    to: Addressee<'_>,
    mask: &str,
    rooms_max: usize,
    census: Census,
) -> Vec<Line> {
    let version = concat!("chat-", env!("CARGO_PKG_VERSION"));
    let host = format!("Your host is {}, running {version}", to.server);
    let tokens = [
        "CASEMAPPING=rfc1459".to_owned(),
        "CHANTYPES=#".to_owned(),
        format!("CHANLIMIT=#:{rooms_max}"),
        format!("CHANNELLEN={ROOM_MAX}"),
        format!("NICKLEN={NICK_MAX}"),
        format!("USERLEN={USER_MAX}"),
        format!("TOPICLEN={TOPIC_MAX}"),
        format!("AWAYLEN={AWAY_MAX}"),
        format!(
            "TARGMAX=PRIVMSG:{0},NOTICE:{0}",
            crate::command::TARGETS_MAX
        ),
    ];
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let mut lines = vec![
        to.filled(
            Numeric::Welcome,
            &[],
            &format!("Welcome to the chat, {mask}"),
        ),
        to.filled(Numeric::YourHost, &[], &host),
        to.filled(
            Numeric::Created,
            &[],
            "This server keeps nothing from before it was started",
        ),
        to.plain(Numeric::MyInfo, &[to.server, version, "i", "n"]),
        to.filled(Numeric::ISupport, &tokens, "are supported by this server"),
    ];
    lines.extend(lusers(to, census));
    lines.push(to.fixed(Numeric::NoMotd, &[]));
    lines
}

/// 251, 254, 255.
pub(crate) fn lusers(to: Addressee<'_>, census: Census) -> Vec<Line> {
    let Census { clients, rooms } = census;
    let there = format!("There are 0 users and {clients} invisible on 1 servers");
    let here = format!("I have {clients} clients and 0 servers");
    vec![
        to.filled(Numeric::LuserClient, &[], &there),
        to.fixed(Numeric::LuserChannels, &[&rooms.to_string()]),
        to.filled(Numeric::LuserMe, &[], &here),
    ]
}

/// 353 as often as needed, then 366.
pub(crate) fn names<'a>(
    to: Addressee<'_>,
    room: &str,
    members: impl Iterator<Item = &'a str>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut packed = String::new();
    for nick in members {
        if !packed.is_empty() && packed.len() + 1 + nick.len() > NAMES_MAX {
            lines.push(to.filled(Numeric::NamesReply, &["=", room], &packed));
            packed.clear();
        }
        if !packed.is_empty() {
            packed.push(' ');
        }
        packed.push_str(nick);
    }
    if !packed.is_empty() {
        lines.push(to.filled(Numeric::NamesReply, &["=", room], &packed));
    }
    lines.push(to.fixed(Numeric::EndOfNames, &[room]));
    lines
}

/// 332 and 333, or 331.
pub(crate) fn topic(to: Addressee<'_>, room: &str, topic: Option<&Topic>) -> Vec<Line> {
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

/// The topic of a room.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    /// Its text, never empty.
    pub(crate) text: String,
    /// Mask of who set it, shown by clients.
    pub(crate) by: String,
    /// When it was set, shown by clients.
    pub(crate) at_unix_seconds: u64,
}

/// 352 for everybody in `people`, cut at [`LINES_MAX`], then 315.
pub(crate) fn who<'a>(
    to: Addressee<'_>,
    mask: &str,
    room: &str,
    people: impl Iterator<Item = &'a Person>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for person in people {
        if lines.len() == LINES_MAX {
            lines.push(to.fixed(Numeric::TooManyMatches, &[mask]));
            break;
        }
        let flag = if person.away.is_some() { "G" } else { "H" };
        let params = [
            room,
            &person.user,
            &person.host,
            to.server,
            &person.nick,
            flag,
        ];
        let text = format!("0 {}", person.realname);
        lines.push(to.filled(Numeric::WhoReply, &params, &text));
    }
    lines.push(to.fixed(Numeric::EndOfWho, &[mask]));
    lines
}

/// 311, 319, 312, 301, then 318; or 401.
pub(crate) fn whois(to: Addressee<'_>, nick: &str, person: Option<&Person>) -> Vec<Line> {
    let Some(person) = person else {
        return vec![
            to.fixed(Numeric::NoSuchNick, &[nick]),
            to.fixed(Numeric::EndOfWhois, &[nick]),
        ];
    };
    let nick = person.nick.as_str();
    let mut lines = vec![to.filled(
        Numeric::WhoisUser,
        &[nick, &person.user, &person.host, "*"],
        &person.realname,
    )];
    if !person.rooms.is_empty() {
        let rooms: Vec<&str> = person.rooms.iter().map(String::as_str).collect();
        lines.push(to.filled(Numeric::WhoisChannels, &[nick], &rooms.join(" ")));
    }
    lines.push(to.filled(Numeric::WhoisServer, &[nick, to.server], "chat"));
    if let Some(away) = &person.away {
        lines.push(to.filled(Numeric::Away, &[nick], away));
    }
    lines.push(to.fixed(Numeric::EndOfWhois, &[nick]));
    lines
}

/// What LIST shows of a room.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Its name as first written.
    pub(crate) name: String,
    /// How many are in it.
    pub(crate) members: usize,
    /// Its topic, or empty.
    pub(crate) topic: String,
}

/// 321, 322 for each room, cut at [`LINES_MAX`], then 323.
pub(crate) fn list(to: Addressee<'_>, rooms: &[Listed]) -> Vec<Line> {
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
        let census = Census {
            clients: 3,
            rooms: 2,
        };
        let lines = welcome(TO, "bob!u@h", 20, census);
        let text = text(&lines);
        for code in [
            "001", "002", "003", "004", "005", "251", "254", "255", "422",
        ] {
            assert!(text.contains(&format!(":irc.test {code} bob ")), "{text}");
        }
        assert!(text.contains("CHANLIMIT=#:20 "));
        assert!(lines.iter().all(|line| line.as_bytes().len() < LINE_MAX));
    }

    /// A thousand names are packed into lines that are never cut, and all arrive.
    #[test]
    fn packs_names() {
        let nicks: Vec<String> = (0..1000)
            .map(|n| format!("nick-{n}-{}", "x".repeat(20)))
            .collect();
        let room = "#".repeat(ROOM_MAX);
        let lines = names(TO, &room, nicks.iter().map(String::as_str));
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
