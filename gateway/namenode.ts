// What a namenode has a client of its own do, because bytes have to move.
import type { FileSystem } from '../client/index.ts'
import type { Env } from '../common/env.ts'
import { UserFileSystems } from './users.ts'

export interface OwnClient {
  truncate(who: { readonly user: string; readonly realUser: string }, path: string, newLength: number): Promise<boolean>
  close(): Promise<void>
}

/** `uri` is where the namenode listens. Nothing is connected before it is needed. */
export function namenodeGateway(uri: string, env: Env): OwnClient {
  const users = new UserFileSystems(uri, env)
  return {
    // The namenode has authorised the proxy already, by the address that the call really came from.
    truncate: ({ user }, path, newLength) => users.use({ user, realUser: '' }, (fs: FileSystem) => fs.truncate(path, newLength)),
    close: () => users.close(),
  }
}
