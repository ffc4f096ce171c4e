// Compares what our client sends with what other clients send in the same scenario.
//
//   node compare.mjs OURS.json OTHER.json...
//
// A form is a stanza without its values: names of attributes, and children in their order. A form
// that only we send, or a kind of stanza that all others send and we do not, must be explained in
// differences.json; an explanation that explains nothing is an error too.

import { readFileSync } from 'node:fs'

const json = path => JSON.parse(readFileSync(path, 'utf8'))

/** `iq encrypt/key`, `ack receipt`, `message`. */
function kind(node) {
	const { xmlns, class: ackClass } = node.attrs ?? {}
	const child = node.children?.[0]?.tag ?? ''
	if (node.tag === 'iq') return xmlns ? `iq ${xmlns}/${child}` : `iq result/${child}`
	if (node.tag === 'ack') return `ack ${ackClass}`
	return node.tag === 'ib' ? `ib ${child}` : node.tag
}

/** `to[jid](enc[type v])`; repeated children count once. */
function form(node) {
	const attrs = Object.keys(node.attrs ?? {}).sort()
	const children = (node.children ?? []).map(form)
	const runs = children.filter((child, i) => child !== children[i - 1])
	return node.tag + (attrs.length ? `[${attrs.join(' ')}]` : '') + (runs.length ? `(${runs.join(' ')})` : '')
}

function formsOf(path) {
	const forms = new Map()
	for (const stanza of json(path).stanzas) {
		const of = kind(stanza)
		if (!forms.has(of)) forms.set(of, new Set())
		forms.get(of).add(form(stanza))
	}
	return forms
}

const [ours, ...others] = process.argv.slice(2).map(formsOf)
const explained = json(new URL('differences.json', import.meta.url))
const found = []
for (const [of, forms] of ours) {
	const known = new Set(others.flatMap(other => [...(other.get(of) ?? [])]))
	for (const only of [...forms].filter(text => !known.has(text))) {
		found.push(known.size ? `only ours: ${only}` : `only ours: ${of}`)
	}
}
for (const of of others[0].keys()) {
	if (!ours.has(of) && others.every(other => other.has(of))) found.push(`only theirs: ${of}`)
}

const wrong = [
	...found.filter(text => !explained[text]).map(text => `unexplained, ${text}`),
	...Object.keys(explained)
		.filter(text => !found.includes(text))
		.map(text => `explained but gone, ${text}`)
]
for (const text of wrong) console.log(`FAIL compare: ${text}`)
if (!wrong.length) console.log(`ok   compare: ${ours.size} kinds of stanza, ${found.length} differences explained`)
process.exit(wrong.length ? 1 : 0)
