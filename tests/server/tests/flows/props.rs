//! AB props: told in full, then as changes.

use crate::client::{Client, order, server, violations};
use sendpath_protocol::abprops::is_update;
use sendpath_protocol::jid::Jid;
use sendpath_protocol::wap::Node;

#[test]
fn props_come_in_full_and_after_a_push_as_changes() {
    let server = server();
    let mut client = Client::linked(&server, 1);
    let all = ask(&mut client, None);
    assert_eq!(all.text("delta_update"), None);
    let expected = [
        (865, "604800"),
        (909, "26"),
        (996, "604800"),
        (997, "4"),
        (14303, "1"),
        (24941, "1"),
    ];
    assert_eq!(values(&all), expected.map(|(code, v)| (code, v.into())));
    let set = r#"{"cmd":"set_props","props":{"865":"604800","909":"4","996":"604800","997":"4","14303":"1","24941":"1"},"push":true}"#;
    order(&server, set);
    let pushed = client.expect("notification");
    client.acknowledge(&pushed);
    assert!(is_update(&pushed));
    let changes = ask(&mut client, Some(all.text("hash").unwrap().into_owned()));
    assert!(changes.is("delta_update", "true"));
    assert_eq!(values(&changes), [(909, "4".into())]);
    assert_eq!(violations(&server), [""; 0]);
}

#[test]
fn a_question_in_another_form_is_refused() {
    let server = server();
    let mut client = Client::linked(&server, 1);
    let iq = question(Node::new("props").attr("protocol", "2"));
    assert!(client.ask(iq).is("type", "error"));
}

fn question(props: Node) -> Node {
    Node::new("iq")
        .attr("xmlns", "abt")
        .attr("type", "get")
        .jid("to", Jid::whatsapp())
        .child(props)
}

fn ask(client: &mut Client, hash: Option<String>) -> Node {
    let props = Node::new("props").attr("protocol", "1").maybe("hash", hash);
    let answer = client.ask(question(props));
    answer.find("props").unwrap().clone()
}

fn values(props: &Node) -> Vec<(u32, String)> {
    let value = |prop: &Node| {
        let value = prop.text("config_value")?.into_owned();
        Some((prop.number("config_code")?, value))
    };
    props.all("prop").filter_map(value).collect()
}
