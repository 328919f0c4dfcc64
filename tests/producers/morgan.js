// morgan in a server, in the formats that it brings.
'use strict'

const fs = require('fs')
const morgan = require('morgan')
const { file, wrote } = require('./common')
const { serve } = require('./gateway')

serve(['combined', 'common', 'dev', 'short', 'tiny'].map(format => {
  const log = `morgan-${format}`
  wrote(log, 'morgan')
  return morgan(format, { stream: fs.createWriteStream(file(log)) })
}))
