package io.github.sendpath

import java.nio.file.Path
import kotlinx.coroutines.flow.filterIsInstance
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

internal const val PEER = "4915550001"

/** The model server program: it obeys documented facts only and listens on loopback. */
internal class ModelServer : AutoCloseable {
    private val process =
        ProcessBuilder(System.getenv("SENDPATH_MODEL_SERVER"), "--listen", "127.0.0.1:0")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start()
    private val answers = process.inputStream.bufferedReader()
    private val orders = process.outputStream.bufferedWriter()
    private val ready = answer()

    val url: String = text(ready, "url")
    val rootKey: ByteArray = text(ready, "root_key").chunked(2) { it.toString().toInt(16).toByte() }
        .toByteArray()

    init {
        order("add_peer", """"pn": "$PEER", "lid": "1001"""")
    }

    /** Gives an order with these JSON fields and returns the reply. */
    fun order(cmd: String, fields: String = ""): String {
        orders.write("""{"cmd": "$cmd"${if (fields.isEmpty()) "" else ", $fields"}}""")
        orders.newLine()
        orders.flush()
        return answer().also { check("\"reply\":\"error\"" !in it) { it } }
    }

    /** Waits until the condition is met. */
    fun waitFor(condition: String) {
        val reply = order("wait_for", """"condition": $condition""")
        check("\"met\":true" in reply) { condition }
    }

    @JvmOverloads
    fun options(strictProps: Boolean = false) =
        AccountOptions(serverUrl = url, serverRootKey = rootKey, strictProps = strictProps)

    override fun close() {
        orders.close()
        check(process.waitFor() == 0)
    }

    private fun answer(): String = checkNotNull(answers.readLine()) { "the model server ended" }

    private fun text(json: String, name: String): String =
        checkNotNull(Regex("\"$name\":\"([^\"]*)\"").find(json)).groupValues[1]
}

/** Runs with a limit, so that a hang is a failure. */
internal fun within(body: suspend () -> Unit): Unit = runBlocking { withTimeout(60_000) { body() } }

/** The next event of that kind. */
internal suspend inline fun <reified E : Event> Account.until(): E =
    events().filterIsInstance<E>().first()

/** Pairs and connects. */
internal suspend fun Account.link(server: ModelServer) {
    connect()
    val qr = until<Event.PairQr>()
    server.order("scan_qr", """"qr": "${qr.text}"""")
    until<Event.Paired>()
    until<Event.Connected>()
}

internal fun store(folder: Path): String = folder.resolve("state.db").toString()
