package sendpath

// Code says why a call or a send failed. Numbers never change and are never used again; they are
// those of sp_status in sendpath.h.
type Code int32

// The codes. 1 to 99: the caller or the runtime. 100 to 199: the store. 200: nobody knows the end of
// the send. 400 to 499: the send was refused.
const (
	// Done.
	CodeOK Code = 0
	// A pointer that must not be NULL was NULL.
	CodeNullPointer Code = 1
	// An argument is outside its range; the message says which.
	CodeInvalidArgument Code = 2
	// A text is not UTF-8; the message says from which byte on.
	CodeInvalidUTF8 Code = 3
	// The handle was never given out, was closed already, or belongs to another kind of object.
	CodeBadHandle Code = 4
	// A bug in sendpath: a call panicked. The object it ran on is poisoned.
	CodePanic Code = 5
	// An earlier call on this object panicked; close it and open a new one.
	CodePoisoned Code = 6
	// A blocking call on one of the library's own threads, inside a callback.
	CodeWouldDeadlock Code = 7
	// The process was forked after the engine was opened; the child must open its own.
	CodeForked Code = 8
	// The engine or account is closed.
	CodeClosed Code = 9
	// The given time passed first. A send goes on; its outcome comes as an event.
	CodeTimeout Code = 10
	// `struct_size` is smaller than the first release of that struct.
	CodeStructSize Code = 11
	// The operating system refused a thread, a socket or memory.
	CodeRuntime Code = 12
	// The account is already open in this process.
	CodeAlreadyOpen Code = 13
	// The text is not an address one can send to.
	CodeBadAddress Code = 20
	// Empty, too long or otherwise not sendable content.
	CodeBadContent Code = 21
	// A message id must be 1 to 128 visible ASCII characters.
	CodeBadMessageID Code = 22
	// An account name must be 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
	CodeBadAccountName Code = 23
	// Bytes handed in do not decode.
	CodeBadBytes Code = 24
	// A pairing code has eight symbols, without 0, I, O and U.
	CodeBadCode Code = 25
	// A phone number in international form has 7 to 15 digits.
	CodeBadNumber Code = 26
	// A bug in sendpath; please report the message.
	CodeBug Code = 99
	// Another process holds the store's lock.
	CodeStoreBusy Code = 100
	// The store is damaged or not a sendpath store.
	CodeStoreCorrupt Code = 101
	// The host's own store failed.
	CodeStoreHost Code = 102
	// The account was opened elsewhere; this handle must not write any more.
	CodeStoreFenced Code = 103
	// No room left for the store.
	CodeStoreFull Code = 104
	// The operating system failed to read or write the store.
	CodeStoreIO Code = 105
	// The store cannot be written.
	CodeStoreReadOnly Code = 106
	// The store was written by a newer sendpath.
	CodeStoreSchema Code = 107
	// A record was written by a newer sendpath.
	CodeStoreVersion Code = 108
	// The store failed in a way this build has no number for.
	CodeStoreOther Code = 199
	// The answer to a send was lost; nobody knows whether the message arrived.
	CodeOutcomeUnknown Code = 200
	// There is no connection, which tells the media servers.
	CodeMediaNotConnected Code = 300
	// No media server could be reached.
	CodeMediaUnreachable Code = 301
	// The media servers refuse, or answer nothing of use; NackCode is the last HTTP status.
	CodeMediaRefused Code = 302
	// The media servers do not have the file any more, or not for us: HTTP 403, 404, 410.
	CodeMediaGone Code = 303
	// What the media servers have is not what the message announced; nothing of it was given out.
	CodeMediaDamaged Code = 304
	// The file here could not be read or written.
	CodeMediaFile Code = 305
	// The account may not start new chats for now.
	CodeAccountTimelocked Code = 401
	// As CodeAccountTimelocked, although a valid token was attached.
	CodeTimelockedTokenRefused Code = 402
	// A contact that never wrote to this account; nothing was attached.
	CodeColdRefused Code = 403
	// A contact that never wrote to this account; a cstoken was attached.
	CodeColdRefusedWithCstoken Code = 404
	// A known contact whose token has not reached this device.
	CodeTokenMissingWarm Code = 405
	// The contact's token was not accepted.
	CodeTokenRefused Code = 406
	// A newer token arrived while the message was on its way.
	CodeTokenArrivedLate Code = 407
	// A stored token was not usable when the message left.
	CodeLocalTokenLost Code = 408
	// Refused with 463, and the account's state could not be read.
	CodeUndetermined463 Code = 409
	// The quota of new chats is used up.
	CodeNewChatCapped Code = 410
	// The server rejects the form of the message.
	CodeStanzaInvalid Code = 411
	// Wrong address form for this account.
	CodeAddressing Code = 412
	// The server does not allow this message.
	CodeNotAllowed Code = 413
	// The recipient does not exist.
	CodeRecipientNotFound Code = 414
	// The server could not take the message.
	CodeServerBusy Code = 415
	// A refusal without a known meaning.
	CodeServerRefused Code = 416
	// The number is not on WhatsApp.
	CodeNotOnWhatsapp Code = 417
	// The server gave no hidden identity for the number.
	CodeNoLID Code = 418
	// The recipient has no device that can receive.
	CodeNoRecipientDevice Code = 419
	// The account is not paired.
	CodeNotPaired Code = 420
	// The account was logged out or banned.
	CodeLoggedOut Code = 421
	// A message with this id was already handed in.
	CodeDuplicateID Code = 422
	// Too many messages wait for an answer.
	CodeOutboxFull Code = 423
	// The content or the address cannot be sent.
	CodeBadRequest Code = 424
	// The deadline passed before anything was sent.
	CodeDeadlineBeforeSend Code = 425
	// Cancelled, or the library was closed, before anything was sent.
	CodeCancelled Code = 426
	// Refused here: the server refused several first messages in a row.
	CodeCircuitOpen Code = 427
	// Accepted, but nobody received it while the account is locked.
	CodeSilentDropSuspected Code = 428
)
