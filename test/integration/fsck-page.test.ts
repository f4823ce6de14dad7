// /fsck as Hadoop's `hdfs fsck` asks for it: text over HTTP whose last line says how it ended.
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fsckPage } from '../../cli/cluster/fsck-page.ts'
import { MiniCluster, waitFor } from '../support/mini-cluster.ts'

let cluster: MiniCluster
let server: http.Server
let base: string
const me = `ugi=${process.env['USER'] ?? 'root'}`

beforeAll(async () => {
  cluster = await MiniCluster.start({ datanodes: 1 })
  const fs = await cluster.connect()
  await fs.writeFile('/d/f', 'some bytes')
  const page = fsckPage(cluster.uri)
  server = http.createServer((request, response) => {
    if (!page(request, response)) response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await cluster.close()
})

async function ask(query: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(`${base}/fsck?${query}`, { headers: { 'user-agent': 'Java/17', ...headers } })
  return { status: response.status, text: await response.text() }
}

test('a healthy path: HDFS report, and the last line that the client goes by', async () => {
  const { status, text } = await ask(`${me}&path=%2Fd&files=1&blocks=1&locations=1`)
  expect(status).toBe(200)
  expect(text).toMatch(/^FSCK started by \S+ \(auth:SIMPLE\) from \/127\.0\.0\.1 for path \/d at /)
  expect(text).toMatch(/\/d\/f 10 bytes.*1 block\(s\): {2}OK/)
  expect(text.trimEnd()).toMatch(/The filesystem under path '\/d' is HEALTHY$/)
  expect((await ask(`${me}&path=/nope`)).text.trimEnd()).toMatch(/Path '\/nope' does not exist$/)
  expect((await ask(`${me}&listcorruptfileblocks=1&path=/`)).text.trimEnd()).toMatch(/has no CORRUPT files$/)
})

test('a browser may look but not change, others are told what is wrong', async () => {
  expect((await ask(`${me}&path=/&delete=1`, { 'user-agent': 'Mozilla/5.0 (X11)' })).status).toBe(403)
  expect((await ask(`${me}&path=/d&move=1`, { origin: 'https://evil.example' })).status).toBe(403)
  expect((await ask(`${me}&path=/d`, { 'user-agent': 'Mozilla/5.0 (X11)' })).status).toBe(200)
  expect((await ask('ugi=not%20a%20name&path=/')).status).toBe(400)
  expect((await fetch(`${base}/fsck?${me}`, { method: 'POST' })).status).toBe(405)
  expect((await fetch(`${base}/fsckx`)).status).toBe(404)
})

test('a block without a replica makes it CORRUPT, and is listed once', async () => {
  await cluster.killDatanode(0)
  await waitFor(async () => {
    const { text } = await ask(`${me}&path=/d`)
    return /is CORRUPT$/.test(text.trimEnd()) ? undefined : text
  }, 'the block to be missing')
  const listed = await ask(`${me}&listcorruptfileblocks=1&path=/`)
  expect(listed.text).toMatch(/^Cookie:\t1\nblk_\d+\t\/d\/f\n/)
  expect((await ask(`${me}&listcorruptfileblocks=1&path=/&startblockafter=1`)).text.trimEnd()).toMatch(/has no more CORRUPT files$/)
})
