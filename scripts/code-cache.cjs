// Writes V8's code cache of the CLI: runs it as for a listing of a cluster that is not there, then keeps what was compiled.
// Usage: code-cache.cjs START CACHE; started by scripts/build.mjs.
'use strict'
const { writeFileSync } = require('node:fs')

const [start, cacheFile] = process.argv.slice(2)
const { load, run } = require(start)

/** Long enough to get as far as waiting for an answer. */
const runMs = 1500

const script = load()
let written = false
const write = () => {
  if (!written) writeFileSync(cacheFile, script.createCachedData())
  written = true
}
process.on('exit', () => {
  write()
  process.exitCode = 0
})
setTimeout(() => process.exit(0), runMs)
// Nobody listens on port 1.
process.argv.splice(2, Infinity, '--fs', 'quarry://127.0.0.1:1', 'dfs', '-ls', '/')
run(script)
