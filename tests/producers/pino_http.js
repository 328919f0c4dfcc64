// pino-http in a server: a line a response, or one a request, too.
'use strict'

const pino = require('pino')
const pinoHttp = require('pino-http')
const { file, wrote } = require('./common')
const { serve } = require('./gateway')

const middleware = (log, options) => {
  wrote(log, 'pino-http')
  const http = pinoHttp(options, pino.destination({ dest: file(log), sync: true }))
  return (request, response, next) => http(request, response, next)
}

serve([
  middleware('pino-http', {}),
  middleware('pino-http-pairs', { customReceivedMessage: () => 'request received' })
])
