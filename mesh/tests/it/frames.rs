//! An HTTP/2 client that says exactly what it is told, frame by frame.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use mesh_testing::parrot::v1::Errand;

use crate::asking::{ACT, framed};

/// A frame, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;

/// The flag of an answer to SETTINGS or PING, and of the last frame of a stream.
pub(crate) const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// The last stream and the code of a GOAWAY, and the text after them.
pub(crate) fn goaway(frame: &Frame) -> (u32, u32, String) {
    assert_eq!(frame.kind, GOAWAY, "{frame:?}");
    let number = |at: usize| u32::from_be_bytes(frame.payload[at..at + 4].try_into().unwrap());
    (number(0), number(4), String::from_utf8_lossy(&frame.payload[8..]).into_owned())
}

/// One connection.
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// A connection that has said what HTTP/2 begins with.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut raw = Self { stream };
        raw.send(&[frame(SETTINGS, 0, 0, &[])]).await;
        raw
    }

    /// Sends frames all at once; one that is closed already hears nothing.
    pub(crate) async fn send(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(bytes).collect();
        let _ = self.stream.write_all(&bytes).await;
    }

    /// The next frame; none when the connection is closed.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.ok()?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The next frame of a kind, past any other; none when the connection is closed first.
    pub(crate) async fn until(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind {
                return Some(frame);
            }
        }
    }

    /// Waits until the connection is closed.
    pub(crate) async fn until_closed(&mut self) {
        while self.next().await.is_some() {}
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Frame {
    Frame { kind, flags, stream, payload: payload.to_vec() }
}

pub(crate) fn ping() -> Frame {
    frame(PING, 0, 0, &[7; 8])
}

/// A call of the parrot, whole.
pub(crate) fn call(stream: u32, errand: &Errand) -> [Frame; 2] {
    // `:method POST` and `:scheme http` have numbers, all else is spelled out.
    let mut headers = vec![0x83, 0x86];
    let named = [
        (":path", ACT),
        (":authority", "parrot"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    for (name, value) in named {
        headers.push(0);
        for text in [name, value] {
            headers.push(u8::try_from(text.len()).unwrap());
            headers.extend_from_slice(text.as_bytes());
        }
    }
    [
        frame(HEADERS, END_HEADERS, stream, &headers),
        frame(DATA, END_STREAM, stream, &framed(errand)),
    ]
}

fn bytes(frame: &Frame) -> Vec<u8> {
    let length = u32::try_from(frame.payload.len()).unwrap().to_be_bytes();
    let stream = frame.stream.to_be_bytes();
    let head = [frame.kind, frame.flags];
    [&length[1..], &head, &stream, &frame.payload].concat()
}
