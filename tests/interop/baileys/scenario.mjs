// Baileys, unmodified, against the model server: one line a check, status 1 after a failure.
//
// It needs no root key: this version ignores the result of its certificate check (docs/interop.md).

import assert from 'node:assert/strict'
import { Client } from './client.mjs'
import { ModelServer } from './server.mjs'

const ACCOUNT = '15550100001'
const FRIEND = '4915550001'
const COLD = '4915550002'
const pn = user => `${user}@s.whatsapp.net`
const lid = user => `${user}@lid`

// Baileys' Signal library prints whole sessions with their keys.
console.log = console.info = console.warn = () => {}

async function main() {
	const server = await ModelServer.start()
	try {
		await writes(server)
		await server.saveStanzas()
		await asks(server)
	} finally {
		server.stop()
	}
}

async function writes(server) {
	await server.control({ cmd: 'add_peer', pn: FRIEND, lid: '1001', devices: 2 })
	await server.control({ cmd: 'add_peer', pn: COLD, lid: '1002', gate: 'token' })
	const client = await Client.create(server)
	await check('pairs by QR, follows 515 and logs in', async () => {
		await client.pair()
		assert.deepEqual(client.closes, [515])
		assert.equal(client.socket.user.id, `${ACCOUNT}:1@s.whatsapp.net`)
	})
	await check('uploads prekeys', async () => {
		await server.waitFor({ iq: { kind: 'encrypt/registration', count: 1 } })
	})
	await check('sends a text that all devices on both sides read', async () => {
		await client.sendText(pn(FRIEND), 'hello from Baileys')
		await server.waitRead(FRIEND, 'hello from Baileys', 2)
		await server.waitRead(ACCOUNT, 'hello from Baileys', 1)
	})
	await check('reads a text from a contact', async () => {
		await server.control({ cmd: 'peer_send', peer: FRIEND, text: 'hello' })
		assert.equal(await client.nextText(), 'hello')
		await server.waitFor({ answered: {} })
	})
	await check('sends a text to a LID', async () => {
		await client.sendText(lid('1001'), 'hello LID')
		await server.waitRead(FRIEND, 'hello LID', 2)
	})
	await check('is refused with 463 by a contact that gave no token', async () => {
		const id = await client.sendText(lid('1002'), 'cold call')
		assert.equal(await client.refusal(id), '463')
		assert.equal((await server.judged(id)).error, 463)
	})
	await check('attaches the privacy token that the contact gave', async () => {
		const { bytes } = await server.control({ cmd: 'issue_token', peer: COLD })
		await server.waitFor({ answered: {} })
		const id = await client.sendText(lid('1002'), 'warm call')
		await server.waitRead(COLD, 'warm call', 1)
		const judged = await server.judged(id)
		assert.equal(judged.tctoken, bytes)
		assert.equal(judged.error, null)
	})
	await check('issues a token to the contact it wrote to', async () => {
		await server.waitFor({ issued: { peer: COLD, count: 1 } })
	})
	await check('sends again what a device could not read', async () => {
		const id = await client.sendText(lid('1001'), 'twice')
		await server.waitRead(FRIEND, 'twice', 2)
		await server.control({ cmd: 'retry_request', peer: FRIEND, id })
		await server.waitRead(FRIEND, 'twice', 3)
	})
	await check('reads what came while it was offline', async () => {
		await client.socket.end(undefined)
		await client.closed()
		await server.waitFor({ disconnected: {} })
		await server.control({ cmd: 'peer_send', peer: FRIEND, text: 'while away' })
		client.connect()
		await client.opened()
		assert.equal(await client.nextText(), 'while away')
		await server.waitFor({ answered: {} })
	})
	await check('leaves when the phone unlinks it', async () => {
		await server.control({ cmd: 'unlink' })
		assert.equal(await client.closed(), 401)
	})
	await check('broke no rule and asked nothing unknown', async () => {
		assert.deepEqual(await server.complaints(), [])
	})
	await client.end()
}

// What hosts ask for, and what the server tells about the account's limits.
async function asks(server) {
	const client = await Client.create(server)
	await client.pair()
	await check('finds out who has an account', async () => {
		const [known, unknown] = await client.socket.onWhatsApp(FRIEND, '4915559999')
		assert.deepEqual([known.jid, known.exists, unknown], [pn(FRIEND), true, undefined])
	})
	await check('reads the account\'s settings', async () => {
		assert.deepEqual(await client.socket.fetchBlocklist(), [])
		assert.equal((await client.socket.fetchPrivacySettings(true)).readreceipts, 'all')
	})
	await check('hears of a timelock and reads it', async () => {
		const until = Math.floor(Date.now() / 1000) + 3600
		const kind = 'WEB_COMPANION_ONLY' // it takes RESTRICT_ALL_COMPANIONS for DEFAULT
		await server.control({ cmd: 'set_timelock', active: true, until, kind, push: true })
		const { reachoutTimeLock: pushed } = await client.next('connection.update', u => u.reachoutTimeLock)
		const pulled = await client.socket.fetchAccountReachoutTimelock()
		for (const lock of [pushed, pulled]) {
			assert.equal(lock.isActive, true)
			assert.equal(lock.enforcementType, kind)
			assert.equal(lock.timeEnforcementEnds.getTime(), until * 1000)
		}
	})
	await check('is refused with 463 during the timelock', async () => {
		const id = await client.sendText(pn(FRIEND), 'cold call')
		assert.equal(await client.refusal(id), '463')
	})
	await check('reads how many new chats are left', async () => {
		const cycle_end = Math.floor(Date.now() / 1000) + 3600
		await server.control({ cmd: 'set_cap', status: 'FIRST_WARNING', total: 100, used: 90, cycle_end })
		const cap = await client.socket.fetchNewChatMessageCap()
		assert.deepEqual([cap.capping_status, cap.total_quota, cap.used_quota], ['FIRST_WARNING', '100', '90'])
	})
	await check('broke no rule with its questions', async () => {
		assert.deepEqual(await server.complaints(), [])
	})
	await client.end()
}

/** Runs one check; a failed one ends the run. */
async function check(name, work) {
	let verdict = 'FAIL'
	try {
		await work()
		verdict = 'ok'
	} finally {
		process.stdout.write(`${verdict.padEnd(4)} baileys: ${name}\n`)
	}
}

await main().then(
	() => process.exit(0),
	error => {
		console.error(error)
		process.exit(1)
	}
)
