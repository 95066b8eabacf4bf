//! A FIX client as simple as can be, sharing no code with the exchange.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Patience for one message; only a broken exchange takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    stream: TcpStream,
    name: String,
    pub(crate) next: u64,
    input: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, name: &str) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            name: name.to_owned(),
            next: 1,
            input: Vec::new(),
        }
    }

    /// Sends `35=…|more` with header, next number, length and checksum.
    pub(crate) async fn send(&mut self, fields: &str) {
        let bytes = self.message(fields);
        self.send_raw(&bytes).await;
    }

    /// The bytes of the next message.
    pub(crate) fn message(&mut self, fields: &str) -> Vec<u8> {
        let (kind, rest) = fields.split_once('|').unwrap_or((fields, ""));
        let body = format!(
            "{kind}|34={}|49={}|52=20261123-10:00:00.000|56=EXCHANGE|{rest}",
            self.next, self.name
        );
        self.next += 1;
        let body = format!("{}|", body.trim_end_matches('|'));
        frame(&format!("{:07}", body.len()), &body)
    }

    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// A new order: side 1 or 2, price empty for a market order.
    pub(crate) async fn order(&mut self, name: &str, side: u8, quantity: &str, price: &str) {
        let kind = if price.is_empty() {
            "40=1".to_owned()
        } else {
            format!("40=2|44={price}")
        };
        let time = "60=20261123-10:00:00";
        self.send(&format!(
            "35=D|11={name}|55=X|54={side}|38={quantity}|{kind}|{time}"
        ))
        .await;
    }

    pub(crate) async fn cancel(&mut self, name: &str, target: &str, side: u8) {
        let time = "60=20261123-10:00:00";
        self.send(&format!("35=F|11={name}|41={target}|55=X|54={side}|{time}"))
            .await;
    }

    /// The next message as `|tag=value|…|`, or `None` at the end of the stream.
    pub(crate) async fn receive(&mut self) -> Option<String> {
        loop {
            if let Some(message) = self.take() {
                return Some(message);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.input));
            match read.await.expect("the exchange says nothing") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Receives a message and checks that it has all these fields.
    pub(crate) async fn expect(&mut self, fields: &str) -> String {
        let message = self.receive().await.expect("a message, not the end");
        for field in fields.split('|') {
            assert!(
                message.contains(&format!("|{field}|")),
                "{}: expected {field} in {message}",
                self.name
            );
        }
        message
    }

    /// Reads on until the exchange closes the connection; gives the last message.
    pub(crate) async fn expect_end(&mut self) -> Option<String> {
        let mut last = None;
        while let Some(message) = self.receive().await {
            last = Some(message);
        }
        last
    }

    fn take(&mut self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.input).replace('\u{1}', "|");
        let trailer = text.find("|10=")?;
        let end = trailer + 4 + text[trailer + 4..].find('|')? + 1;
        let (body, sum) = (&self.input[..=trailer], &text[trailer + 4..end - 1]);
        let expected: u32 = body.iter().map(|&byte| u32::from(byte)).sum::<u32>() % 256;
        assert_eq!(sum, format!("{expected:03}"), "checksum of {text}");
        let length = text.split('|').nth(1)?.strip_prefix("9=")?.to_owned();
        let start = text.find("|35=")? + 1;
        assert_eq!(
            length,
            (trailer + 1 - start).to_string(),
            "length of {text}"
        );
        let message = format!("|{}", &text[..end]);
        self.input.drain(..end);
        Some(message)
    }
}

/// `8=…|9=length|body10=sum|` with a right checksum.
pub(crate) fn frame(length: &str, body: &str) -> Vec<u8> {
    let mut bytes = format!("8=FIX.4.4|9={length}|{body}")
        .replace('|', "\u{1}")
        .into_bytes();
    let sum = bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>() % 256;
    bytes.extend_from_slice(format!("10={sum:03}\u{1}").as_bytes());
    bytes
}
