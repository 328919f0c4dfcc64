// pino around fetch.
'use strict'

const pino = require('pino')
const { makeAll, logged, file, wrote } = require('./common')

const logger = (log, options) => {
  wrote(log, 'pino')
  return pino(options, pino.destination({ dest: file(log), sync: true }))
}

const loggers = [
  logger('pino', { level: 'info' }),
  logger('pino-iso', { level: 'info', timestamp: pino.stdTimeFunctions.isoTime }),
  logger('pino-pairs', { level: 'debug' })
]

makeAll(logged(
  fields => loggers.forEach(each => each.debug(fields, 'request started')),
  fields => loggers.forEach(each => each.info(fields, 'request completed'))
))
