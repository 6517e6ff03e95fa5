//! The table mapping of every message with the `resource` option.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use prost_reflect::{Cardinality, FieldDescriptor, Kind, MessageDescriptor};

use crate::{Contracts, constant_case, descriptors::Set, field_name, module_of, rust_path};

const TIMESTAMP: &str = "google.protobuf.Timestamp";
const MONEY: &str = "tradewind.money.v1.Money";

/// One column: what the store is told of it, and the code that fills and reads it.
struct Column {
    name: String,
    /// How filters and orders name it.
    path: String,
    kind: &'static str,
    nullable: bool,
    /// An expression of `contract::Value`, over `self`.
    write: String,
    /// Statements that set the field of `message` from `row`.
    read: String,
}

pub(crate) fn generate(contracts: &Contracts, set: &Set, out: &Path) -> Result<()> {
    let mut code = String::new();
    if let Some(option) = set.pool.get_extension_by_name("tradewind.mesh.v1.resource") {
        for message in set.pool.all_messages() {
            let options = message.options();
            if !contracts.owns(message.package_name()) || !options.has_extension(&option) {
                continue;
            }
            let value = options.get_extension(&option);
            let resource = value.as_message().context("the resource option is a message")?;
            let said = |field: &str| {
                let value = resource.get_field_by_name(field);
                value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
            };
            implement(contracts, &message, &said, &mut code)
                .with_context(|| format!("resource {}", message.full_name()))?;
        }
    }
    Ok(std::fs::write(out.join("resources.rs"), code)?)
}

fn implement(
    contracts: &Contracts,
    message: &MessageDescriptor,
    said: &dyn Fn(&str) -> String,
    code: &mut String,
) -> Result<()> {
    let columns = columns(message)?;
    for needed in ["id", "create_time", "update_time", "etag"] {
        ensure!(columns.iter().any(|column| column.name == needed), "it has no field `{needed}`");
    }
    ensure!(!said("table").is_empty(), "resource.table is not said");
    ensure!(!said("id_prefix").is_empty(), "resource.id_prefix is not said");
    let owner = said("owner_field");
    ensure!(
        owner.is_empty()
            || columns.iter().any(|column| column.name == owner && column.kind == "Text"),
        "its owner_field `{owner}` is not one of its strings"
    );

    let contract = contracts.contract;
    let optional =
        |text: String| if text.is_empty() { "None".into() } else { format!("Some({text:?})") };
    writeln!(code, "impl {contract}::Resource for {} {{", rust_path(message))?;
    writeln!(code, "    const NAME: &'static str = {:?};", message.full_name())?;
    writeln!(code, "    const TABLE: &'static str = {:?};", said("table"))?;
    writeln!(code, "    const ID_PREFIX: &'static str = {:?};", said("id_prefix"))?;
    writeln!(code, "    const OWNER: Option<&'static str> = {};", optional(owner))?;
    writeln!(code, "    const READ_ANY: Option<&'static str> = {};", optional(said("read_any")))?;
    writeln!(code, "    const COLUMNS: &'static [{contract}::Column] = &[")?;
    for Column { name, path, kind, nullable, .. } in &columns {
        writeln!(
            code,
            "        {contract}::Column {{ name: {name:?}, path: {path:?}, \
             kind: {contract}::Kind::{kind}, nullable: {nullable} }},"
        )?;
    }
    writeln!(code, "    ];")?;
    writeln!(code, "    fn id(&self) -> &str {{ &self.id }}")?;
    writeln!(code, "    fn etag(&self) -> &str {{ &self.etag }}")?;
    writeln!(code, "    fn stamp(&mut self, stamp: {contract}::Stamp) {{")?;
    writeln!(code, "        if let Some(id) = stamp.id {{ self.id = id; }}")?;
    writeln!(
        code,
        "        if let Some(time) = stamp.create_time {{ self.create_time = Some(time); }}"
    )?;
    writeln!(code, "        self.update_time = Some(stamp.update_time);")?;
    writeln!(code, "        self.etag = stamp.etag;\n    }}")?;
    writeln!(code, "    fn write(&self, row: &mut impl {contract}::WriteRow) {{")?;
    writeln!(code, "        #[allow(unused_imports)] use {contract}::Value;")?;
    for column in &columns {
        writeln!(code, "        row.put({});", column.write)?;
    }
    writeln!(code, "    }}")?;
    writeln!(
        code,
        "    fn read(row: &mut impl {contract}::ReadRow) -> Result<Self, {contract}::Malformed> {{"
    )?;
    writeln!(code, "        let mut message = Self::default();")?;
    for column in &columns {
        writeln!(code, "        {}", column.read)?;
    }
    writeln!(code, "        Ok(message)\n    }}\n}}")?;
    Ok(())
}

/// The columns of a message, in the order of its fields; a oneof stands where its first member does.
fn columns(message: &MessageDescriptor) -> Result<Vec<Column>> {
    let mut columns = Vec::new();
    let mut oneofs = Vec::new();
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(FieldDescriptor::number);
    for field in fields {
        match field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
            Some(oneof) if oneofs.contains(&oneof.name().to_owned()) => {}
            Some(oneof) => {
                oneofs.push(oneof.name().to_owned());
                columns.push(whole(oneof.name()));
            }
            None => columns
                .extend(of_field(&field).with_context(|| format!("field `{}`", field.name()))?),
        }
    }
    Ok(columns)
}

