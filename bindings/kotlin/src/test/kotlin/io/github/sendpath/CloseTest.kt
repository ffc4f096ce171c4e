package io.github.sendpath

import java.nio.file.Path
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** Cancelling, closing and waiting: nothing hangs, nothing is lost. */
class CloseTest {
    @TempDir lateinit var folder: Path

    private fun engine(body: suspend (Engine) -> Unit) = within {
        Engine.open(store(folder)).use { body(it) }
    }

    @Test
    fun `a cancelled wait leaves the end of the send to the events`() = ModelServer().use { server ->
        engine { engine ->
            val account = engine.account("main", server.options())
            account.link(server)
            server.order("ack_mode", """"mode": "hold"""")
            coroutineScope {
                val send = launch(Dispatchers.Default) { account.sendText(PEER, "hello", id = "3EB0AB") }
                server.waitFor("""{"messages": {"count": 1}}""")
                send.cancelAndJoin()
                assertTrue(send.isCancelled)
            }
            server.order("release_acks")
            assertEquals("3EB0AB", account.until<Event.SendEnded>().id)
        }
    }

    @Test
    fun `a timeout ends a wait`() = ModelServer().use { server ->
        engine { engine ->
            val account = engine.account("main", server.options())
            account.link(server)
            server.order("ack_mode", """"mode": "drop"""")
            thrown<TimeoutCancellationException> {
                withTimeout(50) { account.sendText(PEER, "hello") }
            }
            val future = account.sendTextAsync(PEER, "hello")
            assertTrue(future.cancel(true))
        }
    }

    @Test
    fun `a cancelled wait for an event takes no event with it`() = ModelServer().use { server ->
        engine { engine ->
            val account = engine.account("main", server.options())
            account.link(server)
            repeat(50) {
                coroutineScope {
                    val start = CoroutineStart.UNDISPATCHED
                    launch(Dispatchers.Default, start) { account.until<Event.Message>() }.cancelAndJoin()
                }
            }
            server.order("peer_send", """"peer": "$PEER", "text": "still here"""")
            assertEquals("still here", account.until<Event.Message>().text)
        }
    }

    @Test
    fun `close ends every open send exactly once`() = ModelServer().use { server ->
        engine { engine ->
            val account = engine.account("main", server.options())
            account.link(server)
            server.order("ack_mode", """"mode": "drop"""")
            coroutineScope {
                val sends = List(32) { n ->
                    async(Dispatchers.Default) { runCatching { account.sendText(PEER, "$n") } }
                }
                server.waitFor("""{"messages": {"count": 1}}""")
                engine.close()
                val ends = sends.awaitAll().map { it.exceptionOrNull() }
                assertTrue(ends.all { it is SendException || it is ClosedException }, "$ends")
            }
        }
    }

    @Test
    fun `close wakes whoever waits for events`() = engine { engine ->
        val account = engine.account("main")
        coroutineScope {
            val start = CoroutineStart.UNDISPATCHED
            val waiting = async(Dispatchers.Default, start) { account.nextEvent() }
            account.close()
            assertNull(waiting.await())
        }
        assertEquals(emptyList<Event>(), account.events().toList())
    }

    @Test
    fun `a second close does nothing and use after close is an error`() = engine { engine ->
        val account = engine.account("main")
        account.close()
        account.close()
        engine.close()
        engine.close()
        thrown<ClosedException> { account.sendText(PEER, "hello") }
        thrown<ClosedException> { account.connect() }
        thrown<ClosedException> { engine.account("other") }
    }

    @Test
    fun `wrong names and stores are typed errors`() = engine { engine ->
        thrown<StoreException> { Engine.open("$folder/nonexistent/state.db") }
        val name = thrown<MisuseException> { engine.account("two words") }
        assertEquals(Status.BAD_ACCOUNT_NAME, name.status)
        val key = thrown<MisuseException> {
            engine.account("main", AccountOptions(serverRootKey = ByteArray(5)))
        }
        assertEquals(Status.INVALID_ARGUMENT, key.status)
        val account = engine.account("main")
        val twice = thrown<MisuseException> { engine.account("main") }
        account.close()
        assertEquals(Status.ALREADY_OPEN, twice.status)
    }
}
