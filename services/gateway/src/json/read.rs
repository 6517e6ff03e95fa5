//! Messages from proto3 JSON, by the letter: what protobuf's own readers refuse is refused here.
//!
//! Messages with a JSON form of their own (times, masks, `Any`, …) are read by `prost-reflect`. The
//! rest is read here, since its readers let through a field given twice, and texts such as `inf`,
//! and refuse numbers such as `"1e3"`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use crate::value::{self, Number};

/// A message of this kind.
pub(super) struct Message<'a>(pub(super) &'a MessageDescriptor);

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = DynamicMessage;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<DynamicMessage, D::Error> {
        let inner = self.0.get_field_by_name("value").filter(|_| value::is_wrapper(self.0));
        if let Some(inner) = inner {
            let mut wrapper = DynamicMessage::new(self.0.clone());
            wrapper.set_field(&inner, One(&inner.kind()).deserialize(json)?);
            return Ok(wrapper);
        }
        if has_own_form(self.0) {
            return DynamicMessage::deserialize(self.0.clone(), json);
        }
        json.deserialize_map(self)
    }
}

fn has_own_form(message: &MessageDescriptor) -> bool {
    let own =
        ["Any", "Duration", "Empty", "FieldMask", "ListValue", "Struct", "Timestamp", "Value"];
    message.package_name() == "google.protobuf" && own.contains(&message.name())
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = DynamicMessage;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DynamicMessage, A::Error> {
        let mut message = DynamicMessage::new(self.0.clone());
        let mut given = HashSet::new();
        while let Some(name) = map.next_key::<Cow<'_, str>>()? {
            let named = self.0.get_field_by_json_name(&name);
            let Some(field) = named.or_else(|| self.0.get_field_by_name(&name)) else {
                return map.next_value_seed(Refused("there is no such field".into()));
            };
            if !given.insert(field.number()) {
                return map.next_value_seed(Refused("is given twice".into()));
            }
            let beside = beside(&message, &field);
            let Some(value) = map.next_value_seed(Field { field: &field, beside })? else {
                continue;
            };
            message.set_field(&field, value);
        }
        Ok(message)
    }
}

/// The field of the same oneof that is set already.
fn beside(message: &DynamicMessage, field: &FieldDescriptor) -> Option<FieldDescriptor> {
    field.containing_oneof()?.fields().find(|other| message.has_field(other))
}

/// A value that is not read: what is wrong is told with its path.
struct Refused(Cow<'static, str>);

impl<'de> DeserializeSeed<'de> for Refused {
    type Value = DynamicMessage;

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<DynamicMessage, D::Error> {
        Err(D::Error::custom(self.0))
    }
}

/// The value of a field; `None` for a `null` that means that it is absent.
struct Field<'a> {
    field: &'a FieldDescriptor,
    beside: Option<FieldDescriptor>,
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Value>, D::Error> {
        json.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value of the field")
    }

    fn visit_none<E: Error>(self) -> Result<Option<Value>, E> {
        match self.field.kind() {
            _ if self.field.is_list() || self.field.is_map() => Ok(None),
            // To these two, `null` is a value.
            Kind::Message(message) if message.full_name() == "google.protobuf.Value" => {
                let null = IntoDeserializer::<E>::into_deserializer(());
                DynamicMessage::deserialize(message, null).map(|it| Some(Value::Message(it)))
            }
            Kind::Enum(names) if names.full_name() == NULL => Ok(Some(Value::EnumNumber(0))),
            _ => Ok(None),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Value>, E> {
        self.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Option<Value>, D::Error> {
        if let Some(other) = self.beside {
            let problem = format!("cannot stand beside `{}`", other.json_name());
            return Err(D::Error::custom(problem));
        }
        let kind = self.field.kind();
        match &kind {
            Kind::Message(entry) if self.field.is_map() => {
                json.deserialize_map(Entries(entry)).map(|map| Some(Value::Map(map)))
            }
            _ if self.field.is_list() => {
                json.deserialize_seq(Many(&kind)).map(|list| Some(Value::List(list)))
            }
            kind => One(kind).deserialize(json).map(Some),
        }
    }
}

const NULL: &str = "google.protobuf.NullValue";

/// The elements of a repeated field.
struct Many<'a>(&'a Kind);

impl<'de> Visitor<'de> for Many<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Value>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(One(self.0))? {
            values.push(value);
        }
        Ok(values)
    }
}

/// The entries of a map.
struct Entries<'a>(&'a MessageDescriptor);

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = HashMap<MapKey, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let keys = self.0.map_entry_key_field().kind();
        let values = self.0.map_entry_value_field().kind();
        let mut entries = HashMap::new();
        while let Some(text) = map.next_key::<Cow<'_, str>>()? {
            let key = match value::parse(&keys, &text).map(Value::into_map_key) {
                Ok(Some(key)) if !entries.contains_key(&key) => key,
                Ok(_) => return refuse(&mut map, "is given twice".into()),
                Err(problem) => return refuse(&mut map, format!("its key {problem}").into()),
            };
            entries.insert(key, map.next_value_seed(One(&values))?);
        }
        Ok(entries)
    }
}

fn refuse<'de, A: MapAccess<'de>, T>(
    map: &mut A,
    problem: Cow<'static, str>,
) -> Result<T, A::Error> {
    let refused = map.next_value_seed(Refused(problem));
    refused.and_then(|_| Err(A::Error::custom("is refused")))
}

/// One value of a kind.
struct One<'a>(&'a Kind);

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        match self.0 {
            Kind::String => String::deserialize(json).map(Value::String),
            Kind::Bool => bool::deserialize(json).map(Value::Bool),
            Kind::Bytes => {
                let text = Cow::<'_, str>::deserialize(json)?;
                let bytes = value::base64(&text).ok_or_else(|| D::Error::custom("must be base64"));
                bytes.map(|bytes| Value::Bytes(bytes.into()))
            }
            Kind::Message(message) => Message(message).deserialize(json).map(Value::Message),
            Kind::Enum(names) => json.deserialize_any(Member(names)),
            number => json.deserialize_any(Numeric(number)),
        }
    }
}

/// A number, or its text.
struct Numeric<'a>(&'a Kind);

impl Numeric<'_> {
    fn of<E: Error>(&self, number: Number) -> Result<Value, E> {
        number.as_kind(self.0).map_err(E::custom)
    }
}

impl Visitor<'_> for Numeric<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number or its text")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.of(Number::from(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.of(Number::from(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        self.of(Number::from(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        value::parse(self.0, text).map_err(E::custom)
    }
}

/// A member of an enum by its name, or any number: enums are open.
struct Member<'a>(&'a EnumDescriptor);

impl Visitor<'_> for Member<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member or its number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        let number = i32::try_from(number);
        number.map(Value::EnumNumber).map_err(|_| E::custom("is not the number of a member"))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        let number = i32::try_from(number);
        number.map(Value::EnumNumber).map_err(|_| E::custom("is not the number of a member"))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Value, E> {
        let member = self.0.get_value_by_name(name);
        let member = member.ok_or_else(|| E::custom(value::members(self.0)))?;
        Ok(Value::EnumNumber(member.number()))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        if self.0.full_name() == NULL {
            return Ok(Value::EnumNumber(0));
        }
        Err(E::custom(value::members(self.0)))
    }
}
