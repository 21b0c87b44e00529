//! Compiles the protobuf schemas: into a descriptor set, for those who ask a server what it has,
//! and into the tables by which messages become JSON and JSON becomes messages.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever the tables have no word for ends the build"
)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use protox::Compiler;
use protox::prost_reflect::{
    Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, ServiceDescriptor,
};

const ROOT: &str = "proto";
/// The packages that are served.
const SERVED: [&str; 2] = ["lf/a2a/v1/a2a.proto", "a2a/v1/a2a.proto"];
/// What failed calls say.
const STATUS: &str = "google/rpc/status.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    let mut compiler = Compiler::new([ROOT])?;
    compiler.include_imports(true).open_files(SERVED)?;
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    compiler.open_file(STATUS)?;
    fs::write(out.join("schema.rs"), tables(&compiler.descriptor_pool())?)?;
    Ok(())
}

/// The tables as the source of statics, which refer to each other.
fn tables(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut source = String::new();
    for message in pool.all_messages() {
        write_message(&mut source, &message)?;
    }
    let messages = pool.all_messages().map(|message| format!("&{}", ident(message.full_name())));
    let messages: Vec<_> = messages.collect();
    writeln!(source, "pub(super) static MESSAGES: &[&Message] = &[{}];", messages.join(", "))?;
    writeln!(source, "pub(super) static METHODS: &[Method] = &[")?;
    for service in pool.services() {
        write_methods(&mut source, &service)?;
    }
    writeln!(source, "];")?;
    Ok(source)
}

fn write_message(source: &mut String, message: &MessageDescriptor) -> Result<(), Box<dyn Error>> {
    let name = message.full_name();
    let shape = match name {
        "google.protobuf.Struct" | "google.protobuf.Value" | "google.protobuf.ListValue" => "Json",
        "google.protobuf.Timestamp" => "Timestamp",
        "google.protobuf.Duration" => "Duration",
        "google.protobuf.Any" => "Any",
        _ => "Plain",
    };
    let real = message.oneofs().filter(|oneof| !oneof.is_synthetic());
    if real.count() > 1 {
        return Err(format!("{name} has two oneofs; the reader knows one").into());
    }
    writeln!(source, "static {}: Message = Message {{", ident(name))?;
    writeln!(source, "    name: {name:?}, shape: Shape::{shape}, fields: &[")?;
    for field in message.fields() {
        writeln!(
            source,
            "        Field {{ number: {}, name: {:?}, json: {:?}, quoted: {:?}, kind: {}, label: Label::{} }},",
            field.number(),
            field.name(),
            field.json_name(),
            format!("\"{}\":", field.json_name()),
            kind(&field)?,
            label(&field)?,
        )?;
    }
    writeln!(source, "    ],\n}};")?;
    Ok(())
}

fn kind(field: &FieldDescriptor) -> Result<String, Box<dyn Error>> {
    Ok(match field.kind() {
        Kind::String => "Kind::Text".into(),
        Kind::Bytes => "Kind::Bytes".into(),
        Kind::Bool => "Kind::Bool".into(),
        Kind::Int32 => "Kind::Int32".into(),
        Kind::Int64 => "Kind::Int64".into(),
        Kind::Double => "Kind::Double".into(),
        Kind::Enum(null) if null.full_name() == "google.protobuf.NullValue" => "Kind::Null".into(),
        Kind::Enum(values) => {
            let values =
                values.values().map(|value| format!("({}, {:?})", value.number(), value.name()));
            format!("Kind::Enum(&[{}])", values.collect::<Vec<_>>().join(", "))
        }
        Kind::Message(message) => format!("Kind::Message(&{})", ident(message.full_name())),
        other => return Err(format!("{}: {other:?} is not known", field.full_name()).into()),
    })
}

fn label(field: &FieldDescriptor) -> Result<&'static str, Box<dyn Error>> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { return Err("a map without entries".into()) };
        return match entry.map_entry_key_field().kind() {
            Kind::String => Ok("Map"),
            other => Err(format!("{}: a key is a text, not {other:?}", field.full_name()).into()),
        };
    }
    if field.cardinality() == Cardinality::Repeated {
        return match field.kind() {
            Kind::String | Kind::Message(_) => Ok("Repeated"),
            // These are packed.
            other => Err(format!("{}: a list of {other:?} is not known", field.full_name()).into()),
        };
    }
    Ok(match field.containing_oneof() {
        Some(oneof) if !oneof.is_synthetic() => "OneOf",
        _ if field.supports_presence() => "Explicit",
        _ => "Implicit",
    })
}

fn write_methods(source: &mut String, service: &ServiceDescriptor) -> Result<(), Box<dyn Error>> {
    for method in service.methods() {
        writeln!(
            source,
            "    Method {{ service: {:?}, name: {:?}, input: &{}, output: &{} }},",
            service.full_name(),
            method.name(),
            ident(method.input().full_name()),
            ident(method.output().full_name()),
        )?;
    }
    Ok(())
}

fn ident(full_name: &str) -> String {
    full_name.replace('.', "_").to_uppercase()
}
