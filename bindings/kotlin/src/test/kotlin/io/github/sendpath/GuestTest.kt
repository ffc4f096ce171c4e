package io.github.sendpath

import java.nio.file.Path
import java.time.Duration
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** The token machine beside a connection that the program owns. The clock stands still. */
class GuestTest {
    @TempDir lateinit var folder: Path

    private val token = "token".toByteArray()

    private fun options(hostIssues: Boolean = false) = GuestOptions(
        ownJid = "4915559999:3@s.whatsapp.net",
        ownLid = "900000000000009:3@lid",
        hostIssues = hostIssues,
        clock = ManualClock(START * 1000),
    )

    private fun guest(hostIssues: Boolean = false, body: suspend (Guest) -> Unit) = within {
        GuestStore.open("memory:").use { store ->
            Guest.open(store, "main", options(hostIssues)).use { body(it) }
        }
    }

    private suspend inline fun <reified E : Event> Guest.until(): E =
        events().filterIsInstance<E>().first()

    private fun Guest.questions() = outgoing().filter { it.kind == WorkKind.MEX }

    /** A cold message was refused, and this is what the server says about the lock. */
    private fun Guest.refused(answer: String) {
        handed("3EB0A1", PEER_LID)
        ack("3EB0A1", 463)
        workDone(questions().single().id, WorkResult.Json(answer))
    }

    @Test
    fun `a token is attached as soon as it is told`() = guest { guest ->
        val cold = guest.plan(PEER_LID)
        assertEquals(Attach.NOTHING to "never_received", cold.attach to cold.noTctoken)
        guest.tokenReceived(PEER_LID, token, START)
        val plan = guest.plan(PEER_LID)
        assertEquals(Attach.TCTOKEN to START, plan.attach to plan.tokenTime)
        assertArrayEquals(token, plan.content)
        assertNull(plan.refusal)
        assertEquals(PEER_LID, guest.until<Event.TokenStored>().peer)
    }

    @Test
    fun `a refused message is explained and named when its token comes`() = guest { guest ->
        guest.handed("3EB0A1", PEER_LID)
        guest.ack("3EB0A1", 463)
        val pull = guest.questions().single()
        assertEquals(pull.id, guest.questions().single().id, "the same until it is reported")
        assertNotNull(pull.queryId)
        assertEquals(0, pull.iq[0])
        guest.workDone(pull.id, WorkResult.Json(UNLOCKED))
        val ended = guest.until<Event.SendEnded>()
        val refusal = ended.error as RefusedException
        assertEquals("3EB0A1" to Cause.COLD_REFUSED, ended.id to refusal.reason)
        assertEquals(Next.ASK_CONTACT_TO_WRITE to 463, refusal.next to refusal.code)
        assertEquals(0, guest.questions().size)
        guest.tokenReceived(PEER_LID, token, START)
        assertEquals(Event.MayRetry(PEER_LID, listOf("3EB0A1")), guest.until<Event.MayRetry>())
    }

    @Test
    fun `the questions are answered from what is known`() = guest { guest ->
        guest.refused(UNLOCKED)
        val (refused, cold) = guest.canSend(listOf(PEER_LID, OTHER_LID))
        assertEquals(PEER_LID to MaySend.CONTACT_MUST_WRITE, refused.to to refused.answer)
        assertEquals(OTHER_LID to MaySend.ALLOWED, cold.to to cold.answer)
        assertTrue("\"state\":\"inactive\"" in guest.limits(), guest.limits())
        val told = guest.explain(PEER_LID)
        val digits = PEER_LID.removeSuffix("@lid")
        assertTrue(told.text.isNotEmpty())
        assertFalse(digits in told.text + told.json + told)
        assertTrue(digits in told.revealing)
        assertTrue("\"cause\":\"COLD_REFUSED\"" in told.json, told.json)
    }

