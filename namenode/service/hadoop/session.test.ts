import { describe, expect, it } from 'vitest'
import { QuarryError } from '../../../common/errors.ts'
import { VirtualClock } from '../../../common/testing/virtual-clock.ts'
import type { RpcCall } from '../../../proto/hadoop/rpc-service.ts'
import type { Method } from '../../../proto/ports.ts'
import type { Done } from '../../core/engine.ts'
import type { BlockManager } from '../../core/cluster/block-manager.ts'
import type { Front } from '../front.ts'
import { HadoopSession } from './session.ts'

/** A front that answers what it is given, call by call, and then with success. */
function session(answers: QuarryError[]) {
  const clock = new VirtualClock()
  const calls: { method: Method; atMs: number }[] = []
  const startMs = clock.monotonicMs()
  const front = {
    draining: false,
    groups: { current: () => [] },
    admission: { open: () => ({}), close: () => {} },
    call(_: object, command: { method: Method }, done: Done) {
      calls.push({ method: command.method, atMs: clock.monotonicMs() - startMs })
      const error = answers.shift()
      done(error, error === undefined ? { value: true } : {})
    },
  }
  const parts = { front: front as unknown as Front, cluster: {} as BlockManager, clock }
  const made = new HadoopSession(parts, { user: 'anna', realUser: '', remoteAddress: '127.0.0.1' }, () => {})
  const call = { clientId: 'ab', callId: 1, retryCount: 0, callerContext: '' } as RpcCall<HadoopSession>
  const outcome: (string | true)[] = []
  const submit = (method: 'complete' | 'append' | 'getFileInfo'): void =>
    made.submit(call, method, {} as never, (error) => void outcome.push(error?.code ?? true))
  return { clock, front, made, calls, outcome, submit }
}

const busy = (retryAfterMs: number): QuarryError => new QuarryError('OVERLOADED', 'busy', { retryAfterMs })
const notYet = new QuarryError('RETRY_LATER', 'not yet')
const many = <T>(value: T): T[] => Array.from({ length: 1000 }, () => value)

describe('a call that the namenode is not ready for', () => {
  it('is made again when a busy namenode said, so that a client without retries does not notice', async () => {
    const { clock, calls, outcome, submit } = session([busy(500), busy(1_000)])
    submit('getFileInfo')
    expect(outcome).toEqual([])
    await clock.advance(2_000)
    expect(outcome).toEqual([true])
    expect(calls.map(({ atMs }) => atMs)).toEqual([0, 500, 1_500])
  })

  it('fails when the namenode stays busy for a minute', async () => {
    const { clock, outcome, submit } = session(many(busy(5_000)))
    submit('getFileInfo')
    await clock.advance(59_000)
    expect(outcome).toEqual([])
    await clock.advance(10_000)
    expect(outcome).toEqual(['OVERLOADED'])
  })

  it('waits half a minute for a writer in the middle of a file, less for an append, and for nobody else', async () => {
    const writer = session(many(notYet))
    writer.submit('complete')
    await writer.clock.advance(29_000)
    expect(writer.outcome).toEqual([])
    await writer.clock.advance(2_000)
    expect(writer.outcome).toEqual(['RETRY_LATER'])
    const appending = session([notYet, notYet])
    appending.submit('append')
    await appending.clock.advance(1_000)
    expect(appending.outcome).toEqual([true])
    const reader = session([notYet])
    reader.submit('getFileInfo')
    expect(reader.outcome).toEqual(['RETRY_LATER'])
  })

  it('is given up when the client is gone or the namenode stops', async () => {
    const gone = session(many(notYet))
    gone.submit('complete')
    gone.made.close()
    await gone.clock.advance(1_000)
    expect(gone.outcome).toEqual(['RETRY_LATER'])
    expect(gone.calls).toHaveLength(1)
    const stopping = session(many(notYet))
    stopping.front.draining = true
    stopping.submit('complete')
    expect(stopping.outcome).toEqual(['RETRY_LATER'])
  })
})
