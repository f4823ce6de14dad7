// Hadoop's contract tests by name, and how a run of them is read.
import { readFileSync } from 'node:fs'
import { runJava } from './java.ts'

export type Door = 'hdfs' | 'webhdfs'
export const doors: readonly Door[] = ['hdfs', 'webhdfs']

const contract = (names: string): string[] => names.split(' ').map((name) => `org.apache.hadoop.fs.contract.hdfs.TestHDFSContract${name}`)
const overWeb = (names: string): string[] => names.split(' ').map((name) => `interop.WebHdfsSuites$${name}`)

/** Classes by door. Those of interop are subclasses of Hadoop's base tests that HDFS itself has none of; the others are Hadoop's own. */
export const suites: Readonly<Record<Door, readonly string[]>> = {
  hdfs: [
    ...contract('Append BulkDelete Concat Create Delete GetFileStatus LeaseRecovery Mkdir MultipartUploader Open PathHandle Rename'),
    ...contract('RootDirectory SafeMode Seek SetTimes Unbuffer VectoredRead'),
    'org.apache.hadoop.fs.contract.hdfs.TestDFSWrappedIO',
    ...['ContentSummary', 'CopyFromLocal', 'EnclosingRoot', 'MainOperations'].map((name) => `interop.HdfsSuites$${name}`),
    'org.apache.hadoop.hdfs.TestHDFSFileSystemContract',
    'org.apache.hadoop.fs.TestHDFSFileContextMainOperations',
    'org.apache.hadoop.fs.TestFcHdfsCreateMkdir',
    'org.apache.hadoop.fs.TestFcHdfsSetUMask',
    'org.apache.hadoop.fs.TestGlobPaths',
    'org.apache.hadoop.fs.TestFcHdfsPermission',
  ],
  webhdfs: [
    ...overWeb('Append BulkDelete Concat ContentSummary CopyFromLocal Create Delete GetFileStatus GetEnclosingRoot Mkdir Open'),
    ...overWeb('Rename RootDirectory Seek SetTimes Unbuffer VectoredRead'),
    'org.apache.hadoop.hdfs.web.TestWebHdfsFileSystemContract',
    'org.apache.hadoop.hdfs.web.TestFSMainOperationsWebHdfs',
    'org.apache.hadoop.fs.TestWebHdfsFileContextMainOperations',
  ],
}

export interface TestOutcome {
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly ms: number
  /** Of a failure its stack, of a skipped test its reason. */
  readonly trace: string
}

/** What the real HDFS did, as recorded: tests that passed, and the others with why. */
export interface Baseline {
  readonly passed: readonly string[]
  readonly otherwise: Readonly<Record<string, string>>
}

export const baselineFile = new URL('contract-expected.json', import.meta.url)

export function readBaseline(): Record<Door, Baseline> {
  return JSON.parse(readFileSync(baselineFile, 'utf8')) as Record<Door, Baseline>
}

/**
 * Runs the classes of a door in one Java process against a cluster, which loses all its files. Names that come more than once (of
 * parametrised tests) get a number.
 */
export async function runSuites(
  door: Door,
  endpoint: { readonly hdfs: string; readonly webhdfs: string },
  options: { readonly log: string; readonly env: NodeJS.ProcessEnv; readonly cwd: string; readonly withinMs: number },
): Promise<Map<string, TestOutcome>> {
  const ran = await runJava('interop.Suite', suites[door], {
    ...options,
    properties: {
      'interop.hdfs': endpoint.hdfs,
      'interop.webhdfs': endpoint.webhdfs.replace('http://', ''),
      'test.build.data': options.cwd,
      'hadoop.tmp.dir': options.cwd,
    },
  })
  const outcomes = new Map<string, TestOutcome>()
  for (const line of ran.stdout.split('\n')) {
    if (!line.startsWith('{')) continue
    const { test, ...outcome } = JSON.parse(line) as TestOutcome & { readonly test: string }
    let name = test
    for (let n = 2; outcomes.has(name); n++) name = `${test} #${n}`
    outcomes.set(name, outcome)
  }
  if (ran.code !== 0)
    throw new Error(`the tests of ${door} ended with ${ran.code ?? ran.signal} after ${outcomes.size} of them; see ${options.log}`)
  return outcomes
}
