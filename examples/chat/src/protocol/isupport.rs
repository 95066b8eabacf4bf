//! What this server supports and where its limits are, announced as 005; PURE.
//!
//! Each token is made from the constant or option that enforces it, so that the announcement cannot be wrong.

use super::command::TARGETS_MAX;
use super::line::Line;
use super::listing::ELIST;
use super::mode::{CHANGES_MAX, CHANMODES, KEY_MAX};
use super::name::{CaseMapping, NICK_MAX, ROOM_MAX, USER_MAX};
use super::numeric::{Addressee, Numeric};

/// Longest away text kept, in bytes; announced as `AWAYLEN`.
pub const AWAY_MAX: usize = 200;

/// Longest topic kept, in bytes; announced as `TOPICLEN`. Leaves room for the prefix in a line of 512.
pub const TOPIC_MAX: usize = 300;

/// Longest comment of a KICK kept, in bytes; announced as `KICKLEN`.
pub const COMMENT_MAX: usize = 200;

/// Most masks on the ban list of one room; announced as `MAXLIST`. Each is held against whoever joins or speaks.
pub const BANS_MAX: usize = 60;

/// Tokens in one line: with the nickname that makes the fifteen parameters of a message, the text included.
const TOKENS_PER_LINE: usize = 13;

/// The limits that an operator of the server chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How names are compared.
    pub case_mapping: CaseMapping,
    /// Most rooms one client is in.
    pub rooms_per_client_max: usize,
}

/// The lines of 005.
#[must_use]
pub fn lines(to: Addressee<'_>, limits: Limits) -> Vec<Line> {
    let tokens = tokens(limits);
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let lines = tokens.chunks(TOKENS_PER_LINE);
    lines
        .map(|tokens| to.filled(Numeric::ISupport, tokens, "are supported by this server"))
        .collect()
}

fn tokens(limits: Limits) -> Vec<String> {
    vec![
        format!("AWAYLEN={AWAY_MAX}"),
        format!("CASEMAPPING={}", limits.case_mapping.name()),
        format!("CHANLIMIT=#:{}", limits.rooms_per_client_max),
        format!("CHANMODES={CHANMODES}"),
        format!("CHANNELLEN={ROOM_MAX}"),
        "CHANTYPES=#".to_owned(),
        format!("ELIST={ELIST}"),
        format!("KEYLEN={KEY_MAX}"),
        format!("KICKLEN={COMMENT_MAX}"),
        format!("MAXLIST=b:{BANS_MAX}"),
        format!("MODES={CHANGES_MAX}"),
        format!("NICKLEN={NICK_MAX}"),
        "PREFIX=(ov)@+".to_owned(),
        format!(
            "TARGMAX=JOIN:,KICK:{TARGETS_MAX},LIST:,NAMES:{TARGETS_MAX},NOTICE:{TARGETS_MAX},PART:,\
             PRIVMSG:{TARGETS_MAX},TAGMSG:{TARGETS_MAX},WHOIS:1"
        ),
        format!("TOPICLEN={TOPIC_MAX}"),
        format!("USERLEN={USER_MAX}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::line::LINE_MAX;
    use super::super::message::{Message, PARAMS_MAX};
    use super::*;

    /// Every token arrives whole in a line that every parser takes apart, whatever the names.
    #[test]
    fn every_token_arrives() {
        let (server, nick) = ("s".repeat(63), "n".repeat(NICK_MAX));
        let to = Addressee {
            server: &server,
            nick: &nick,
        };
        let limits = Limits {
            case_mapping: CaseMapping::Ascii,
            rooms_per_client_max: usize::MAX,
        };
        let lines = lines(to, limits);
        let mut arrived = Vec::new();
        for line in &lines {
            assert!(line.as_bytes().len() < LINE_MAX);
            let text = std::str::from_utf8(line.as_bytes()).unwrap().trim_end();
            let message = Message::parse(text).unwrap();
            assert!(message.params.len() <= PARAMS_MAX);
            assert_eq!(message.params.last(), Some(&"are supported by this server"));
            let tokens = &message.params[1..message.params.len() - 1];
            arrived.extend(tokens.iter().map(|token| (*token).to_owned()));
        }
        assert_eq!(arrived, tokens(limits));
    }
}
