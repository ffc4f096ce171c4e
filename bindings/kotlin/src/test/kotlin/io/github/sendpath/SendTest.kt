package io.github.sendpath

import io.github.sendpath.examples.sendText
import java.nio.file.Path
import java.time.Instant
import java.time.temporal.ChronoUnit
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** A send ends in the truth: accepted, refused with a reason, or unknown. */
class SendTest {
    @TempDir lateinit var folder: Path

    private fun linked(body: suspend (ModelServer, Account) -> Unit) =
        ModelServer().use { server ->
            within {
                Engine.open(store(folder)).use { engine ->
                    val account = engine.account("main", server.options())
                    account.link(server)
                    body(server, account)
                }
            }
        }

    @Test
    fun `a text arrives and its acceptance is told`() = linked { server, account ->
        val accepted = account.sendText(PEER, "hello", id = "3EB0AB")
        assertEquals("3EB0AB", accepted.id)
        assertNotNull(accepted.serverTime)
        server.waitFor("""{"received": {"peer": "$PEER", "text": "hello", "count": 1}}""")
        assertEquals(listOf("3EB0AB"), account.until<Event.Receipt>().ids)
        assertTrue("\"violations\":[]" in server.order("violations"))
    }

    @Test
    fun `under a lock a refusal says why, until when and what next`() = linked { server, account ->
        val end = Instant.now().truncatedTo(ChronoUnit.SECONDS).plusSeconds(6 * 3600)
        // Pushes are dated in whole seconds; one older than the state read at login is ignored.
        server.order("advance_time", """"seconds": 5""")
        server.order("set_timelock", """"active": true, "until": ${end.epochSecond}, "push": true""")
        val lock = account.until<Event.TimelockChanged>()
        assertEquals(true to end, lock.active to lock.until)
        val refusal = thrown<RefusedException> { account.sendText(PEER, "hello") }
        assertEquals(Cause.ACCOUNT_TIMELOCKED, refusal.reason)
        assertEquals(Status.ACCOUNT_TIMELOCKED, refusal.status)
        assertEquals(Next.WAIT_UNTIL, refusal.next)
        assertEquals(end, refusal.until)
        assertNull(refusal.code, "nothing was sent")
        assertTrue("start new chats" in refusal.advice)
        assertNotNull(refusal.id)
        assertTrue("\"messages\":[]" in server.order("messages"))
    }

    @Test
    fun `a 463 without a lock asks for the contact to write`() = linked { server, account ->
        server.order("set_gate", """"peer": "$PEER", "gate": "token"""")
        val refusal = thrown<RefusedException> { account.sendText(PEER, "hello") }
        assertEquals(Next.ASK_CONTACT_TO_WRITE, refusal.next)
        assertNull(refusal.until)
        assertEquals(463, refusal.code)
    }

    @Test
    fun `an incoming text is an event`() = linked { server, account ->
        server.order("peer_send", """"peer": "$PEER", "text": "good morning"""")
        val message = account.until<Event.Message>()
        assertEquals("good morning", message.text)
        assertFalse(message.fromMe)
        assertTrue(message.payload.isNotEmpty())
        assertFalse("good morning" in message.toString())
    }

    @Test
    fun `a wrong call is an error and nothing is sent`() = linked { server, account ->
        val address = thrown<MisuseException> { account.sendText("not an address", "hello") }
        assertEquals(Status.BAD_ADDRESS, address.status)
        val id = thrown<MisuseException> { account.sendText(PEER, "hello", id = "two words") }
        assertEquals(Status.BAD_MESSAGE_ID, id.status)
        assertTrue("\"messages\":[]" in server.order("messages"))
    }

    @Test
    fun `two hundred sends at once all end`() = linked { _, account ->
        coroutineScope {
            val ends = List(200) { n -> async { account.sendText(PEER, "text $n") } }.awaitAll()
            assertEquals(200, ends.map { it.id }.toSet().size)
        }
    }

    @Test
    fun `the example does what it says`() = ModelServer().use { server ->
        val lines = mutableListOf<String>()
        within {
            Engine.open(store(folder)).use { engine ->
                sendText(engine, server.options(), PEER, "hello") { line ->
                    lines += line
                    if (line.startsWith("scan: ")) {
                        server.order("scan_qr", """"qr": "${line.removePrefix("scan: ")}"""")
                    }
                }
            }
        }
        assertTrue(lines.last().startsWith("accepted: "), "$lines")
    }
}

/** What [body] throws; it must throw that. */
internal suspend inline fun <reified E : Throwable> thrown(body: suspend () -> Unit): E {
    val error = runCatching { body() }.exceptionOrNull()
    return error as? E ?: throw AssertionError("expected ${E::class.simpleName}", error)
}
