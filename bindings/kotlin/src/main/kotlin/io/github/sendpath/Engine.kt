package io.github.sendpath

import java.time.Instant
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import io.github.sendpath.internal.Account as NativeAccount
import io.github.sendpath.internal.AccountConfig as NativeConfig
import io.github.sendpath.internal.Engine as NativeEngine

/** A set of accounts on one store. Thread-safe. */
public class Engine private constructor(private val inner: NativeEngine) : AutoCloseable {
    /**
     * Opens the account that this program calls [name]; it stays offline until [Account.connect].
     *
     * @throws MisuseException for a bad name or an account that is open already
     * @throws StoreException, ClosedException
     */
    public suspend fun account(name: String, options: AccountOptions = AccountOptions()): Account =
        withContext(Dispatchers.IO) { accountBlocking(name, options) }

    /** As [account], for Java. */
    @JvmOverloads
    public fun accountBlocking(name: String, options: AccountOptions = AccountOptions()): Account =
        Account(translated { inner.account(name, options.native()) })

    /** Closes every account and the store and joins the threads. A second call does nothing. */
    override fun close(): Unit = translated { inner.shutdown() }

    public companion object {
        /**
         * Opens the store at a path.
         *
         * @throws StoreException
         */
        public suspend fun open(store: String): Engine =
            withContext(Dispatchers.IO) { openBlocking(store) }

        /** As [open], for Java. */
        @JvmStatic
        public fun openBlocking(store: String): Engine = Engine(translated { NativeEngine.open(store) })

        /** The version of the library. */
        @JvmStatic
        public fun version(): String = io.github.sendpath.internal.version()
    }
}

/** How an account is opened; what is null has the library's default. */
public class AccountOptions(
    /** Shown in the phone's list of linked devices. */
    public val deviceName: String? = null,
    /** Events that wait for a slow program before they are dropped and counted. */
    public val eventCapacity: Int? = null,
    /** Another server than WhatsApp's own. */
    public val serverUrl: String? = null,
    /** Its public key: 32 bytes. */
    public val serverRootKey: ByteArray? = null,
) {
    /** The defaults, for Java. */
    public constructor() : this(null, null, null, null)

    internal fun native(): NativeConfig {
        require(eventCapacity == null || eventCapacity > 0) { "eventCapacity must be positive" }
        return NativeConfig(serverUrl, serverRootKey, deviceName, eventCapacity?.toUInt())
    }
}

/** Where an account stands. */
public data class AccountStatus(
    /** `offline`, `connecting`, `authenticating`, `pairing`, `online` or `waiting`. */
    val phase: String,
    /** Our device by phone number, once paired. */
    val jid: String?,
    /** Our device by LID, if known. */
    val lid: String?,
    /** The next attempt to connect, while waiting for it. */
    val retryAt: Instant?,
    /** Messages without an answer. */
    val outbox: Long,
    /** Sends that have not left yet. */
    val queued: Long,
    /** Stanzas that were ignored because they made no sense. */
    val ignored: Long,
    /** Why the session is being rebuilt, if it is. */
    val fault: SendpathException?,
)

internal fun NativeAccount.statusNow(): AccountStatus =
    status().run {
        AccountStatus(
            phase = phase,
            jid = jid,
            lid = lid,
            retryAt = retryAt?.let(::instant),
            outbox = outbox.toLong(),
            queued = queued.toLong(),
            ignored = ignored.toLong(),
            fault = fault?.exception(),
        )
    }
