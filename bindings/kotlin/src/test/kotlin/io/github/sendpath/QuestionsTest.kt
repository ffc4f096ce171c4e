package io.github.sendpath

import java.nio.file.Path
import java.time.Instant
import java.time.temporal.ChronoUnit
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** What an account answers without sending. */
class QuestionsTest {
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
    fun `under a lock the answers say until when`() = linked { server, account ->
        val free = account.canSend(listOf(PEER)).single()
        assertEquals("$PEER@s.whatsapp.net" to MaySend.ALLOWED, free.to to free.answer)
        val end = Instant.now().truncatedTo(ChronoUnit.SECONDS).plusSeconds(6 * 3600)
        server.order("advance_time", """"seconds": 5""")
        server.order("set_timelock", """"active": true, "until": ${end.epochSecond}, "push": true""")
        account.until<Event.TimelockChanged>()
        val blocked = account.canSend(listOf(PEER)).single()
        val refusal = blocked.error as RefusedException
        assertEquals(MaySend.BLOCKED to end, blocked.answer to refusal.until)
        val business = account.canSend(listOf(PEER), Recipient.ENTERPRISE).single()
        assertEquals(MaySend.ALLOWED, business.answer)
        assertTrue("\"timeEnforcementEnds\":${end.epochSecond}" in account.limits())
        val here = thrown<RefusedException> { account.sendText(PEER, "hello") }
        assertNull(here.code, "nothing was sent")
        val there = thrown<RefusedException> {
            account.sendText(PEER, "hello", recipient = Recipient.ENTERPRISE)
        }
        assertEquals(463, there.code, "the server decides")
    }

    @Test
    fun `an explanation names nobody unless asked`() = linked { server, account ->
        server.order("set_gate", """"peer": "$PEER", "gate": "token"""")
        thrown<RefusedException> { account.sendText(PEER, "hello") }
        val answer = account.canSendAsync(listOf(PEER)).join().single()
        assertEquals(MaySend.CONTACT_MUST_WRITE, answer.answer)
        val told = account.explain(PEER)
        assertFalse(PEER in told.text + told.json)
        assertTrue(PEER in told.revealing)
        assertTrue("\"what\":\"refused\"" in told.json, told.json)
        account.forgetAccount()
        thrown<RefusedException> { account.sendText(PEER, "hello again") }
        val left = account.explain(PEER).json
        assertTrue("\"what\":\"forgotten\"" in left, left)
        assertEquals(1, Regex("\"what\":\"refused\"").findAll(left).count(), left)
    }

    @Test
    fun `questions need a link and an address`() = within {
        Engine.open(store(folder)).use { engine ->
            val account = engine.account("main")
            val unpaired = thrown<RefusedException> { account.limits() }
            assertEquals(Cause.NOT_PAIRED, unpaired.reason)
            thrown<RefusedException> { account.explain(PEER) }
            val address = thrown<MisuseException> { account.canSend(listOf("not an address")) }
            assertEquals(Status.BAD_ADDRESS, address.status)
        }
    }
}
