// Package sendpath sends WhatsApp messages through the sendpath library.
//
// An [Engine] owns a store; an [Account] is one linked device in it. [Account.SendText] returns when
// the server has answered: accepted, or refused with an [Error] that says why, until when and what
// to do. [Account.Next] tells everything else, beginning with the QR code of a new account.
//
// A [Guest] is for clients that have their own connection: it says what a message must carry and what
// a refusal meant.
//
// No OS thread is held while a send or an event is waited for. The library is linked statically; with
// the build tag sendpath_dynamic it is found by pkg-config.
package sendpath
