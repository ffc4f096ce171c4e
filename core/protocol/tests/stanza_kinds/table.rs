//! One message of each kind of the table.

use serde_json::{Value, json};

/// The table: a message of each kind, and what to say where the clients disagree: `type mediatype edit
/// decrypt-fail meta`, or `-` where there is nothing to decide.
pub(crate) type Kind = (&'static str, Value, &'static str);

pub(crate) fn kinds() -> Vec<Kind> {
    let parts = [
        texts_and_media(),
        polls_and_reactions(),
        protocol_messages(),
        wrapped(),
        business(),
        comments(),
        others(),
        rarities(),
    ];
    parts.concat()
}

fn with(base: &Value, more: &Value) -> Value {
    let mut all = base.clone();
    let fields = more.as_object().unwrap().clone();
    all.as_object_mut().unwrap().extend(fields);
    all
}

fn own() -> Value {
    json!({"key": {"fromMe": true, "id": "A"}})
}

fn protocol(more: &Value) -> Value {
    json!({"protocolMessage": with(&own(), more)})
}

fn wrap(name: &str, inner: &Value) -> Value {
    json!({name: {"message": inner}})
}

fn text() -> Value {
    json!({"conversation": "hi"})
}

fn extended() -> Value {
    json!({"extendedTextMessage": {"text": "hi"}})
}

fn image() -> Value {
    json!({"imageMessage": {"url": "u"}})
}

fn secret(kind: &str) -> Value {
    json!({"secretEncryptedMessage": {"secretEncType": kind}})
}

fn texts_and_media() -> Vec<Kind> {
    let link = json!({"extendedTextMessage": {"text": "see x.org", "matchedText": "x.org"}});
    let titled =
        json!({"extendedTextMessage": {"text": "a", "matchedText": "x.org", "title": "t"}});
    vec![
        ("conversation", text(), ""),
        ("extendedText", extended(), ""),
        (
            "extendedText + matchedText (link preview, no title)",
            link,
            "",
        ),
        ("extendedText + matchedText + title", titled, ""),
        ("image", image(), ""),
        ("video", json!({"videoMessage": {"url": "u"}}), ""),
        (
            "video gifPlayback",
            json!({"videoMessage": {"gifPlayback": true}}),
            "",
        ),
        ("ptv", json!({"ptvMessage": {"url": "u"}}), ""),
        ("audio", json!({"audioMessage": {"url": "u"}}), ""),
        ("audio ptt", json!({"audioMessage": {"ptt": true}}), ""),
        ("document", json!({"documentMessage": {}}), ""),
        (
            "documentWithCaption(document)",
            wrap(
                "documentWithCaptionMessage",
                &json!({"documentMessage": {}}),
            ),
            "",
        ),
        ("sticker", json!({"stickerMessage": {}}), ""),
        (
            "lottieSticker(sticker)",
            wrap("lottieStickerMessage", &json!({"stickerMessage": {}})),
            "media sticker - - -",
        ),
        ("stickerPack", json!({"stickerPackMessage": {}}), ""),
        ("contact", json!({"contactMessage": {}}), ""),
        ("contactsArray", json!({"contactsArrayMessage": {}}), ""),
        ("location", json!({"locationMessage": {}}), ""),
        (
            "location isLive",
            json!({"locationMessage": {"isLive": true}}),
            "",
        ),
        (
            "liveLocation",
            json!({"liveLocationMessage": {}}),
            "media livelocation - - -",
        ),
    ]
}

fn polls_and_reactions() -> Vec<Kind> {
    vec![
        ("reaction", json!({"reactionMessage": {"text": "+"}}), ""),
        (
            "reaction removed (empty text)",
            json!({"reactionMessage": {"text": ""}}),
            "",
        ),
        ("encReaction", json!({"encReactionMessage": {}}), ""),
        ("pollCreation", json!({"pollCreationMessage": {}}), ""),
        ("pollCreationV2", json!({"pollCreationMessageV2": {}}), ""),
        ("pollCreationV3", json!({"pollCreationMessageV3": {}}), ""),
        (
            "pollCreationV4(wrapper of pollCreationV3)",
            wrap(
                "pollCreationMessageV4",
                &json!({"pollCreationMessageV3": {}}),
            ),
            "poll - - - -",
        ),
        (
            "pollCreationV5",
            json!({"pollCreationMessageV5": {}}),
            "poll - - - polltype=creation",
        ),
        (
            "pollCreationV6",
            json!({"pollCreationMessageV6": {}}),
            "poll - - - polltype=creation",
        ),
        (
            "pollUpdate vote",
            json!({"pollUpdateMessage": {"vote": {}}}),
            "",
        ),
        (
            "pollResultSnapshot",
            json!({"pollResultSnapshotMessage": {}}),
            "",
        ),
    ]
}

