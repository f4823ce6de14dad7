// Streaming throughput through the SDK: S streams write their share of B bytes, one file each, then read it back and compare every
// byte with what was written. 1 MB is 1,000,000 bytes. Same bytes, chunks and warm-up as the benchmark that drives Hadoop's client.
// Data just written is read from the page cache on either side.
import type { FileSystem } from '../client/index.ts'
import { Clients } from './clients.ts'
import { JavaRandom } from './java-random.ts'

/** The data repeats every PERIOD bytes. */
const PERIOD = 4 * 2 ** 20
const CHUNK = 2 ** 20

export interface IoBenchOptions {
  readonly uri: string
  readonly streams?: number
  /** Of all streams together; default 1 GiB. */
  readonly bytes?: number
  readonly replication?: number
  /** Whether a client on a datanode's host may read the verified block file directly; default true. */
  readonly localReads?: boolean
}

export interface IoPhase {
  readonly seconds: number
  readonly mbPerSecond: number
  readonly clientCpuSeconds: number
}

export interface IoReport {
  readonly bench: 'io'
  readonly fs: string
  readonly streams: number
  readonly replication: number
  readonly bytes: number
  readonly write: IoPhase
  readonly read: IoPhase
}

export async function ioBench(options: IoBenchOptions): Promise<IoReport> {
  const { uri, streams = 1, replication = 3, localReads = true } = options
  const share = Math.floor((options.bytes ?? 2 ** 30) / streams)
  const root = `/bench-io-${Date.now()}`
  const pattern = makePattern()
  const writer: Transfer = (fs, file, length) => writeFile(fs, file, length, replication, pattern)
  const reader: Transfer = (fs, file, length) => readFile(fs, file, length, pattern)

  await using clients = await Clients.connect(uri, streams, 'own', { localReads })
  try {
    await transfer(clients, `${root}/warm-up`, PERIOD, writer)
    await transfer(clients, `${root}/warm-up`, PERIOD, reader)
    const write = await transfer(clients, root, share, writer)
    const read = await transfer(clients, root, share, reader)
    return { bench: 'io', fs: clients.first.uri, streams, replication, bytes: share * streams, write, read }
  } finally {
    await clients.first.delete(root, { recursive: true })
  }
}

type Transfer = (fs: FileSystem, file: string, length: number) => Promise<void>

/** One chunk longer than the period, so that no chunk wraps around. */
function makePattern(): Buffer {
  const pattern = Buffer.allocUnsafe(PERIOD + CHUNK)
  JavaRandom.ofSeed(42).nextBytes(pattern.subarray(0, PERIOD))
  pattern.copy(pattern, PERIOD, 0, CHUNK)
  return pattern
}

async function transfer(clients: Clients, root: string, share: number, body: Transfer): Promise<IoPhase> {
  const cpuBefore = process.cpuUsage()
  const wallMs = await clients.run((fs, stream) => body(fs, `${root}/stream-${stream}`, share))
  const cpu = process.cpuUsage(cpuBefore)
  return {
    seconds: Number((wallMs / 1000).toFixed(3)),
    mbPerSecond: Number(((share * clients.all.length) / wallMs / 1000).toFixed(1)),
    clientCpuSeconds: Number(((cpu.user + cpu.system) / 1e6).toFixed(2)),
  }
}

async function writeFile(fs: FileSystem, file: string, length: number, replication: number, pattern: Buffer): Promise<void> {
  await using writer = await fs.create(file, { overwrite: true, replication })
  for (let at = 0; at < length; at += CHUNK) {
    const from = at % PERIOD
    await writer.write(pattern.subarray(from, from + Math.min(CHUNK, length - at)))
  }
  await writer.close()
}

async function readFile(fs: FileSystem, file: string, length: number, pattern: Buffer): Promise<void> {
  await using reader = await fs.open(file)
  let at = 0
  for await (const part of reader.stream()) {
    for (let done = 0; done < part.length; done += CHUNK) {
      const size = Math.min(CHUNK, part.length - done)
      const from = (at + done) % PERIOD
      if (pattern.compare(part, done, done + size, from, from + size) !== 0)
        throw new Error(`wrong data in ${file} after byte ${at + done}`)
    }
    at += part.length
  }
  if (at !== length) throw new Error(`${file} has ${at} bytes instead of ${length}`)
}

export function ioTable(report: IoReport): string {
  const row = (name: string, seconds: string, rate: string, cpu: string): string =>
    `${name.padEnd(6)} ${seconds.padStart(9)} ${rate.padStart(9)} ${cpu.padStart(13)}`
  const line = (name: string, p: IoPhase): string =>
    row(name, p.seconds.toFixed(2), p.mbPerSecond.toFixed(1), p.clientCpuSeconds.toFixed(2))
  return [row('phase', 'seconds', 'MB/s', 'client cpu s'), line('write', report.write), line('read', report.read)].join('\n') + '\n'
}
