package io.github.sendpath

import java.time.Instant
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import io.github.sendpath.internal.End as NativeEnd
import io.github.sendpath.internal.Event as NativeEvent

/** What an account or a guest tells. Programs must let kinds pass that they do not know: use `else`. */
public sealed interface Event {
    /** Logged in; sending works. */
    public data object Connected : Event

    /** The connection ended. */
    public data class Disconnected(val end: End) : Event

    /** The link to the account is gone. */
    public data class LoggedOut(val end: End) : Event

    /** A contact's device was registered anew. */
    public data class IdentityChanged(val peer: String) : Event

    /** The refusal of these messages may be over. */
    public data class MayRetry(val peer: String, val ids: List<String>) : Event

    /** A message arrived and is durable. */
    public class Message internal constructor(
        public val id: String,
        public val chat: String,
        public val sender: String,
        /** Sent by another device of this account. */
        public val fromMe: Boolean,
        public val time: Instant,
        public val pushName: String?,
        /** The text, when it is a text message. */
        public val text: String?,
        /** The `Message` protobuf as it was sent. */
        public val payload: ByteArray,
    ) : Event {
        /** Without content: it may end up in a log. */
        override fun toString(): String = "Message(id=$id, ${payload.size} bytes)"
    }

    /** A kind that this library has no class for. */
    public data class Other(
        val kind: String,
        /** All fields, as a JSON object. */
        val json: String,
    ) : Event

    /** The program was too slow: this many events are missing here. */
    public data class Overflow(val dropped: Long) : Event

    /** The phone accepted the link. */
    public data class Paired(val jid: String, val lid: String?) : Event

    /** Pairing ended without a link. */
    public data class PairFailed(
        val reason: String,
        /** The server's code. */
        val code: Long?,
    ) : Event

    /** Let the user type [code] into the phone, which takes it for [seconds]; it replaces the one before. */
    public class PairCode internal constructor(public val code: String, public val seconds: Long) :
        Event {
        /** Without the code: whoever has it can link. */
        override fun toString(): String = "PairCode(seconds=$seconds)"
    }

    /** Show [text] as a QR code for [seconds]; it replaces the one before. */
    public class PairQr internal constructor(public val text: String, public val seconds: Long) :
        Event {
        /** Without the text: whoever has it can link. */
        override fun toString(): String = "PairQr(seconds=$seconds)"
    }

    /** Another device got or read our message. */
    public data class Receipt(
        val ids: List<String>,
        val sender: String,
        /** `delivered`, `read`, `played` or `other`. */
        val what: String,
        val time: Instant?,
    ) : Event

    /** A send ended that nobody waited for any more. */
    public data class SendEnded(
        /**
         * The operation; 0 for a message that an earlier run of the program had sent, and for those of
         * a guest.
         */
        val op: Long,
        val id: String?,
        val time: Instant?,
        val attached: String?,
        /** Why it did not end well; null when it was accepted. */
        val error: SendpathException?,
    ) : Event

    /** The account's quota of new chats changed. */
    public data class CappingChanged(
        /** The server's word: `NONE`, `FIRST_WARNING`, `SECOND_WARNING` or `CAPPED`. */
        val what: String,
        /** New chats in a cycle; -1 for no limit. */
        val total: Long?,
        val used: Long?,
        val until: Instant?,
    ) : Event

    /** A contact that is followed came or went. */
    public data class Presence(
        val peer: String,
        /** It is there now. */
        val available: Boolean,
        /** When it was there last, if it lets us know. */
        val lastSeen: Instant?,
    ) : Event

    /** A part of the phone's history was taken over. */
    public data class HistoryApplied(
        /** Chats with people and businesses. */
        val conversations: Long,
        /** Tokens that were new, or newer than the stored ones. */
        val tokens: Long,
        /** Times of our own issues that were later than the stored ones. */
        val senderTimes: Long,
        /** Pairs of phone number and LID, known ones included. */
        val mappings: Long,
        /** The salt of cstokens was taken over. */
        val salt: Boolean,
    ) : Event

