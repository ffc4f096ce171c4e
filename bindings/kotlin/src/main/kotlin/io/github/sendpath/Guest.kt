package io.github.sendpath

import java.time.Duration
import java.util.concurrent.CompletableFuture
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.future.future
import io.github.sendpath.internal.Guest as NativeGuest
import io.github.sendpath.internal.GuestConfig as NativeConfig
import io.github.sendpath.internal.GuestStore as NativeStore
import io.github.sendpath.internal.ManualClock as NativeClock
import io.github.sendpath.internal.Prop as NativeProp

/**
 * The tokens and limits of one account whose connection the program owns. Thread-safe.
 *
 * Facts are told by functions and are stored when these return; after an exception a fact counts as
 * not told: do not acknowledge the stanza it came from, so that the server brings it again. Every
 * function is local and quick. Addresses are JIDs or the digits of a phone number, times are Unix
 * seconds as on the wire.
 */
public class Guest private constructor(private val inner: NativeGuest) : AutoCloseable {
    /** A contact gave us a token; [t] is the time stamp in its notification. */
    public fun tokenReceived(peer: String, token: ByteArray, t: Long): Unit =
        translated { inner.tokenReceived(peer, token, t) }

    /** App state set, or with null removed, the salt of cstokens. */
    public fun saltChanged(salt: ByteArray?): Unit = translated { inner.saltChanged(salt) }

    /**
     * App state set, or with null removed, the entry with this index: the index is JSON, the value the
     * `SyncActionValue` as protobuf, both decrypted. Only the entry that tells the salt counts.
     */
    public fun appState(index: ByteArray, value: ByteArray?): Unit =
        translated { inner.appState(index, value) }

    /**
     * Asks for the account's limits: the questions are in [outgoing], a change is an event, and the
     * answer is then in [limits]. Does nothing while the connection is down.
     */
    public fun refreshLimits(): Unit = translated { inner.refreshLimits() }

    /** History sync told the salt; it counts only while app state never spoke of it. */
    public fun saltFromHistory(salt: ByteArray): Unit = translated { inner.saltFromHistory(salt) }

    /** A history sync: the blob as downloaded, or inflated. One that cannot be read changes nothing. */
    public fun history(blob: ByteArray): Unit = translated { inner.history(blob) }

    /**
     * What is known about the link, for the diagnosis of refusals; null for what is not known.
     *
     * @param linkedAt when it was made
     * @param historyComplete whether the phone has sent all of its history
     * @param lidMigrated whether 1:1 chats are addressed by LID
     */
    public fun background(
        linkedAt: Long? = null,
        historyComplete: Boolean? = null,
        lidMigrated: Boolean? = null,
    ): Unit = translated { inner.background(linkedAt, historyComplete, lidMigrated) }

    /** Two addresses of one account, by phone number and by LID, in either order. */
    public fun mappingLearned(one: String, other: String): Unit =
        translated { inner.mappingLearned(one, other) }

    /** The keys of a contact's device are new. */
    public fun identityChanged(jid: String): Unit = translated { inner.identityChanged(jid) }

    /** AB props by code, for programs that fetch them by themselves. */
    public fun props(values: Map<Int, String>): Unit = translated {
        inner.props(values.map { (code, value) -> NativeProp(code.toUInt(), value) })
    }

    /** A message was handed to the connection; tell its end with [ack]. */
    @JvmOverloads
    public fun handed(id: String, to: String, kind: MessageKind = MessageKind.CONTENT): Unit =
        translated { inner.handed(id, to, kind.native()) }

    /**
     * The server answered a message; [code] is the error in its ack, null for a yes. What a refusal
     * meant comes as an [Event.SendEnded].
     */
    @JvmOverloads
    public fun ack(id: String, code: Int? = null): Unit =
        translated { inner.ack(id, code?.let(::serverCode)) }

    /** Messages of ours arrived at a device of their recipient. */
    public fun receipt(ids: List<String>): Unit = translated { inner.receipt(ids) }

    /** A contact wrote to us. */
    public fun wrote(jid: String): Unit = translated { inner.wrote(jid) }

    /** The program's connection is up and logged in. */
    public fun connected(): Unit = translated { inner.connected() }

    /** The program's connection is gone; open work is lost with it. */
    public fun disconnected(): Unit = translated { inner.disconnected() }

    /** The server begins, or has ended, to deliver what it kept while the program was away. */
    public fun backlog(open: Boolean): Unit = translated { inner.backlog(open) }

    /** The server's time, from any stanza that has it. */
    public fun serverTime(t: Long): Unit = translated { inner.serverTime(t) }

    /**
     * Any stanza that arrived, decrypted, as it came out of the Noise layer (flag byte first). What
     * does not concern tokens and limits changes nothing.
     */
    public fun observeStanza(stanza: ByteArray): Unit = translated { inner.observeStanza(stanza) }

    /**
     * The program's library writes a row. One that it had read from here tells only when it issued our
     * token.
     */
    public fun rowPut(peer: String, row: Row): Unit = translated { inner.rowPut(peer, row.native()) }

    /** The row of a contact as the program's library must see it; null for no row. */
    public fun rowGet(peer: String): Row? = translated { inner.rowGet(peer)?.toRow() }

    /** The salt as the program's library must see it; null when no cstoken may be sent. */
    public fun saltGet(): ByteArray? = translated { inner.saltGet() }

