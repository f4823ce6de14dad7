// Strangers at the ports of a running namenode and datanode: bytes of chance, broken HTTP/2, lengths that cannot be, and what a real
// client sends, recorded and damaged. The processes must live, keep their memory, and serve everybody else meanwhile.
import { readFileSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import path from 'node:path'
import { identityOf, isAlive } from '../../cli/cluster/process-identity.ts'
import { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { SeededRandom } from '../../common/testing/seeded-random.ts'
import { encodeOp, opCodes } from '../../datanode/service/transfer/ops.ts'
import { Sandbox } from '../support/processes.ts'
import type { Finding } from './fuzz.ts'
import { mutated } from './mutate.ts'
import { rpcConnections } from './targets/rpc.ts'
import { transferOps, transferPackets } from './targets/transfer.ts'

export interface PortsResult {
  readonly inputs: number
  readonly summary: string
  readonly findings: readonly Finding[]
}

/** Strangers at the same time. */
const strangers = 8
/** How long a stranger stays when nobody closes the connection. */
const stayMs = 150
/** A call of somebody else may take so long on a busy machine; without strangers it takes a millisecond. */
const othersMs = 10_000
const othersEveryMs = 200
/** What a process may hold more than before: connections, their windows, a message of the largest size. */
const grownMaxMib = 400
const recordedBytesMax = 200_000

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** An HTTP/2 frame that says it has `length` bytes. */
function frame(type: number, flags: number, stream: number, payload: Uint8Array, length = payload.length): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(length % 2 ** 24, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

const settings = frame(4, 0, 0, Buffer.alloc(0))

/** Openings that no client of ours makes. */
const oddities: readonly Buffer[] = [
  Buffer.concat([preface, settings, frame(1, 4, 1, Buffer.alloc(20, 0xff))]),
  Buffer.concat([preface, settings, frame(0, 0, 1, Buffer.alloc(100), 2 ** 24 - 1)]),
  Buffer.concat([preface, ...Array.from({ length: 500 }, () => frame(6, 0, 0, Buffer.alloc(8)))]),
  Buffer.concat([preface, ...Array.from({ length: 500 }, (_, at) => frame(3, 0, 2 * at + 1, Buffer.alloc(4)))]),
  Buffer.concat([preface, settings, ...Array.from({ length: 50 }, () => frame(9, 0, 1, Buffer.alloc(1000)))]),
  Buffer.concat([preface, frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])), frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))]),
  Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  Buffer.from(`GET /${'a'.repeat(100_000)} HTTP/1.1\r\n`),
  Buffer.from('POST /status HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n'),
  Buffer.from('GET /status HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n'),
  Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]),
]

export async function fuzzPorts(limits: { readonly seed: number; readonly seconds: number }): Promise<PortsResult> {
  await using sandbox = new Sandbox()
  const cluster = await sandbox.up({ args: ['--datanodes', '1', '-D', 'block.size=1m'] })
  const roles = [cluster.namenode, ...must(cluster.datanodes)]
  const identities = roles.map((role) => must(identityOf(role.pid)))
  const doors = roles.flatMap((role) => [portOf(role.grpc), portOf(role.http)])
  const samples = [...(await recorded(cluster.uri, portOf(must(cluster.datanodes[0]).grpc))), ...hadoopSamples(), ...rpcConnections]
  if (cluster.hdfs !== undefined) doors.push(portOf(cluster.hdfs))
  for (const node of must(cluster.datanodes)) {
    const status = (await (await fetch(`http://${node.http}/status`)).json()) as { transferPort: number; ipcPort: number }
    doors.push(status.transferPort, status.ipcPort)
  }
  await using fs = await FileSystem.connect(cluster.uri, { localReads: false })
  await fs.writeFile('/others', Buffer.alloc(100_000, 7))
  const findings: Finding[] = []
  const beforeMib = roles.map((role) => residentMib(role.pid))
  const random = new SeededRandom(limits.seed)
  const endMs = performance.now() + limits.seconds * 1000
  let inputs = 0
  let slowestMs = 0
  const stranger = async () => {
    while (performance.now() < endMs) {
      const input = random.int(4) === 0 ? mutated(oddities, random) : mutated(samples, random)
      inputs++
      await knock(must(doors[random.int(doors.length)]), input)
    }
  }
  const others = async () => {
    while (performance.now() < endMs) {
      const startedMs = performance.now()
      try {
        const bytes = await fs.readFile('/others')
        if (!bytes.equals(Buffer.alloc(100_000, 7))) findings.push({ target: 'ports', what: 'another client read other bytes', input: '' })
      } catch (error) {
        findings.push({ target: 'ports', what: `another client failed: ${String(error)}`, input: '' })
      }
      slowestMs = Math.max(slowestMs, performance.now() - startedMs)
      await new Promise((resolve) => setTimeout(resolve, othersEveryMs))
    }
  }
  await Promise.all([...Array.from({ length: strangers }, stranger), others()])
  if (slowestMs > othersMs)
    findings.push({ target: 'ports', what: `a read of another client took ${(slowestMs / 1000).toFixed(1)} s`, input: '' })
  const grown = roles.map((role, index) => (isAlive(must(identities[index])) ? residentMib(role.pid) - must(beforeMib[index]) : 0))
  for (const [index, identity] of identities.entries()) {
    const name = index === 0 ? 'namenode' : `datanode-${index}`
    const log = readFileSync(path.join(cluster.dir, 'logs', `${name}.log`), 'utf8')
    if (!isAlive(identity)) findings.push({ target: 'ports', what: `the ${name} died:\n${log.slice(-3_000)}`, input: '' })
    if (must(grown[index]) > grownMaxMib)
      findings.push({ target: 'ports', what: `the ${name} grew by ${must(grown[index]).toFixed(0)} MiB`, input: '' })
    const bug = /.*process\.crashed.*|.*TypeError.*|.*AssertionError.*/.exec(log)?.[0]
    if (bug !== undefined) findings.push({ target: 'ports', what: `the ${name} logged ${bug.slice(0, 2_000)}`, input: '' })
  }
  const summary = `  ports                ${inputs} connections, ${samples.length} recorded ones to damage; memory ${grown.map((mib) => `+${mib.toFixed(0)}`).join(', ')} MiB; slowest read of another client ${slowestMs.toFixed(0)} ms`
  return { inputs, summary, findings }
}

