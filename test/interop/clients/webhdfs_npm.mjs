// The npm package webhdfs: callbacks and streams.
import assert from 'node:assert/strict'
import { createReadStream, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { once } from 'node:events'

const [, web, root, file] = process.argv.slice(2)
const WebHDFS = createRequire(`${process.env.INTEROP_CACHE}/node/`)('webhdfs')
const { hostname, port } = new URL(web)
const client = WebHDFS.createClient({ user: process.env.HADOOP_USER_NAME, host: hostname, port: Number(port), path: '/webhdfs/v1' })
const call = (method, ...args) =>
  new Promise((resolve, reject) => client[method](...args, (error, value) => (error ? reject(error) : resolve(value))))
const data = readFileSync(file)
await call('mkdir', `${root}/a`)
const out = client.createWriteStream(`${root}/kept`)
createReadStream(file).pipe(out)
await once(out, 'finish')
const parts = []
const reader = client.createReadStream(`${root}/kept`)
reader.on('data', (part) => parts.push(part))
await new Promise((resolve, reject) => reader.on('finish', resolve).on('error', reject))
assert.ok(Buffer.concat(parts).equals(data))
await call('writeFile', `${root}/a/small`, 'one ')
await call('appendFile', `${root}/a/small`, 'two')
assert.equal(String(await call('readFile', `${root}/a/small`)), 'one two')
assert.deepEqual((await call('readdir', root)).map((entry) => entry.pathSuffix).toSorted(), ['a', 'kept'])
assert.equal((await call('stat', `${root}/kept`)).length, data.length)
await call('rename', `${root}/a/small`, `${root}/a/moved`)
await call('chmod', `${root}/a/moved`, '0600')
await call('rmdir', `${root}/a`, true)