    @Test
    fun `under a lock cold contacts are blocked until its end`() = guest { guest ->
        guest.refused(LOCKED)
        val blocked = guest.canSend(listOf(OTHER_LID)).single()
        val refusal = blocked.error as RefusedException
        assertEquals(MaySend.BLOCKED to Cause.ACCOUNT_TIMELOCKED, blocked.answer to refusal.reason)
        assertEquals(1_786_160_800, refusal.until?.epochSecond)
        val support = guest.canSend(listOf(OTHER_LID), Recipient.SUPPORT).single()
        assertEquals(MaySend.ALLOWED, support.answer)
        assertEquals(Status.ACCOUNT_TIMELOCKED, guest.plan(OTHER_LID).refusal?.status)
        assertNull(guest.plan(OTHER_LID, recipient = Recipient.ENTERPRISE).refusal)
    }

    @Test
    fun `a row that is written back tells only the time of the issue`() =
        guest(hostIssues = true) { guest ->
            guest.tokenReceived(PEER_LID, token, START - 100)
            val row = checkNotNull(guest.rowGet(PEER_LID))
            assertArrayEquals(token, row.token)
            assertEquals(START to null, row.time to row.senderTime)
            guest.setTime(ManualClock(START * 1000 + 5_000, 5_000))
            guest.rowPut(PEER_LID, Row(row.token, row.time, START + 5))
            assertEquals(START - 100, guest.plan(PEER_LID).tokenTime, "a row's time is made up")
            assertEquals(START + 5, guest.rowGet(PEER_LID)?.senderTime)
        }

    @Test
    fun `facts of every kind are taken`() = guest { guest ->
        guest.mappingLearned("4915550001", PEER_LID)
        guest.tokenReceived("4915550001", token, START)
        assertEquals(Attach.TCTOKEN, guest.plan(PEER_LID).attach, "both names are one contact")
        guest.identityChanged(PEER_LID)
        guest.wrote(PEER_LID)
        guest.props(mapOf(865 to "604800"))
        guest.history("not a history".toByteArray())
        guest.background(linkedAt = START, historyComplete = true)
        guest.serverTime(START)
        guest.backlog(true)
        guest.backlog(false)
        guest.saltFromHistory(token)
        guest.saltChanged(token)
        guest.saltChanged(null)
        assertNull(guest.saltGet())
        guest.handed("3EB0A2", PEER_LID, MessageKind.PROTOCOL)
        guest.ack("3EB0A2")
        guest.receipt(listOf("3EB0A2"))
        guest.disconnected()
        assertEquals(0, guest.outgoing().size)
        guest.connected()
        guest.outgoing().forEach { guest.workDone(it.id, WorkResult.Error(503)) }
        guest.forgetAccount()
        assertEquals(Attach.NOTHING, guest.plan(PEER_LID).attach)
        guest.stop()
    }

    @Test
    fun `app state tells the salt`() = guest { guest ->
        val index = "[\"nct_salt_sync\"]".toByteArray()
        // SyncActionValue 80 { salt 1 }
        val value = byteArrayOf(0x82.toByte(), 5, 6, 10, 4) + "salt".toByteArray()
        guest.appState("[\"star\"]".toByteArray(), value)
        assertNull(guest.saltGet(), "another entry")
        guest.appState(index, value)
        guest.appState(index, byteArrayOf())
        assertArrayEquals("salt".toByteArray(), guest.saltGet())
        assertEquals(1, guest.status().ignored, "one held no salt")
        guest.appState(index, null)
        assertNull(guest.saltGet())
    }

    @Test
    fun `what was left aside is counted`() = guest { guest ->
        guest.tokenReceived(PEER_LID, token, START)
        guest.tokenReceived(PEER_LID, "old".toByteArray(), START - 9)
        guest.ack("3EB0A1")
        assertEquals(GuestStatus(true, 1, TokenCounters(older = 1)), guest.status())
        guest.disconnected()
        assertFalse(guest.status().online)
    }

    @Test
    fun `limits are asked for when told`() = guest { guest ->
        guest.refreshLimits()
        assertEquals(2, guest.questions().size, "the lock and the quota")
    }

