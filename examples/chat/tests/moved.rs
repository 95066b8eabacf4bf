//! Every metric of the chat is moved by ordinary traffic, by abuse or by a fault: one that nothing moves tells nothing.
//!
//! Whoever adds a metric lets something here move it. A process of its own, because `fd-exhausted` takes the descriptors
//! of the whole process.

#[cfg(test)]
#[path = "it/harness.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod harness;

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};
    use std::sync::Arc;
    use std::time::Duration;

    use faults::{Plan, Settings};
    use tokio::net::TcpSocket;
    use tokio::runtime::Builder;
    use tokio::time::timeout;

    use crate::harness::{Client, Server};

    /// Connections that the server takes.
    const CONNECTIONS_MAX: usize = 5;

    /// How long a test waits for what must happen.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// The metrics that have not moved yet.
    struct Unmoved {
        at_first: HashSet<String>,
        names: BTreeSet<&'static str>,
    }

    impl Unmoved {
        fn new(server: &Server) -> Self {
            Self {
                at_first: server.page().lines().map(str::to_owned).collect(),
                names: chat::METRICS.iter().map(|metric| metric.name).collect(),
            }
        }

        /// Takes out what is not as it was at first.
        fn look(&mut self, server: &Server) {
            let page = server.page();
            for line in page.lines().filter(|line| !self.at_first.contains(*line)) {
                let series = line.split(['{', ' ']).next().unwrap_or(line);
                let family = ["_bucket", "_count", "_sum"]
                    .iter()
                    .find_map(|part| series.strip_suffix(part))
                    .filter(|family| self.names.contains(family));
                self.names.remove(family.unwrap_or(series));
            }
        }
    }

    /// Nothing is left in the table that neither clients nor faults move.
    #[test]
    fn every_metric_is_moved() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let plan = Arc::new(Plan::new("chat", chat::POINTS));
            let server = Server::with(|options| {
                options.faults = Arc::clone(&plan);
                options.connections_max = CONNECTIONS_MAX;
                options.send_limits.messages = 100;
                options.drain = Duration::from_millis(100);
                options.patience.ping_after = Duration::from_millis(200);
                // A burst of a hundred lines waits a little, and never too often.
                options.flood_limits.line_every = Duration::from_micros(100);
                options.flood_limits.patience_lines = u32::MAX;
            })
            .await;
            let mut unmoved = Unmoved::new(&server);
            let mut talker = Client::register(&server, "talker").await;
            talker.join("#r").await;
            misbehave(&mut talker).await;
            answer(&mut talker).await;
            unmoved.look(&server);
            fall_behind(&server, &plan, &mut talker, &mut unmoved).await;
            crowd(&server).await;
            unmoved.look(&server);
            exhaust(&server, &plan).await;
            unmoved.look(&server);
            assert!(
                unmoved.names.is_empty(),
                "nothing moves {:?}",
                unmoved.names
            );
            server.stop().await;
        });
    }

    /// Lines that are none, and one that is too long.
    async fn misbehave(client: &mut Client) {
        client.send("PRIV-MSG x").await;
        client.wait_for(" 421 ").await;
        client.send(&"x".repeat(10_000)).await;
        client.wait_for(" 417 ").await;
    }

    /// The server asks a silent client whether it is there, and it is.
    async fn answer(client: &mut Client) {
        client.wait_for("PING :irc.test").await;
        client.send("PONG :irc.test\r\nPING answered").await;
        client.wait_for(":answered").await;
    }

    /// A reader that reads nothing: its queue grows while the fault is on, and it is evicted when it is off.
    async fn fall_behind(server: &Server, plan: &Plan, talker: &mut Client, unmoved: &mut Unmoved) {
        let mut slow = Client::connect_narrow(server).await;
        slow.enter("slow").await;
        slow.join("#r").await;
        plan.on("unbounded-queue", Settings::default()).unwrap();
        let line = format!("PRIVMSG #r :{}\r\n", "x".repeat(400));
        while server.metric("chat_sendq_messages_max") < 200.0 {
            talker.send_bytes(line.repeat(100).as_bytes()).await;
            talker.send("PING all-said").await;
            talker.wait_for(":all-said").await;
        }
        unmoved.look(server);
        plan.off("unbounded-queue").unwrap();
        talker.send(&line.repeat(2)).await;
        talker.wait_for(" QUIT :SendQ exceeded").await;
        unmoved.look(server);
    }

    /// More connections than the server takes.
    async fn crowd(server: &Server) {
        let mut clients = Vec::new();
        for _ in 0..=CONNECTIONS_MAX {
            clients.push(Client::connect(server).await);
        }
        while server.metric("chat_connections_refused_total") < 1.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        drop(clients);
        server.wait_for_metric("chat_connections 1").await;
    }

    /// A client that comes while there is no descriptor left: counted, and served once there is one again.
    async fn exhaust(server: &Server, plan: &Plan) {
        let socket = TcpSocket::new_v4().unwrap();
        let settings = Settings {
            duration_ms: Some(1000),
            pause_ms: Some(3_600_000),
            count: Some(0),
        };
        plan.on("fd-exhausted", settings).unwrap();
        let held = || {
            plan.status()
                .iter()
                .map(|status| status.leaked)
                .sum::<usize>()
        };
        let until = async |is_so: fn(usize) -> bool| {
            let seen = async {
                while !is_so(held()) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            let seen = timeout(PATIENCE, seen).await;
            assert!(seen.is_ok(), "{} descriptors are held", held());
        };
        until(|held| held > 0).await;
        let stream = socket.connect(server.address).await.unwrap();
        let mut late = Client::over(stream);
        late.enter("late").await;
        plan.off("fd-exhausted").unwrap();
        until(|held| held == 0).await;
    }
}
