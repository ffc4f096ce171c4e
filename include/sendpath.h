/*
 * sendpath: the send path of WhatsApp Web as a library.
 *
 * Calls return an sp_status; 0 is fine. Everything else is told by the optional last argument: pass
 * the address of an sp_error * set to NULL, and free what you get with sp_error_free. Outputs are
 * written only on success, unless a function says otherwise.
 *
 * Slices go in, borrowed for the call. Buffers come out and are freed with sp_buf_free. Getters that
 * return bool return false when there is nothing to tell, and leave the output as it was.
 *
 * Every function may be called from any thread. Callbacks run on threads of the library; a call that
 * waits fails there with SP_STATUS_WOULD_DEADLOCK. In a forked child every handle of the parent
 * fails with SP_STATUS_FORKED. A pointer that is not NULL must be valid; handles are checked.
 */

#ifndef SENDPATH_H
#define SENDPATH_H

/* Generated from ffi/src by cbindgen; change that, not this. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__GNUC__) || defined(__clang__)
#define SP_MUST_USE __attribute__((warn_unused_result))
#else
#define SP_MUST_USE
#endif


// Numbers of the binary interface. It is raised whenever a host would have to be compiled anew.
#define SP_ABI_VERSION 0

// What a call returned, as a stable number.
enum sp_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Done.
    SP_STATUS_OK = 0,
    // A pointer that must not be NULL was NULL.
    SP_STATUS_NULL_POINTER = 1,
    // An argument is outside its range; the message says which.
    SP_STATUS_INVALID_ARGUMENT = 2,
    // A text is not UTF-8; the message says from which byte on.
    SP_STATUS_INVALID_UTF8 = 3,
    // The handle was never given out, was closed already, or belongs to another kind of object.
    SP_STATUS_BAD_HANDLE = 4,
    // A bug in sendpath: a call panicked. The object it ran on is poisoned.
    SP_STATUS_PANIC = 5,
    // An earlier call on this object panicked; close it and open a new one.
    SP_STATUS_POISONED = 6,
    // A blocking call on one of the library's own threads, inside a callback.
    SP_STATUS_WOULD_DEADLOCK = 7,
    // The process was forked after the engine was opened; the child must open its own.
    SP_STATUS_FORKED = 8,
    // The engine or account is closed.
    SP_STATUS_CLOSED = 9,
    // The given time passed first. A send goes on; its outcome comes as an event.
    SP_STATUS_TIMEOUT = 10,
    // `struct_size` is smaller than the first release of that struct.
    SP_STATUS_STRUCT_SIZE = 11,
    // The operating system refused a thread, a socket or memory.
    SP_STATUS_RUNTIME = 12,
    // The account is already open in this process.
    SP_STATUS_ALREADY_OPEN = 13,
    // The text is not an address one can send to.
    SP_STATUS_BAD_ADDRESS = 20,
    // Empty, too long or otherwise not sendable content.
    SP_STATUS_BAD_CONTENT = 21,
    // A message id must be 1 to 128 visible ASCII characters.
    SP_STATUS_BAD_MESSAGE_ID = 22,
    // An account name must be 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
    SP_STATUS_BAD_ACCOUNT_NAME = 23,
    // Bytes handed in do not decode.
    SP_STATUS_BAD_BYTES = 24,
    // A pairing code has eight symbols, without 0, I, O and U.
    SP_STATUS_BAD_CODE = 25,
    // A phone number in international form has 7 to 15 digits.
    SP_STATUS_BAD_NUMBER = 26,
    // A bug in sendpath; please report the message.
    SP_STATUS_BUG = 99,
    // Another process holds the store's lock.
    SP_STATUS_STORE_BUSY = 100,
    // The store is damaged or not a sendpath store.
    SP_STATUS_STORE_CORRUPT = 101,
    // The host's own store failed.
    SP_STATUS_STORE_HOST = 102,
    // The account was opened elsewhere; this handle must not write any more.
    SP_STATUS_STORE_FENCED = 103,
    // No room left for the store.
    SP_STATUS_STORE_FULL = 104,
    // The operating system failed to read or write the store.
    SP_STATUS_STORE_IO = 105,
    // The store cannot be written.
    SP_STATUS_STORE_READ_ONLY = 106,
    // The store was written by a newer sendpath.
    SP_STATUS_STORE_SCHEMA = 107,
    // A record was written by a newer sendpath.
    SP_STATUS_STORE_VERSION = 108,
    // The store failed in a way this build has no number for.
    SP_STATUS_STORE_OTHER = 199,
    // The answer to a send was lost; nobody knows whether the message arrived.
    SP_STATUS_OUTCOME_UNKNOWN = 200,
    // There is no connection, which tells the media servers.
    SP_STATUS_MEDIA_NOT_CONNECTED = 300,
    // No media server could be reached.
    SP_STATUS_MEDIA_UNREACHABLE = 301,
    // The media servers refuse, or answer nothing of use; the code is the last HTTP status.
    SP_STATUS_MEDIA_REFUSED = 302,
    // The media servers do not have the file any more, or not for us: HTTP 403, 404, 410.
    SP_STATUS_MEDIA_GONE = 303,
    // What the media servers have is not what the message announced; nothing of it was given out.
    SP_STATUS_MEDIA_DAMAGED = 304,
    // The file here could not be read or written.
    SP_STATUS_MEDIA_FILE = 305,
    // The account may not start new chats for now.
    SP_STATUS_ACCOUNT_TIMELOCKED = 401,
    // As `AccountTimelocked`, although a valid token was attached.
    SP_STATUS_TIMELOCKED_TOKEN_REFUSED = 402,
    // A contact that never wrote to this account; nothing was attached.
    SP_STATUS_COLD_REFUSED = 403,
    // A contact that never wrote to this account; a cstoken was attached.
    SP_STATUS_COLD_REFUSED_WITH_CSTOKEN = 404,
    // A known contact whose token has not reached this device.
    SP_STATUS_TOKEN_MISSING_WARM = 405,
    // The contact's token was not accepted.
    SP_STATUS_TOKEN_REFUSED = 406,
    // A newer token arrived while the message was on its way.
    SP_STATUS_TOKEN_ARRIVED_LATE = 407,
    // A stored token was not usable when the message left.
    SP_STATUS_LOCAL_TOKEN_LOST = 408,
    // Refused with 463, and the account's state could not be read.
    SP_STATUS_UNDETERMINED_463 = 409,
    // The quota of new chats is used up.
    SP_STATUS_NEW_CHAT_CAPPED = 410,
    // The server rejects the form of the message.
    SP_STATUS_STANZA_INVALID = 411,
    // Wrong address form for this account.
    SP_STATUS_ADDRESSING = 412,
    // The server does not allow this message.
    SP_STATUS_NOT_ALLOWED = 413,
    // The recipient does not exist.
    SP_STATUS_RECIPIENT_NOT_FOUND = 414,
    // The server could not take the message.
    SP_STATUS_SERVER_BUSY = 415,
    // A refusal without a known meaning.
    SP_STATUS_SERVER_REFUSED = 416,
    // The number is not on WhatsApp.
    SP_STATUS_NOT_ON_WHATSAPP = 417,
    // The server gave no hidden identity for the number.
    SP_STATUS_NO_LID = 418,
    // The recipient has no device that can receive.
    SP_STATUS_NO_RECIPIENT_DEVICE = 419,
    // The account is not paired.
    SP_STATUS_NOT_PAIRED = 420,
    // The account was logged out or banned.
    SP_STATUS_LOGGED_OUT = 421,
    // A message with this id was already handed in.
    SP_STATUS_DUPLICATE_ID = 422,
    // Too many messages wait for an answer.
    SP_STATUS_OUTBOX_FULL = 423,
    // The content or the address cannot be sent.
    SP_STATUS_BAD_REQUEST = 424,
    // The deadline passed before anything was sent.
    SP_STATUS_DEADLINE_BEFORE_SEND = 425,
    // Cancelled, or the library was closed, before anything was sent.
    SP_STATUS_CANCELLED = 426,
    // Refused here: the server refused several first messages in a row.
    SP_STATUS_CIRCUIT_OPEN = 427,
    // Accepted, but nobody received it while the account is locked.
    SP_STATUS_SILENT_DROP_SUSPECTED = 428,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_status sp_status;
#else
typedef int32_t sp_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How far the connection of an account is.
enum sp_phase
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // No connection, and none wanted.
    SP_PHASE_OFFLINE = 0,
    // Dialling or shaking hands.
    SP_PHASE_CONNECTING = 1,
    // Waiting for the server to accept the login.
    SP_PHASE_AUTHENTICATING = 2,
    // Connected without an account: waiting for the phone.
    SP_PHASE_PAIRING = 3,
    // Logged in; sending works.
    SP_PHASE_ONLINE = 4,
    // No connection; the next attempt comes by itself.
    SP_PHASE_WAITING = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_phase sp_phase;
#else
typedef int32_t sp_phase;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Who has to act on a status.
enum sp_class
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Nobody: it is fine.
    SP_CLASS_NONE = 0,
    // The caller used the library wrongly.
    SP_CLASS_MISUSE = 1,
    // The surroundings: closed, forked, out of time, out of resources.
    SP_CLASS_RUNTIME = 2,
    // The store failed.
    SP_CLASS_STORE = 3,
    // The send was refused, here or by the server.
    SP_CLASS_REFUSED = 4,
    // The end of the send is not known.
    SP_CLASS_UNKNOWN = 5,
    // A bug in sendpath.
    SP_CLASS_BUG = 6,
    // A file could not be brought up or down.
    SP_CLASS_MEDIA = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_class sp_class;
#else
typedef int32_t sp_class;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an event is. Hosts must tolerate numbers they do not know.
enum sp_event_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A kind that this surface has no fields for.
    SP_EVENT_KIND_OTHER = 0,
    // Logged in; sending works.
    SP_EVENT_KIND_CONNECTED = 1,
    // The connection ended: REASON, and CODE, DETAIL, UNTIL, MESSAGE if known.
    SP_EVENT_KIND_DISCONNECTED = 2,
    // The link to the account is gone: as for DISCONNECTED.
    SP_EVENT_KIND_LOGGED_OUT = 3,
    // Show QR as a QR code for SECONDS; it replaces the one before.
    SP_EVENT_KIND_PAIR_QR = 4,
    // The phone accepted the link: JID, and LID if known.
    SP_EVENT_KIND_PAIRED = 5,
    // Pairing ended without a link: REASON, and CODE if the server gave one.
    SP_EVENT_KIND_PAIR_FAILED = 6,
    // A message arrived: ID, CHAT, SENDER, FROM_ME, TIME, and PUSH_NAME, TEXT if present.
    SP_EVENT_KIND_MESSAGE = 7,
    // Another device got or read our message: IDS, SENDER, WHAT, and TIME if known.
    SP_EVENT_KIND_RECEIPT = 8,
    // A send ended: OP, STATUS, and ID, TIME, ATTACHED if known; the error tells the rest. OP is 0
    // for a message that an earlier run of the program had sent, and for those of a guest.
    SP_EVENT_KIND_OUTCOME = 9,
    // The refusal of IDS may be over: PEER.
    SP_EVENT_KIND_MAY_RETRY = 10,
    // A contact's token was stored: PEER, TIME, FRESH.
    SP_EVENT_KIND_TOKEN_STORED = 11,
    // The account's reachout timelock changed: ACTIVE, and UNTIL, WHAT if known.
    SP_EVENT_KIND_TIMELOCK_CHANGED = 12,
    // A contact's device was registered anew: PEER.
    SP_EVENT_KIND_IDENTITY_CHANGED = 13,
    // The host was too slow: DROPPED events are missing.
    SP_EVENT_KIND_OVERFLOW = 14,
    // The account's quota of new chats changed: WHAT, and TOTAL, USED, UNTIL if known.
    SP_EVENT_KIND_CAPPING_CHANGED = 15,
    // The server took IDS to PEER under a lock, and nobody has confirmed them.
    SP_EVENT_KIND_SILENT_DROP = 16,
    // A contact that is followed came or went: PEER, AVAILABLE, and LAST_SEEN if it lets us know.
    SP_EVENT_KIND_PRESENCE = 17,
    // A part of the phone's history was taken over: CONVERSATIONS, TOKENS, SENDER_TIMES, MAPPINGS,
    // SALT.
    SP_EVENT_KIND_HISTORY_APPLIED = 18,
    // Let the user type PAIR_CODE into the phone, which takes it for SECONDS; it replaces the one
    // before.
    SP_EVENT_KIND_PAIR_CODE = 19,
    // A part of the phone's history could not be had or read: REASON, MESSAGE.
    SP_EVENT_KIND_HISTORY_FAILED = 20,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_event_kind sp_event_kind;
#else
typedef int32_t sp_event_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Which element a message carries to open the chat.
enum sp_attach
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // None.
    SP_ATTACH_NOTHING = 0,
    // `<tctoken>`: the contact's token.
    SP_ATTACH_TCTOKEN = 1,
    // `<cstoken>`: the account's own proof.
    SP_ATTACH_CSTOKEN = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_attach sp_attach;
#else
typedef int32_t sp_attach;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What work is for.
enum sp_work_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Something that this surface has no fields for: send the IQ as it is.
    SP_WORK_KIND_OTHER = 0,
    // Ask for the AB props.
    SP_WORK_KIND_PROPS = 1,
    // Issue our token to a contact: its address and the time stamp.
    SP_WORK_KIND_ISSUE = 2,
    // A GraphQL query: the document id and the variables.
    SP_WORK_KIND_MEX = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_work_kind sp_work_kind;
#else
typedef int32_t sp_work_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a linked device runs in, as the phone shows it.
enum sp_browser
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Google Chrome.
    SP_BROWSER_CHROME = 0,
    // Mozilla Firefox.
    SP_BROWSER_FIREFOX = 1,
    // Microsoft Edge.
    SP_BROWSER_EDGE = 2,
    // Opera.
    SP_BROWSER_OPERA = 3,
    // Safari.
    SP_BROWSER_SAFARI = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_browser sp_browser;
#else
typedef int32_t sp_browser;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a guest tells the time.
enum sp_clock
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // By the clocks of the operating system.
    SP_CLOCK_SYSTEM = 0,
    // By the host, with `sp_guest_set_time`.
    SP_CLOCK_MANUAL = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_clock sp_clock;
#else
typedef int32_t sp_clock;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a message is. The comment says which fields of a draft count.
enum sp_draft_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // `text`; `link`, `title`, `description`, `thumbnail` for the preview of a link in it.
    SP_DRAFT_KIND_TEXT = 0,
    // `media`, `mimetype`, `text` as caption, `width`, `height`, `thumbnail`, `view_once`.
    SP_DRAFT_KIND_IMAGE = 1,
    // As IMAGE, and `seconds`.
    SP_DRAFT_KIND_VIDEO = 2,
    // As VIDEO: without sound, again and again.
    SP_DRAFT_KIND_GIF = 3,
    // `media`, `mimetype`, `seconds`, `view_once`.
    SP_DRAFT_KIND_AUDIO = 4,
    // As AUDIO, and `waveform`: spoken just now.
    SP_DRAFT_KIND_VOICE = 5,
    // `media`, `mimetype`, `name` of the file, `text` as caption, `pages`, `thumbnail`.
    SP_DRAFT_KIND_DOCUMENT = 6,
    // `media`, `mimetype`, `width`, `height`, `animated`, `thumbnail`.
    SP_DRAFT_KIND_STICKER = 7,
    // `cards`.
    SP_DRAFT_KIND_CONTACTS = 8,
    // `place`, `thumbnail`.
    SP_DRAFT_KIND_LOCATION = 9,
    // `target`, `text` as the emoji; empty takes the reaction back.
    SP_DRAFT_KIND_REACTION = 10,
    // `target`: our own, or as an admin of a group somebody else's.
    SP_DRAFT_KIND_REVOKE = 11,
    // `text` as question, `options`, `selectable`. Keep the id to understand the votes.
    SP_DRAFT_KIND_POLL = 12,
    // `target`, `options` as they are written in the poll, none takes the vote back; `secret`.
    SP_DRAFT_KIND_VOTE = 13,
    // `name`, `description`, `starts`, `ends`, `place`, `link` to a call, `guests_allowed`,
    // `canceled`. Keep the id to understand the answers.
    SP_DRAFT_KIND_EVENT = 14,
    // `target`, `going`, `guests`, `secret`.
    SP_DRAFT_KIND_EVENT_ANSWER = 15,
    // `target`, `seconds`: at the top of the chat for so long.
    SP_DRAFT_KIND_PIN = 16,
    // `target`.
    SP_DRAFT_KIND_UNPIN = 17,
    // `target`: stays although messages of the chat disappear.
    SP_DRAFT_KIND_KEEP = 18,
    // `target`.
    SP_DRAFT_KIND_UNKEEP = 19,
    // `seconds`: how long messages of the chat stay from now on; 0 for ever.
    SP_DRAFT_KIND_TIMER = 20,
    // `payload`: an encoded `Message` of the host's own.
    SP_DRAFT_KIND_RAW = 21,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_draft_kind sp_draft_kind;
#else
typedef int32_t sp_draft_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// A field of an event.
enum sp_field
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Text: what to show as a QR code.
    SP_FIELD_QR = 1,
    // Number: for how long.
    SP_FIELD_SECONDS = 2,
    // Text: message id.
    SP_FIELD_ID = 3,
    // Texts: message ids.
    SP_FIELD_IDS = 4,
    // Text: JID of the chat.
    SP_FIELD_CHAT = 5,
    // Text: JID of the sending device.
    SP_FIELD_SENDER = 6,
    // Flag: sent by another device of this account.
    SP_FIELD_FROM_ME = 7,
    // Number: the server's time stamp in Unix seconds.
    SP_FIELD_TIME = 8,
    // Text: the sender's display name.
    SP_FIELD_PUSH_NAME = 9,
    // Text: the content of a text message.
    SP_FIELD_TEXT = 10,
    // Text: our JID by phone number.
    SP_FIELD_JID = 11,
    // Text: our JID by LID.
    SP_FIELD_LID = 12,
    // Text: JID of a contact.
    SP_FIELD_PEER = 13,
    // Text: why, as a stable word.
    SP_FIELD_REASON = 14,
    // Number: the server's code.
    SP_FIELD_CODE = 15,
    // Number: the server's detail of a ban.
    SP_FIELD_DETAIL = 16,
    // Number: when it ends, in Unix seconds.
    SP_FIELD_UNTIL = 17,
    // Text: what kind of receipt or lock, or the state of a quota.
    SP_FIELD_WHAT = 18,
    // Flag: active from now on.
    SP_FIELD_ACTIVE = 19,
    // Flag: not seen before.
    SP_FIELD_FRESH = 20,
    // Number: the operation.
    SP_FIELD_OP = 21,
    // Number: how it ended, an `sp_status`.
    SP_FIELD_STATUS = 22,
    // Text: what a message carried to open the chat, as a stable word.
    SP_FIELD_ATTACHED = 23,
    // Number: how many.
    SP_FIELD_DROPPED = 24,
    // Text: for people.
    SP_FIELD_MESSAGE = 25,
    // Number: new chats in a cycle; -1 for no limit.
    SP_FIELD_TOTAL = 26,
    // Number: new chats used up.
    SP_FIELD_USED = 27,
    // Flag: the contact is there now.
    SP_FIELD_AVAILABLE = 28,
    // Number: when the contact was there last, in Unix seconds.
    SP_FIELD_LAST_SEEN = 29,
    // Number: chats with people and businesses.
    SP_FIELD_CONVERSATIONS = 30,
    // Number: tokens that were new, or newer than the stored ones.
    SP_FIELD_TOKENS = 31,
    // Number: times of our own issues that were later than the stored ones.
    SP_FIELD_SENDER_TIMES = 32,
    // Number: pairs of phone number and LID, known ones included.
    SP_FIELD_MAPPINGS = 33,
    // Flag: the salt of cstokens was taken over.
    SP_FIELD_SALT = 34,
    // Text: what to type into the phone.
    SP_FIELD_PAIR_CODE = 35,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_field sp_field;
#else
typedef int32_t sp_field;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Whether somebody comes to an event.
enum sp_going
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Yes.
    SP_GOING_YES = 0,
    // No.
    SP_GOING_NO = 1,
    // Perhaps.
    SP_GOING_MAYBE = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_going sp_going;
#else
typedef int32_t sp_going;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a file is: it decides its keys, so it is the same for the upload, the message and the download.
enum sp_media_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A picture.
    SP_MEDIA_KIND_IMAGE = 0,
    // A video.
    SP_MEDIA_KIND_VIDEO = 1,
    // A video that plays as a picture.
    SP_MEDIA_KIND_GIF = 2,
    // Music and other recordings.
    SP_MEDIA_KIND_AUDIO = 3,
    // A voice note.
    SP_MEDIA_KIND_VOICE = 4,
    // Any file.
    SP_MEDIA_KIND_DOCUMENT = 5,
    // A sticker.
    SP_MEDIA_KIND_STICKER = 6,
    // A round video message.
    SP_MEDIA_KIND_PTV = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_media_kind sp_media_kind;
#else
typedef int32_t sp_media_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a message is, as far as tokens are concerned.
enum sp_message_kind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Text, media, reaction, edit, poll vote.
    SP_MESSAGE_KIND_CONTENT = 0,
    // A protocol message, revokes included.
    SP_MESSAGE_KIND_PROTOCOL = 1,
    // To our own devices (`category="peer"`).
    SP_MESSAGE_KIND_PEER = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_message_kind sp_message_kind;
#else
typedef int32_t sp_message_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a host knows about a recipient that its address does not tell.
enum sp_recipient
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Nothing special.
    SP_RECIPIENT_ORDINARY = 0,
    // A verified official business.
    SP_RECIPIENT_ENTERPRISE = 1,
    // WhatsApp's own support.
    SP_RECIPIENT_SUPPORT = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_recipient sp_recipient;
#else
typedef int32_t sp_recipient;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a function of a host's store returns.
enum sp_store_result
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Done; for `get`: the row is there.
    SP_STORE_RESULT_OK = 0,
    // For `get`: there is no such row.
    SP_STORE_RESULT_ABSENT = 1,
    // For `commit`: a generation is not the newest of its scope. Nothing was written.
    SP_STORE_RESULT_FENCED = 2,
    // Somebody else holds the store. Nothing was written.
    SP_STORE_RESULT_BUSY = 3,
    // No room. Nothing was written.
    SP_STORE_RESULT_FULL = 4,
    // Anything else; as every number that is not listed here.
    SP_STORE_RESULT_FAILED = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_store_result sp_store_result;
#else
typedef int32_t sp_store_result;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How work ended.
enum sp_work_end
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The server took it; the answer says nothing more. Enough for ISSUE.
    SP_WORK_END_OK = 0,
    // It could not be sent, or nothing came back in time.
    SP_WORK_END_LOST = 1,
    // The server answered with the error `code`.
    SP_WORK_END_ERROR = 2,
    // `answer` is the JSON text in the answer to a MEX query.
    SP_WORK_END_JSON = 3,
    // `answer` is the whole stanza as it came out of the Noise layer (flag byte first).
    SP_WORK_END_STANZA = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum sp_work_end sp_work_end;
#else
typedef int32_t sp_work_end;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// An error. Freed with `sp_error_free`, unless it belongs to an event.
typedef struct sp_error sp_error;

// An event. Freed with `sp_event_free`.
typedef struct sp_event sp_event;

// A file on the media servers. Freed with `sp_file_free`.
typedef struct sp_file sp_file;

// What a message carries and whether it may leave. Freed with `sp_plan_free`.
typedef struct sp_plan sp_plan;

// A row as the host's library must see it. Freed with `sp_row_free`.
typedef struct sp_row sp_row;

// Where `scan` puts its rows, with `sp_rows_add`.
typedef struct sp_rows sp_rows;

// A list of work, oldest first. Freed with `sp_work_free`; everything read from it lives as long.
typedef struct sp_work sp_work;

// An account. Zero is none.
typedef struct sp_account {
    // Opaque.
    uint64_t handle;
} sp_account;

// Bytes that somebody else owns. As an argument it is borrowed for the call; from a getter it lives
// as long as the object it came from. Text is UTF-8 without a terminating NUL. Empty may be NULL.
typedef struct sp_slice {
    // First byte; NULL only when `len` is 0.
    const uint8_t *ptr;
    // Number of bytes.
    size_t len;
} sp_slice;

// Bytes that the caller owns and frees with `sp_buf_free`. All zero is an empty buffer.
typedef struct sp_buf {
    // First byte; NULL when nothing was allocated.
    uint8_t *ptr;
    // Number of bytes.
    size_t len;
    // Number of bytes allocated.
    size_t cap;
} sp_buf;

// One write of a commit.
typedef struct sp_change {
    // Who owns the row.
    struct sp_slice scope;
    // The kind of row.
    uint32_t ns;
    // 1 removes the row, 0 writes `row`.
    uint32_t remove;
    // Id within the kind.
    struct sp_slice id;
    // The row; empty when it is removed.
    struct sp_slice row;
} sp_change;

// A right to write.
typedef struct sp_fence {
    // The scope that was acquired.
    struct sp_slice scope;
    // What `acquire` gave.
    uint64_t generation;
} sp_fence;

// A store of the host. All functions block, are called on threads of the library, for a guest inside
// its calls, one at a time, and return an `sp_store_result`. Slices live for the call. `failure` may
// be filled with a text for people.
typedef struct sp_store {
    // `sizeof(sp_store)`.
    uint32_t struct_size;
    // Zero.
    uint32_t reserved;
    // Given to every function.
    void *ctx;
    // Counts an opening of `scope`, durably, and gives the count: 1 for the first.
    int32_t (*acquire)(void *ctx,
                       struct sp_slice scope,
                       uint64_t *generation,
                       struct sp_buf *failure);
    // Reads one row into `row` with `sp_buf_set`.
    int32_t (*get)(void *ctx,
                   struct sp_slice scope,
                   uint32_t ns,
                   struct sp_slice id,
                   struct sp_buf *row,
                   struct sp_buf *failure);
    // Adds to `rows`, in bytewise order of ids, up to `limit` rows whose id begins with `prefix` and
    // is greater than `after`; an empty `after` is before every id.
    int32_t (*scan)(void *ctx,
                    struct sp_slice scope,
                    uint32_t ns,
                    struct sp_slice prefix,
                    struct sp_slice after,
                    size_t limit,
                    struct sp_rows *rows,
                    struct sp_buf *failure);
    // Writes all changes or none, and only if every fence's generation is the newest of its scope;
    // durable when it returns.
    int32_t (*commit)(void *ctx,
                      const struct sp_change *changes,
                      size_t change_count,
                      const struct sp_fence *fences,
                      size_t fence_count,
                      struct sp_buf *failure);
    // Called once when the engine, or the last guest, on the store is closed; may be NULL.
    void (*free)(void *ctx);
} sp_store;

// What an engine is opened with. Set everything to zero, then `struct_size`, then the rest.
typedef struct sp_engine_config {
    // `sizeof(sp_engine_config)`.
    uint32_t struct_size;
    // Zero.
    uint32_t reserved;
    // The built-in store: a path or `sqlite:///path` for a file that is created if missing,
    // `memory:`, or `postgres://..` if the library was built with PostgreSQL. Empty when `store` is
    // given.
    struct sp_slice store_uri;
    // A store of the host instead; NULL when `store_uri` is given. It is copied.
    const struct sp_store *store;
} sp_engine_config;

// An engine. Zero is none.
typedef struct sp_engine {
    // Opaque.
    uint64_t handle;
} sp_engine;

// How an account is opened. Set everything to zero, then `struct_size`; zero means the default.
typedef struct sp_account_config {
    // `sizeof(sp_account_config)`.
    uint32_t struct_size;
    // Events that wait for a slow host; behind that they are dropped and counted.
    uint32_t event_capacity;
    // The server's URL; WhatsApp's own by default.
    struct sp_slice url;
    // The key that signs the server's certificate: 32 bytes, raw X25519.
    struct sp_slice root_key;
    // Shown in the phone's list of linked devices.
    struct sp_slice device_name;
    // The web build we claim to be. Old builds are refused.
    uint32_t version[3];
    // Not 0: honour the server if it switches tokens on messages off; newest clients do not.
    int32_t strict_props;
    // Ids of the GraphQL documents that ask for the timelock, newest first, separated by commas;
    // empty for the known ones.
    struct sp_slice timelock_documents;
    // The same for the quota of new chats.
    struct sp_slice capping_documents;
    // How far our clock may be off when the server's certificate is checked, in seconds.
    int64_t clock_tolerance;
    // Sends without an outcome; more are refused with `SP_STATUS_OUTBOX_FULL`.
    uint32_t max_pending;
    // Not 0: messages carry a token by which recipients can prove to the server what was sent.
    int32_t reporting_tokens;
    // What all connections of the account go through: `http://`, `socks5://` or `socks5h://`, then
    // `[user:password@]host[:port]`. Empty to connect directly.
    struct sp_slice proxy;
    // What the phone shows the device runs in, an `sp_browser`.
    int32_t browser;
    // Zero.
    uint32_t reserved;
} sp_account_config;

// A guest. Zero is none.
typedef struct sp_guest {
    // Opaque.
    uint64_t handle;
} sp_guest;

// What a guest is opened with. Set everything to zero, then `struct_size`, then the rest. Exactly one
// of `store_uri`, `store` and `beside` is given.
typedef struct sp_guest_config {
    // `sizeof(sp_guest_config)`.
    uint32_t struct_size;
    // Events that wait for a slow host; behind that they are dropped and counted. 0 for 1024.
    uint32_t event_capacity;
    // The built-in store: a path or `sqlite:///path` for a file that is created if missing, or
    // `memory:`.
    struct sp_slice store_uri;
    // A store of the host instead. It is copied, its functions are called inside calls of guests,
    // and it is freed when the last guest on it is closed.
    const struct sp_store *store;
    // A guest whose store this one shares.
    struct sp_guest beside;
    // Tells the guests of one store apart: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. Opening the
    // same name again fences the earlier guest off.
    struct sp_slice name;
    // Our own account by phone number, `<digits>@s.whatsapp.net`; may be empty when `own_lid` is
    // not.
    struct sp_slice own_jid;
    // Our own account by LID, `<digits>@lid`.
    struct sp_slice own_lid;
    // Not 0: the host's library issues our token behind its sends by itself, as whatsmeow does.
    int32_t host_issues;
    // An `sp_clock`.
    int32_t clock;
    // For `SP_CLOCK_MANUAL`: the wall clock, in milliseconds since 1970.
    int64_t unix_ms;
    // For `SP_CLOCK_MANUAL`: the monotonic clock, in milliseconds since any instant.
    uint64_t mono_ms;
    // Ids of the GraphQL documents that ask for the timelock, newest first, separated by commas;
    // empty for the known ones.
    struct sp_slice timelock_documents;
    // The same for the quota of new chats.
    struct sp_slice capping_documents;
    // Not 0: honour the server if it switches tokens on messages off; newest clients do not.
    int32_t strict_props;
    // Zero.
    uint32_t reserved;
} sp_guest_config;

// An AB prop.
typedef struct sp_prop {
    // Its code.
    uint32_t code;
    // Zero.
    uint32_t reserved;
    // Its value.
    struct sp_slice value;
} sp_prop;

// A file on the media servers. Set everything to zero, then `struct_size`, then the rest. Whoever
// has the key can read the file.
typedef struct sp_media {
    // `sizeof(sp_media)`.
    uint32_t struct_size;
    // What it is, an `sp_media_kind`.
    int32_t kind;
    // Where it was put; may be empty.
    struct sp_slice url;
    // The same without the host.
    struct sp_slice direct_path;
    // What its keys are made of: 32 bytes.
    struct sp_slice media_key;
    // SHA-256 of the file.
    struct sp_slice sha256;
    // SHA-256 of what is on the servers.
    struct sp_slice enc_sha256;
    // Such as `image/jpeg`, if the message said it.
    struct sp_slice mimetype;
    // Length of the file in bytes.
    uint64_t length;
    // When its key was made, in Unix seconds; 0 if not known.
    int64_t keyed_at;
} sp_media;

// A place. Set everything to zero, then `struct_size`, then the rest.
typedef struct sp_place {
    // `sizeof(sp_place)`.
    uint32_t struct_size;
    // Zero.
    uint32_t reserved;
    // Degrees north of the equator, -90 to 90.
    double latitude;
    // Degrees east of Greenwich, -180 to 180.
    double longitude;
    // Its name; may be empty.
    struct sp_slice name;
    // Its address; may be empty.
    struct sp_slice address;
    // A page about it; may be empty.
    struct sp_slice url;
} sp_place;

// A visiting card. It will never grow: cards stand in arrays.
typedef struct sp_card {
    // The name that is shown.
    struct sp_slice name;
    // The card itself, as a vCard of version 3.
    struct sp_slice vcard;
} sp_card;

// A message to send. Set everything to zero, then `struct_size` and `kind`, then the fields that
// `sp_draft_kind` names for that kind; others are ignored, and zero is "not given".
typedef struct sp_draft {
    // `sizeof(sp_draft)`.
    uint32_t struct_size;
    // What it is, an `sp_draft_kind`.
    int32_t kind;
    // Text, caption, question or emoji.
    struct sp_slice text;
    // For a text, image, video or document: the id of our message that this replaces; an edit keeps
    // the kind of content.
    struct sp_slice replaces;
    // The file, as `sp_file_media` tells it or as the host has stored it.
    const struct sp_media *media;
    // Such as `image/jpeg`; empty for that of the media.
    struct sp_slice mimetype;
    // A name.
    struct sp_slice name;
    // A description.
    struct sp_slice description;
    // A small JPEG; a PNG for a sticker.
    struct sp_slice thumbnail;
    // Loudness over time: 64 bytes from 0 to 100.
    struct sp_slice waveform;
    // In pixels.
    uint32_t width;
    // In pixels.
    uint32_t height;
    // A duration.
    uint32_t seconds;
    // Number of pages.
    uint32_t pages;
    // Not 0: it can be looked at or listened to once.
    int32_t view_once;
    // Not 0: it moves.
    int32_t animated;
    // A link.
    struct sp_slice link;
    // Title of what the link leads to.
    struct sp_slice title;
    // Where; NULL for nowhere.
    const struct sp_place *place;
    // Visiting cards.
    const struct sp_card *cards;
    // Number of cards.
    size_t card_count;
    // The id of the message that this one is about.
    struct sp_slice target_id;
    // Who wrote that message, as its event says; empty for a message of ours.
    struct sp_slice target_author;
    // Answers to choose from, or chosen.
    const struct sp_slice *options;
    // Number of options.
    size_t option_count;
    // How many may be chosen at once; 0 for any number.
    uint32_t selectable;
    // Whether we come, an `sp_going`.
    int32_t going;
    // The message secret of a poll or event that another device sent: 32 bytes.
    struct sp_slice secret;
    // When it begins, in Unix seconds.
    int64_t starts;
    // When it ends; 0 if that is not said.
    int64_t ends;
    // Not 0: people may bring others.
    int32_t guests_allowed;
    // Not 0: it will not take place.
    int32_t canceled;
    // How many others we bring, up to 255.
    uint32_t guests;
    // How often it was forwarded, this time included; 0 for a message of our own.
    uint32_t forwarded;
    // An encoded `Message`.
    struct sp_slice payload;
    // The id of the message that this one replies to; empty for no reply.
    struct sp_slice quote_id;
    // Who wrote that message, as its event says; empty for a message of ours.
    struct sp_slice quote_author;
    // Its content: the payload of its event, or of what was sent.
    struct sp_slice quote_payload;
    // Accounts that are named in the text as `@<user>`.
    const struct sp_slice *mentions;
    // Number of mentions.
    size_t mention_count;
    // When the timer of the chat was set, in Unix seconds; 0 if not known.
    int64_t timer_set_at;
    // The timer of the chat, which every message in it repeats, in seconds; 0 for none.
    uint32_t disappears;
    // Zero.
    uint32_t reserved;
} sp_draft;

// What may be said about one message. Set everything to zero, then `struct_size`.
typedef struct sp_send_options {
    // `sizeof(sp_send_options)`.
    uint32_t struct_size;
    // What is known about the recipient, an `sp_recipient`.
    int32_t recipient;
    // How long from now the message may still be sent, in milliseconds; 0 for as long as it takes.
    uint64_t deadline_ms;
    // The id to send with, 1 to 128 visible ASCII characters; empty for a fresh one.
    struct sp_slice id;
} sp_send_options;

// Called exactly once on a thread of the library with the OUTCOME event, which it frees with
// `sp_event_free`. It must not block and must not call anything that waits.
typedef void (*sp_done_fn)(void *ctx, uint64_t op, struct sp_event *outcome);

// Reads up to `len` bytes into `into` and sets `count`, 0 at the end. Anything but 0 as result gives
// the upload up. Called on a thread of the library.
typedef int32_t (*sp_read_fn)(void *ctx, uint8_t *into, size_t len, size_t *count);

// Called once when the library will not use the context again; it may outlive the transfer, which
// does not wait for a read or a write that is under way.
typedef void (*sp_release_fn)(void *ctx);

// What to upload: a path, or bytes, or what `read` gives. Set everything to zero, then `struct_size`.
// Empty bytes are an empty file.
typedef struct sp_source {
    // `sizeof(sp_source)`.
    uint32_t struct_size;
    // Zero.
    uint32_t reserved;
    // A file to read.
    struct sp_slice path;
    // These bytes; they are copied.
    struct sp_slice bytes;
    // Reads; NULL for a path or bytes.
    sp_read_fn read;
    // Given to `read` and `release`.
    void *ctx;
    // May be NULL.
    sp_release_fn release;
} sp_source;

// Called exactly once on a thread of the library when a transfer has ended: `file` is what was
// uploaded, NULL otherwise; `error` is NULL with `SP_STATUS_OK`. It frees both. It must not block.
typedef void (*sp_transfer_fn)(void *ctx,
                               uint64_t op,
                               sp_status status,
                               struct sp_file *file,
                               struct sp_error *error);

// Takes the next bytes of a file that was verified as a whole. Anything but 0 as result gives the
// download up. Called on a thread of the library.
typedef int32_t (*sp_write_fn)(void *ctx, struct sp_slice bytes);

// Where a download goes: a path, or `write`. Set everything to zero, then `struct_size`.
typedef struct sp_sink {
    // `sizeof(sp_sink)`.
    uint32_t struct_size;
    // Zero.
    uint32_t reserved;
    // A file to write; it is there as a whole or not at all.
    struct sp_slice path;
    // Takes the bytes; NULL for a path.
    sp_write_fn write;
    // Given to `write` and `release`.
    void *ctx;
    // May be NULL.
    sp_release_fn release;
} sp_sink;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Dials and stays connected. An account that is not paired shows QR codes first, as events.
SP_MUST_USE sp_status sp_account_connect(struct sp_account account, struct sp_error **err);

// Links by a code that the user types into the phone with that number, instead of scanning: a
// PAIR_CODE event shows it, after `sp_account_connect`. `code` is the host's own code, eight symbols of
// `123456789ABCDEFGHJKLMNPQRSTVWXYZ`; empty for a random one. It ends as PAIRED or PAIR_FAILED; do not
// ask in a loop, the server throttles a number for hours.
sp_status sp_account_pair_by_code(struct sp_account account,
                                  struct sp_slice number,
                                  struct sp_slice code,
                                  struct sp_error **err);

// Ends the connection and stays offline.
sp_status sp_account_disconnect(struct sp_account account, struct sp_error **err);

// Unlinks the device and deletes its keys; a LOGGED_OUT event tells when it is done. With
// `keep_tokens` not 0 the account's tokens stay for a later link of the same account.
sp_status sp_account_logout(struct sp_account account, int32_t keep_tokens, struct sp_error **err);

// Deletes everything that is stored for the account: tokens, names, limits, timelines. The link of
// this device stays. Returns at once; it is done in turn with the account's sends.
sp_status sp_account_forget_account(struct sp_account account, struct sp_error **err);

// Asks the server for the account's limits: a change is an event, and the answer is then in
// `sp_account_limits_json`. Returns at once; does nothing while there is no connection.
sp_status sp_account_refresh_limits(struct sp_account account, struct sp_error **err);

// Follows the presence of a contact until the connection ends; PRESENCE events tell. The question
// carries the contact's token, and is asked again when a new one comes. `to` as in `sp_send_text`.
// Returns at once; does nothing while there is no connection.
sp_status sp_account_subscribe_presence(struct sp_account account,
                                        struct sp_slice to,
                                        struct sp_error **err);

// How far the connection is.
sp_status sp_account_phase(struct sp_account account, sp_phase *out, struct sp_error **err);

// Where the account stands, as one JSON object: `phase`, `outbox`, `queued`, `ignored`, `tokens`,
// `blobs_fetched`, `blobs_failed`, and `jid`, `lid`, `retry_at`, `fault` if known. `ignored` counts stanzas and parts of stanzas that made
// no sense, `tokens` what the token machine left aside, by reason: `bad_time`, `empty`, `too_much`,
// `unknown_type`, `not_a_contact`, `older`, `from_the_future`, `damaged_rows`, `newer_rows`,
// `failed_reads`, `unknown_results`; since the session was built.
sp_status sp_account_status_json(struct sp_account account,
                                 struct sp_buf *out,
                                 struct sp_error **err);

// Waits for the next event: 0 only looks, negative waits for ever. `SP_STATUS_TIMEOUT` when there
// is none, `SP_STATUS_CLOSED` when there will be none. The event is freed with `sp_event_free`.
SP_MUST_USE
sp_status sp_account_next_event(struct sp_account account,
                                int32_t timeout_ms,
                                struct sp_event **out,
                                struct sp_error **err);

// A descriptor that is readable while an event waits, and once the account is closed. Poll it, do
// not read from it; it belongs to the account and is closed with it.
sp_status sp_account_event_fd(struct sp_account account, int32_t *out, struct sp_error **err);

// Ends the connection and every open send, and wakes everybody who waits; the callbacks of open
// sends have run when it returns. The handle is bad afterwards.
sp_status sp_account_close(struct sp_account account, struct sp_error **err);

// Frees a buffer and sets it to zero, so that a second call does nothing. NULL is allowed.
void sp_buf_free(struct sp_buf *buf);

// Fills a buffer with a copy of `bytes` and frees what was in it. For stores of the host.
sp_status sp_buf_set(struct sp_buf *buf, struct sp_slice bytes, struct sp_error **err);

// Opens the store and starts the threads. On failure nothing was started and a store of the host
// is still the host's.
SP_MUST_USE
sp_status sp_engine_open(const struct sp_engine_config *config,
                         struct sp_engine *out,
                         struct sp_error **err);

// Closes every account and the store, ends every open send and joins all threads; the callbacks of
// open sends have run when it returns. The handle is bad afterwards; handles of its accounts are
// still to be closed.
sp_status sp_engine_close(struct sp_engine engine, struct sp_error **err);

// Opens the account in the slot `name` of the store: 1 to 64 characters of `A-Z a-z 0-9 . _ -`. It
// stays offline until `sp_account_connect`. `config` may be NULL.
SP_MUST_USE
sp_status sp_account_open(struct sp_engine engine,
                          struct sp_slice name,
                          const struct sp_account_config *config,
                          struct sp_account *out,
                          struct sp_error **err);

// The number; `SP_STATUS_OK` for NULL.
sp_status sp_error_status(const struct sp_error *error);

// Who has to act.
sp_class sp_error_class(const struct sp_error *error);

// For people: what happened. Empty for NULL.
struct sp_slice sp_error_message(const struct sp_error *error);

// The name of the cause of a refused send, such as `ACCOUNT_TIMELOCKED`.
bool sp_error_cause(const struct sp_error *error, struct sp_slice *out);

// The next action after a refused send: `ask_contact_to_write`, `do_not_retry`, `fix_input`,
// `retry_after` or `wait_until`.
bool sp_error_next(const struct sp_error *error, struct sp_slice *out);

// For people: what a refusal means and what to do.
bool sp_error_advice(const struct sp_error *error, struct sp_slice *out);

// What the refused message carried to open the chat: `tctoken`, `cstoken`, or `nothing_` and why.
bool sp_error_attached(const struct sp_error *error, struct sp_slice *out);

// Id of the message the error is about.
bool sp_error_message_id(const struct sp_error *error, struct sp_slice *out);

// When the cause of a refusal ends, in Unix seconds.
bool sp_error_until(const struct sp_error *error, int64_t *out);

// Before when trying again is useless, in Unix seconds.
bool sp_error_retry_at(const struct sp_error *error, int64_t *out);

// How long to wait before trying once more, in milliseconds.
bool sp_error_retry_after_ms(const struct sp_error *error, uint64_t *out);

// The server's nack code, such as 463.
bool sp_error_nack_code(const struct sp_error *error, uint16_t *out);

// Whether the same message may be sent once more after `sp_error_retry_after_ms`, with nothing else to
// wait for: no end, no word of the contact, no correction.
bool sp_error_may_retry(const struct sp_error *error,
                        bool *out);

// For `SP_STATUS_OUTCOME_UNKNOWN`: whether the library still holds the message and sends it again.
bool sp_error_still_trying(const struct sp_error *error, bool *out);

// Everything as one JSON object.
sp_status sp_error_json(const struct sp_error *error, struct sp_buf *out, struct sp_error **err);

// Frees an error. NULL is allowed; an error of an event is not.
void sp_error_free(struct sp_error *error);

// What happened, an `sp_event_kind`; tolerate numbers you do not know.
sp_event_kind sp_event_kind_of(const struct sp_event *event);

// A text field, an `sp_field`; `index` counts repeated ones from 0, others have index 0. It lives
// as long as the event.
bool sp_event_text(const struct sp_event *event, int32_t field, size_t index, struct sp_slice *out);

// A number field or a flag (0 or 1), an `sp_field`.
bool sp_event_number(const struct sp_event *event, int32_t field, int64_t *out);

// The `Message` protobuf of a MESSAGE event as it was sent. It lives as long as the event.
bool sp_event_payload(const struct sp_event *event, struct sp_slice *out);

// Why the send of an OUTCOME event was not accepted; NULL when it was, and for other events. It
// belongs to the event.
const struct sp_error *sp_event_error(const struct sp_event *event);

// All fields but the payload as one JSON object: `{"kind":"message","id":..}`, keys as in
// `sp_field`.
sp_status sp_event_json(const struct sp_event *event, struct sp_buf *out, struct sp_error **err);

// Frees an event and everything that was read from it. NULL is allowed.
void sp_event_free(struct sp_event *event);

// Opens a guest: no thread is started and nothing is sent by itself. Its connection counts as up
// until `sp_guest_disconnected`. On failure a store of the host is still the host's.
SP_MUST_USE
sp_status sp_guest_open(const struct sp_guest_config *config,
                        struct sp_guest *out,
                        struct sp_error **err);

// Ends a guest and wakes whoever waits for its events; refusals that wait for an answer are not told
// any more. Its store is closed with the last guest on it. The handle is bad afterwards.
sp_status sp_guest_close(struct sp_guest guest,
                         struct sp_error **err);

// Sets a manual clock. The wall clock may go back, the monotonic one must not.
sp_status sp_guest_set_time(struct sp_guest guest,
                            int64_t unix_ms,
                            uint64_t mono_ms,
                            struct sp_error **err);

// How many milliseconds from now `sp_guest_tick` has something to do: 0 when it is due, -1 while
// nothing is scheduled. It changes with every fact.
sp_status sp_guest_deadline_ms(struct sp_guest guest, int64_t *out, struct sp_error **err);

// Does what time brings. Late or early calls do no harm; a host that never calls it still gets
// correct plans.
sp_status sp_guest_tick(struct sp_guest guest, struct sp_error **err);

// Where the guest stands, as one JSON object: `online`, `ignored` and `tokens`. `ignored` counts facts
// that made no sense and changed nothing, `tokens` is as in `sp_account_status_json`; both since it
// was opened, or since its store failed.
sp_status sp_guest_status_json(struct sp_guest guest,
                               struct sp_buf *out,
                               struct sp_error **err);

// Waits for the next event: 0 only looks, negative waits for ever. `SP_STATUS_TIMEOUT` when there
// is none, `SP_STATUS_CLOSED` when there will be none. The event is freed with `sp_event_free`. The
// end of a refused message is an OUTCOME with OP 0.
SP_MUST_USE
sp_status sp_guest_next_event(struct sp_guest guest,
                              int32_t timeout_ms,
                              struct sp_event **out,
                              struct sp_error **err);

// A descriptor that is readable while an event waits, and once the guest is closed. Poll it, do not
// read from it; it belongs to the guest and is closed with it.
sp_status sp_guest_event_fd(struct sp_guest guest, int32_t *out, struct sp_error **err);

// A token that a contact gave us, with the time stamp of its notification in Unix seconds.
sp_status sp_guest_token_received(struct sp_guest guest,
                                  struct sp_slice from,
                                  struct sp_slice token,
                                  int64_t t,
                                  struct sp_error **err);

// App state set the salt of cstokens; an empty one means that it was removed.
sp_status sp_guest_salt_changed(struct sp_guest guest, struct sp_slice salt, struct sp_error **err);

// App state set (`removed` 0) or removed the entry with this index: the index is JSON, the value the
// `SyncActionValue` as protobuf, both decrypted; a removal needs no value. Only the entry that tells
// the salt counts.
sp_status sp_guest_app_state(struct sp_guest guest,
                             struct sp_slice index,
                             int32_t removed,
                             struct sp_slice value,
                             struct sp_error **err);

// Asks for the account's limits: the questions are in `sp_guest_outgoing`, a change is an event, and
// the answer is then in `sp_guest_limits_json`. Does nothing while the connection is down.
sp_status sp_guest_refresh_limits(struct sp_guest guest,
                                  struct sp_error **err);

// History sync told the salt; it counts only while app state never spoke of it.
sp_status sp_guest_salt_from_history(struct sp_guest guest,
                                     struct sp_slice salt,
                                     struct sp_error **err);

// A history sync: the blob as downloaded (compressed) or inflated. One that cannot be read changes
// nothing.
sp_status sp_guest_history(struct sp_guest guest, struct sp_slice blob, struct sp_error **err);

// What is known about the link of the account, for the diagnosis of refusals: when it was paired, in
// Unix seconds, 0 when that is not known; whether the phone has sent all of its history, and whether
// 1:1 chats are addressed by LID: 1 yes, 0 no, -1 not known.
sp_status sp_guest_background(struct sp_guest guest,
                              int64_t linked_at,
                              int32_t history_complete,
                              int32_t lid_migrated,
                              struct sp_error **err);

// Deletes everything that is stored for the account: tokens, names, limits, timelines.
sp_status sp_guest_forget_account(struct sp_guest guest, struct sp_error **err);

// Two addresses of one account, by phone number and by LID, in either order.
sp_status sp_guest_mapping_learned(struct sp_guest guest,
                                   struct sp_slice one,
                                   struct sp_slice other,
                                   struct sp_error **err);

// The keys of a contact's device are new.
sp_status sp_guest_identity_changed(struct sp_guest guest,
                                    struct sp_slice jid,
                                    struct sp_error **err);

// AB props, for hosts that fetch them by themselves.
sp_status sp_guest_props(struct sp_guest guest,
                         const struct sp_prop *props,
                         size_t count,
                         struct sp_error **err);

// A message was handed to the connection; `kind` is an `sp_message_kind`. Its answer is told with
// `sp_guest_ack`.
sp_status sp_guest_handed(struct sp_guest guest,
                          struct sp_slice id,
                          struct sp_slice to,
                          int32_t kind,
                          struct sp_error **err);

// The server answered a message: `code` is the error in its ack, 0 for a yes. What a refusal meant
// comes as an OUTCOME event. A message that was never handed over, or was answered before, changes
// nothing.
sp_status sp_guest_ack(struct sp_guest guest,
                       struct sp_slice id,
                       int32_t code,
                       struct sp_error **err);

// Messages of ours arrived at a device of their recipient.
sp_status sp_guest_receipt(struct sp_guest guest,
                           const struct sp_slice *ids,
                           size_t count,
                           struct sp_error **err);

// A contact wrote to us.
sp_status sp_guest_wrote(struct sp_guest guest, struct sp_slice jid, struct sp_error **err);

// The host's connection is up and logged in.
sp_status sp_guest_connected(struct sp_guest guest, struct sp_error **err);

// The host's connection is gone; open work is lost with it.
sp_status sp_guest_disconnected(struct sp_guest guest, struct sp_error **err);

// The server begins (not 0) or has ended (0) to deliver what it kept while the host was away.
sp_status sp_guest_backlog(struct sp_guest guest, int32_t open, struct sp_error **err);

// The server's time in Unix seconds, from any stanza that has it.
sp_status sp_guest_server_time(struct sp_guest guest, int64_t t, struct sp_error **err);

// Any stanza that arrived, decrypted, as it came out of the Noise layer (flag byte first). What does
// not concern tokens and limits changes nothing; `SP_STATUS_BAD_BYTES` when it does not decode.
sp_status sp_guest_observe_stanza(struct sp_guest guest,
                                  struct sp_slice stanza,
                                  struct sp_error **err);

// The host's library writes a row of its store; a time of 0 is none. A row that was read from here
// tells only when the library issued our token.
sp_status sp_guest_row_put(struct sp_guest guest,
                           struct sp_slice peer,
                           struct sp_slice token,
                           int64_t t,
                           int64_t sender_t,
                           struct sp_error **err);

// The host gives up: no work any more, refusals that wait for an answer end as undetermined. Facts
// are still taken in.
sp_status sp_guest_stop(struct sp_guest guest, struct sp_error **err);

// What a message to `to` carries, and whether it may leave. `kind` is an `sp_message_kind`,
// `recipient` an `sp_recipient`. Asks nobody and never blocks on the network; contacts that were
// asked about lately are answered from memory. A store that fails costs the token only.
SP_MUST_USE
sp_status sp_guest_plan(struct sp_guest guest,
                        struct sp_slice to,
                        int32_t kind,
                        int32_t recipient,
                        struct sp_plan **out,
                        struct sp_error **err);

// Which element the message carries.
sp_attach sp_plan_attach(const struct sp_plan *plan);

// The content of the element. It lives as long as the plan.
bool sp_plan_bytes(const struct sp_plan *plan, struct sp_slice *out);

// The time stamp of the contact's token, in Unix seconds.
bool sp_plan_token_time(const struct sp_plan *plan, int64_t *out);

// Whether the token may be too old because the server has not said yet how old one may be; worth a
// short wait for the props, if the host can.
bool sp_plan_ambiguous(const struct sp_plan *plan);

// Why no tctoken: `expired`, `gate_off`, `never_received`, `not_eligible` or `store_error`.
bool sp_plan_no_tctoken(const struct sp_plan *plan, struct sp_slice *out);

// Why not even a cstoken: `gate_off`, `no_lid`, `no_salt`, `not_eligible` or `store_error`.
bool sp_plan_no_cstoken(const struct sp_plan *plan, struct sp_slice *out);

// Why the message must not leave; NULL when it may. It belongs to the plan.
const struct sp_error *sp_plan_refusal(const struct sp_plan *plan);

// Frees a plan and everything that was read from it. NULL is allowed.
void sp_plan_free(struct sp_plan *plan);

// The row of a contact, for libraries that see only rows; NULL in `out` when there is none.
SP_MUST_USE
sp_status sp_guest_row_get(struct sp_guest guest,
                           struct sp_slice peer,
                           struct sp_row **out,
                           struct sp_error **err);

// The token, or a placeholder when none may be attached; never empty. It lives as long as the row.
bool sp_row_token(const struct sp_row *row, struct sp_slice *out);

// The time that the library compares with its own window, in Unix seconds; absent when nothing may
// be attached.
bool sp_row_time(const struct sp_row *row, int64_t *out);

// When our token was issued to the contact, in Unix seconds.
bool sp_row_sender_time(const struct sp_row *row, int64_t *out);

// Frees a row. NULL is allowed.
void sp_row_free(struct sp_row *row);

// The salt as the library must see it; an empty buffer when no cstoken may be sent.
sp_status sp_guest_salt_get(struct sp_guest guest, struct sp_buf *out, struct sp_error **err);

// The work that is not done: the same entries until they are reported or lost with the connection.
// A host that shows every stanza to `sp_guest_observe_stanza` and sends the IQs as they are has
// nothing to report.
SP_MUST_USE
sp_status sp_guest_outgoing(struct sp_guest guest,
                            struct sp_work **out,
                            struct sp_error **err);

// Work ended: `end` is an `sp_work_end`, with `code` or `answer` where it says so. Numbers that are
// done already, or never were, change nothing. After `SP_STATUS_BAD_BYTES` the work stays open.
sp_status sp_guest_work_done(struct sp_guest guest,
                             uint64_t id,
                             int32_t end,
                             int32_t code,
                             struct sp_slice answer,
                             struct sp_error **err);

// How many entries a list has.
size_t sp_work_count(const struct sp_work *work);

// The number to report an entry under, never used again; 0 when there is no such entry.
uint64_t sp_work_id(const struct sp_work *work, size_t index);

// What an entry is for; tolerate numbers you do not know and send the IQ as it is.
sp_work_kind sp_work_kind_of(const struct sp_work *work, size_t index);

// For ISSUE: the address in the IQ.
bool sp_work_peer(const struct sp_work *work, size_t index, struct sp_slice *out);

// For ISSUE: the time stamp in the IQ, in Unix seconds.
bool sp_work_time(const struct sp_work *work, size_t index, int64_t *out);

// For MEX: the document id.
bool sp_work_query_id(const struct sp_work *work, size_t index, struct sp_slice *out);

// For MEX: the variables, as JSON text.
bool sp_work_variables(const struct sp_work *work, size_t index, struct sp_slice *out);

// The `id` in the IQ.
bool sp_work_iq_id(const struct sp_work *work, size_t index, struct sp_slice *out);

// The whole IQ, encoded as it goes into the Noise layer (flag byte first).
bool sp_work_iq(const struct sp_work *work, size_t index, struct sp_slice *out);

// Frees a list. NULL is allowed.
void sp_work_free(struct sp_work *work);

// Whether messages to these recipients may be sent, as a JSON array in their order:
// `[{"to":..,"answer":"allowed"|"blocked"|"contact_must_write"|"not_resolvable","attached":..,
// "error":..}]`, the last two if there is something to tell; `error` as in `sp_error_json`. Addresses
// as in `sp_send_text`, `recipient` is an `sp_recipient`. `SP_STATUS_NOT_PAIRED` before the first link.
sp_status sp_account_can_send_json(struct sp_account account,
                                   const struct sp_slice *to,
                                   size_t count,
                                   int32_t recipient,
                                   struct sp_buf *out,
                                   struct sp_error **err);

// What is known about a contact and what happened with it, as one JSON object that names nobody:
// `class`, `token`, `issued`, .., and `timeline`, oldest first, of `{"what":..,"at":..,"last":..,
// "count":..}`. Times are Unix seconds. `SP_STATUS_NOT_PAIRED` before the first link.
sp_status sp_account_explain_json(struct sp_account account,
                                  struct sp_slice to,
                                  struct sp_buf *out,
                                  struct sp_error **err);

// The same for people; with `reveal` not 0 the contact's addresses are in it.
sp_status sp_account_explain_text(struct sp_account account,
                                  struct sp_slice to,
                                  int32_t reveal,
                                  struct sp_buf *out,
                                  struct sp_error **err);

// The limits of the account, with when and from whom each is known, as one JSON object:
// `reachoutTimelock`, `messageCapping`, `circuitBreaker`. What nobody knows is `null` beside a `state`
// of `unknown`; that is not "no lock". `SP_STATUS_NOT_PAIRED` before the first link.
sp_status sp_account_limits_json(struct sp_account account,
                                 struct sp_buf *out,
                                 struct sp_error **err);

// As `sp_account_can_send_json`.
sp_status sp_guest_can_send_json(struct sp_guest guest,
                                 const struct sp_slice *to,
                                 size_t count,
                                 int32_t recipient,
                                 struct sp_buf *out,
                                 struct sp_error **err);

// As `sp_account_explain_json`.
sp_status sp_guest_explain_json(struct sp_guest guest,
                                struct sp_slice to,
                                struct sp_buf *out,
                                struct sp_error **err);

// As `sp_account_explain_text`.
sp_status sp_guest_explain_text(struct sp_guest guest,
                                struct sp_slice to,
                                int32_t reveal,
                                struct sp_buf *out,
                                struct sp_error **err);

// As `sp_account_limits_json`.
sp_status sp_guest_limits_json(struct sp_guest guest, struct sp_buf *out, struct sp_error **err);

// Sends a message and returns at once. The outcome comes as an OUTCOME event with the operation's
// number. `to` is `<digits>@s.whatsapp.net`, `<digits>@lid`, the digits of a phone number, or a
// group, `<id>@g.us`; `options` and `op` may be NULL.
SP_MUST_USE
sp_status sp_send_start(struct sp_account account,
                        struct sp_slice to,
                        const struct sp_draft *draft,
                        const struct sp_send_options *options,
                        uint64_t *op,
                        struct sp_error **err);

// Sends a message and waits for its outcome: negative waits for ever. `SP_STATUS_OK` means accepted by
// the server; a refusal is its own status with everything in `err`. After `SP_STATUS_TIMEOUT` the
// send goes on and its outcome comes as an event. `options`, `op` and `outcome` may be NULL; `op` is
// set as soon as the send has started, `outcome` whenever it has ended. `to` as in `sp_send_start`.
SP_MUST_USE
sp_status sp_send(struct sp_account account,
                  struct sp_slice to,
                  const struct sp_draft *draft,
                  const struct sp_send_options *options,
                  int32_t timeout_ms,
                  uint64_t *op,
                  struct sp_event **outcome,
                  struct sp_error **err);

// Sends a message and returns at once; `done` is called exactly once if and only if this returns
// `SP_STATUS_OK`, possibly before it returns. `options` and `op` may be NULL. `to` as in
// `sp_send_start`.
SP_MUST_USE
sp_status sp_send_cb(struct sp_account account,
                     struct sp_slice to,
                     const struct sp_draft *draft,
                     const struct sp_send_options *options,
                     sp_done_fn done,
                     void *ctx,
                     uint64_t *op,
                     struct sp_error **err);

// As `sp_send_start`, for a text.
SP_MUST_USE
sp_status sp_send_text_start(struct sp_account account,
                             struct sp_slice to,
                             struct sp_slice text,
                             const struct sp_send_options *options,
                             uint64_t *op,
                             struct sp_error **err);

// As `sp_send`, for a text.
SP_MUST_USE
sp_status sp_send_text(struct sp_account account,
                       struct sp_slice to,
                       struct sp_slice text,
                       const struct sp_send_options *options,
                       int32_t timeout_ms,
                       uint64_t *op,
                       struct sp_event **outcome,
                       struct sp_error **err);

// As `sp_send_cb`, for a text.
SP_MUST_USE
sp_status sp_send_text_cb(struct sp_account account,
                          struct sp_slice to,
                          struct sp_slice text,
                          const struct sp_send_options *options,
                          sp_done_fn done,
                          void *ctx,
                          uint64_t *op,
                          struct sp_error **err);

// The host no longer wants a send. What has left stays sent; the outcome comes as usual. An unknown
// or ended operation is no error.
sp_status sp_send_cancel(struct sp_account account, uint64_t op, struct sp_error **err);

// The binary interface of this library; compare it with `SP_ABI_VERSION` before anything else.
uint32_t sp_abi_version(void);

// The version of this library, such as `0.1.0`; never freed.
const char *sp_version(void);

// The name of a status number, such as `BAD_HANDLE`; empty for an unknown one.
struct sp_slice sp_status_name(int32_t status);

// Who has to act on a status number; `SP_CLASS_BUG` for an unknown one.
sp_class sp_status_class(int32_t status);

#if defined(SENDPATH_PANIC_INJECTION)
// Tests only: the next call of this thread panics inside its boundary.
void sp_test_panic_next(void);
#endif

// Adds a row to the result of a scan.
sp_status sp_rows_add(struct sp_rows *rows,
                      struct sp_slice id,
                      struct sp_slice row,
                      struct sp_error **err);

// The file that a received message speaks of; `payload` is that of the MESSAGE event. `out` is set to
// NULL when the message speaks of none.
sp_status sp_file_of_message(struct sp_slice payload,
                             struct sp_file **out,
                             struct sp_error **err);

// What is known about the file, for a draft, a download, or the host's own storage. `out` has its
// `struct_size` set; the rest of it is written and lives as long as the file.
sp_status sp_file_media(const struct sp_file *file, struct sp_media *out, struct sp_error **err);

// Frees a file and everything that was read from it; what is on the servers stays. NULL is allowed.
void sp_file_free(struct sp_file *file);

// Encrypts and uploads a file, and waits for that: negative waits for ever, and after
// `SP_STATUS_TIMEOUT` the upload is given up. `kind` is an `sp_media_kind`. Files of any size: a few
// hundred KiB of them are in memory at a time. When it returns the library has done with `source`.
SP_MUST_USE
sp_status sp_upload(struct sp_account account,
                    int32_t kind,
                    const struct sp_source *source,
                    int32_t timeout_ms,
                    struct sp_file **out,
                    struct sp_error **err);

// Encrypts and uploads a file and returns at once; `done` is called exactly once if and only if this
// returns `SP_STATUS_OK`, possibly before it returns. `op` may be NULL. On failure the
// context of `source` is released too, unless `source` itself is refused.
SP_MUST_USE
sp_status sp_upload_cb(struct sp_account account,
                       int32_t kind,
                       const struct sp_source *source,
                       sp_transfer_fn done,
                       void *ctx,
                       uint64_t *op,
                       struct sp_error **err);

// Downloads a file, and waits for that, as `sp_upload`. Nothing is written before the whole file was
// verified. Files of any size: 1 MiB of it is in memory, more in a file without a name, encrypted.
SP_MUST_USE
sp_status sp_download(struct sp_account account,
                      const struct sp_media *media,
                      const struct sp_sink *sink,
                      int32_t timeout_ms,
                      struct sp_error **err);

// Downloads a file and returns at once; `done` as for `sp_upload_cb`, without a file. `op` may be
// NULL. On failure the context of `sink` is released too, unless `sink` itself is refused.
SP_MUST_USE
sp_status sp_download_cb(struct sp_account account,
                         const struct sp_media *media,
                         const struct sp_sink *sink,
                         sp_transfer_fn done,
                         void *ctx,
                         uint64_t *op,
                         struct sp_error **err);

// The host no longer wants a transfer that has a callback, which comes with `SP_STATUS_CANCELLED`. An
// unknown or ended one is no error.
sp_status sp_transfer_cancel(struct sp_account account,
                             uint64_t op,
                             struct sp_error **err);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SENDPATH_H */
