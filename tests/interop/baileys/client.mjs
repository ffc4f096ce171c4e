// Baileys as its users run it: files for the credentials, events, a new socket after 515.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeWASocket, useMultiFileAuthState, WAMessageStatus } from 'baileys'
import pino from 'pino'
import { WAIT_LIMIT } from './server.mjs'

const logger = pino({ level: process.env.INTEROP_DEBUG ? 'trace' : 'silent' }, pino.destination(2))

export class Client {
	#auth
	#events = []
	#waiters = new Set()
	/** Status codes of closed connections. */
	closes = []

	static async create(server) {
		const folder = await mkdtemp(join(tmpdir(), 'interop-baileys-'))
		return new Client(server, folder, await useMultiFileAuthState(folder))
	}

	constructor(server, folder, auth) {
		this.server = server
		this.folder = folder
		this.#auth = auth
	}

	/** Opens a connection; `next` tells what comes of it. */
	connect() {
		this.socket = makeWASocket({
			auth: this.#auth.state,
			logger,
			waWebSocketUrl: this.server.url,
			syncFullHistory: false
		})
		this.socket.ev.process(async events => {
			if (events['creds.update']) await this.#auth.saveCreds()
			for (const [name, event] of Object.entries(events)) this.#publish(name, event)
			for (const message of failures(events)) this.#publish('refused', message)
		})
	}

	/** Links the client with the phone of the account and follows the restart. */
	async pair() {
		this.connect()
		const { qr } = await this.next('connection.update', update => update.qr)
		await this.server.scan(qr)
		await this.closed()
		this.connect()
		await this.opened()
	}

	opened() {
		return this.next('connection.update', update => update.connection === 'open')
	}

	/** The status code with which the connection ends. */
	async closed() {
		const update = await this.next('connection.update', update => update.connection === 'close')
		const code = update.lastDisconnect?.error?.output?.statusCode
		this.closes.push(code)
		return code
	}

	/** Sends a text and resolves with its id; the verdict is an event. */
	async sendText(jid, text) {
		const { key } = await this.socket.sendMessage(jid, { text })
		return key.id
	}

	/** The code with which the server refused a message. */
	async refusal(id) {
		const message = await this.next('refused', message => message.key.id === id)
		return message.messageStubParameters[0]
	}

	/** The next incoming message with a text. */
	async nextText() {
		const text = ({ message }) => message?.conversation ?? message?.extendedTextMessage?.text
		const arrived = ({ messages }) => messages.find(m => !m.key.fromMe && text(m))
		return text(arrived(await this.next('messages.upsert', arrived)))
	}

	/** The next event of a name that fits; events are kept until somebody asks for them. */
	next(name, fits) {
		const at = this.#events.findIndex(event => event.name === name && fits(event.event))
		if (at >= 0) return Promise.resolve(this.#events.splice(at, 1)[0].event)
		return new Promise((resolve, reject) => {
			const waiter = { name, fits, resolve }
			waiter.limit = setTimeout(() => {
				this.#waiters.delete(waiter)
				reject(new Error(`no fitting ${name} in time`))
			}, WAIT_LIMIT)
			this.#waiters.add(waiter)
		})
	}

	async end() {
		await this.socket?.end(undefined)
		await rm(this.folder, { recursive: true, force: true })
	}

	#publish(name, event) {
		const waiter = [...this.#waiters].find(w => w.name === name && w.fits(event))
		if (!waiter) return void this.#events.push({ name, event })
		clearTimeout(waiter.limit)
		this.#waiters.delete(waiter)
		waiter.resolve(event)
	}
}

// An update that comes soon after its message arrives as a part of it.
function failures(events) {
	const messages = events['messages.upsert']?.messages ?? []
	const updates = (events['messages.update'] ?? []).map(({ key, update }) => ({ key, ...update }))
	return [...messages, ...updates].filter(message => message.status === WAMessageStatus.ERROR)
}
