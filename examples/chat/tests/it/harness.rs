//! A server on a free port, and raw clients that send lines and wait for lines.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chat::Options;
use pollscope::metrics::Registry;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest wait for anything that must happen; generous, machines are slow.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `test` on a multi-threaded and on a single-threaded runtime.
pub(crate) fn on_both_runtimes<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let multi = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let single = Builder::new_current_thread().enable_all().build();
    for runtime in [multi.unwrap(), single.unwrap()] {
        runtime.block_on(test());
    }
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    registry: Registry,
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let registry = Registry::new();
        let plan = Arc::new(faults::Plan::new("chat", chat::POINTS));
        let mut options = Options::new(registry.clone(), plan);
        options.server_name = "irc.test".into();
        // Tests say more at once than people do; those about floods switch the control on.
        options.flood_limits.line_every = Duration::ZERO;
        change(&mut options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, stop) = oneshot::channel();
        let stop = async { drop(stop.await) };
        let task = tokio::spawn(chat::run(listener, options, stop));
        Self {
            address,
            registry,
            shutdown,
            task,
        }
    }

    /// Shuts down and waits for the end.
    pub(crate) async fn stop(self) -> Registry {
        self.shutdown.send(()).unwrap();
        let ended = timeout(PATIENCE, self.task).await;
        ended.expect("shutdown hangs").unwrap().unwrap();
        self.registry
    }

    /// The metrics as they are now.
    pub(crate) fn page(&self) -> String {
        self.registry.render()
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.registry.render();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap().parse().unwrap()
    }

    /// Waits until the exposition has `line`.
    pub(crate) async fn wait_for_metric(&self, line: &str) {
        let seen = async {
            while !has(&self.registry, line) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let seen = timeout(PATIENCE, seen).await;
        assert!(seen.is_ok(), "no `{line}` in\n{}", self.registry.render());
    }
}

/// Whether the exposition has exactly this line.
pub(crate) fn has(registry: &Registry, line: &str) -> bool {
    registry.render().lines().any(|known| known == line)
}

/// A raw client.
pub(crate) struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
}

impl Client {
    pub(crate) async fn connect(server: &Server) -> Self {
        Self::over(TcpStream::connect(server.address).await.unwrap())
    }

    /// A client whose kernel takes little from the server while it does not read.
    pub(crate) async fn connect_narrow(server: &Server) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::over(socket.connect(server.address).await.unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            reader: BufReader::new(reader),
            writer,
        }
    }

    /// Connects and registers.
    pub(crate) async fn register(server: &Server, nick: &str) -> Self {
        let mut client = Self::connect(server).await;
        client.enter(nick).await;
        client
    }

    /// Registers.
    pub(crate) async fn enter(&mut self, nick: &str) {
        self.send(&format!("NICK {nick}\r\nUSER {nick} 0 * :Real {nick}"))
            .await;
        self.wait_for(&format!(":irc.test 422 {nick} ")).await;
    }

    /// Joins a room and waits for the end of its names.
    pub(crate) async fn join(&mut self, room: &str) {
        self.send(&format!("JOIN {room}")).await;
        self.wait_for(&format!(" {room} :End of NAMES list")).await;
    }

    pub(crate) async fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\r\n").as_bytes()).await;
    }

    /// Sends a line; whether the connection was still there to take it.
    pub(crate) async fn says(&mut self, line: &str) -> bool {
        let line = format!("{line}\r\n");
        self.writer.write_all(line.as_bytes()).await.is_ok()
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.unwrap();
    }

    /// The next line; `None` at the end of the connection.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.reader.read_line(&mut line);
        match timeout(PATIENCE, read).await.expect("no line came") {
            Ok(0) | Err(_) => None,
            Ok(_) => {
                let body = match line.strip_prefix('@') {
                    Some(tagged) => tagged.split_once(' ').unwrap().1,
                    None => &line,
                };
                assert!(body.ends_with("\r\n") && body.len() <= 512, "{line:?}");
                Some(line.trim_end().to_owned())
            }
        }
    }

    /// Reads up to the first line that contains `part`.
    pub(crate) async fn wait_for(&mut self, part: &str) -> String {
        let mut seen = Vec::new();
        while let Some(line) = self.line().await {
            if line.contains(part) {
                return line;
            }
            seen.push(line);
        }
        panic!("connection ended without `{part}`, only {seen:#?}");
    }

    /// Asserts that the next line is this one.
    pub(crate) async fn expect(&mut self, line: &str) {
        assert_eq!(self.line().await.as_deref(), Some(line));
    }

    /// Asserts that nothing is waiting: the answer to a PING is the next line.
    pub(crate) async fn expect_nothing(&mut self) {
        self.send("PING nothing").await;
        self.expect(":irc.test PONG irc.test :nothing").await;
    }

    /// Reads away everything that has been sent so far.
    pub(crate) async fn catch_up(&mut self) {
        self.send("PING so-far").await;
        self.wait_for(" PONG irc.test :so-far").await;
    }

    /// All lines up to the end of the connection.
    pub(crate) async fn rest(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(line) = self.line().await {
            lines.push(line);
        }
        lines
    }
}
