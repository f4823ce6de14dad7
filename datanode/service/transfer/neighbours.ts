// Where a datanode that a Hadoop client names is reached natively.
//
// A Hadoop client passes on what its protocol knows of a datanode: uuid, address, Hadoop's ports. The port of the native wire is not
// among that, and pipelines go on natively. So the datanode itself is asked, at the very port that the client named, with Hadoop's
// operation for extensions (127). That needs no namenode, is right after any restart, and can only ever reach whom a client could
// reach; asking the namenode instead would put it into the way of every pipeline, and a list pushed by it can be old. An answer is
// good for half a minute, and until a pipeline to the node fails.
import net from 'node:net'
import type { Clock } from '../../../common/env.ts'
import { QuarryError } from '../../../common/errors.ts'
import type { DatanodeInfo } from '../../../proto/hadoop/codec.ts'
import { encodeHadoop } from '../../../proto/hadoop/codec.ts'
import type { DatanodeId, Init } from '../../../proto/ports.ts'
import { TransferConnection } from './connection.ts'
import { encodeOp, opCodes } from './ops.ts'

/** The extension that is asked for. */
export const nativeAddressId = 'quarry.native-address'
/** A node that does not answer within this time is treated as gone, as for native connections. */
const askMs = 5_000
const rememberMs = 30_000
const rememberedMax = 1024

interface Remembered {
  readonly untilMs: number
  readonly answer: Promise<Init<DatanodeId>>
}

export class Neighbours {
  readonly #clock: Clock
  readonly #known = new Map<string, Remembered>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Throws UNAVAILABLE when the node cannot be asked, or another one is there. */
  find(node: DatanodeInfo): Promise<Init<DatanodeId>> {
    const key = keyOf(node)
    const known = this.#known.get(key)
    const nowMs = this.#clock.monotonicMs()
    if (known !== undefined && nowMs < known.untilMs) return known.answer
    const answer = this.#ask(node)
    this.#known.delete(key)
    this.#known.set(key, { untilMs: nowMs + rememberMs, answer })
    if (this.#known.size > rememberedMax) this.#known.delete(this.#known.keys().next().value!)
    // What failed is asked again next time.
    answer.catch(() => {
      if (this.#known.get(key)?.answer === answer) this.#known.delete(key)
    })
    return answer
  }

  /** It did not take part as it should: it may have moved. */
  forget(node: DatanodeInfo): void {
    this.#known.delete(keyOf(node))
  }

  async #ask({ id }: DatanodeInfo): Promise<Init<DatanodeId>> {
    const at = `${id.ipAddr}:${id.xferPort}`
    if (net.isIP(id.ipAddr) === 0 || id.xferPort < 1 || id.xferPort > 65_535)
      throw new QuarryError('UNAVAILABLE', `Datanode ${id.datanodeUuid} cannot be at ${at}.`)
    const socket = net.connect({ host: id.ipAddr, port: id.xferPort, noDelay: true })
    const connection = new TransferConnection(socket, this.#clock)
    try {
      await connection.send(encodeOp(opCodes.custom, encodeHadoop('OpCustom', { id: nativeAddressId })), askMs)
      const { nativeAddress } = await connection.message('BlockOpResponse', askMs)
      if (nativeAddress === undefined || nativeAddress.datanodeUuid !== id.datanodeUuid)
        throw new QuarryError('UNAVAILABLE', `At ${at} there is not datanode ${id.datanodeUuid}.`)
      return { uuid: id.datanodeUuid, ip: nativeAddress.ipAddr, grpcPort: nativeAddress.grpcPort }
    } catch (error) {
      throw new QuarryError(
        'UNAVAILABLE',
        `Datanode ${id.datanodeUuid} at ${at} does not answer: ${(error as Error).message}`,
        {},
        { cause: error },
      )
    } finally {
      connection.destroy()
    }
  }
}

function keyOf({ id }: DatanodeInfo): string {
  return `${id.datanodeUuid}@${id.ipAddr}:${id.xferPort}`
}
