// A server that passes each request on to the API: what it logs of them is its middleware's to say.
'use strict'

const http = require('http')
const { BASE, makeAll, send } = require('./common')

async function passOn (request, response) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = chunks.length ? Buffer.concat(chunks) : undefined
  const answer = await fetch(BASE + request.url, { method: request.method, body })
  const text = await answer.text()
  response.statusCode = answer.status
  response.setHeader('content-type', 'application/json')
  response.setHeader('content-length', Buffer.byteLength(text))
  response.end(text)
}

/** Serve behind these middlewares, make all calls, and end. */
function serve (middlewares) {
  const server = http.createServer((request, response) => {
    const go = ([first, ...rest]) => first ? first(request, response, () => go(rest)) : passOn(request, response)
    go(middlewares)
  })
  server.listen(0, '127.0.0.1', async () => {
    await makeAll(call => send(call, `http://127.0.0.1:${server.address().port}`))
    server.close()
    server.closeIdleConnections()
  })
}

module.exports = { serve }
