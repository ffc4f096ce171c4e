package io.github.sendpath

import java.time.Duration
import java.time.Instant
import java.util.concurrent.CompletableFuture
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.future.future
import kotlinx.coroutines.withContext
import io.github.sendpath.internal.Account as NativeAccount
import io.github.sendpath.internal.SendOptions as NativeOptions

/** An account, made by [Engine.account]. Thread-safe. */
public class Account internal constructor(private val inner: NativeAccount) : AutoCloseable {
    /** Dials and stays connected; returns at once. Without a link, [Event.PairQr] comes first. */
    public fun connect(): Unit = translated { inner.connect() }

    /**
     * Links by a code that the user types into the phone with that number, instead of scanning:
     * [Event.PairCode] shows it, after [connect]. It ends as [Event.Paired] or [Event.PairFailed]; do
     * not ask in a loop, the server throttles a number for hours.
     *
     * @param code the program's own code, eight symbols of `123456789ABCDEFGHJKLMNPQRSTVWXYZ`; null for
     *   a random one
     * @throws MisuseException the number or the code is not one
     */
    @JvmOverloads
    public fun pairByCode(number: String, code: String? = null): Unit =
        translated { inner.pairByCode(number, code) }

    /** Closes the connection and stays offline. */
    public fun disconnect(): Unit = translated { inner.disconnect() }

    /** Where the account stands. */
    public fun status(): AccountStatus = translated { inner.status() }.toStatus()

    /**
     * Unlinks the device and deletes its credentials; [Event.LoggedOut] tells when it is done. With
     * [keepTokens] the tokens of contacts stay for a later link of the same account.
     */
    @JvmOverloads
    public fun logout(keepTokens: Boolean = true): Unit = translated { inner.logout(keepTokens) }

    /**
     * Deletes everything that is stored for the account: tokens, names, limits, timelines. The link of
     * this device stays. Returns at once; it happens before later sends, but not necessarily before
     * what is asked next.
     */
    public fun forgetAccount(): Unit = translated { inner.forgetAccount() }

    /**
     * Asks the server for the account's limits; a change is an event, and the answer is then in
     * [limits]. Returns at once; does nothing while there is no connection.
     */
    public fun refreshLimits(): Unit = translated { inner.refreshLimits() }

    /**
     * Follows the presence of a contact until the connection ends: [Event.Presence]. The question
     * carries the contact's token. Returns at once; does nothing while there is no connection.
     *
     * @throws MisuseException the address is not one
     */
    public fun subscribePresence(to: String): Unit = translated { inner.subscribePresence(to) }

    /**
     * Whether messages to these may be sent, by what is known here; the server is not asked.
     *
     * @throws RefusedException the account is not paired
     * @throws MisuseException an address is not one
     */
    public suspend fun canSend(
        to: List<String>,
        recipient: Recipient = Recipient.ORDINARY,
    ): List<CanSend> = asked { inner.canSend(to, recipient.native()) }.map { it.toCanSend() }

    /** As [canSend], for Java. */
    @JvmOverloads
    public fun canSendAsync(
        to: List<String>,
        recipient: Recipient = Recipient.ORDINARY,
    ): CompletableFuture<List<CanSend>> = futures.future { canSend(to, recipient) }

    /** What happened with a contact, and what is known about it. Throws as [canSend]. */
    public suspend fun explain(to: String): Explanation = Explanation(asked { inner.explain(to) })

    /** As [explain], for Java. */
    public fun explainAsync(to: String): CompletableFuture<Explanation> =
        futures.future { explain(to) }

    /**
     * The limits of the account, with when and from whom each is known, as a JSON object. Throws as
     * [canSend].
     */
    public suspend fun limits(): String = asked { inner.limits() }

    /** As [limits], for Java. */
    public fun limitsAsync(): CompletableFuture<String> = futures.future { limits() }

    /** Asks the account, whose thread may be busy. */
    private suspend fun <T> asked(question: () -> T): T =
        withContext(Dispatchers.IO) { translated(question) }

    /**
     * Sends a text and waits for the server's answer. A cancelled coroutine cancels the send, unless
     * the message has left; its end then comes as an [Event.SendEnded].
     *
     * @param deadline how long from now the message may still leave
     * @param recipient what the program knows about whom it is for
     * @throws RefusedException the message was refused and is not sent again by itself
     * @throws OutcomeUnknownException the answer was lost
     * @throws MisuseException nothing was done
     */
    public suspend fun sendText(
        to: String,
        body: String,
        id: String? = null,
        deadline: Duration? = null,
        recipient: Recipient = Recipient.ORDINARY,
    ): Accepted = translated {
        val wait = deadline?.toMillis()?.coerceAtLeast(0)?.toULong()
        val options = NativeOptions(id, recipient.native(), wait)
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
        recipient: Recipient = Recipient.ORDINARY,
    ): CompletableFuture<Accepted> =
        futures.future { sendText(to, body, id, deadline, recipient) }

    /**
     * The next event; null after the last one, when the account is closed. A cancelled call takes no
     * event with it.
     */
    public suspend fun nextEvent(): Event? = nextOf(inner::takeEvent, inner::eventReady)

    /** As [nextEvent], for Java. */
    public fun nextEventAsync(): CompletableFuture<Event?> = futures.future { nextEvent() }

    /** Events in order until the account is closed; one consumer at a time. */
    public fun events(): Flow<Event> = eventsOf(::nextEvent)

    /**
     * Ends the connection and every open send and wakes everybody who waits. Blocks; a second call does
     * nothing.
     */
    override fun close(): Unit = translated { inner.shutdown() }
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
