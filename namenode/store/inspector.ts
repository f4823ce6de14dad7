// The parent's end of a process that looks a store over.
import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { QuarryError, isErrorCode } from '../../common/errors.ts'
import type { Inspection } from './inspect.ts'

export interface InspectRequest {
  readonly directory: string
}

export type InspectReply = { readonly inspection: Inspection } | { readonly code: string; readonly message: string }

/** Looks over the store in `directory` in a process of its own, which ends with `signal`. */
export function inspectAside(directory: string, signal: AbortSignal): Promise<Inspection> {
  const entry = inspectorEntry()
  return new Promise((resolve, reject) => {
    const child = fork(entry.file, [], { execArgv: entry.execArgv, stdio: ['ignore', 'ignore', 'ignore', 'ipc'], signal })
    child.once('error', (error) => reject(new QuarryError('UNAVAILABLE', `The copy was not looked over: ${error.message}.`)))
    child.once('exit', (code, killed) => {
      reject(new QuarryError('UNAVAILABLE', `The process that looks over the copy ended: ${killed ?? `exit code ${code}`}.`))
    })
    child.once('message', (reply: InspectReply) => {
      if ('inspection' in reply) resolve(reply.inspection)
      else reject(new QuarryError(isErrorCode(reply.code) ? reply.code : 'INTERNAL', reply.message))
    })
    child.send({ directory } satisfies InspectRequest)
  })
}

function inspectorEntry(): { readonly file: string; readonly execArgv: string[] } {
  if (import.meta.url.endsWith('.ts')) {
    const tsx = createRequire(import.meta.url).resolve('tsx')
    return { file: fileURLToPath(new URL('./inspect-main.ts', import.meta.url)), execArgv: ['--import', pathToFileURL(tsx).href] }
  }
  for (const relative of ['./inspector.js', '../inspector.js']) {
    const file = fileURLToPath(new URL(relative, import.meta.url))
    if (existsSync(file)) return { file, execArgv: [] }
  }
  throw new QuarryError('INTERNAL', 'dist/inspector.js is missing: run npm run build.')
}
