// The port of Hadoop's data transfer: one operation after another on a connection, until it is idle or one of them fails.
import net from 'node:net'
import { QuarryError, isQuarryError, toQuarryError } from '../../../common/errors.ts'
import type { ExtendedBlock } from '../../../proto/hadoop/codec.ts'
import { answerMs, failure, transferStatus } from './answers.ts'
import { serveChecksum } from './checksum-op.ts'
import { TransferConnection } from './connection.ts'
import type { TransferContext } from './context.ts'
import { nativeAddressId } from './neighbours.ts'
import { opCodes, opPrefixBytes, transferVersion } from './ops.ts'
import { BrokenRead, serveRead } from './read-op.ts'
import { serveTransfer } from './transfer-op.ts'
import { serveWrite } from './write-op.ts'

/** A connection that has said nothing yet is closed after this long, in ms; HDFS's socket time-out. */
const firstOpMs = 60_000
/** One that is kept for the next operation (HDFS: dfs.datanode.socket.reuse.keepalive). Java clients keep theirs for 3 s. */
const nextOpMs = 4_000
/** Connections beyond the streams: those kept for the next operation, and those that are refused. */
const idleConnectionsMax = 4096

export interface TransferDoor {
  readonly port: number
  /** Takes no more connections and ends those there are. Idempotent. */
  close(): Promise<void>
}

export async function openTransferDoor(
  context: TransferContext,
  at: { readonly host: string; readonly port: number },
): Promise<TransferDoor> {
  const connections = new Set<TransferConnection>()
  // A writer may end its side behind the last packet and wait for the acknowledgements (hdfs-native does): ours stays open till then.
  const server = net.createServer({ noDelay: true, keepAlive: true, allowHalfOpen: true }, (socket) => {
    const connection = new TransferConnection(socket, context.clock)
    connections.add(connection)
    socket.once('close', () => connections.delete(connection))
    void serve(context, connection)
  })
  server.maxConnections = context.streams.streamsMax + idleConnectionsMax
  await listen(server, at)
  server.on('error', (error) => context.log.warn('transfer.accept.failed', { message: error.message }))
  const address = server.address()
  let closing: Promise<void> | undefined
  return {
    port: typeof address === 'object' && address !== null ? address.port : at.port,
    close: () =>
      (closing ??= new Promise((resolve) => {
        server.close(() => resolve())
        for (const connection of connections) connection.destroy()
      })),
  }
}

async function serve(context: TransferContext, connection: TransferConnection): Promise<void> {
  try {
    for (let waitMs = firstOpMs; await serveOne(context, connection, waitMs);) waitMs = nextOpMs
    connection.finish()
  } catch (error) {
    connection.destroy()
    // Clients go away as they please: after a read of which they wanted only the beginning, or when they have been idle for long.
    if (isQuarryError(error, 'CANCELLED')) return
    const { code, message } = toQuarryError(error)
    context.log.warn('transfer.failed', { peer: connection.peer, code, message })
  }
}

/** Answers whether another operation may follow. */
async function serveOne(context: TransferContext, connection: TransferConnection, waitMs: number): Promise<boolean> {
  try {
    await connection.need(opPrefixBytes, waitMs, 'an operation was expected')
  } catch (error) {
    if (isQuarryError(error, 'TIMEOUT')) return false
    throw error
  }
  const prefix = connection.queue.take(opPrefixBytes)!
  const version = prefix.readInt16BE(0)
  // A client that wants to negotiate security first is told by the end of the connection that there is none.
  if (version !== transferVersion) throw new QuarryError('VERSION', `A client speaks version ${version} of the data transfer.`)
  switch (prefix[2]) {
    case opCodes.write:
      await serveWrite(context, connection, await connection.message('OpWriteBlock', firstOpMs))
      return false
    case opCodes.read: {
      const op = await connection.message('OpReadBlock', firstOpMs)
      return answered(connection, 'opReadBlock', op.header.base.block, () => serveRead(context, connection, op))
    }
    case opCodes.checksum: {
      const op = await connection.message('OpBlockChecksum', firstOpMs)
      return answered(connection, 'opBlockChecksum', op.header.block, () => serveChecksum(context, connection, op))
    }
    case opCodes.transfer: {
      const op = await connection.message('OpTransferBlock', firstOpMs)
      await answered(connection, 'opTransferBlock', op.header.base.block, () => serveTransfer(context, connection, op))
      return false
    }
    case opCodes.custom:
      return serveCustom(context, connection)
    default:
      return refuse(connection, `Operation ${prefix[2]} is not supported by this datanode.`)
  }
}

/** Tells the client why an operation was refused, after which the connection ends. */
async function answered(
  connection: TransferConnection,
  operation: string,
  block: ExtendedBlock,
  serveOp: () => Promise<boolean | void>,
): Promise<boolean> {
  try {
    return (await serveOp()) !== false
  } catch (error) {
    const isTold = !(error instanceof BrokenRead) && !isQuarryError(error, 'CANCELLED') && !isQuarryError(error, 'TIMEOUT')
    if (!isTold) throw error
    await connection.sendMessage('BlockOpResponse', failure(operation, block, toQuarryError(error)), answerMs)
    return false
  }
}

async function serveCustom(context: TransferContext, connection: TransferConnection): Promise<boolean> {
  const { id } = await connection.message('OpCustom', firstOpMs)
  if (id !== nativeAddressId) return refuse(connection, `The extension ${id.slice(0, 100)} is not known here.`)
  const { uuid, ip, grpcPort } = context.self()
  const nativeAddress = { datanodeUuid: uuid, ipAddr: ip, grpcPort }
  await connection.sendMessage('BlockOpResponse', { status: transferStatus.success, nativeAddress }, answerMs)
  return true
}

async function refuse(connection: TransferConnection, message: string): Promise<false> {
  await connection.sendMessage('BlockOpResponse', { status: transferStatus.unsupported, message }, answerMs)
  return false
}

function listen(server: net.Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new QuarryError('IN_USE', `Port ${port} on ${host} is in use by another program; choose another with -D transfer.port=N.`, {
              host,
              port,
            })
          : new QuarryError('CONFIG', `Cannot listen on ${host}:${port}: ${error.message}`, { host, port }),
      )
    }
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      resolve()
    })
  })
}
