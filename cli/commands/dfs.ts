// `quarry dfs`: Hadoop's file system shell. Its words have a single dash, so they do not pass through commander.
import type { GlobalOptions } from '../program.ts'

export async function run(words: readonly string[], globals: GlobalOptions): Promise<number> {
  const [{ runDfs }, { processStreams }] = await Promise.all([import('../shell/dfs.ts'), import('../output/streams.ts')])
  const asked = words[0] === '--help' || words[0] === '-h' ? ['-help', ...words.slice(1)] : words
  return runDfs(asked, { streams: processStreams(), choice: globals, json: globals.json ?? false })
}
