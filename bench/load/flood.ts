// A process that asks more of a namenode than it can do. Prints a line of JSON with what it got.
//
//   tsx bench/load/flood.ts URI USER CONNECTIONS IN-FLIGHT SECONDS MIX MANNERS
//
// IN-FLIGHT calls of each connection are under way at any time; MIX is stat, create or mixed (seven stats, two files made and one
// listing of 1,000 entries in ten). A rude flood asks again the moment it is refused; a polite one is the SDK's own session.
import { isQuarryError } from '../../common/errors.ts'
import { connectNamenode } from '../../proto/transport/metadata-session.ts'
import type { NamenodePort } from '../../proto/ports.ts'
import { summaryOf } from './latencies.ts'
import { rudePort } from './rude-port.ts'

const [uri, user, connections, inFlight, seconds, mix, manners] = process.argv.slice(2) as string[]
const endMs = performance.now() + Number(seconds) * 1000
const root = `/flood-${user}`
const statMs: number[] = []
let answered = 0
const refused = new Map<string, number>()
let names = 0

const patience = { deadlineMs: 10_000 }

async function stat(port: NamenodePort): Promise<void> {
  const startedMs = performance.now()
  await port.call('getFileInfo', { path: `${root}/list/0` }, patience)
  statMs.push(performance.now() - startedMs)
}

async function create(port: NamenodePort, holder: string): Promise<void> {
  const path = `${root}/made/${process.pid}-${Math.floor(names / 1000)}/${names++}`
  await port.call('create', { path, permission: 0o644, holder, createParent: true, replication: 0, blockSize: 0 }, patience)
  await port.call('complete', { path, holder }, patience)
}

async function one(port: NamenodePort, holder: string, turn: number): Promise<void> {
  const kind = mix === 'mixed' ? ['stat', 'stat', 'create', 'stat', 'stat', 'list', 'stat', 'create', 'stat', 'stat'][turn % 10] : mix
  if (kind === 'stat') return stat(port)
  if (kind === 'create') return create(port, holder)
  await port.call('getListing', { path: `${root}/list` }, patience)
}

async function loop(port: NamenodePort, holder: string, first: number): Promise<void> {
  for (let turn = first; performance.now() < endMs; turn++) {
    try {
      await one(port, holder, turn)
      answered++
    } catch (error) {
      if (!isQuarryError(error)) throw error
      refused.set(error.code, (refused.get(error.code) ?? 0) + 1)
    }
  }
}

const connect = () => (manners === 'rude' ? rudePort(uri!, user!) : connectNamenode({ uri: uri!, user: user! }))
const ports = await Promise.all(Array.from({ length: Number(connections) }, connect))
process.stdout.write('ready\n')
await Promise.all(
  ports.flatMap((port, i) => Array.from({ length: Number(inFlight) }, (_, j) => loop(port, `${user}-${process.pid}-${i}`, i + j))),
)
await Promise.all(ports.map((port) => port.close()))
process.stdout.write(`${JSON.stringify({ answered, codes: Object.fromEntries(refused), stat: summaryOf(statMs) })}\n`)
