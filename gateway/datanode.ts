// What a datanode serves over HTTP beside its own pages: the bytes of files.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Env } from '../common/env.ts'
import type { Settings } from '../common/options.ts'
import { Origins } from '../proto/webhdfs/origins.ts'
import { UserFileSystems } from './users.ts'
import { BytesDoor } from './webhdfs/door.ts'

/** To be mounted into an HTTP server. */
export interface Gateway {
  /** False when the request is not for it. It answers the others, also those that ask before they send a body. */
  handle(request: IncomingMessage, response: ServerResponse): boolean
  close(): Promise<void>
}

export function datanodeGateway(settings: Settings, env: Env): Gateway {
  const users = new UserFileSystems(settings['namenode'], env)
  const door = new BytesDoor(users, new Origins(settings['cors.origins']), env)
  return {
    handle: (request, response) => door.handle(request, response),
    close: () => users.close(),
  }
}
