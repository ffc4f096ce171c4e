package io.github.sendpath

import java.time.Duration
import java.time.Instant
import java.util.concurrent.CompletableFuture
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.future.future
import io.github.sendpath.internal.Account as NativeAccount
import io.github.sendpath.internal.SendOptions as NativeOptions

/** An account, made by [Engine.account]. Thread-safe. */
public class Account internal constructor(private val inner: NativeAccount) : AutoCloseable {
    /** Dials and stays connected; returns at once. Without a link, [Event.PairQr] comes first. */
    public fun connect(): Unit = translated { inner.connect() }

    /** Closes the connection and stays offline. */
    public fun disconnect(): Unit = translated { inner.disconnect() }

    /** Where the account stands. */
    public fun status(): AccountStatus = translated { inner.statusNow() }

    /**
     * Unlinks the device and deletes its credentials; [Event.LoggedOut] tells when it is done. With
     * [keepTokens] the tokens of contacts stay for a later link of the same account.
     */
    @JvmOverloads
    public fun logout(keepTokens: Boolean = true): Unit = translated { inner.logout(keepTokens) }

    /**
     * Sends a text and waits for the server's answer. A cancelled coroutine cancels the send, unless
     * the message has left; its end then comes as an [Event.SendEnded].
     *
     * @param deadline how long from now the message may still leave
     * @throws RefusedException the message was refused and is not sent again by itself
     * @throws OutcomeUnknownException the answer was lost
     * @throws MisuseException nothing was done
     */
    public suspend fun sendText(
        to: String,
        body: String,
        id: String? = null,
        deadline: Duration? = null,
    ): Accepted = translated {
        val options = NativeOptions(id, deadline?.toMillis()?.coerceAtLeast(0)?.toULong())
        inner.sendText(to, body, options).use { sending ->
            try {
                sending.ended()
            } catch (cancelled: CancellationException) {
                sending.cancel()
                throw cancelled
            }
            val end = sending.take()
            Accepted(end.id, end.serverTime?.let(::instant), end.attached)
        }
    }

    /** As [sendText], for Java; cancelling the future cancels the send. */
    @JvmOverloads
    public fun sendTextAsync(
        to: String,
        body: String,
        id: String? = null,
        deadline: Duration? = null,
    ): CompletableFuture<Accepted> = scope.future { sendText(to, body, id, deadline) }

    /**
     * The next event; null after the last one, when the account is closed. A cancelled call takes no
     * event with it.
     */
    public suspend fun nextEvent(): Event? {
        try {
            while (true) {
                val event = translated { inner.takeEvent() }
                if (event != null) return event.toEvent()
                translated { inner.eventReady() }
            }
        } catch (closed: ClosedException) {
            return null
        }
    }

    /** As [nextEvent], for Java. */
    public fun nextEventAsync(): CompletableFuture<Event?> = scope.future { nextEvent() }

    /** Events in order until the account is closed; one consumer at a time. */
    public fun events(): Flow<Event> = flow {
        while (true) emit(nextEvent() ?: break)
    }

    /**
     * Ends the connection and every open send and wakes everybody who waits. Blocks; a second call does
     * nothing.
     */
    override fun close(): Unit = translated { inner.shutdown() }

    private companion object {
        val scope = CoroutineScope(Dispatchers.Default)
    }
}

/** The server took the message. */
public data class Accepted(
    /** The id the message was sent with. */
    val id: String,
    /** The server's time stamp, when it gave one. */
    val serverTime: Instant?,
    /** What the message carried to open the chat, as a stable word. */
    val attached: String?,
)
