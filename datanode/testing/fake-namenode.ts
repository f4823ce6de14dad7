// A namenode that only keeps datanode sessions: registers whoever comes, answers heartbeats, remembers what it was told, and sends
// the commands a test wants.
import type { ServerDuplexStream } from '@grpc/grpc-js'
import { serviceDefinition } from '../../proto/codec.ts'
import type { Init, NameMessage, NodeMessage } from '../../proto/ports.ts'
import { createGrpcServer } from '../../proto/transport/server.ts'

type Session = ServerDuplexStream<NodeMessage, Init<NameMessage>>

export class FakeNamenode {
  readonly poolId = 'BP-test-127.0.0.1-1'
  readonly clusterId: string
  /** Everything heard, with the uuid of the node it came from. */
  readonly heard: { readonly from: string; readonly message: NodeMessage }[] = []
  syncOnClose = true
  uri = ''
  #sessions = new Map<string, Session>()
  #server = createGrpcServer()
  #answer: (message: NodeMessage) => Init<NameMessage> | undefined

  private constructor(clusterId: string, answer: (message: NodeMessage) => Init<NameMessage> | undefined) {
    this.clusterId = clusterId
    this.#answer = answer
  }

  /** `answer` may replace the reply to a message. */
  static async start(
    options: { clusterId?: string; port?: number; answer?: (message: NodeMessage) => Init<NameMessage> | undefined } = {},
  ): Promise<FakeNamenode> {
    const namenode = new FakeNamenode(options.clusterId ?? 'CID-test', options.answer ?? (() => undefined))
    namenode.#server.add(serviceDefinition('DatanodeSession'), { session: (call: Session) => namenode.#serve(call) })
    namenode.uri = `quarry://127.0.0.1:${await namenode.#server.listen('127.0.0.1', options.port ?? 0)}`
    return namenode
  }

  /** Sends a command to a registered datanode. */
  command(uuid: string, message: Init<NameMessage>): void {
    const session = this.#sessions.get(uuid)
    if (session === undefined) throw new Error(`datanode ${uuid} is not registered`)
    session.write(message)
  }

  /** Waits until something was heard; fails after ten seconds. */
  async hear(what: (message: NodeMessage, from: string) => boolean): Promise<NodeMessage> {
    for (let i = 0; i < 1000; i++) {
      const found = this.heard.find(({ message, from }) => what(message, from))
      if (found !== undefined) return found.message
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    throw new Error(`not heard in ten seconds; the last was ${JSON.stringify(this.heard.at(-1))}`)
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  #serve(call: Session): void {
    let uuid = ''
    call.on('error', () => {})
    call.on('data', (message: NodeMessage) => {
      if (message.register) {
        uuid = message.register.datanode!.uuid
        this.#sessions.set(uuid, call)
      }
      this.heard.push({ from: uuid, message })
      const other = this.#answer(message)
      if (other !== undefined) call.write(other)
      else if (message.register)
        call.write({
          registered: { poolId: this.poolId, clusterId: this.clusterId, heartbeatIntervalMs: 200, syncOnClose: this.syncOnClose },
        })
      else if (message.heartbeat) call.write({ heartbeat: { staleStorages: false } })
    })
    call.on('end', () => call.end())
  }
}
