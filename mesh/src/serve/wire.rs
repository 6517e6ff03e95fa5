//! The bytes of a connection, watched for what hyper cannot be told: clients that say nothing, and HTTP/2
//! clients that ping too often.
//!
//! HTTP/2 pings its clients and HTTP/1.1 waits for heads with a limit; what comes before it is known which of
//! them a client speaks has no limit but this one. h2 answers each ping and counts none, so they are counted here,
//! and the GOAWAY that ends such a connection is written here, between two frames of h2's own.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::config::Pings;
use super::frames::{Frames, PREFACE, too_many_pings};
use super::pings::Strikes;
use crate::channelz::Traffic;

/// How long a client may take to say its first words, and over HTTP/1.1 the head of each request.
pub(super) const LONGEST_SILENCE: Duration = Duration::from_secs(15);

/// A connection that fails when its client has not made itself understood in time, or pings too often.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    speech: Speech,
    outgoing: Frames,
    strikes: Strikes,
    last_stream: u32,
    /// What is left to say to a client that pings too often.
    goodbye: Option<Vec<u8>>,
    traffic: Arc<Traffic>,
}

/// What a client speaks.
#[derive(Debug)]
enum Speech {
    /// It has not said enough yet.
    Unknown { heard: usize, is_preface: bool, limit: Pin<Box<Sleep>> },
    /// HTTP/2: its frames.
    Two(Frames),
    /// HTTP/1.1, or nothing that is understood.
    Other,
}

impl<S> Wire<S> {
    pub(super) fn new(stream: S, pings: Pings, traffic: Arc<Traffic>) -> Self {
        Self {
            stream,
            speech: Speech::Unknown {
                heard: 0,
                is_preface: true,
                limit: Box::pin(sleep(LONGEST_SILENCE)),
            },
            outgoing: Frames::default(),
            strikes: Strikes::new(pings),
            last_stream: 0,
            goodbye: None,
            traffic,
        }
    }

    /// Whether its client has been silent for too long.
    fn is_too_silent(&mut self, poller: &mut Context<'_>) -> bool {
        match &mut self.speech {
            Speech::Unknown { limit, .. } => limit.as_mut().poll(poller).is_ready(),
            Speech::Two(_) | Speech::Other => false,
        }
    }

    fn hear(&mut self, mut bytes: &[u8]) {
        if let Speech::Unknown { heard, is_preface, .. } = &mut self.speech {
            let awaited = &PREFACE[*heard..];
            let (words, rest) = bytes.split_at(awaited.len().min(bytes.len()));
            *heard += words.len();
            *is_preface &= awaited.starts_with(words);
            if *heard < PREFACE.len() {
                return;
            }
            bytes = rest;
            let two = *is_preface;
            self.speech = if two { Speech::Two(Frames::default()) } else { Speech::Other };
        }
        let Speech::Two(frames) = &mut self.speech else { return };
        let mut too_many = false;
        frames.read(bytes, |head| {
            if head.is_headers() {
                self.last_stream = self.last_stream.max(head.stream);
            }
            too_many |= head.is_ping() && self.strikes.ping(Instant::now());
        });
        if too_many && self.goodbye.is_none() {
            self.goodbye = Some(too_many_pings(self.last_stream));
        }
    }

    fn said(&mut self, bytes: &[u8]) {
        match &mut self.speech {
            // Who is answered before its preface is whole speaks HTTP/1.1.
            Speech::Unknown { .. } => self.speech = Speech::Other,
            Speech::Two(_) => self.outgoing.read(bytes, |head| {
                if head.is_of_call() {
                    self.strikes.answered();
                }
                if head.is_ping() {
                    self.traffic.keep_alive();
                }
            }),
            Speech::Other => {}
        }
    }
}

impl<S: AsyncWrite + Unpin> Wire<S> {
    /// Ends a connection with the last words that are due, once what was begun is whole.
    fn poll_goodbye(&mut self, poller: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(words) = self.goodbye.as_mut().filter(|_| self.outgoing.is_between()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(poller, words))?;
            words.drain(..written);
            if words.is_empty() || written == 0 {
                ready!(Pin::new(&mut self.stream).poll_shutdown(poller))?;
                let calm = io::Error::new(io::ErrorKind::ConnectionAborted, "too many pings");
                return Poll::Ready(Err(calm));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        poller: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(poller, buffer);
        if read.is_pending() && this.is_too_silent(poller) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        this.hear(&buffer.filled()[before..]);
        if this.goodbye.is_some() {
            // Nothing more is read of such a client; a frame that is under way ends first.
            buffer.set_filled(before);
            ready!(this.poll_goodbye(poller))?;
            return Poll::Pending;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        poller: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_goodbye(poller))?;
        let written = ready!(Pin::new(&mut self.stream).poll_write(poller, bytes))?;
        self.said(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, poller: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_goodbye(poller))?;
        Pin::new(&mut self.stream).poll_flush(poller)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, poller: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(poller)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        poller: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_goodbye(poller))?;
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(poller, bytes))?;
        let mut left = written;
        for slice in bytes {
            let piece = left.min(slice.len());
            self.said(&slice[..piece]);
            left -= piece;
        }
        Poll::Ready(Ok(written))
    }
}
