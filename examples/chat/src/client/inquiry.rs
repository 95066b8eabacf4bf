//! The questions a client asks: about rooms, about people, about the server.
//!
//! A room is asked through its queue and answers into the asker's outbox; the client waits until it has, so that
//! replies keep the order of the questions. People are looked up in the directory.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Client;
use crate::answer::{self, LINES_MAX};
use crate::directory::Person;
use crate::name::{self, Folded};
use crate::numeric::Numeric;
use crate::room::{Asker, Command};

impl Client {
    pub(super) async fn names(&self, name: &str) {
        let answered = match self.shared.directory.room(name) {
            Some(room) => room.settle(Command::Names(self.asker())).await,
            None => false,
        };
        if !answered {
            self.reply(Numeric::EndOfNames, &[name]);
        }
    }

    pub(super) async fn topic(&self, name: &str, text: Option<String>) {
        let id = self.id;
        let (room, command) = match text {
            Some(text) => match self.joined.get(&Folded::new(name)) {
                Some(room) => (room.clone(), Command::SetTopic { id, text }),
                None => return self.reply(self.absent(name), &[name]),
            },
            None => match self.shared.directory.room(name) {
                Some(room) => (room, Command::ShowTopic(self.asker())),
                None => return self.reply(Numeric::NoSuchChannel, &[name]),
            },
        };
        room.settle(command).await;
    }

    pub(super) fn room_mode(&self, name: &str, change: Option<&str>) {
        let to = self.session.addressee();
        match (self.shared.directory.room(name), change) {
            (None, _) => self.reply(Numeric::NoSuchChannel, &[name]),
            (Some(room), None) => {
                self.send(to.plain(Numeric::ChannelModeIs, &[room.name(), "+n"]));
            }
            // Clients ask for the ban list when they join; it is empty, as nobody can ban.
            (Some(room), Some("b" | "+b")) => self.reply(Numeric::EndOfBanList, &[room.name()]),
            (Some(room), Some(_)) => self.reply(Numeric::ChannelOpNeeded, &[room.name()]),
        }
    }

    pub(super) fn list(&self, rooms: &[String]) {
        let listed = self.shared.directory.list(rooms);
        self.send_all(answer::list(self.session.addressee(), &listed));
    }

    pub(super) fn lusers(&self) {
        let census = self.shared.directory.census();
        self.send_all(answer::lusers(self.session.addressee(), census));
    }

    pub(super) fn whois(&self, nick: &str) {
        let person = self.shared.directory.person(nick);
        let to = self.session.addressee();
        self.send_all(answer::whois(to, nick, person.as_deref()));
    }

    pub(super) fn is_on(&self, nicks: &[String]) {
        let directory = &self.shared.directory;
        let here: Vec<String> = nicks
            .iter()
            .filter_map(|nick| directory.person(nick))
            .map(|person| person.nick.clone())
            .collect();
        let to = self.session.addressee();
        self.send(to.filled(Numeric::IsOn, &[], &here.join(" ")));
    }

    pub(super) fn user_host(&self, nicks: &[String]) {
        let directory = &self.shared.directory;
        let shown: Vec<String> = nicks
            .iter()
            .filter_map(|nick| directory.person(nick))
            .map(|person| {
                let flag = if person.away.is_some() { '-' } else { '+' };
                format!("{}={flag}{}@{}", person.nick, person.user, person.host)
            })
            .collect();
        let to = self.session.addressee();
        self.send(to.filled(Numeric::UserHost, &[], &shown.join(" ")));
    }

    pub(super) async fn who(&self, mask: &str) {
        let nicks = match self.shared.directory.room(mask) {
            None => vec![mask.to_owned()],
            Some(room) => {
                let (nicks, answer) = oneshot::channel();
                // One more than fits, so that the answer can say it was cut.
                let nicks_max = LINES_MAX + 1;
                room.send(Command::Roster { nicks_max, nicks }).await;
                answer.await.unwrap_or_default()
            }
        };
        let directory = &self.shared.directory;
        let people: Vec<Arc<Person>> = nicks
            .iter()
            .filter_map(|nick| directory.person(nick))
            .collect();
        let room = if name::looks_like_room(mask) {
            mask
        } else {
            "*"
        };
        let people = people.iter().map(Arc::as_ref);
        self.send_all(answer::who(self.session.addressee(), mask, room, people));
    }

    fn asker(&self) -> Asker {
        Asker {
            nick: self.session.nick().to_owned(),
            outbox: Arc::clone(&self.outbox),
        }
    }
}
