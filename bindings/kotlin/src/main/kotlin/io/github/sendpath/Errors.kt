package io.github.sendpath

import java.time.Duration
import java.time.Instant
import io.github.sendpath.internal.ErrorDetails
import io.github.sendpath.internal.InternalException
import io.github.sendpath.internal.NativeException

/** The stable numbers; the same in every language. A number is never used for something else. */
public enum class Status(public val number: Int) {
    OK(0),
    NULL_POINTER(1),
    INVALID_ARGUMENT(2),
    INVALID_UTF8(3),
    BAD_HANDLE(4),
    PANIC(5),
    POISONED(6),
    WOULD_DEADLOCK(7),
    FORKED(8),
    CLOSED(9),
    TIMEOUT(10),
    STRUCT_SIZE(11),
    RUNTIME(12),
    ALREADY_OPEN(13),
    BAD_ADDRESS(20),
    BAD_CONTENT(21),
    BAD_MESSAGE_ID(22),
    BAD_ACCOUNT_NAME(23),
    BAD_BYTES(24),
    BAD_CODE(25),
    BAD_NUMBER(26),
    BUG(99),
    STORE_BUSY(100),
    STORE_CORRUPT(101),
    STORE_HOST(102),
    STORE_FENCED(103),
    STORE_FULL(104),
    STORE_IO(105),
    STORE_READ_ONLY(106),
    STORE_SCHEMA(107),
    STORE_VERSION(108),
    STORE_OTHER(199),
    OUTCOME_UNKNOWN(200),
    MEDIA_NOT_CONNECTED(300),
    MEDIA_UNREACHABLE(301),
    MEDIA_REFUSED(302),
    MEDIA_GONE(303),
    MEDIA_DAMAGED(304),
    MEDIA_FILE(305),
    ACCOUNT_TIMELOCKED(401),
    TIMELOCKED_TOKEN_REFUSED(402),
    COLD_REFUSED(403),
    COLD_REFUSED_WITH_CSTOKEN(404),
    TOKEN_MISSING_WARM(405),
    TOKEN_REFUSED(406),
    TOKEN_ARRIVED_LATE(407),
    LOCAL_TOKEN_LOST(408),
    UNDETERMINED_463(409),
    NEW_CHAT_CAPPED(410),
    STANZA_INVALID(411),
    ADDRESSING(412),
    NOT_ALLOWED(413),
    RECIPIENT_NOT_FOUND(414),
    SERVER_BUSY(415),
    SERVER_REFUSED(416),
    NOT_ON_WHATSAPP(417),
    NO_LID(418),
    NO_RECIPIENT_DEVICE(419),
    NOT_PAIRED(420),
    LOGGED_OUT(421),
    DUPLICATE_ID(422),
    OUTBOX_FULL(423),
    BAD_REQUEST(424),
    DEADLINE_BEFORE_SEND(425),
    CANCELLED(426),
    CIRCUIT_OPEN(427),
    SILENT_DROP_SUSPECTED(428);

    internal companion object {
        private val byNumber = entries.associateBy { it.number }

        fun of(number: Int): Status = byNumber.getValue(number)
    }
}

/** Why a send was refused. */
public enum class Cause {
    ACCOUNT_TIMELOCKED,
    TIMELOCKED_TOKEN_REFUSED,
    COLD_REFUSED,
    COLD_REFUSED_WITH_CSTOKEN,
    TOKEN_MISSING_WARM,
    TOKEN_REFUSED,
    TOKEN_ARRIVED_LATE,
    LOCAL_TOKEN_LOST,
    UNDETERMINED_463,
    NEW_CHAT_CAPPED,
    STANZA_INVALID,
    ADDRESSING,
    NOT_ALLOWED,
    RECIPIENT_NOT_FOUND,
    SERVER_BUSY,
    SERVER_REFUSED,
    NOT_ON_WHATSAPP,
    NO_LID,
    NO_RECIPIENT_DEVICE,
    NOT_PAIRED,
    LOGGED_OUT,
    DUPLICATE_ID,
    OUTBOX_FULL,
    BAD_REQUEST,
    DEADLINE_BEFORE_SEND,
    CANCELLED,
    CIRCUIT_OPEN,
    SILENT_DROP_SUSPECTED,
}

/** What to do after a refusal. */
public enum class Next {
    ASK_CONTACT_TO_WRITE,
    DO_NOT_RETRY,
    FIX_INPUT,
    RETRY_AFTER,
    WAIT_UNTIL,
}

