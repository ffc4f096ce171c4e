package io.github.sendpath

import io.github.sendpath.internal.ErrorDetails
import io.github.sendpath.internal.InternalException
import io.github.sendpath.internal.statusTable
import io.github.sendpath.panicking.panicOnPurpose
import io.github.sendpath.panicking.panicOnPurposeLater
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import io.github.sendpath.internal.Event as NativeEvent
import io.github.sendpath.panicking.InternalException as PanicException
import io.github.sendpath.panicking.version as panickingVersion

/** Numbers, versions and the boundary. */
class BoundaryTest {
    @Test
    fun `the numbers are those of the library`() {
        val table = statusTable().associate { it.status to it.name }
        assertEquals(table, Status.entries.associate { it.number to it.name })
    }

    @Test
    fun `every refusal has a cause of the same name`() {
        val refused = statusTable().filter { it.`class` == "refused" }.map { it.name }
        assertEquals(refused, Cause.entries.map { it.name })
    }

    @Test
    fun `every number becomes the exception of its class`() {
        for (entry in statusTable().filter { it.status != 0 }) {
            val refused = entry.`class` == "refused"
            val error = details(entry.status, entry.name.takeIf { refused }).exception()
            val right = when (entry.`class`) {
                "media" -> error is MediaException
                "misuse" -> error is MisuseException
                "runtime" -> error is RuntimeFailureException || error is ClosedException
                "store" -> error is StoreException
                "refused" -> error is RefusedException
                "unknown" -> error is OutcomeUnknownException
                else -> error is BugException
            }
            assertTrue(right, "$entry became $error")
            assertEquals(entry.status, error.status.number)
            assertEquals("text", error.message)
        }
    }

    @Test
    fun `an event of an unknown kind survives`() {
        val event = NativeEvent.Other("brand_new", """{"n": 1}""").toEvent()
        assertEquals(Event.Other("brand_new", """{"n": 1}"""), event)
    }

    @Test
    fun `jar and library have one version`() {
        val jar = Engine::class.java.protectionDomain.codeSource.location.path
        assertTrue(jar.endsWith("/sendpath-${Engine.version()}.jar"), jar)
    }

    @Test
    fun `a panic stops at the boundary`() = within {
        val now = thrown<PanicException> { panicOnPurpose() }
        assertTrue("on purpose" in now.message.orEmpty(), now.message)
        val later = thrown<PanicException> { panicOnPurposeLater() }
        assertTrue("on purpose, later" in later.message.orEmpty(), later.message)
        assertEquals(Engine.version(), panickingVersion())
    }

    @Test
    fun `a panic is told as a bug`() = within {
        val bug = thrown<BugException> { translated { throw InternalException("broken") } }
        assertEquals(Status.PANIC, bug.status)
    }

    private fun details(status: Int, cause: String?) = ErrorDetails(
        status = status,
        name = "",
        message = "text",
        cause = cause,
        next = cause?.let { "do_not_retry" },
        until = null,
        retryAfterMs = null,
        mayRetry = null,
        code = null,
        advice = null,
        attached = null,
        messageId = null,
        stillTrying = null,
    )
}
