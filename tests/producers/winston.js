// winston around fetch.
'use strict'

const winston = require('winston')
const { makeAll, logged, file, wrote } = require('./common')

const { combine, timestamp, json, printf } = winston.format
const line = printf(({ timestamp, level, method, url, status }) => `${timestamp} ${level}: ${method} ${url} ${status}`)

const logger = (log, level, format) => {
  wrote(log, 'winston')
  return winston.createLogger({ level, format, transports: [new winston.transports.File({ filename: file(log) })] })
}

const loggers = [
  logger('winston', 'info', combine(timestamp(), json())),
  logger('winston-bare', 'info', json()),
  logger('winston-text', 'info', combine(timestamp(), line)),
  logger('winston-pairs', 'debug', combine(timestamp(), json()))
]

makeAll(logged(
  fields => loggers.forEach(each => each.debug('request started', fields)),
  fields => loggers.forEach(each => each.info('request completed', fields))
))
