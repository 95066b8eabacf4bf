//! The same conversations with every model of the server: what each person hears when one says a line.
//!
//! They stand in `tests/conversations/`, one a file. `alice> LINE` says a line, and the `alice< LINE`, `bob< LINE` after it are all
//! that anybody hears then, in the order of each listener. What follows `alice>> LINE` is not looked at. Times are `T`.

use std::collections::BTreeMap;

use bytes::BytesMut;
use chat::CaseMapping;
use chat::hall::{Hall, Outcome};
use chat::identity::ClientId;
use chat::moment::Moment;
use chat::protocol::capability::Capabilities;
use chat::protocol::isupport::Limits;
use chat::protocol::message::Message;
use chat::protocol::motd::Motd;
use chat::session::Policy;

use crate::harness::{Client, Server, on_both_runtimes};

/// Who may appear, in the order in which they come in.
const PEOPLE: [&str; 4] = ["alice", "bob", "eve", "dan"];

/// What everybody hears, by name.
type Heard = BTreeMap<String, Vec<String>>;

/// One line that is said.
struct Step {
    who: String,
    line: String,
    /// What must be heard; `None` for whatever.
    heard: Option<Heard>,
}

/// A file.
struct Conversation {
    name: String,
    steps: Vec<Step>,
}

impl Conversation {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test that has not begun: nobody waits for this thread"
    )]
    fn all() -> Vec<Self> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conversations");
        let files = std::fs::read_dir(folder).unwrap();
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let steps = steps(&std::fs::read_to_string(&path).unwrap());
            Self { name, steps }
        };
        let all: Vec<Self> = files.map(read).collect();
        assert!(all.len() > 10 && all.iter().all(|one| one.steps.len() > 2));
        all
    }

    /// Those who say or hear something, in the order in which they come in.
    fn people(&self) -> Vec<&'static str> {
        let appears = |name: &&str| {
            self.steps.iter().any(|step| {
                let hears = step
                    .heard
                    .as_ref()
                    .is_some_and(|heard| heard.contains_key(*name));
                step.who == *name || hears
            })
        };
        PEOPLE.into_iter().filter(appears).collect()
    }
}

fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let lines = text.lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let at = line.find(['<', '>']).unwrap();
        let (who, said) = line.split_at(at);
        assert!(PEOPLE.contains(&who), "{line}");
        let who = who.to_owned();
        if let Some(heard) = said.strip_prefix("< ") {
            let step = steps.last_mut().unwrap();
            let all = step.heard.as_mut().expect("`>>` is followed by nothing");
            all.entry(who).or_default().push(heard.to_owned());
            continue;
        }
        let (line, heard) = match said.strip_prefix(">> ") {
            Some(line) => (line, None),
            None => (said.strip_prefix("> ").unwrap(), Some(Heard::new())),
        };
        let line = line.to_owned();
        steps.push(Step { who, line, heard });
    }
    steps
}

/// The line with `T` for every time in it.
fn timeless(line: &str) -> String {
    let mut line = line.to_owned();
    if let Some(rest) = line.strip_prefix("@time=") {
        let end = rest.find([';', ' ']).unwrap();
        line = format!("@time=T{}", &rest[end..]);
    }
    let number = line.split(' ').nth(1).unwrap_or_default();
    if ["329", "333", "367"].contains(&number) {
        let (rest, _) = line.rsplit_once(' ').unwrap();
        line = format!("{rest} T");
    }
    line
}

/// The pure server: no task, no socket.
#[test]
fn in_one_value() {
    for conversation in Conversation::all() {
        let people = conversation.people();
        let mut talk = InOneValue::new(&people);
        for step in &conversation.steps {
            let heard = talk.say(&step.who, &step.line);
            if let Some(expect) = &step.heard {
                assert_eq!(heard, *expect, "{}: {}", conversation.name, step.line);
            }
        }
    }
}

struct InOneValue {
    hall: Hall<&'static str>,
    capabilities: BTreeMap<&'static str, Capabilities>,
}

impl InOneValue {
    fn new(people: &[&'static str]) -> Self {
        let policy = Policy {
            server: "irc.test".into(),
            limits: Limits {
                case_mapping: CaseMapping::default(),
                rooms_per_client_max: 50,
            },
            password: None,
            motd: Motd::default(),
        };
        let mut talk = Self {
            hall: Hall::new(policy),
            capabilities: BTreeMap::new(),
        };
        for &name in people {
            talk.hall.connect(id(name), "127.0.0.1".to_owned(), name);
            talk.capabilities.insert(name, Capabilities::NONE);
            talk.say(name, &format!("NICK {name}"));
            talk.say(name, &format!("USER {name} 0 * :{name}"));
        }
        talk
    }

    fn say(&mut self, who: &str, line: &str) -> Heard {
        let message = Message::parse(line).unwrap();
        let mut heard = Heard::new();
        for outcome in self.hall.message(id(who), &message, Moment::now()) {
            match outcome {
                Outcome::Capabilities(whose, capabilities) => {
                    self.capabilities.insert(whose, capabilities);
                }
                Outcome::Line(reader, line) if line.is_for(self.capabilities[reader]) => {
                    let mut bytes = BytesMut::new();
                    line.write(self.capabilities[reader], &mut bytes);
                    let line = timeless(std::str::from_utf8(&bytes).unwrap().trim_end());
                    heard.entry(reader.to_owned()).or_default().push(line);
                }
                Outcome::Line(..) | Outcome::End(..) => {}
            }
        }
        heard
    }
}

fn id(who: &str) -> ClientId {
    let index = PEOPLE.iter().position(|name| *name == who).unwrap();
    ClientId(u64::try_from(index).unwrap())
}

/// The server of tasks, through sockets.
#[test]
fn through_sockets() {
    on_both_runtimes(|| async {
        for conversation in Conversation::all() {
            let server = Server::start().await;
            let mut clients = BTreeMap::new();
            for name in conversation.people() {
                let mut client = Client::connect(&server).await;
                client
                    .send(&format!("NICK {name}\r\nUSER {name} 0 * :{name}"))
                    .await;
                client.wait_for(&format!(":irc.test 422 {name} ")).await;
                clients.insert(name, client);
            }
            for step in &conversation.steps {
                say(&conversation.name, &mut clients, step).await;
            }
            server.stop().await;
        }
    });
}

async fn say(conversation: &str, clients: &mut BTreeMap<&'static str, Client>, step: &Step) {
    clients
        .get_mut(step.who.as_str())
        .unwrap()
        .send(&step.line)
        .await;
    let Some(expect) = &step.heard else {
        // First whoever speaks: once it is answered, what it said has been done.
        clients.get_mut(step.who.as_str()).unwrap().catch_up().await;
        for client in clients.values_mut() {
            client.catch_up().await;
        }
        return;
    };
    for (name, expect) in expect {
        let listener = clients.get_mut(name.as_str()).unwrap();
        for line in expect {
            let heard = listener.line().await.expect("the connection stays");
            assert_eq!(timeless(&heard), *line, "{conversation}: {}", step.line);
        }
    }
    for client in clients.values_mut() {
        client.expect_nothing().await;
    }
}
