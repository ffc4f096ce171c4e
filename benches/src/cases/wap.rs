//! The binary codec, on two nodes of the test vectors: an ordinary message with a token, and a list
//! that is as large as a fan-out to many devices.

use sendpath_protocol::wap::{decode_body, encode_body};

use crate::harness::{Case, Operation, repeated};

const TYPICAL: &str = "message 1:1 with tctoken";
const BIG: &str = "zapo golden: list16 children";

pub(crate) fn cases() -> Vec<Case> {
    let row = |name, of, make| Case {
        name,
        of,
        operations: 1,
        make,
    };
    vec![
        row("wap copy, message", None, |_| copy(TYPICAL)),
        row("wap decode, message", Some("wap copy, message"), |_| {
            decode(TYPICAL)
        }),
        row("wap encode, message", Some("wap copy, message"), |_| {
            encode(TYPICAL)
        }),
        row("wap copy, big", None, |_| copy(BIG)),
        row("wap decode, big", Some("wap copy, big"), |_| decode(BIG)),
        row("wap encode, big", Some("wap copy, big"), |_| encode(BIG)),
    ]
}

fn copy(name: &str) -> Operation {
    let body = body(name);
    repeated(move || body.clone())
}

fn decode(name: &str) -> Operation {
    let body = body(name);
    repeated(move || decode_body(&body).unwrap())
}

fn encode(name: &str) -> Operation {
    let node = decode_body(&body(name)).unwrap();
    repeated(move || encode_body(&node))
}

fn body(name: &str) -> Vec<u8> {
    let file = include_str!("../../../core/protocol/tests/vectors/wap_nodes.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let mut cases = file["cases"].as_array().unwrap().iter();
    let case = cases.find(|case| case["name"] == name).unwrap();
    hex::decode(case["hex"].as_str().unwrap()).unwrap()
}