fn protocol_messages() -> Vec<Kind> {
    vec![
        (
            "protocol REVOKE own",
            protocol(&json!({"type": "REVOKE"})),
            "",
        ),
        (
            "protocol REVOKE other (admin)",
            json!({"protocolMessage": {"key": {"fromMe": false}, "type": "REVOKE"}}),
            "",
        ),
        (
            "protocol MESSAGE_EDIT",
            protocol(&json!({"type": "MESSAGE_EDIT"})),
            "",
        ),
        (
            "editedMessage(protocol MESSAGE_EDIT)",
            wrap("editedMessage", &protocol(&json!({"type": "MESSAGE_EDIT"}))),
            "",
        ),
        (
            "protocol EPHEMERAL_SETTING",
            protocol(&json!({"type": "EPHEMERAL_SETTING"})),
            "",
        ),
        (
            "protocol EPHEMERAL_SYNC_RESPONSE",
            protocol(&json!({"type": "EPHEMERAL_SYNC_RESPONSE"})),
            "",
        ),
        (
            "protocol REQUEST_WELCOME_MESSAGE",
            protocol(&json!({"type": "REQUEST_WELCOME_MESSAGE"})),
            "",
        ),
        (
            "protocol GROUP_MEMBER_LABEL_CHANGE",
            protocol(&json!({"type": "GROUP_MEMBER_LABEL_CHANGE"})),
            "text - - - -",
        ),
        (
            "pinInChat",
            json!({"pinInChatMessage": {"type": "PIN_FOR_ALL"}}),
            "",
        ),
        (
            "keepInChat keep",
            json!({"keepInChatMessage": with(&own(), &json!({"keepType": "KEEP_FOR_ALL"}))}),
            "",
        ),
        (
            "keepInChat undo own",
            json!({"keepInChatMessage": with(&own(), &json!({"keepType": "UNDO_KEEP_FOR_ALL"}))}),
            "",
        ),
    ]
}

fn wrapped() -> Vec<Kind> {
    vec![
        ("viewOnce(image)", wrap("viewOnceMessage", &image()), ""),
        ("viewOnceV2(image)", wrap("viewOnceMessageV2", &image()), ""),
        (
            "viewOnceV2Extension(ptt)",
            wrap(
                "viewOnceMessageV2Extension",
                &json!({"audioMessage": {"ptt": true}}),
            ),
            "media ptt - - view_once=true",
        ),
        (
            "image viewOnce flag",
            json!({"imageMessage": {"viewOnce": true}}),
            "",
        ),
        (
            "ephemeral(conversation)",
            wrap("ephemeralMessage", &text()),
            "",
        ),
        ("ephemeral(image)", wrap("ephemeralMessage", &image()), ""),
    ]
}

fn business() -> Vec<Kind> {
    vec![
        ("groupInvite", json!({"groupInviteMessage": {}}), ""),
        ("list", json!({"listMessage": {}}), ""),
        ("listResponse", json!({"listResponseMessage": {}}), ""),
        ("buttons", json!({"buttonsMessage": {}}), "refused"),
        ("buttonsResponse", json!({"buttonsResponseMessage": {}}), ""),
        ("template", json!({"templateMessage": {}}), "refused"),
        (
            "templateButtonReply",
            json!({"templateButtonReplyMessage": {}}),
            "",
        ),
        ("interactive", json!({"interactiveMessage": {}}), ""),
        (
            "interactiveResponse",
            json!({"interactiveResponseMessage": {}}),
            "",
        ),
        ("product", json!({"productMessage": ""}), ""),
        ("order", json!({"orderMessage": ""}), ""),
        ("event", json!({"eventMessage": {}}), ""),
        (
            "encEventResponse",
            json!({"encEventResponseMessage": {}}),
            "",
        ),
        ("secretEncrypted EVENT_EDIT", secret("EVENT_EDIT"), ""),
        (
            "secretEncrypted MESSAGE_EDIT",
            secret("MESSAGE_EDIT"),
            "text - 1 hide -",
        ),
        (
            "secretEncrypted POLL_EDIT",
            secret("POLL_EDIT"),
            "poll - - hide polltype=edit",
        ),
        (
            "secretEncrypted POLL_ADD_OPTION",
            secret("POLL_ADD_OPTION"),
            "poll - - hide polltype=edit",
        ),
    ]
}

fn comments() -> Vec<Kind> {
    vec![
        ("comment", json!({"commentMessage": {}}), "refused"),
        (
            "encComment",
            json!({"encCommentMessage": {}}),
            "text - - hide -",
        ),
    ]
}

fn others() -> Vec<Kind> {
    vec![
        ("album", json!({"albumMessage": {}}), "text - - - -"),
        (
            "associatedChild(image)",
            wrap("associatedChildMessage", &image()),
            "media image - - -",
        ),
        (
            "groupStatusV2(conversation)",
            wrap("groupStatusMessageV2", &text()),
            "",
        ),
        (
            "botInvoke(extendedText)",
            wrap("botInvokeMessage", &extended()),
            "",
        ),
        (
            "groupMentioned(conversation)",
            wrap("groupMentionedMessage", &text()),
            "",
        ),
        (
            "statusMention(extendedText)",
            wrap("statusMentionMessage", &extended()),
            "text - - - -",
        ),
        (
            "spoiler(conversation)",
            wrap("spoilerMessage", &text()),
            "text - - - -",
        ),
    ]
}

fn rarities() -> Vec<Kind> {
    vec![
        (
            "requestPhoneNumber",
            json!({"requestPhoneNumberMessage": {}}),
            "",
        ),
        (
            "newsletterAdminInvite",
            json!({"newsletterAdminInviteMessage": {}}),
            "",
        ),
        (
            "sendPayment",
            json!({"sendPaymentMessage": ""}),
            "text - - - -",
        ),
        (
            "requestPayment",
            json!({"requestPaymentMessage": ""}),
            "text - - - -",
        ),
        (
            "messageHistoryBundle",
            json!({"messageHistoryBundle": ""}),
            "",
        ),
        (
            "messageHistoryNotice",
            json!({"messageHistoryNotice": {}}),
            "",
        ),
        ("call", json!({"call": ""}), "refused"),
        (
            "scheduledCallCreation",
            json!({"scheduledCallCreationMessage": {}}),
            "refused",
        ),
        ("placeholder", json!({"placeholderMessage": {}}), "refused"),
        (
            "conditionalReveal",
            json!({"conditionalRevealMessage": ""}),
            "refused",
        ),
        (
            "senderKeyDistribution only",
            json!({"senderKeyDistributionMessage": {"groupId": "g"}}),
            "refused",
        ),
    ]
}
