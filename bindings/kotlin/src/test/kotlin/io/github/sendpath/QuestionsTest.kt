package io.github.sendpath

import java.nio.file.Path
import java.time.Instant
import java.time.temporal.ChronoUnit
import kotlinx.coroutines.yield
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** What an account answers without sending. */
class QuestionsTest {
    @TempDir lateinit var folder: Path

    private fun linked(strict: Boolean = false, body: suspend (ModelServer, Account) -> Unit) =
        ModelServer().use { server ->
            if (strict) server.order("set_props", """"props": {"10518": "0"}""")
            within {
                Engine.open(store(folder)).use { engine ->
                    val account = engine.account("main", server.options(strict))
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
    fun `a followed contact tells its presence`() = linked { server, account ->
        server.order("issue_token", """"peer": "$PEER", "bytes": "0102"""")
        account.until<Event.TokenStored>()
        account.subscribePresence("1001@lid")
        while ("tctoken" !in server.order("heard", """"tag": "presence"""")) yield()
        val gone = """{"from": "1001@lid", "type": "unavailable", "last": "1786074400"}"""
        server.order("push", """"node": {"tag": "presence", "attrs": $gone}""")
        val last = Instant.ofEpochSecond(1_786_074_400)
        assertEquals(Event.Presence("1001@lid", false, last), account.until<Event.Presence>())
        thrown<MisuseException> { account.subscribePresence("x") }
    }

    @Test
    fun `limits are asked for when told`() = linked { server, account ->
        val end = Instant.now().truncatedTo(ChronoUnit.SECONDS).plusSeconds(6 * 3600)
        server.order("set_timelock", """"active": true, "until": ${end.epochSecond}, "push": false""")
        account.refreshLimits()
        val changed = account.until<Event.TimelockChanged>()
        assertEquals(true to end, changed.active to changed.until)
        assertTrue("\"source\":\"pull\"" in account.limits())
    }

    @Test
    fun `history and what was left aside are told in counts`() = linked { server, account ->
        val chat = """{"peer": "$PEER", "token": "0102", "t": 1786074400}"""
        server.order("phone_history", """"chats": [$chat], "salt": "0001", "progress": 100""")
        val applied = Event.HistoryApplied(1, 1, 0, 1, true)
        assertEquals(applied, account.until<Event.HistoryApplied>())
        server.order("issue_token", """"peer": "$PEER", "t": 1786074300""")
        while (account.status().tokens.older != 1L) yield()
    }

    @Test
    fun `the server's switch is honoured if strict`() = linked(strict = true) { server, account ->
        server.waitFor("""{"iq": {"kind": "abt/props", "count": 1}}""")
        server.order("issue_token", """"peer": "$PEER"""")
        account.until<Event.TokenStored>()
        val answer = account.canSend(listOf("1001@lid")).single()
        assertEquals("nothing_gate_off", answer.attached)
    }

    @Test
    fun `a typed code links`() = ModelServer().use { server ->
        within {
            Engine.open(store(folder)).use { engine ->
                val account = engine.account("main", server.options())
                val number = thrown<MisuseException> { account.pairByCode("12") }
                assertEquals(Status.BAD_NUMBER, number.status)
                account.connect()
                account.pairByCode("+15550100001", "ABCDEFGH")
                val shown = account.until<Event.PairCode>()
                assertEquals("ABCD-EFGH" to 180L, shown.code to shown.seconds)
                server.order("type_code", """"code": "${shown.code}"""")
                account.until<Event.Paired>()
                account.until<Event.Connected>()
            }
        }
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