    /** A part of the phone's history could not be had or read. */
    public data class HistoryFailed(
        /** `content`, `fetch` or `other`. */
        val reason: String,
        /** For people. */
        val message: String,
    ) : Event

    /** The server took these messages while the account is locked, and nobody has confirmed them. */
    public data class SilentDrop(
        val peer: String,
        val ids: List<String>,
    ) : Event

    /** Whether the account may start new chats changed. */
    public data class TimelockChanged(
        val active: Boolean,
        val until: Instant?,
        val what: String?,
    ) : Event

    /** A contact's token was stored. */
    public data class TokenStored(
        val peer: String,
        val time: Instant,
        /** False when the same token was already there. */
        val fresh: Boolean,
    ) : Event
}

/** Why a connection or a link ended. */
public data class End(
    /** A stable word, such as `network`, `replaced` or `banned`. */
    val reason: String,
    /** The server's code. */
    val code: Long?,
    /** The server's detail of a ban. */
    val detail: Long?,
    /** When a temporary ban ends. */
    val until: Instant?,
    /** For people. */
    val message: String?,
)

/** For the futures that Java gets. */
internal val futures = CoroutineScope(Dispatchers.Default)

/** The next event of a queue; null after the last one. A cancelled call takes no event with it. */
internal suspend fun nextOf(take: () -> NativeEvent?, ready: suspend () -> Unit): Event? {
    try {
        while (true) {
            val event = translated { take() }
            if (event != null) return event.toEvent()
            translated { ready() }
        }
    } catch (closed: ClosedException) {
        return null
    }
}

/** Events until there are no more. */
internal fun eventsOf(next: suspend () -> Event?): Flow<Event> = flow {
    while (true) emit(next() ?: break)
}

internal fun NativeEvent.toEvent(): Event =
    when (this) {
        is NativeEvent.CappingChanged ->
            Event.CappingChanged(what, total, used, until?.let(::instant))
        is NativeEvent.Connected -> Event.Connected
        is NativeEvent.Disconnected -> Event.Disconnected(end.toEnd())
        is NativeEvent.HistoryApplied ->
            Event.HistoryApplied(conversations, tokens, senderTimes, mappings, salt)
        is NativeEvent.HistoryFailed -> Event.HistoryFailed(reason, message)
        is NativeEvent.IdentityChanged -> Event.IdentityChanged(peer)
        is NativeEvent.LoggedOut -> Event.LoggedOut(end.toEnd())
        is NativeEvent.MayRetry -> Event.MayRetry(peer, ids)
        is NativeEvent.Message ->
            incoming.run {
                Event.Message(id, chat, sender, fromMe, instant(time), pushName, text, payload)
            }
        is NativeEvent.Other -> Event.Other(kind, json)
        is NativeEvent.Outcome ->
            Event.SendEnded(op.toLong(), id, time?.let(::instant), attached, error?.exception())
        is NativeEvent.Overflow -> Event.Overflow(dropped)
        is NativeEvent.PairCode -> Event.PairCode(code, seconds)
        is NativeEvent.PairFailed -> Event.PairFailed(reason, code)
        is NativeEvent.PairQr -> Event.PairQr(text, seconds)
        is NativeEvent.Paired -> Event.Paired(jid, lid)
        is NativeEvent.Presence ->
            Event.Presence(peer, available, lastSeen?.let(::instant))
        is NativeEvent.Receipt -> Event.Receipt(ids, sender, what, time?.let(::instant))
        is NativeEvent.SilentDrop -> Event.SilentDrop(peer, ids)
        is NativeEvent.TimelockChanged ->
            Event.TimelockChanged(active, until?.let(::instant), what)
        is NativeEvent.TokenStored -> Event.TokenStored(peer, instant(time), fresh)
    }

private fun NativeEnd.toEnd() = End(reason, code, detail, until?.let(::instant), message)
