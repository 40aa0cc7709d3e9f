//! Kafka's schema files, parsed and checked.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use crate::versions::Versions;

/// A schema file as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMessage {
    api_key: Option<i16>,
    r#type: String,
    name: String,
    valid_versions: String,
    #[serde(default = "none")]
    flexible_versions: String,
    #[serde(default)]
    latest_version_unstable: bool,
    #[serde(default)]
    fields: Vec<RawField>,
    #[serde(default)]
    common_structs: Vec<RawStruct>,
    #[serde(default, rename = "listeners")]
    _listeners: Value,
    #[serde(default, rename = "about")]
    _about: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawStruct {
    name: String,
    versions: String,
    #[serde(default)]
    about: String,
    fields: Vec<RawField>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawField {
    name: String,
    r#type: String,
    versions: String,
    #[serde(default = "none")]
    nullable_versions: String,
    #[serde(default = "none")]
    tagged_versions: String,
    tag: Option<u32>,
    flexible_versions: Option<String>,
    #[serde(default)]
    default: Value,
    #[serde(default)]
    ignorable: bool,
    #[serde(default)]
    about: String,
    #[serde(default)]
    fields: Vec<RawField>,
    #[serde(default, rename = "mapKey")]
    _map_key: Value,
    #[serde(default, rename = "entityType")]
    _entity_type: Value,
    #[serde(default, rename = "zeroCopy")]
    _zero_copy: Value,
}

fn none() -> String {
    "none".to_owned()
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request of an API.
    Request,
    /// A response of an API.
    Response,
    /// Anything else: a header, or data that travels inside of bytes.
    Data,
}

/// A message with all its structures.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The API's number, if it has one.
    pub(crate) api_key: Option<i16>,
    /// What it is.
    pub(crate) kind: Kind,
    /// Kafka's name.
    pub(crate) name: String,
    /// The versions that exist; empty for a message that was removed.
    pub(crate) valid: Versions,
    /// The versions with compact lengths and tagged fields.
    pub(crate) flexible: Versions,
    /// Whether the newest version is not stable.
    pub(crate) unstable: bool,
    /// The proposals that the file names.
    pub(crate) kips: BTreeSet<u16>,
    /// The message itself, then every structure in it.
    pub(crate) structs: Vec<Struct>,
}

/// A structure.
#[derive(Clone, Debug)]
pub(crate) struct Struct {
    /// Kafka's name.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) about: String,
    /// The versions in which it can occur.
    pub(crate) versions: Versions,
    /// Its fields in wire order, tagged ones among them.
    pub(crate) fields: Vec<Field>,
}

/// A field. All versions are within those of its structure.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Kafka's name.
    pub(crate) name: String,
    /// Its type, apart from being nullable.
    pub(crate) r#type: Type,
    /// The versions that have it.
    pub(crate) versions: Versions,
    /// The versions in which it may be null.
    pub(crate) nullable: Versions,
    /// The versions in which it is a tagged field, and its tag.
    pub(crate) tagged: Versions,
    /// The tag.
    pub(crate) tag: u32,
    /// The versions in which its own length is compact.
    pub(crate) flexible: Versions,
    /// The default as the schema says it; `Value::Null` if it does not.
    pub(crate) default: Value,
    /// Whether a value may be dropped in versions that do not have the field.
    pub(crate) ignorable: bool,
    /// What it is for.
    pub(crate) about: String,
}

/// A type of Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int8,
    Int16,
    Int32,
    Int64,
    Uint16,
    Uint32,
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

impl Type {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(match text {
            "bool" => Type::Bool,
            "int8" => Type::Int8,
            "int16" => Type::Int16,
            "int32" => Type::Int32,
            "int64" => Type::Int64,
            "uint16" => Type::Uint16,
            "uint32" => Type::Uint32,
            "float64" => Type::Float64,
            "uuid" => Type::Uuid,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "records" => Type::Records,
            _ => match text.strip_prefix("[]") {
                Some(element) if element.starts_with("[]") => return Err(format!("`{text}`: an array of arrays")),
                Some("records") => return Err("an array of records".to_owned()),
                Some(element) => Type::Array(Box::new(Type::parse(element)?)),
                None if text.starts_with(|c: char| c.is_ascii_uppercase()) => Type::Struct(text.to_owned()),
                None => return Err(format!("`{text}` is no type")),
            },
        })
    }

    /// The structure that it is, or that its elements are.
    pub(crate) fn structure(&self) -> Option<&str> {
        match self {
            Type::Struct(name) => Some(name),
            Type::Array(element) => element.structure(),
            _ => None,
        }
    }
}

