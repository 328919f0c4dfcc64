// bunyan around fetch.
'use strict'

const bunyan = require('bunyan')
const { makeAll, logged, file, wrote } = require('./common')

const logger = (log, level) => {
  wrote(log, 'bunyan')
  return bunyan.createLogger({ name: 'sync', streams: [{ level, path: file(log) }] })
}

const loggers = [logger('bunyan', 'info'), logger('bunyan-pairs', 'debug')]

makeAll(logged(
  fields => loggers.forEach(each => each.debug(fields, 'request started')),
  fields => loggers.forEach(each => each.info(fields, 'request completed'))
))
