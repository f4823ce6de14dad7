// What a namenode says of itself at http://…/status: asked by `quarry up` and `quarry status`, which need no file system and start
// sooner without one.
import http from 'node:http'
import { QuarryError } from '../../common/errors.ts'

export interface NamenodeStatus {
  readonly clusterId: string
  readonly safeMode: { readonly on: boolean; readonly reason: string }
  readonly namespace: { readonly files: number; readonly directories: number; readonly blocks: number }
  readonly capacity: {
    readonly capacity: number
    readonly used: number
    readonly remaining: number
    readonly underReplicated: number
    readonly corruptBlocks: number
    readonly missingBlocks: number
    readonly pendingDeletion: number
  }
  readonly datanodes: readonly {
    readonly uuid?: string
    readonly address: string
    readonly state: 'live' | 'stale' | 'dead'
    readonly capacity: number
    readonly used: number
    readonly remaining: number
    readonly blocks: number
  }[]
}

const answerBytesMax = 16 * 1024 * 1024

/** Throws UNAVAILABLE when nobody answers within `withinMs`. */
export function askNamenode(address: string, withinMs: number): Promise<NamenodeStatus> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) =>
      reject(
        new QuarryError('UNAVAILABLE', `the namenode does not answer at http://${address}/status: ${error.message}`, {}, { cause: error }),
      )
    const request = http.get(`http://${address}/status`, { timeout: withinMs, agent: false }, (response) => {
      const parts: Buffer[] = []
      let length = 0
      response.on('data', (part: Buffer) => {
        length += part.length
        if (length > answerBytesMax) request.destroy(new Error('the answer is too long'))
        else parts.push(part)
      })
      response.on('error', fail)
      response.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(parts).toString('utf8')) as NamenodeStatus)
        } catch (error) {
          fail(error as Error)
        }
      })
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${withinMs} ms`)))
    request.on('error', fail)
  })
}
