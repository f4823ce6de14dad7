// `quarry fsck`: the health of files and their blocks, in Hadoop's words.
import type { GlobalOptions } from '../program.ts'

export async function run(words: readonly string[], globals: GlobalOptions): Promise<number> {
  const [{ runFsck }, { processStreams }, { connectShell }, { takeGenericOptions }] = await Promise.all([
    import('../shell/fsck.ts'),
    import('../output/streams.ts'),
    import('../shell/connect.ts'),
    import('../shell/configuration.ts'),
  ])
  const { configuration, rest } = takeGenericOptions(words)
  const streams = processStreams()
  const fs = configuration.get('fs.defaultFS') ?? globals.fs
  try {
    return await runFsck(rest, { streams, connect: () => connectShell({ ...globals, fs }, configuration) })
  } finally {
    await streams.out.flush()
  }
}
