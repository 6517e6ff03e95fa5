//! A mail server on a socket: it speaks SMTP, and refuses what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What a client handed over.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) to: Vec<String>,
    pub(crate) data: String,
}

impl Received {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (head, _) = self.data.split_once("\r\n\r\n")?;
        head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Debug, Default)]
struct Desk {
    received: Vec<Received>,
    /// Answers to the next commands of a name, instead of yes; an empty one hangs up.
    refusals: VecDeque<(&'static str, &'static str)>,
    recipients: usize,
}

/// A running server; it ends with the test.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) port: u16,
    desk: Arc<Mutex<Desk>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, desk: Arc::default() };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = serving.clone();
                tokio::spawn(async move { serving.converse(stream).await });
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Answers the next command of a name, or the end of the data (`.`), otherwise.
    pub(crate) fn answer_next(&self, command: &'static str, answer: &'static str) {
        self.desk.lock().unwrap().refusals.push_back((command, answer));
    }

    /// The mails that came whole, whether they were taken or not.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.desk.lock().unwrap().received.clone()
    }

    /// How many recipients were named, in all.
    pub(crate) fn recipients(&self) -> usize {
        self.desk.lock().unwrap().recipients
    }

    fn answer_to(&self, command: &str, usual: &'static str) -> &'static str {
        let mut desk = self.desk.lock().unwrap();
        match desk.refusals.front() {
            Some((refused, answer)) if *refused == command => {
                let answer = *answer;
                desk.refusals.pop_front();
                answer
            }
            _ => usual,
        }
    }

    async fn converse(&self, stream: TcpStream) -> Option<()> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        write.write_all(b"220 test\r\n").await.ok()?;
        let mut to = Vec::new();
        loop {
            let line = lines.next_line().await.ok()??;
            let command = line.get(..4).unwrap_or(&line).to_uppercase();
            let usual = match command.as_str() {
                "EHLO" => "250-test\r\n250-AUTH PLAIN\r\n250-8BITMIME\r\n250 SMTPUTF8",
                "AUTH" => "235 welcome",
                "DATA" => "354 go on",
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            let answer = self.answer_to(&command, usual);
            if command == "RCPT" {
                self.desk.lock().unwrap().recipients += 1;
                to.push(line[5..].to_owned());
            }
            write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            if command == "DATA" && answer == usual {
                let mut data = String::new();
                loop {
                    let line = lines.next_line().await.ok()??;
                    if line == "." {
                        break;
                    }
                    data += line.strip_prefix('.').unwrap_or(&line);
                    data += "\r\n";
                }
                let received = Received { to: std::mem::take(&mut to), data };
                self.desk.lock().unwrap().received.push(received);
                let answer = self.answer_to(".", "250 taken");
                if answer.is_empty() {
                    return None;
                }
                write.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            }
        }
    }
}
