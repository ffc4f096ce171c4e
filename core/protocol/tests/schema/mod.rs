//! Encodes JSON by the schema, with nothing of ours in between: names and numbers are those of
//! `data/proto_subset.json`. Bytes are hex, enums are names.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) struct Schema(BTreeMap<String, Value>);

/// A `Message` by the schema.
pub(crate) fn message(content: &Value) -> Vec<u8> {
    Schema::load().encode("Message", content)
}

impl Schema {
    pub(crate) fn load() -> Self {
        let file: Value = serde_json::from_str(include_str!("../data/proto_subset.json")).unwrap();
        let types = file["types"].as_array().unwrap().iter();
        let by_path = types.map(|t| (t["path"].as_str().unwrap().to_owned(), t.clone()));
        Self(by_path.collect())
    }

    /// A message of type `path`, fields in ascending order.
    pub(crate) fn encode(&self, path: &str, content: &Value) -> Vec<u8> {
        let fields = self.0[path]["fields"].as_array().unwrap();
        let mut named = BTreeMap::new();
        for (name, value) in content.as_object().unwrap() {
            let known = fields.iter().find(|field| field["name"] == **name);
            assert!(known.is_some(), "{path}.{name}");
            let known = known.unwrap();
            named.insert(known["number"].as_u64().unwrap(), (known, value));
        }
        let mut out = Vec::new();
        for (known, value) in named.into_values() {
            for value in value.as_array().unwrap_or(&vec![value.clone()]) {
                self.field(&mut out, known, value);
            }
        }
        out
    }

    fn field(&self, out: &mut Vec<u8>, known: &Value, value: &Value) {
        let number = known["number"].as_u64().unwrap();
        let kind = known["type"].as_str().unwrap();
        let bytes = match kind {
            "string" => value.as_str().unwrap().as_bytes().to_vec(),
            "bytes" => hex::decode(value.as_str().unwrap()).unwrap(),
            "double" => {
                varint(out, number << 3 | 1);
                out.extend_from_slice(&value.as_f64().unwrap().to_le_bytes());
                return;
            }
            _ if value.is_object() => self.encode(kind.strip_prefix('.').unwrap(), value),
            _ => {
                varint(out, number << 3);
                varint(out, self.scalar(kind, value));
                return;
            }
        };
        varint(out, number << 3 | 2);
        varint(out, bytes.len() as u64);
        out.extend_from_slice(&bytes);
    }

    fn scalar(&self, kind: &str, value: &Value) -> u64 {
        match value {
            Value::Bool(flag) => u64::from(*flag),
            Value::String(name) => {
                let values = self.0[kind.strip_prefix('.').unwrap()]["values"].as_array();
                let mut values = values.unwrap().iter();
                values.find(|value| value["name"] == **name).unwrap()["number"]
                    .as_u64()
                    .unwrap()
            }
            number => number.as_u64().unwrap(),
        }
    }
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}