    @Test
    fun `the server's switch is honoured if strict`() {
        for ((strict, attach) in listOf(false to Attach.TCTOKEN, true to Attach.NOTHING)) {
            GuestStore.open("memory:").use { store ->
                val options = GuestOptions(null, "900000000000009@lid", strictProps = strict)
                Guest.open(store, "main", options).use { guest ->
                    guest.props(mapOf(10518 to "0"))
                    guest.tokenReceived(PEER_LID, token, START)
                    assertEquals(attach, guest.plan(PEER_LID).attach)
                }
            }
        }
    }

    @Test
    fun `a manual clock moves only when told`() = guest { guest ->
        guest.connected()
        val wait = checkNotNull(guest.deadline())
        guest.setTime(ManualClock(START * 1000 + 1_000, 1_000))
        assertEquals(wait.minusSeconds(1), guest.deadline())
        val due = wait.toMillis()
        guest.setTime(ManualClock(START * 1000 + due, due))
        assertEquals(Duration.ZERO, guest.deadline())
        guest.tick()
        assertNotEquals(Duration.ZERO, guest.deadline())
        thrown<MisuseException> { guest.setTime(ManualClock(START * 1000, 0)) }
    }

    @Test
    fun `what was told is there for the next guest and fences the first off`() = within {
        val store = GuestStore.open(store(folder))
        val first = Guest.open(store, "main", options())
        first.tokenReceived(PEER_LID, token, START)
        Guest.open(store, "main", options()).use { second ->
            store.close()
            assertEquals(Attach.TCTOKEN, second.plan(PEER_LID).attach)
            val fenced = thrown<StoreException> { first.tokenReceived(OTHER_LID, token, START) }
            assertEquals(Status.STORE_FENCED, fenced.status)
        }
    }

    @Test
    fun `wrong calls are typed errors`() = guest { guest ->
        val address = thrown<MisuseException> { guest.wrote("no body@lid") }
        assertEquals(Status.BAD_ADDRESS, address.status)
        val message = thrown<MisuseException> { guest.ack("two words") }
        assertEquals(Status.BAD_MESSAGE_ID, message.status)
        val garbage = byteArrayOf(2, 103)
        val stanza = thrown<MisuseException> { guest.observeStanza(garbage) }
        assertEquals(Status.BAD_BYTES, stanza.status)
        thrown<MisuseException> { guest.workDone(1, WorkResult.Stanza(garbage)) }
        thrown<IllegalArgumentException> { guest.ack("3EB0", -1) }
        thrown<StoreException> { GuestStore.open("$folder/nonexistent/state.db") }
        GuestStore.open("memory:").use { store ->
            thrown<MisuseException> { Guest.open(store, "main", GuestOptions(null)) }
        }
    }

    @Test
    fun `a closed guest keeps its events and takes nothing more`() = guest { guest ->
        guest.tokenReceived(PEER_LID, token, START)
        guest.close()
        thrown<ClosedException> { guest.tick() }
        assertEquals(1, guest.events().toList().size)
    }

    @Test
    fun `a fact wakes whoever waits for events, and so does close`() = guest { guest ->
        coroutineScope {
            val start = CoroutineStart.UNDISPATCHED
            val stored = async(Dispatchers.Default, start) { guest.nextEvent() }
            guest.tokenReceived(PEER_LID, token, START)
            assertTrue(stored.await() is Event.TokenStored)
            val last = async(Dispatchers.Default, start) { guest.nextEvent() }
            guest.close()
            assertNull(last.await())
        }
    }
}

private const val START = 1_786_074_400L
private const val PEER_LID = "100000000000001@lid"
private const val OTHER_LID = "100000000000002@lid"
private const val LOCK = "xwa2_fetch_account_reachout_timelock"
private const val UNLOCKED = """{"data":{"$LOCK":{"is_active":false}}}"""
private const val LOCKED =
    """{"data":{"$LOCK":{"is_active":true,"time_enforcement_ends":"1786160800"}}}"""
