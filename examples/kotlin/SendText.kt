// Opens a store, links an account, sends a text and reads how it ended.
//
// java -cp .. io.github.sendpath.examples.SendTextKt STORE TO TEXT [URL ROOT_KEY]
//
// URL and ROOT_KEY (64 hex digits) name another server than WhatsApp's, as tests do.

package io.github.sendpath.examples

import io.github.sendpath.AccountOptions
import io.github.sendpath.Engine
import io.github.sendpath.Event
import io.github.sendpath.OutcomeUnknownException
import io.github.sendpath.RefusedException
import kotlinx.coroutines.flow.firstOrNull
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.runBlocking

fun main(args: Array<String>): Unit = runBlocking {
    val (store, to, text) = args
    val options = AccountOptions(
        serverUrl = args.getOrNull(3),
        serverRootKey = args.getOrNull(4)?.hexToByteArray(),
    )
    Engine.open(store).use { engine -> sendText(engine, options, to, text, ::println) }
}

suspend fun sendText(
    engine: Engine,
    options: AccountOptions,
    to: String,
    text: String,
    show: (String) -> Unit,
) {
    val account = engine.account("main", options)
    account.connect()
    val end = account.events()
        .onEach { event ->
            when (event) {
                is Event.PairQr -> show("scan: ${event.text}")
                is Event.Paired -> show("linked: ${event.jid}")
                is Event.Disconnected -> show("disconnected: ${event.end.reason}")
                is Event.PairFailed -> show("not linked: ${event.reason}")
                is Event.LoggedOut -> show("not linked: ${event.end.reason}")
                else -> {}
            }
        }
        .firstOrNull { it is Event.Connected || it is Event.PairFailed || it is Event.LoggedOut }
    if (end !is Event.Connected) return
    try {
        show("accepted: ${account.sendText(to, text).id}")
    } catch (refusal: RefusedException) {
        show("refused: ${refusal.reason}; next: ${refusal.next}; until: ${refusal.until}")
        show(refusal.advice)
    } catch (unknown: OutcomeUnknownException) {
        show("no answer; still trying: ${unknown.stillTrying}")
    }
}
