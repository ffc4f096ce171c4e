package io.github.sendpath

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
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