fn of_field(field: &FieldDescriptor) -> Result<Vec<Column>> {
    if field.cardinality() == Cardinality::Repeated {
        return Ok(vec![whole(field.name())]);
    }
    Ok(match field.kind() {
        Kind::Message(of) if of.full_name() == MONEY => money(field),
        Kind::Message(of) if of.full_name() == TIMESTAMP => vec![timestamp(field)],
        Kind::Message(_) => vec![whole(field.name())],
        _ => vec![scalar(field)?],
    })
}

/// A field that SQL does not look into: the protobuf of its message with this field alone.
fn whole(name: &str) -> Column {
    let field = field_name(name);
    Column {
        name: name.into(),
        path: name.into(),
        kind: "Bytes",
        nullable: false,
        write: format!(
            "Value::Bytes(Some(::prost::Message::encode_to_vec(&Self {{ {field}: self.{field}.clone(), ..Self::default() }})))"
        ),
        read: format!("message.{field} = row.message::<Self>()?.{field};"),
    }
}

fn scalar(field: &FieldDescriptor) -> Result<Column> {
    let name = field_name(field.name());
    let optional = field.supports_presence();
    // `it` is the value where there is one.
    let (kind, to, from) = match field.kind() {
        Kind::String => ("Text", "it.clone()".to_owned(), "it".to_owned()),
        Kind::Bytes => ("Bytes", "it.clone()".to_owned(), "it.into()".to_owned()),
        Kind::Double => ("Double", "*it".to_owned(), "it".to_owned()),
        Kind::Bool => ("Integer", "i64::from(*it)".to_owned(), "it != 0".to_owned()),
        Kind::Int64 => ("Integer", "*it".to_owned(), "it".to_owned()),
        Kind::Int32 | Kind::Uint32 => (
            "Integer",
            "i64::from(*it)".to_owned(),
            format!("it.try_into().map_err(|_| row.malformed({:?}))?", field.name()),
        ),
        Kind::Enum(of) => {
            let path = match of.parent_message() {
                Some(parent) => format!("{}::{}", module_of(&parent), of.name()),
                None => format!("{}::{}", of.package_name().replace('.', "::"), of.name()),
            };
            let prefix = format!("{}_", constant_case(of.name()));
            (
                "Text",
                format!(
                    "{path}::try_from(*it).unwrap_or_default().as_str_name().trim_start_matches({prefix:?}).to_owned()"
                ),
                format!(
                    "{path}::from_str_name(&format!(\"{prefix}{{it}}\")).unwrap_or_default().into()"
                ),
            )
        }
        other => {
            bail!("a {other:?} has no column that both databases keep; use int64, string or double")
        }
    };
    let read = kind.to_lowercase();
    let (write, read) = if optional {
        (
            format!("Value::{kind}(self.{name}.as_ref().map(|it| {to}))"),
            format!(
                "message.{name} = match row.optional_{read}()? {{ Some(it) => Some({from}), None => None }};"
            ),
        )
    } else {
        (
            format!("Value::{kind}(Some({{ let it = &self.{name}; {to} }}))"),
            format!("message.{name} = {{ let it = row.{read}()?; {from} }};"),
        )
    };
    Ok(Column {
        name: field.name().into(),
        path: field.name().into(),
        kind,
        nullable: optional,
        write,
        read,
    })
}

fn timestamp(field: &FieldDescriptor) -> Column {
    let name = field_name(field.name());
    Column {
        name: field.name().into(),
        path: field.name().into(),
        kind: "Timestamp",
        nullable: !matches!(field.name(), "create_time" | "update_time"),
        write: format!("Value::Timestamp(self.{name})"),
        read: format!("message.{name} = row.optional_timestamp()?;"),
    }
}

fn money(field: &FieldDescriptor) -> Vec<Column> {
    let name = field_name(field.name());
    let nullable = !required(field);
    let (proto, path) = (field.name(), field.name());
    vec![
        Column {
            name: format!("{proto}_minor"),
            path: format!("{path}.minor"),
            kind: "Integer",
            nullable,
            write: format!("Value::Integer(self.{name}.as_ref().map(|it| it.minor))"),
            read: "let minor = row.optional_integer()?;".into(),
        },
        Column {
            name: format!("{proto}_currency"),
            path: format!("{path}.currency_code"),
            kind: "Text",
            nullable,
            write: format!("Value::Text(self.{name}.as_ref().map(|it| it.currency_code.clone()))"),
            read: format!("message.{name} = row.money(minor)?;"),
        },
    ]
}

/// Whether `buf.validate` asks for the field.
fn required(field: &FieldDescriptor) -> bool {
    let Some(extension) = field.parent_pool().get_extension_by_name("buf.validate.field") else {
        return false;
    };
    let rules = field.options().get_extension(&extension).into_owned();
    rules
        .as_message()
        .and_then(|rules| rules.get_field_by_name("required").and_then(|value| value.as_bool()))
        .unwrap_or_default()
}
