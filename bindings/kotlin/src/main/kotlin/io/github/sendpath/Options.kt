package io.github.sendpath

import java.time.Duration
import io.github.sendpath.internal.AccountConfig as NativeConfig
import io.github.sendpath.internal.Documents as NativeDocuments

/** How an account is opened; what is null has the library's default. */
public class AccountOptions
@JvmOverloads
constructor(
    /** Shown in the phone's list of linked devices. */
    public val deviceName: String? = null,
    /** Events that wait for a slow program before they are dropped and counted. */
    public val eventCapacity: Int? = null,
    /** Another server than WhatsApp's own. */
    public val serverUrl: String? = null,
    /** Its public key: 32 bytes. */
    public val serverRootKey: ByteArray? = null,
    /** Honour the server if it switches tokens on messages off; newest clients do not. */
    public val strictProps: Boolean = false,
    /** Ids of the GraphQL documents by which limits are asked for. */
    public val documents: Documents? = null,
    /** The web build we claim to be: three numbers. Old builds are refused. */
    public val version: List<Int>? = null,
    /** How far our clock may be off when the server's certificate is checked; in whole seconds. */
    public val clockTolerance: Duration? = null,
    /** Sends without an outcome; more are refused. */
    public val maxPending: Int? = null,
    /** Messages carry a token by which recipients can prove to the server what was sent. */
    public val reportingTokens: Boolean = false,
) {
    internal fun native(): NativeConfig =
        NativeConfig(
            serverUrl = serverUrl,
            serverRootKey = serverRootKey,
            clockTolerance = clockTolerance?.seconds,
            deviceName = deviceName,
            version = version?.map { it.toUInt() },
            documents = documents?.native(),
            strictProps = strictProps,
            reportingTokens = reportingTokens,
            eventCapacity = capacity("eventCapacity", eventCapacity),
            maxPending = capacity("maxPending", maxPending),
        )
}

/** Ids of the GraphQL documents by which limits are asked for, newest first. */
public data class Documents(
    /** The quota of new chats. */
    val capping: List<String>,
    /** The reachout timelock. */
    val timelock: List<String>,
) {
    internal fun native(): NativeDocuments = NativeDocuments(capping, timelock)
}

internal fun capacity(name: String, number: Int?): UInt? {
    require(number == null || number > 0) { "$name must be positive" }
    return number?.toUInt()
}
