// An executor process: a locked-down DuckDB that does what its parent says over the IPC channel, and ends with its parent.
// Started by process.ts, from dist/executor.js or, in development, from this source.
import { assert } from '../../common/assert.ts'
import { errorParts, openEngine, type Engine } from './engine.ts'
import type { ExecutorCall, ExecutorReply, ExecutorRequest, ExecutorValue } from './protocol.ts'

let engine: Engine | undefined

function send(reply: ExecutorReply): void {
  process.send?.(reply)
}

async function perform(call: ExecutorCall): Promise<ExecutorValue> {
  if (call.op === 'open') {
    assert(engine === undefined, 'an executor opens once')
    engine = await openEngine(call.options)
    return undefined
  }
  assert(engine !== undefined, 'an executor is opened first')
  switch (call.op) {
    case 'run':
      return (await engine.run(call.sql)) as undefined
    case 'text':
      return engine.text(call.sql, call.parameters)
    case 'start':
      return engine.start(call.sql)
    case 'next':
      return engine.next()
  }
}

process.on('message', (message: ExecutorRequest) => {
  if ('interrupt' in message) {
    engine?.interrupt()
    return
  }
  perform(message.call).then(
    (value) => send({ id: message.id, value }),
    (error: unknown) => send({ id: message.id, ...errorParts(error) }),
  )
})
// Without its parent nobody would ever stop it. Signals of the terminal are the parent's to handle.
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})

send({ ready: true })
