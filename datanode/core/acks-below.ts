// What the node below says, read as it comes: acknowledgements wait here for their turn, what is out of band goes up at once, and
// that the node is gone is known while nothing is on its way to it.
import type { PacketAck } from '../../proto/ports.ts'
import { outOfBandSeqno, unackedMax } from './pipeline-ports.ts'
import type { Downstream } from './pipeline-ports.ts'

/** A node cannot have more to acknowledge than it was sent; heartbeats come on top. */
const waitingMax = 2 * unackedMax

export class AcksBelow {
  readonly #downstream: Downstream
  readonly #acks: PacketAck[] = []
  #waiting: { resolve(ack: PacketAck): void; reject(error: Error): void } | undefined
  #broken: string | undefined

  constructor(downstream: Downstream) {
    this.#downstream = downstream
  }

  /** Why no more comes, once that is so and everything that came was taken. */
  get broken(): string | undefined {
    return this.#acks.length === 0 ? this.#broken : undefined
  }

  /** Reads until the node says no more. */
  async listen(on: { outOfBand(ack: PacketAck): void; broken(): void }): Promise<void> {
    const { uuid, replies } = this.#downstream
    let reason = `Datanode ${uuid} ended the stream.`
    try {
      for (;;) {
        const next = await replies.next()
        if (next.done) break
        const { ack } = next.value
        if (!ack) continue
        if (ack.seqno === outOfBandSeqno) on.outOfBand(ack)
        else if (this.#waiting) {
          this.#waiting.resolve(ack)
          this.#waiting = undefined
        } else if (this.#acks.push(ack) > waitingMax) {
          reason = `Datanode ${uuid} acknowledges what it was not sent.`
          this.#acks.length = 0
          this.#downstream.cancel()
          break
        }
      }
    } catch (error) {
      reason = (error as Error).message
    }
    this.#broken = reason
    this.#waiting?.reject(new Error(reason))
    this.#waiting = undefined
    on.broken()
  }

  /** The next acknowledgement; rejects when there will be none. */
  next(): Promise<PacketAck> {
    const ack = this.#acks.shift()
    if (ack) return Promise.resolve(ack)
    if (this.#broken !== undefined) return Promise.reject(new Error(this.#broken))
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
  }
}
