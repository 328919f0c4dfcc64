// What the Node producers share: which calls to make, how often to try, and which log is whose.
'use strict'

const path = require('path')

const [BASE, OUT] = process.argv.slice(2)
const AGAIN = [429, 500]
const TRIES = 3

const calls = require('./calls.json').flatMap(call => Array(call.times).fill(call))

/** Make each call, and again while the server asks for patience. `send(call)` gives the status. */
async function makeAll (send) {
  for (const call of calls) {
    for (let tries = 0; tries < TRIES; tries++) {
      if (!AGAIN.includes(await send(call))) break
    }
  }
}

/** One attempt by the global fetch. */
async function send (call, base = BASE) {
  const { method, operation } = call
  const body = operation && JSON.stringify({ operationName: operation, query: `query ${operation} { all { id } }` })
  const headers = { authorization: 'Bearer s3cr3t', 'content-type': 'application/json' }
  const response = await fetch(base + call.path, { method, body, headers })
  await response.text()
  return response.status
}

/** `send`, with a line before it and one after it: what most in-house clients do. */
function logged (started, completed) {
  return async call => {
    const { method, operation } = call
    const fields = { method, url: BASE + call.path, operation }
    started(fields)
    const begun = performance.now()
    const status = await send(call)
    completed({ ...fields, status, durationMs: Math.round(performance.now() - begun) })
    return status
  }
}

const file = log => path.join(OUT, `${log}.log`)

/** Tell the test which package wrote a log. */
function wrote (log, name) {
  console.log(`${log}\t${name} ${require(`${name}/package.json`).version}`)
}

module.exports = { BASE, makeAll, send, logged, file, wrote }
