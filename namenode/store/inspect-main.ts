// A process that looks a store over and ends: the namenode has it done for copies of its own, so that its callers do not wait for
// minutes of reading. Started by inspector.ts, from dist/inspector.js or, in development, from this source.
import { setPriority } from 'node:os'
import { toQuarryError } from '../../common/errors.ts'
import type { InspectReply, InspectRequest } from './inspector.ts'
import { inspect } from './inspect.ts'

/** The namenode comes first, and whoever else has something to do: the least there is. */
const niceness = 19

process.once('message', ({ directory }: InspectRequest) => {
  let reply: InspectReply
  try {
    setPriority(niceness)
    reply = { inspection: inspect(directory) }
  } catch (error) {
    const { code, message } = toQuarryError(error)
    reply = { code, message }
  }
  process.send?.(reply, () => process.exit(0))
})
// Without its parent nobody would hear the answer.
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