/** Anything that this library throws by itself. */
public sealed class SendpathException(message: String, public val status: Status) :
    Exception(message)

/** A bug in sendpath; please report it. */
public class BugException internal constructor(message: String, status: Status) :
    SendpathException(message, status)

/** A call with something that cannot be used; nothing was done. */
public class MisuseException internal constructor(message: String, status: Status) :
    SendpathException(message, status)

/** The engine or account is closed. */
public class ClosedException internal constructor(message: String, status: Status) :
    SendpathException(message, status)

/** The operating system refused a thread, a socket or memory, or the process was forked. */
public class RuntimeFailureException internal constructor(message: String, status: Status) :
    SendpathException(message, status)

/** The store could not be read or written. */
public class StoreException internal constructor(message: String, status: Status) :
    SendpathException(message, status)

/** A file could not be brought up or down. */
public class MediaException internal constructor(details: ErrorDetails) :
    SendpathException(details.message, Status.of(details.status)) {
    /** The last HTTP status; null when no server said anything. */
    public val code: Int? = details.code?.toInt()

    /** Whether another try can help. */
    public val mayRetry: Boolean = details.mayRetry == true
}

/** A send did not end well. */
public sealed class SendException(details: ErrorDetails) :
    SendpathException(details.message, Status.of(details.status)) {
    /** Id of the message; null when it was refused before it had one. */
    public val id: String? = details.messageId
}

/** The message was refused, here or by the server; it is not sent again by itself. */
public class RefusedException internal constructor(details: ErrorDetails) : SendException(details) {
    /** Why. Not called `cause`: exceptions have one of their own. */
    public val reason: Cause = Cause.valueOf(details.cause.orEmpty())

    /** What to do. */
    public val next: Next = Next.valueOf(details.next.orEmpty().uppercase())

    /** When the cause ends, if anybody knows. */
    public val until: Instant? = details.until?.let(::instant)

    /** For how long to wait before trying once more, when that is what to do. */
    public val retryAfter: Duration? = details.retryAfterMs?.let { Duration.ofMillis(it.toLong()) }

    /** Whether the same message can succeed later at all. */
    public val mayRetry: Boolean = details.mayRetry == true

    /** The server's code, such as 463; null when nothing was sent. */
    public val code: Int? = details.code?.toInt()

    /** For people: what it means and what to do. */
    public val advice: String = details.advice.orEmpty()

    /** What the message carried to open the chat, or why nothing, as a stable word. */
    public val attached: String? = details.attached
}

/** The answer was lost: nobody knows whether the message arrived. */
public class OutcomeUnknownException internal constructor(details: ErrorDetails) :
    SendException(details) {
    /** The same bytes are sent again after a reconnect. */
    public val stillTrying: Boolean = details.stillTrying == true
}

/** Exceptions of the generated code become ours. */
internal inline fun <T> translated(call: () -> T): T =
    try {
        call()
    } catch (error: NativeException) {
        throw error.details().exception()
    } catch (error: InternalException) {
        throw BugException("a call panicked: ${error.message}", Status.PANIC)
    }

internal fun ErrorDetails.exception(): SendpathException {
    val status = Status.of(status)
    return when {
        cause != null -> RefusedException(this)
        status == Status.OUTCOME_UNKNOWN -> OutcomeUnknownException(this)
        status == Status.CLOSED -> ClosedException(message, status)
        status in RUNTIME -> RuntimeFailureException(message, status)
        status in BUGS -> BugException(message, status)
        status.number in 100..199 -> StoreException(message, status)
        status.number in 300..399 -> MediaException(this)
        else -> MisuseException(message, status)
    }
}

internal fun NativeException.details(): ErrorDetails =
    when (this) {
        is NativeException.Bug -> details
        is NativeException.Media -> details
        is NativeException.Misuse -> details
        is NativeException.Refused -> details
        is NativeException.Runtime -> details
        is NativeException.Store -> details
        is NativeException.Unknown -> details
    }

private val RUNTIME = setOf(Status.FORKED, Status.RUNTIME, Status.TIMEOUT, Status.WOULD_DEADLOCK)
private val BUGS = setOf(Status.PANIC, Status.POISONED, Status.BUG)

/** Unix seconds as an instant, the nearest there is. */
internal fun instant(seconds: Long): Instant =
    Instant.ofEpochSecond(seconds.coerceIn(Instant.MIN.epochSecond, Instant.MAX.epochSecond))
