// Apache OpenDAL by its Node package, over WebHDFS.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const [, web, root, file] = process.argv.slice(2)
const { Operator } = createRequire(`${process.env.INTEROP_CACHE}/node/`)('opendal')
const op = new Operator('webhdfs', { endpoint: web, root: '/', user_name: process.env.HADOOP_USER_NAME })
const data = readFileSync(file)
const at = root.slice(1)
await op.createDir(`${at}/a/`)
await op.write(`${at}/a/first`, data)
assert.equal(Number((await op.stat(`${at}/a/first`)).contentLength), data.length)
assert.ok((await op.read(`${at}/a/first`)).equals(data))
await op.write(`${at}/kept`, data)
const names = (await op.list(`${at}/`)).map((entry) => entry.path()).toSorted()
assert.deepEqual(
  names.filter((name) => name !== `${at}/`),
  [`${at}/a/`, `${at}/kept`],
)
await op.removeAll(`${at}/a/`)
await assert.rejects(op.stat(`${at}/a/first`), /NotFound/)
