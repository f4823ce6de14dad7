// `quarry storagepolicies`: where the replicas of files should lie, in Hadoop's words.
import type { GlobalOptions } from '../program.ts'

export async function run(words: readonly string[], globals: GlobalOptions): Promise<number> {
  const [{ runStoragePolicies }, { processStreams }, { connectShell }, { takeGenericOptions }] = await Promise.all([
    import('../shell/storagepolicies.ts'),
    import('../output/streams.ts'),
    import('../shell/connect.ts'),
    import('../shell/configuration.ts'),
  ])
  const { configuration, rest } = takeGenericOptions(words)
  const streams = processStreams()
  const fs = configuration.get('fs.defaultFS') ?? globals.fs
  try {
    return await runStoragePolicies(rest, { streams, connect: () => connectShell({ ...globals, fs }, configuration) })
  } finally {
    await streams.out.flush()
  }
}
