package io.github.sendpath

import io.github.sendpath.internal.CanSend as NativeCanSend
import io.github.sendpath.internal.Explanation as NativeExplanation
import io.github.sendpath.internal.Recipient as NativeRecipient

/** What the program knows about a recipient that the address does not tell. */
public enum class Recipient {
    /** A verified official business. */
    ENTERPRISE,

    /** Nothing special. */
    ORDINARY,

    /** WhatsApp's own support. */
    SUPPORT;

    internal fun native(): NativeRecipient = NativeRecipient.valueOf(name)
}

/** Whether a message may be sent. */
public enum class MaySend {
    /** It would be sent. */
    ALLOWED,

    /** It would be refused here, for now. */
    BLOCKED,

    /** It would be sent, but the server refused the last one: the contact has to write first. */
    CONTACT_MUST_WRITE,

    /** Nothing can be sent to that address. */
    NOT_RESOLVABLE,

    /** Something that this library has no word for. */
    OTHER,
}

/** The answer about one address. */
public data class CanSend(
    /** The address, as JID. */
    val to: String,
    val answer: MaySend,
    /** What the message would carry to open the chat, or why nothing, as a stable word. */
    val attached: String?,
    /** Why not, and until when; only with [MaySend.BLOCKED]. */
    val error: SendpathException?,
)

/** What is known about a contact, and what happened. */
public class Explanation internal constructor(native: NativeExplanation) {
    /** For people. It names nobody and may go into a bug report. */
    public val text: String = native.text

    /** [text] with the contact's addresses. */
    public val revealing: String = native.revealing

    /** The data, as a JSON object that names nobody. */
    public val json: String = native.json

    override fun toString(): String = text
}

internal fun NativeCanSend.toCanSend() =
    CanSend(to, MaySend.valueOf(answer.uppercase()), attached, error?.exception())
