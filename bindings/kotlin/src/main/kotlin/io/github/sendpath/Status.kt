package io.github.sendpath

import java.time.Instant
import io.github.sendpath.internal.AccountStatus as NativeAccountStatus
import io.github.sendpath.internal.GuestStatus as NativeGuestStatus
import io.github.sendpath.internal.TokenCounters as NativeCounters

/** Where an account stands. Counts begin when its session is built. */
public data class AccountStatus(
    /** `offline`, `connecting`, `authenticating`, `pairing`, `online` or `waiting`. */
    val phase: String,
    /** Our device by phone number, once paired. */
    val jid: String?,
    /** Our device by LID, if known. */
    val lid: String?,
    /** The next attempt to connect, while waiting for it. */
    val retryAt: Instant?,
    /** Messages without an answer. */
    val outbox: Long,
    /** Sends that have not left yet. */
    val queued: Long,
    /** Stanzas that were ignored because they made no sense. */
    val ignored: Long,
    /** What the token machine left aside. */
    val tokens: TokenCounters,
    /** Blobs that were fetched, verified and opened. */
    val blobsFetched: Long,
    /** Blobs that were not to be had. */
    val blobsFailed: Long,
    /** Why the session is being rebuilt, if it is. */
    val fault: SendpathException?,
)

/** Where a guest stands. Counts begin when it is opened, and anew after a failure of its store. */
public data class GuestStatus(
    /** The program's connection is up, as far as it told. */
    val online: Boolean,
    /** Facts that made no sense and changed nothing. */
    val ignored: Long,
    /** What the token machine left aside. */
    val tokens: TokenCounters,
)

/** What the token machine left aside, by reason. */
public data class TokenCounters(
    /** Tokens without a usable time stamp. */
    val badTime: Long = 0,
    /** Tokens without bytes. */
    val empty: Long = 0,
    /** Tokens that are too long or too many. */
    val tooMuch: Long = 0,
    /** Tokens of another type. */
    val unknownType: Long = 0,
    /** Tokens without a contact they could belong to. */
    val notAContact: Long = 0,
    /** Tokens older than the stored one. */
    val older: Long = 0,
    /** Tokens and issues stamped in the far future, taken as now. */
    val fromTheFuture: Long = 0,
    /** Damaged rows treated as absent. */
    val damagedRows: Long = 0,
    /** Writes left out because a newer version wrote the row. */
    val newerRows: Long = 0,
    /** Reads that failed while a message was sent. */
    val failedReads: Long = 0,
    /** Results of IQs that are not ours, or came twice. */
    val unknownResults: Long = 0,
)

internal fun NativeAccountStatus.toStatus() =
    AccountStatus(
        phase = phase,
        jid = jid,
        lid = lid,
        retryAt = retryAt?.let(::instant),
        outbox = outbox.toLong(),
        queued = queued.toLong(),
        ignored = ignored.toLong(),
        tokens = tokens.toCounters(),
        blobsFetched = blobsFetched.toLong(),
        blobsFailed = blobsFailed.toLong(),
        fault = fault?.exception(),
    )

internal fun NativeGuestStatus.toStatus() =
    GuestStatus(online, ignored.toLong(), tokens.toCounters())

private fun NativeCounters.toCounters() =
    TokenCounters(
        badTime = badTime.toLong(),
        empty = empty.toLong(),
        tooMuch = tooMuch.toLong(),
        unknownType = unknownType.toLong(),
        notAContact = notAContact.toLong(),
        older = older.toLong(),
        fromTheFuture = fromTheFuture.toLong(),
        damagedRows = damagedRows.toLong(),
        newerRows = newerRows.toLong(),
        failedReads = failedReads.toLong(),
        unknownResults = unknownResults.toLong(),
    )
