// A short round over every decoder, so that `npm test` notices what breaks; the long one is `npm run fuzz`. And what fuzzing found.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRunning } from '../../cli/cluster/directory.ts'
import { readIdentity } from '../../datanode/store/identity.ts'
import { RealDisk } from '../../datanode/store/real-disk.ts'
import { applyEdits } from '../../namenode/core/replay.ts'
import { MemoryStore } from '../../namenode/core/testing/memory-store.ts'
import { parseEdits } from '../../namenode/store/edit-rows.ts'
import { codec } from '../../proto/codec.ts'
import { ReplyBatchReader } from '../../proto/reply-reader.ts'
import { joined, MessageCutter, type Message } from '../../proto/transport/bulk-stream.ts'
import { decodeWriteFrame } from '../../proto/transport/packet-codec.ts'
import { fuzz, type Target } from './fuzz.ts'
import { allTargets } from './targets/all.ts'

const inputsEach = 120
let targets: Target[]
let dir: string
beforeAll(async () => {
  targets = await allTargets()
  dir = mkdtempSync(path.join(tmpdir(), 'quarry-fuzz-'))
})
afterAll(async () => {
  for (const target of targets) await target.close?.()
  rmSync(dir, { recursive: true, force: true })
})

it('no decoder of the network or of a disk crashes, hangs, or takes memory without bound on damaged input', async () => {
  const result = await fuzz(targets, { seed: 20_261_122, seconds: 120, inputsMax: inputsEach })
  expect(result.findings).toEqual([])
  for (const target of targets) expect(result.inputs.get(target.name), target.name).toBe(inputsEach)
})

it('the harness notices what is wrong: another error, an answer that never comes', async () => {
  const broken = (name: string, take: Target['take']): Target => ({ name, draw: () => new Uint8Array(3), take })
  const found = async (take: Target['take']) =>
    (await fuzz([broken('x', take)], { seed: 1, seconds: 60, inputsMax: 1 })).findings.map((one) => one.what)
  expect(await found(() => 1)).toEqual([])
  expect(await found(() => codec('Block').decode(Buffer.from([0x08])))).toEqual([])
  expect(await found(() => (undefined as unknown as Uint8Array).length)).toEqual([expect.stringContaining('TypeError')])
  expect(await found(() => new Promise(() => {}))).toEqual([expect.stringContaining('no answer within')])
}, 60_000)

describe('found by fuzzing', () => {
  it('a message that is cut off, or has a field of an unknown kind, is refused as INVALID_ARGUMENT', () => {
    const cut = Buffer.from('0a31084d12', 'hex')
    for (const decode of [() => codec('Heartbeat').decode(cut), () => decodeWriteFrame(cut), () => new ReplyBatchReader(cut).next()])
      expect(decode).toThrow(expect.objectContaining({ name: 'QuarryError', code: 'INVALID_ARGUMENT' }))
    expect(() => codec('Block').decode(Buffer.from([0x7f]))).toThrow('The bytes received are no Block: invalid wire type 7')
  })

  it('a message that comes byte by byte does not cost an object for each byte', () => {
    const cutter = new MessageCutter()
    const length = 300_000
    const prefix = Buffer.alloc(5)
    prefix.writeUInt32BE(length, 1)
    cutter.push(prefix)
    const byte = Buffer.from([7])
    let messages: Message[] = []
    for (let at = 0; at < length; at++) messages = cutter.push(byte)
    const [message] = messages
    expect(message?.length).toBe(length)
    expect(message?.parts.length).toBeLessThan(length / 200)
    expect(Buffer.concat(message?.parts ?? []).equals(Buffer.alloc(length, 7))).toBe(true)
    expect(cutter.push(Buffer.from([0, 0, 0, 0, 1, 9])).map((next) => joined(next))).toEqual([Buffer.from([9])])
  })

  it('edits that are no JSON, no records, or do not fit the namespace are refused with what to do', () => {
    for (const text of ['[{"txid":1', '{}', 'null', '[null]', '[{"txid":1,"atMs":1e17,"edit":{"op":"x"}}]', '[{"txid":1,"atMs":1}]'])
      expect(() => parseEdits(text)).toThrow('The database of the namenode is damaged: its edit log')
    const strange = parseEdits('[{"txid":1,"atMs":1,"edit":{"op":"rename","id":5}}]')
    expect(() => applyEdits(new MemoryStore(), strange)).toThrow('Edit 1 (rename) cannot be applied: the edit log is damaged')
  })

  it('an identity file and a lock of a cluster that hold something else than an object are refused as damaged', async () => {
    for (const text of ['null', '[]', '7', '{"supervisor":{}}']) {
      writeFileSync(path.join(dir, 'identity.json'), text)
      await expect(readIdentity(new RealDisk(), dir)).rejects.toThrow('does not say whose blocks these are')
      writeFileSync(path.join(dir, 'running.json'), text)
      expect(() => readRunning(dir)).toThrow('is damaged')
    }
  })
})
