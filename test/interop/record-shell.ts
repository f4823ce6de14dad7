// Records the answers of a real HDFS to the shell corpus into shell-expected.json.
//
//   npx tsx test/interop/record-shell.ts PEER hdfs://127.0.0.1:PORT HTTP-HOST:PORT USER
//
// PEER is a program that runs Hadoop's tools as `PEER dfs|dfsadmin|fsck --fs URI ARGS…`, against a file system that is fresh
// and whose namenode runs as USER. The file says which version answered.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shellCorpus } from './shell-corpus.ts'
import { programTarget, runCorpus } from './shell-runner.ts'

const [peer = '', uri = '', http = '', superuser = ''] = process.argv.slice(2)
if (superuser === '') throw new Error('usage: record-shell.ts PEER URI HTTP-HOST:PORT USER')
const local = await mkdtemp(join(tmpdir(), 'shell-corpus-'))
try {
  const tools = {
    dfs: [peer, 'dfs', '--fs', uri],
    admin: [peer, 'dfsadmin', '--fs', uri],
    fsck: [peer, 'fsck', '--fs', uri, '--http', http],
  }
  const answers = await runCorpus(shellCorpus, programTarget(tools, { uri, superuser, local }), (answer) => {
    console.log(`${answer.exit}\t${answer.line}`)
  })
  const header = {
    what: 'Answers of Apache Hadoop 3.4.3 (hdfs dfs, dfsadmin, fsck) to shell-corpus.ts; regenerate with record-shell.ts against a fresh cluster.',
    settings: 'Defaults, three datanodes, dfs.namenode.fs-limits.min-block-size 16.',
  }
  const text = `{\n"header": ${JSON.stringify(header, undefined, 1)},\n"answers": [\n${answers.map((answer) => JSON.stringify(answer)).join(',\n')}\n]}\n`
  await writeFile(new URL('shell-expected.json', import.meta.url), text)
} finally {
  await rm(local, { recursive: true, force: true })
}
