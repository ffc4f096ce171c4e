// A running model server; its control schema is in tests/server/README.md.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'

/** Bounds every wait, in milliseconds. */
export const WAIT_LIMIT = 20_000

export class ModelServer {
	#program

	/** Runs the program that SENDPATH_MODEL_SERVER names. */
	static async start() {
		const path = process.env.SENDPATH_MODEL_SERVER
		assert(path, 'SENDPATH_MODEL_SERVER is not set: use tests/interop/run.sh')
		const program = spawn(path, { stdio: ['pipe', 'pipe', 'inherit'] })
		const [line] = await once(createInterface(program.stdout), 'line')
		const { url, root_key, http } = JSON.parse(line)
		return new ModelServer(program, url, Buffer.from(root_key, 'hex'), http)
	}

	constructor(program, url, rootKey, http) {
		this.#program = program
		this.url = url
		this.rootKey = rootKey
		this.http = http
	}

	/** The program ends with its input. */
	stop() {
		this.#program.stdin.end()
	}

	/** Obeys one command; what the server refuses is thrown. */
	control(command) {
		return this.#post('/admin/control', JSON.stringify(command))
	}

	/** The phone that scans a QR code. */
	scan(qr) {
		return this.#post('/admin/mock-phone/scan-qr', qr)
	}

	/** Throws when the condition is not met in time. */
	async waitFor(condition) {
		const { met } = await this.control({ cmd: 'wait_for', condition, timeout_ms: WAIT_LIMIT })
		assert(met, `not met in time: ${JSON.stringify(condition)}`)
	}

	/** Waits until devices of a person read a text so many times. */
	waitRead(peer, text, count) {
		return this.waitFor({ received: { peer, text, count } })
	}

	/** The message stanza with this id, as the server judged it last. */
	async judged(id) {
		const { messages } = await this.control({ cmd: 'messages' })
		const found = messages.findLast(message => message.id === id)
		assert(found, `the server judged no message ${id}`)
		return found
	}

	/** Broken rules and unknown requests, as text. */
	async complaints() {
		const { violations } = await this.control({ cmd: 'violations' })
		const { texts } = await this.control({ cmd: 'unexpected' })
		const rules = violations.map(({ rule, detail }) => `${rule}: ${detail}`)
		return [...rules, ...texts.map(text => `unexpected ${text}`)]
	}

	/** Writes what the server heard to the file that INTEROP_STANZAS names. */
	async saveStanzas() {
		const file = process.env.INTEROP_STANZAS
		if (!file) return
		const { stanzas } = await this.control({ cmd: 'heard' })
		const { texts: payloads } = await this.control({ cmd: 'payloads' })
		await writeFile(file, JSON.stringify({ stanzas, payloads }))
	}

	async #post(path, body) {
		const response = await fetch(this.http + path, { method: 'POST', body })
		const reply = await response.json()
		assert(response.ok, `${path} ${body}: ${reply.message}`)
		return reply
	}
}