    /** Deletes everything that is stored for the account: tokens, names, limits, timelines. */
    public fun forgetAccount(): Unit = translated { inner.forgetAccount() }

    /** What a message carries, and whether it may leave. A store that fails costs the token only. */
    @JvmOverloads
    public fun plan(
        to: String,
        kind: MessageKind = MessageKind.CONTENT,
        recipient: Recipient = Recipient.ORDINARY,
    ): Plan = Plan(translated { inner.plan(to, kind.native(), recipient.native()) })

    /**
     * The work that is not done, oldest first: the same entries until they are reported or lost with
     * the connection.
     */
    public fun outgoing(): List<WorkItem> = translated { inner.outgoing() }.map(::WorkItem)

    /** Work ended. Numbers that are done already, or never were, change nothing. */
    public fun workDone(id: Long, result: WorkResult): Unit =
        translated { inner.workDone(id.toULong(), result.native()) }

    /**
     * How long from now [tick] has something to do; null while nothing is scheduled. It changes with
     * every fact.
     */
    public fun deadline(): Duration? =
        translated { inner.deadlineMs() }?.let { Duration.ofMillis(it.toLong()) }

    /** Does what time brings. Late or early calls do no harm. */
    public fun tick(): Unit = translated { inner.tick() }

    /** Sets the clock of a guest that was opened with one. */
    public fun setTime(to: ManualClock): Unit = translated { inner.setTime(to.native()) }

    /** Whether messages to these may be sent, by what is known here. */
    @JvmOverloads
    public fun canSend(
        to: List<String>,
        recipient: Recipient = Recipient.ORDINARY,
    ): List<CanSend> =
        translated { inner.canSend(to, recipient.native()) }.map { it.toCanSend() }

    /** What happened with a contact, and what is known about it. */
    public fun explain(to: String): Explanation = Explanation(translated { inner.explain(to) })

    /** The limits of the account, with when and from whom each is known, as a JSON object. */
    public fun limits(): String = translated { inner.limits() }

    /**
     * The next event; null after the last one, when the guest is closed. A cancelled call takes no
     * event with it.
     */
    public suspend fun nextEvent(): Event? = nextOf(inner::takeEvent, inner::eventReady)

    /** As [nextEvent], for Java. */
    public fun nextEventAsync(): CompletableFuture<Event?> = futures.future { nextEvent() }

    /** Events in order until the guest is closed; one consumer at a time. */
    public fun events(): Flow<Event> = eventsOf(::nextEvent)

    /** Where the guest stands. */
    public fun status(): GuestStatus = translated { inner.status() }.toStatus()

    /** The program gives up: no work any more, open refusals end as undetermined. */
    public fun stop(): Unit = translated { inner.stop() }

    /** As [stop]; and whoever waits for an event wakes. A second call does nothing. */
    override fun close(): Unit = translated { inner.shutdown() }

    public companion object {
        /**
         * Opens the guest that this program calls [name] (1 to 64 of `A-Z a-z 0-9 . _ -`); opening the
         * same name again fences the earlier guest off. The connection counts as up until
         * [disconnected].
         *
         * @throws MisuseException, StoreException
         */
        @JvmStatic
        public fun open(store: GuestStore, name: String, options: GuestOptions): Guest =
            Guest(translated { NativeGuest.open(store.inner, name, options.native()) })
    }
}

/** An open store that guests of several accounts share. It stays open for them when it is closed. */
public class GuestStore private constructor(internal val inner: NativeStore) : AutoCloseable {
    override fun close(): Unit = inner.close()

    public companion object {
        /**
         * Opens the store at a path; `memory:` keeps nothing.
         *
         * @throws StoreException
         */
        @JvmStatic
        public fun open(store: String): GuestStore = GuestStore(translated { NativeStore.open(store) })
    }
}

/** How a guest is opened; one of our own addresses must be known. */
public class GuestOptions
@JvmOverloads
constructor(
    /** Our own account by phone number, `<digits>@s.whatsapp.net`. */
    public val ownJid: String?,
    /** Our own account by LID, `<digits>@lid`. */
    public val ownLid: String? = null,
    /** The program's library issues our token behind its sends by itself. */
    public val hostIssues: Boolean = false,
    /** Ids of the GraphQL documents by which limits are asked for; null for the known ones. */
    public val documents: Documents? = null,
    /** Events that wait for a slow program before they are dropped and counted. */
    public val eventCapacity: Int? = null,
    /** A clock that the program sets, for tests; null for the system's. */
    public val clock: ManualClock? = null,
    /** Honour the server if it switches tokens on messages off; newest clients do not. */
    public val strictProps: Boolean = false,
) {
    internal fun native(): NativeConfig =
        NativeConfig(
            ownJid = ownJid,
            ownLid = ownLid,
            hostIssues = hostIssues,
            documents = documents?.native(),
            strictProps = strictProps,
            eventCapacity = capacity("eventCapacity", eventCapacity),
            clock = clock?.native(),
        )
}

/** An instant of a clock that the program sets, for tests. */
public data class ManualClock(
    /** Wall clock, in milliseconds since 1970. It may go back. */
    val unixMs: Long,
    /** Monotonic clock, in milliseconds since any instant. It must not go back. */
    val monoMs: Long = 0,
) {
    internal fun native(): NativeClock {
        require(monoMs >= 0) { "a monotonic clock has no negative times" }
        return NativeClock(unixMs, monoMs.toULong())
    }
}
