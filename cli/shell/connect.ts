// Which cluster a command means, and who asks.
import type { FileSystem } from '../../client/index.ts'
import { clientOptions } from './client-options.ts'
import type { Configuration } from './configuration.ts'

/** A person waits: a namenode that does not answer within this many milliseconds is not there. */
const connectTimeoutMs = 2000

export interface ClusterChoice {
  readonly fs?: string | undefined
  readonly user?: string | undefined
}

/** --fs, else QUARRY_FS, else the embedded cluster of the default directory. */
export async function clusterUri(named: string | undefined): Promise<string> {
  const uri = named ?? process.env['QUARRY_FS']
  if (uri) return uri
  const { embeddedUri } = await import('../cluster/embedded-uri.ts')
  return embeddedUri()
}

export async function connectShell(choice: ClusterChoice, configuration?: Configuration): Promise<FileSystem> {
  const [{ FileSystem }, uri, options] = await Promise.all([
    import('../../client/index.ts'),
    clusterUri(choice.fs),
    clientOptions(configuration, process.env),
  ])
  return FileSystem.connect(uri, { ...options, user: choice.user, umask: configuration?.umask(), connectTimeoutMs })
}
