// The npm package node-webhdfs.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const [, web, root, file] = process.argv.slice(2)
const { WebHDFSClient } = createRequire(`${process.env.INTEROP_CACHE}/node/`)('node-webhdfs')
const { hostname, port } = new URL(web)
const client = new WebHDFSClient({ user: process.env.HADOOP_USER_NAME, namenode_host: hostname, namenode_port: Number(port) })
const call = (method, ...args) =>
  new Promise((resolve, reject) => client[method](...args, (error, value) => (error ? reject(error) : resolve(value))))
const data = readFileSync(file)
assert.equal(await call('mkdirs', `${root}/a`), true)
await call('create', `${root}/a/small`, 'one')
assert.equal(String(await call('open', `${root}/a/small`)), 'one')
await call('create', `${root}/kept`, data)
assert.equal((await call('getFileStatus', `${root}/kept`)).length, data.length)
assert.deepEqual((await call('listStatus', root)).map((entry) => entry.pathSuffix).toSorted(), ['a', 'kept'])
assert.equal((await call('getContentSummary', root)).fileCount, 2)
assert.equal(await call('rename', `${root}/a/small`, `${root}/a/moved`), true)
assert.equal(await call('del', `${root}/a`, { recursive: true }), true)
