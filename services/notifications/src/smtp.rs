//! Mails on their way to a mail server.

use std::time::{Duration, SystemTime};

use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::{AsyncSmtpTransportBuilder, Error as SmtpError};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use mesh::clock::micros;
use tradewind::notifications::v1::Mail;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// How long a server may take for one step.
const PATIENCE: Duration = Duration::from_secs(20);
/// Refusals of our own sign-in (RFC 4954): no mail is to blame, and mending the configuration helps.
const SIGN_IN: [u16; 4] = [530, 534, 535, 538];

/// The most that is kept of what a server said, in bytes.
const LONGEST: usize = 500;

/// A way to a mail server.
pub(crate) struct Smtp {
    transport: Transport,
    from: Mailbox,
}

/// What became of a mail.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The server took it.
    Sent,
    /// It will never be taken; why.
    Refused(String),
    /// It was not taken now.
    NotNow(SmtpError),
}

/// A mail that cannot be written as one.
#[derive(Debug, thiserror::Error)]
enum Unwritable {
    #[error("the recipient is not an e-mail address: {0}")]
    Recipient(#[from] AddressError),
    #[error("the mail cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
}

/// A mail server by its address, such as `smtps://user:password@mail.example.com`.
pub(crate) fn server(url: &str) -> Result<AsyncSmtpTransportBuilder, SmtpError> {
    Transport::from_url(url)
}

impl Smtp {
    /// A way to a server, for mails from an address.
    pub(crate) fn new(server: AsyncSmtpTransportBuilder, from: Mailbox) -> Self {
        Self { transport: server.timeout(Some(PATIENCE)).build(), from }
    }

    /// Hands a mail to the server.
    pub(crate) async fn send(&self, mail: &Mail) -> Outcome {
        let message = match message(mail, &self.from) {
            Ok(message) => message,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        match self.transport.send(message).await {
            Ok(_) => Outcome::Sent,
            Err(error) if is_final(&error) => Outcome::Refused(words(&error)),
            Err(error) => Outcome::NotNow(error),
        }
    }
}

fn is_final(error: &SmtpError) -> bool {
    let code = error.status().map(u16::from);
    error.is_permanent() && code.is_none_or(|code| !SIGN_IN.contains(&code))
}

/// What a server said, as a row can keep it.
fn words(error: &SmtpError) -> String {
    let text = error.to_string().replace(char::is_control, " ");
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}

/// The mail as it travels: always the same bytes, with an id that tells a repeat.
fn message(mail: &Mail, from: &Mailbox) -> Result<Message, Unwritable> {
    let to: Address = mail.recipient.parse()?;
    let age = mail.create_time.as_ref().map_or(0, micros);
    let date = SystemTime::UNIX_EPOCH + Duration::from_micros(age.try_into().unwrap_or_default());
    // RFC 3834: no one's holiday answer comes back.
    let automatic =
        HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into());
    Ok(Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(mail.subject.as_str())
        .date(date)
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .raw_header(automatic)
        .header(ContentType::TEXT_PLAIN)
        .body(mail.body.clone())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(recipient: &str, subject: &str) -> Mail {
        Mail {
            id: "mai_1".into(),
            recipient: recipient.into(),
            subject: subject.into(),
            body: "Grüße\n".into(),
            ..Mail::default()
        }
    }

    fn shop() -> Mailbox {
        "Shop <shop@example.com>".parse().unwrap()
    }

    #[test]
    fn a_repeat_is_the_same_message() {
        let mail = mail("ada@example.com", "Hello");

        let first = message(&mail, &shop()).unwrap().formatted();

        assert_eq!(first, message(&mail, &shop()).unwrap().formatted());
        let text = String::from_utf8(first).unwrap();
        assert!(text.contains("Message-ID: <mai_1@example.com>\r\n"), "{text}");
    }

    #[test]
    fn a_line_break_in_a_subject_adds_no_header() {
        let mail = mail("ada@example.com", "Hello\r\nBcc: eve@example.com\n\nBody");

        let message = message(&mail, &shop()).unwrap();

        assert!(message.headers().get_raw("Bcc").is_none());
        assert_eq!(message.envelope().to().len(), 1);
        let text = String::from_utf8(message.formatted()).unwrap();
        assert!(text.lines().all(|line| !line.starts_with("Bcc")), "{text}");
    }

    #[test]
    fn a_line_break_in_a_recipient_is_refused() {
        for recipient in ["ada@example.com\r\nRCPT TO:<eve@example.com>", "a\r\nb@example.com", ""]
        {
            let refused = message(&mail(recipient, "Hello"), &shop());

            assert!(matches!(refused, Err(Unwritable::Recipient(_))), "{recipient:?}");
        }
    }
}
