// A server that passes each request on to the API: what it logs of them is its middleware's to say.
'use strict'

const http = require('http')
const { BASE, makeAll, send } = require('./common')

async function passOn (request, response) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = chunks.length ? Buffer.concat(chunks) : undefined
  const answer = await fetch(BASE + request.url, { method: request.method, body })
  response.statusCode = answer.status
  response.setHeader('content-type', 'application/json')
  response.end(await answer.text())
}

/** Serve behind these middlewares, make all calls, and end. */
function serve (middlewares) {
  const server = http.createServer((request, response) => {
    const next = at => middlewares[at] ? middlewares[at](request, response, () => next(at + 1)) : passOn(request, response)
    next(0)
  })
  server.listen(0, '127.0.0.1', async () => {
    await makeAll(call => send(call, `http://127.0.0.1:${server.address().port}`))
    server.close()
    server.closeIdleConnections()
  })
}

module.exports = { serve }
