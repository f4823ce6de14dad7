#!/usr/bin/env node
// The installed command: runs the bundled program. CommonJS (bin/package.json), which Node starts sooner than a module.
'use strict'
let program
try {
  program = require('../dist/cli.cjs')
} catch (error) {
  if (error.code !== 'MODULE_NOT_FOUND') throw error
  console.error('quarry: the program is not built; run: npm run build')
  process.exit(1)
}
program.start()