/** One stranger: sends, waits a moment for an answer that it does not read with care, and goes. */
function knock(port: number, input: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    const gone = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve()
    }
    const timer = setTimeout(gone, stayMs)
    socket
      .on('error', gone)
      .on('close', gone)
      .on('data', () => {})
    socket.write(input)
  })
}

/** What a client sends to a namenode and to a datanode for a few calls, a written block and a read one. */
async function recorded(uri: string, datanodePort: number): Promise<Buffer[]> {
  const recordings: Buffer[][] = []
  await using namenode = await Recorder.listen(Number(uri.split(':').at(-1)), recordings)
  {
    await using fs = await FileSystem.connect(`quarry://127.0.0.1:${namenode.port}`, { localReads: false })
    await fs.mkdir('/recorded/a', { recursive: true })
    await fs.writeFile('/recorded/f', Buffer.alloc(5_000, 1))
    await fs.readFile('/recorded/f')
    await fs.readdir('/recorded')
  }
  // The client goes to the datanode where the namenode sends it: what it sends there is recorded with a client of its own.
  await using datanode = await Recorder.listen(datanodePort, recordings)
  const { encodePacketFrame, encodeReadHeader } = await import('../../proto/transport/packet-codec.ts')
  const messages = [encodePacketFrame({ seqno: 0, offset: 0, checksums: Buffer.alloc(4), data: Buffer.alloc(512) }), encodeReadHeader({})]
  const { connect } = await import('node:http2')
  for (const method of ['WriteBlock', 'ReadBlock']) {
    const session = connect(`http://127.0.0.1:${datanode.port}`)
    session.on('error', () => {})
    const stream = session.request({
      ':method': 'POST',
      ':path': `/quarry.v1.Datanode/${method}`,
      'content-type': 'application/grpc',
      'te': 'trailers',
    })
    stream.on('error', () => {})
    for (const message of messages)
      stream.write(Buffer.concat([Buffer.from([0, 0, 0, message.length >> 8, message.length & 255]), message]))
    await new Promise((resolve) => setTimeout(resolve, stayMs))
    session.destroy()
  }
  return recordings.map((pieces) => Buffer.concat(pieces).subarray(0, recordedBytesMax)).filter((bytes) => bytes.length > 0)
}

/** What Hadoop clients send to a datanode: operations, and a block that is written. */
function hadoopSamples(): Buffer[] {
  const codes = [opCodes.write, opCodes.read, opCodes.transfer, opCodes.checksum, opCodes.custom]
  const ops = codes.map((code, index) => encodeOp(code, must(transferOps[index])[1]))
  return [...ops, Buffer.concat([must(ops[0]), ...transferPackets])]
}

/** Hands connections on to a port and keeps what the client sent. */
class Recorder implements AsyncDisposable {
  readonly port: number
  readonly #close: () => void

  private constructor(port: number, close: () => void) {
    this.port = port
    this.#close = close
  }

  static async listen(target: number, recordings: Buffer[][]): Promise<Recorder> {
    const sockets = new Set<Socket>()
    const server = createServer((client) => {
      const onward = createConnection({ port: target, host: '127.0.0.1' })
      const pieces: Buffer[] = []
      recordings.push(pieces)
      client.on('data', (piece: Buffer) => pieces.push(Buffer.from(piece)))
      for (const socket of [client, onward]) {
        sockets.add(socket)
        socket.on('error', () => {}).on('close', () => sockets.delete(socket))
      }
      client.pipe(onward).pipe(client)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    return new Recorder(port, () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve(this.#close())
  }
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1))

function residentMib(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}
