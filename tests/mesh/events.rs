//! Which events there are: the page that says so, and that what is told is what the contracts say.

use std::fmt::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;
use store_testing::Engine;

use crate::customer::{Person, order};
use crate::pages;
use crate::parts::CONSUMES;
use crate::sample::product;
use crate::world::{Shape, World};

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(tradewind::DESCRIPTORS).unwrap());

/// Every event, in the order of the files and of what stands in them.
fn events() -> Vec<MessageDescriptor> {
    let files = POOL.files().filter(|file| file.name().ends_with("/events.proto"));
    let mut files: Vec<_> = files.collect();
    files.sort_by_key(|file| file.name().to_owned());
    files.iter().flat_map(|file| file.messages().collect::<Vec<_>>()).collect()
}

/// What the contract calls the event's key; nothing where it says none.
fn key_of(event: &MessageDescriptor) -> Option<String> {
    let option = POOL.get_extension_by_name("tradewind.mesh.v1.event")?;
    let options = event.options();
    let rules = options.has_extension(&option).then(|| options.get_extension(&option))?;
    let key = rules.as_message()?.get_field_by_name("key")?.as_str()?.to_owned();
    Some(key).filter(|key| !key.is_empty())
}

/// The field at the end of a path, if there is one.
fn at_path(event: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let (outer, field) = path.rsplit_once('.').unwrap_or(("", path));
    let mut message = event.clone();
    for name in outer.split('.').filter(|name| !name.is_empty()) {
        message = message.get_field_by_name(name)?.kind().as_message()?.clone();
    }
    message.get_field_by_name(field)
}

/// The comment before something, in one line.
fn comment(of: &MessageDescriptor, path: &[i32]) -> String {
    let file = of.parent_file();
    let info = file.file_descriptor_proto().source_code_info.clone().unwrap();
    let found = info.location.iter().find(|location| location.path == path);
    let text = found.and_then(|location| location.leading_comments.as_deref()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn type_of(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(of) => of.full_name().to_owned(),
        kind => format!("{kind:?}").to_lowercase(),
    }
}

fn page() -> String {
    let mut page = String::from(
        "# Events\n\nWhat services tell each other. Made from the contracts and from what each service says that it \
         consumes; a test compares it.\nHow events travel, and what to do about one that is refused, is in \
         [running.md](running.md#events).\n",
    );
    for event in events() {
        let name = event.full_name();
        let teller = name.split('.').nth(1).unwrap();
        let consumers = CONSUMES.iter().filter(|(_, consumes)| consumes.contains(&name));
        let consumers: Vec<_> = consumers.map(|(service, _)| format!("`{service}`")).collect();
        let told = if consumers.is_empty() { "nobody yet".into() } else { consumers.join(", ") };
        let key = key_of(&event).unwrap_or_default();
        writeln!(page, "\n## {}\n\n{}\n", event.name(), comment(&event, event.path())).unwrap();
        writeln!(page, "`{name}` from `{teller}` to {told}; in order for each `{key}`.\n").unwrap();
        page.push_str("| field | type | |\n|---|---|---|\n");
        for field in event.fields() {
            let said = comment(&event, field.path());
            writeln!(page, "| `{}` | `{}` | {said} |", field.name(), type_of(&field)).unwrap();
        }
    }
    page
}

#[test]
fn the_page_of_events_is_what_the_contracts_say() {
    let page = page();

    pages::keep("events.md", &page);
}

#[test]
fn every_event_says_what_it_happened_to_and_every_consumer_consumes_what_there_is() {
    let events = events();
    assert!(events.len() > 5, "{} events", events.len());

    for event in &events {
        let key = key_of(event).unwrap_or_else(|| panic!("{} says no key", event.full_name()));
        let field = at_path(event, &key);
        let is_text = field.is_some_and(|field| field.kind() == Kind::String && !field.is_list());
        assert!(is_text, "{}: its key `{key}` is no text in it", event.full_name());
        assert!(!comment(event, event.path()).is_empty(), "{} says nothing", event.full_name());
    }
    for (service, consumes) in CONSUMES {
        for name in consumes {
            let there = events.iter().any(|event| event.full_name() == *name);
            assert!(there, "{service} consumes {name}, which is in no events.proto");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_of_an_order_has_the_key_that_its_contract_names() {
    let world = World::start(Shape::Near, Engine::Sqlite).await;
    let administrator = Person::merchant(world.gateway).await;
    let variant = product(&administrator, "keys", 5).await;
    let guest = Person::guest(world.gateway).await;
    let asked = order(&[(&variant, 1)], "sim_unknown");
    let placed = guest.post_once("/v1/orders", "one", asked).await;
    let path = format!("/v1/orders/{}", placed.text("/order/id"));
    guest.get_until(&path, |order| order["state"] == "STATE_CONFIRMED").await;

    for service in ["orders", "payments"] {
        let told = |it: &Value| it["events"].as_array().is_some_and(|it| !it.is_empty());
        let listed = administrator.get_until(&format!("/v1/outbox/{service}"), told).await;
        for event in listed.json["events"].as_array().unwrap() {
            let position = event["position"].as_str().unwrap();
            let event = administrator.get(&format!("/v1/outbox/{service}/{position}")).await;
            let message = POOL.get_message_by_name(&event.text("/type")).unwrap();
            let key = key_of(&message).unwrap();
            let data = STANDARD.decode(event.text("/data")).unwrap();
            let message = DynamicMessage::decode(message, data.as_slice()).unwrap();
            assert_eq!(value_at(&message, &key), event.text("/key"), "{event:?}");
        }
    }
}

/// The text at a path in a message.
fn value_at(message: &DynamicMessage, path: &str) -> String {
    match path.split_once('.') {
        Some((field, rest)) => {
            let value = message.get_field_by_name(field).unwrap();
            value_at(value.as_message().unwrap(), rest)
        }
        None => message.get_field_by_name(path).unwrap().as_str().unwrap().to_owned(),
    }
}
