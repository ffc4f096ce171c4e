package io.github.sendpath

import io.github.sendpath.internal.MessageKind as NativeKind
import io.github.sendpath.internal.Plan as NativePlan
import io.github.sendpath.internal.Row as NativeRow
import io.github.sendpath.internal.WorkItem as NativeItem
import io.github.sendpath.internal.WorkResult as NativeResult

/** What a message is, as far as tokens are concerned. */
public enum class MessageKind {
    /** Text, media, reaction, edit, poll vote. */
    CONTENT,

    /** To our own devices (`category="peer"`). */
    PEER,

    /** A protocol message, revokes included: it carries a token and causes no issue. */
    PROTOCOL;

    internal fun native(): NativeKind = NativeKind.valueOf(name)
}

/** Which element a message carries to open the chat. */
public enum class Attach {
    /** None. */
    NOTHING,

    /** `<tctoken>`: the contact's token. */
    TCTOKEN,

    /** `<cstoken>`: the account's own proof. */
    CSTOKEN,
}

/** The decision for one message. */
public class Plan internal constructor(native: NativePlan) {
    /** Which element it carries. */
    public val attach: Attach = Attach.valueOf(native.attach.uppercase())

    /** The content of the element; empty for [Attach.NOTHING]. */
    public val content: ByteArray = native.bytes

    /** The time stamp of the contact's token, in Unix seconds. */
    public val tokenTime: Long? = native.tokenTime

    /**
     * The server has not said yet how old a token may be, and this one may be too old. Worth a short
     * wait for the props.
     */
    public val ambiguous: Boolean = native.ambiguous

    /** Why no tctoken: `expired`, `gate_off`, `never_received`, `not_eligible` or `store_error`. */
    public val noTctoken: String? = native.noTctoken

    /** Why not even a cstoken: `gate_off`, `no_lid`, `no_salt`, `not_eligible` or `store_error`. */
    public val noCstoken: String? = native.noCstoken

    /** Why the message must not leave; null when it may. */
    public val refusal: SendpathException? = native.refusal?.exception()

    /** Without the token. */
    override fun toString(): String =
        "Plan(attach=$attach, noTctoken=$noTctoken, noCstoken=$noCstoken, refusal=$refusal)"
}

/** A row as the store of the host's library sees it. Times are Unix seconds. */
public class Row(
    /** The token, or a placeholder when none may be attached but something is known. */
    public val token: ByteArray,
    /** The time the library compares with its own window; null for "not valid any more". */
    public val time: Long?,
    /** When our token was issued to the contact last. */
    public val senderTime: Long?,
) {
    internal fun native(): NativeRow = NativeRow(token, time, senderTime)

    /** Without the token. */
    override fun toString(): String = "Row(time=$time, senderTime=$senderTime)"
}

/** What work is for. */
public enum class WorkKind {
    /** Send the IQ as it is. */
    OTHER,

    /** Ask for the AB props. */
    PROPS,

    /** Issue our token to a contact: [WorkItem.peer] and [WorkItem.time]. */
    ISSUE,

    /** A GraphQL query: [WorkItem.queryId] and [WorkItem.variables]. */
    MEX,
}

/** An IQ to send: as it is, or built anew from the parts. */
public class WorkItem internal constructor(native: NativeItem) {
    /** The number to report it under; never used again. */
    public val id: Long = native.id.toLong()
    public val kind: WorkKind = WorkKind.valueOf(native.kind.uppercase())

    /** For [WorkKind.ISSUE]: the address in the IQ. */
    public val peer: String? = native.peer

    /** For [WorkKind.ISSUE]: the time stamp in the IQ, in Unix seconds. */
    public val time: Long? = native.time

    /** For [WorkKind.MEX]: the document id. */
    public val queryId: String? = native.queryId

    /** For [WorkKind.MEX]: the variables, as JSON text. */
    public val variables: String? = native.variables

    /** The `id` in the IQ. */
    public val iqId: String = native.iqId

    /** The whole IQ, encoded as it goes into the Noise layer (flag byte first). */
    public val iq: ByteArray = native.iq

    override fun toString(): String = "WorkItem(id=$id, kind=$kind, iqId=$iqId)"
}

/** How work ended. */
public sealed interface WorkResult {
    /** The server took it; the answer says nothing more. Enough for [WorkKind.ISSUE]. */
    public data object Ok : WorkResult

    /** The JSON text in the answer to a [WorkKind.MEX] query. */
    public data class Json(val text: String) : WorkResult

    /** The server answered with an error. */
    public data class Error(val code: Int) : WorkResult

    /** It could not be sent, or nothing came back in time. */
    public data object Lost : WorkResult

    /** The whole answer as it came out of the Noise layer (flag byte first). */
    public class Stanza(public val bytes: ByteArray) : WorkResult
}

internal fun NativeRow.toRow() = Row(token, time, senderTime)

internal fun WorkResult.native(): NativeResult =
    when (this) {
        is WorkResult.Ok -> NativeResult.Taken
        is WorkResult.Json -> NativeResult.Json(text)
        is WorkResult.Error -> NativeResult.Failed(serverCode(code))
        is WorkResult.Lost -> NativeResult.Lost
        is WorkResult.Stanza -> NativeResult.Stanza(bytes)
    }

/** A code as the server has them: 16 bits. */
internal fun serverCode(code: Int): UShort {
    require(code in 0..UShort.MAX_VALUE.toInt()) { "$code is not a code of the server" }
    return code.toUShort()
}