impl Message {
    /// Parses a schema file. It is JSON with `//` comments. Versions after `newest` are as good as not there.
    pub(crate) fn parse(text: &str, newest: Option<i16>) -> Result<Self, String> {
        let raw: RawMessage = serde_json::from_str(&without_comments(text)).map_err(|error| error.to_string())?;
        let kind = match raw.r#type.as_str() {
            "request" => Kind::Request,
            "response" => Kind::Response,
            _ => Kind::Data,
        };
        let all = Versions::parse(&raw.valid_versions)?;
        let valid = all.and(Versions { lo: 0, hi: newest.unwrap_or(i16::MAX) });
        let mut message = Message {
            api_key: raw.api_key,
            kind,
            name: raw.name.clone(),
            valid,
            flexible: Versions::parse(&raw.flexible_versions)?.and(valid),
            unstable: raw.latest_version_unstable && valid == all,
            kips: kips(text),
            structs: Vec::new(),
        };
        if valid.is_empty() {
            return Ok(message);
        }
        if valid.hi == i16::MAX || !(message.flexible.is_empty() || message.flexible.hi == valid.hi) {
            return Err(format!("{}: versions without an end, or that are flexible no longer", raw.name));
        }
        message.add(&raw.name, "", valid, &raw.fields)?;
        for common in &raw.common_structs {
            message.add(&common.name, &common.about, Versions::parse(&common.versions)?.and(valid), &common.fields)?;
        }
        message.check()?;
        Ok(message)
    }

    /// The structure of this name. The name was checked.
    pub(crate) fn structure(&self, name: &str) -> &Struct {
        self.structs.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("{}: no {name}", self.name))
    }

    fn add(&mut self, name: &str, about: &str, versions: Versions, raw: &[RawField]) -> Result<(), String> {
        if versions.is_empty() || self.structs.iter().any(|s| s.name == name) {
            return Err(format!("{}: {name} is there twice, or in no version", self.name));
        }
        let at = self.structs.len();
        self.structs.push(Struct { name: name.to_owned(), about: about.to_owned(), versions, fields: Vec::new() });
        for field in raw {
            // A field of versions that are all gone is as good as none.
            let parsed = self.field(versions, field).map_err(|error| format!("{name}.{}: {error}", field.name))?;
            if parsed.versions.is_empty() {
                continue;
            }
            if !field.fields.is_empty() {
                let inner = parsed.r#type.structure().ok_or_else(|| format!("{name}.{}: no structure", field.name))?;
                self.add(inner, &field.about, parsed.versions, &field.fields)?;
            }
            self.structs[at].fields.push(parsed);
        }
        Ok(())
    }

    fn field(&self, among: Versions, raw: &RawField) -> Result<Field, String> {
        let versions = Versions::parse(&raw.versions)?.and(among);
        let tagged = Versions::parse(&raw.tagged_versions)?.and(versions);
        if tagged.is_empty() == raw.tag.is_some() && !versions.is_empty() {
            return Err("a tag needs taggedVersions, and they need a tag".to_owned());
        }
        if !tagged.within(self.flexible) {
            return Err("tagged in versions that are not flexible".to_owned());
        }
        let flexible = match &raw.flexible_versions {
            Some(own) => Versions::parse(own)?.and(self.flexible),
            None => self.flexible,
        };
        let r#type = Type::parse(&raw.r#type)?;
        let nullable = Versions::parse(&raw.nullable_versions)?.and(versions);
        let can_be_null =
            matches!(r#type, Type::String | Type::Bytes | Type::Records | Type::Array(_) | Type::Struct(_));
        if !nullable.is_empty() && !can_be_null {
            return Err("this type cannot be null".to_owned());
        }
        Ok(Field {
            name: raw.name.clone(),
            r#type,
            versions,
            nullable,
            tagged,
            tag: raw.tag.unwrap_or_default(),
            flexible,
            default: raw.default.clone(),
            ignorable: raw.ignorable,
            about: raw.about.clone(),
        })
    }

    /// Every structure that is named must be there, and a structure must not have a tag twice.
    fn check(&self) -> Result<(), String> {
        for s in &self.structs {
            let mut tags = Vec::new();
            for field in &s.fields {
                if let Some(inner) = field.r#type.structure()
                    && !self.structs.iter().any(|s| s.name == inner)
                {
                    return Err(format!("{}.{}: there is no {inner}", s.name, field.name));
                }
                if !field.tagged.is_empty() {
                    if tags.contains(&field.tag) {
                        return Err(format!("{}: tag {} is there twice", s.name, field.tag));
                    }
                    tags.push(field.tag);
                }
            }
        }
        Ok(())
    }
}

/// The numbers of the proposals that a text names.
fn kips(text: &str) -> BTreeSet<u16> {
    let number = |after: &str| {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..end].parse().ok()
    };
    text.split("KIP-").skip(1).filter_map(number).collect()
}

/// Blanks out `//` comments, but not what looks like one inside of a string.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match c {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '/' if !in_string && chars.peek() == Some(&'/') => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}
