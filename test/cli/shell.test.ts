// The shell against the recorded answers of a real HDFS, text for text. How they were recorded: test/interop/record-shell.ts.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { shellCorpus } from '../interop/shell-corpus.ts'
import { runCorpus } from '../interop/shell-runner.ts'
import type { Answer } from '../interop/shell-runner.ts'
import { MiniCluster } from '../support/mini-cluster.ts'
import { acceptedDifferences } from './accepted-differences.ts'
import { runShell } from './shell-in-process.ts'

/** Some 400 commands, one after the other, on a machine that may be busy. */
const timeoutMs = 300_000

let cluster: MiniCluster
let local: string

beforeAll(async () => {
  process.env['TZ'] = 'UTC' // as the recording
  local = await mkdtemp(join(tmpdir(), 'quarry-shell-'))
  // Hadoop's trash is off unless a command turns it on.
  cluster = await MiniCluster.start({ datanodes: 3, settings: { 'trash.interval': 0 } })
}, timeoutMs)

afterAll(async () => {
  await cluster?.close()
  await rm(local, { recursive: true, force: true })
}, timeoutMs)

test(
  'answers every command line of the corpus as Hadoop does, but for the differences listed',
  async () => {
    const recorded = (
      JSON.parse(await readFile(new URL('../interop/shell-expected.json', import.meta.url), 'utf8')) as { answers: Answer[] }
    ).answers
    expect(
      recorded.map((answer) => answer.line),
      'the corpus changed: record it again with test/interop/record-shell.ts',
    ).toEqual(shellCorpus)
    const { uri } = cluster
    const answers = await runCorpus(shellCorpus, {
      uri,
      local,
      superuser: userInfo().username,
      run: (tool, args, user, input) => runShell(tool, args, { uri, user, cwd: local, input }),
    })
    const differing = answers.filter((answer, index) => !sameAnswer(answer, recorded[index] as Answer))
    const unexpected = differing.filter((answer) => !Object.hasOwn(acceptedDifferences, answer.line))
    expect(unexpected).toEqual(unexpected.map((answer) => recorded[answers.indexOf(answer)]))
    const agreeing = Object.keys(acceptedDifferences).filter((line) => !differing.some((answer) => answer.line === line))
    expect(agreeing, 'listed as different, but the same').toEqual([])
  },
  timeoutMs,
)

function sameAnswer(a: Answer, b: Answer): boolean {
  return a.exit === b.exit && a.stdout === b.stdout && a.stderr === b.stderr
}
