// quarry demo: the whole story on a real cluster. Starts a namenode and four datanodes as processes in a fresh temporary directory,
// stores two files three times, kills a datanode while a file is read from it, reads everything back and compares, watches the
// survivors make new copies, and runs an aggregate beside the blocks. Ends with 0 only if everything it claims was checked.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { FileSystem } from '../../client/index.ts'
import { must } from '../../common/assert.ts'
import { logFileOf, readRunning } from '../cluster/directory.ts'
import type { ClusterDescription } from '../cluster/description.ts'
import { signalProcess, waitForExit } from '../cluster/process-identity.ts'
import { lastLogLines } from '../cluster/role-process.ts'
import { flightsFile, generateFile, type LocalFile } from './files.ts'
import { aggregateHere, aggregateQuery, sameRows } from './query.ts'
import { CheckFailed, Progress, check, elapsed, mebibytes, rate, say, seconds, step, table } from './terminal.ts'

const generatedBytes = 640 * 2 ** 20
/** Small blocks for the small file, so that the aggregate has work for several datanodes. */
const flightsBlockBytes = 4 * 2 ** 20
/** In the second block. */
const killAfterBytes = 160 * 2 ** 20
const recoverWithinMs = 60_000
const exitWithinMs = 10_000
const outputBytesMax = 64 * 2 ** 20

/** What the demo has made and must remove. */
interface Stage {
  readonly dir: string
  readonly clusterDir: string
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** Runs `quarry …` in a process of its own and answers what it printed. */
  quarry(...args: string[]): Promise<string>
}

/** Runs it all, cleans up whatever happens, and answers the exit code. */
export async function runDemo(options: { readonly flights?: string | undefined }): Promise<number> {
  const interrupt = new AbortController()
  const { signal } = interrupt
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort(new Error(`stopped by ${name}`)))
  const dir = mkdtempSync(path.join(tmpdir(), 'quarry-demo-'))
  const stage: Stage = {
    dir,
    clusterDir: path.join(dir, 'cluster'),
    signal,
    async quarry(...args) {
      const words = [...process.execArgv, process.argv[1] as string, ...args]
      const { stdout } = await promisify(execFile)(process.execPath, words, { maxBuffer: outputBytesMax, signal })
      return stdout
    },
  }
  try {
    await demo(stage, options.flights)
    await stage.quarry('down', '--dir', stage.clusterDir)
    await cleanUp(stage)
    say(`\nDone after ${elapsed()}: nothing was lost, every claim above was checked, and nothing is left behind.`)
    return 0
  } catch (error) {
    const reason = signal.aborted ? 'it was interrupted' : error instanceof Error ? error.message : String(error)
    say(`\nThe demo did not finish after ${elapsed()}: ${reason}`)
    if (!signal.aborted) printLogs(stage)
    await cleanUp(stage)
    return signal.aborted ? 130 : 1
  }
}

async function demo(stage: Stage, flightsPath: string | undefined): Promise<void> {
  const { signal } = stage
  say('Quarry: a store whose blocks you can query. Everything below happens on this machine, in real processes.')
  const flights = await flightsFile(flightsPath)
  const cluster = await startCluster(stage)
  await using fs = await FileSystem.connect(cluster.uri, { localReads: false, signal })
  const generated = await step(
    `Making a file of ${mebibytes(generatedBytes)} to store beside the real one (flights-3m.parquet, ${mebibytes(flights.length)})`,
    async () => {
      const progress = new Progress('writing')
      const file = await generateFile(path.join(stage.dir, 'generated.bin'), generatedBytes, (done) => progress.at(done, generatedBytes))
      progress.end()
      return [file, `sha256 ${file.sha256.slice(0, 16)}…`] as const
    },
  )
  await fs.mkdir('/data', { recursive: true })
  await put(stage, fs, flights, '/data/flights-3m.parquet', flightsBlockBytes)
  await put(stage, fs, generated, '/data/generated.bin')
  await step('$ quarry ls /data', async () => {
    say((await stage.quarry('ls', '--fs', cluster.uri, '/data')).trimEnd().replaceAll(/^/gm, '  '))
    const locations = await fs.blockLocations('/data/generated.bin')
    return [
      undefined,
      `generated.bin lies in ${locations.length} blocks, each on ${locations[0]?.hosts.length} of ${cluster.datanodes.length} datanodes`,
    ] as const
  })
  const before = await fs.checksum('/data/generated.bin')
  const killed = await readWhileKilling(stage, fs, cluster, generated)
  await step('Reading the other file too, and the checksum HDFS would give', async () => {
    const read = await sha256Of(stage, fs, '/data/flights-3m.parquet')
    check(read === flights.sha256, `flights-3m.parquet: sha256 ${read.slice(0, 16)}… on both sides`)
    const after = await fs.checksum('/data/generated.bin')
    check(before.hex === after.hex, `generated.bin: ${after.algorithm} ${after.hex.slice(-32)} before and after`)
    return [undefined, 'every byte is what was put'] as const
  })
  await watchRecovery(stage, fs, killed)
  await runAggregate(stage, cluster, flights)
}

function startCluster({ quarry, clusterDir }: Stage): Promise<ClusterDescription> {
  const options = [
    '-D',
    'heartbeat.interval=500ms',
    '-D',
    'dead.after=3s',
    '-D',
    'redundancy.interval=500ms',
    '-D',
    'redundancy.streams.max=4',
    '-D',
    'reserved=0',
  ]
  return step('$ quarry up --datanodes 4 --replication 3', async () => {
    const stdout = await quarry('up', '--dir', clusterDir, '--datanodes', '4', '--replication', '3', '--detach', '--json', ...options)
    const cluster = JSON.parse(stdout) as ClusterDescription
    say(`  namenode    process ${cluster.namenode.pid}`)
    for (const datanode of cluster.datanodes) say(`  ${datanode.name}  process ${datanode.pid}`)
    say('  For this demo a datanode counts as dead after 3 s of silence; the default is 60 s.')
    return [cluster, `ready at ${cluster.uri}`] as const
  })
}

async function put({ signal }: Stage, fs: FileSystem, file: LocalFile, target: string, blockSize?: number): Promise<void> {
  await step(`Storing ${path.basename(target)} three times`, async () => {
    const beganMs = performance.now()
    const progress = new Progress('put')
    await fs.copyFromLocal(file.path, target, {
      signal,
      ...(blockSize !== undefined && { blockSize }),
      onProgress: ({ bytesDone, bytesTotal }) => progress.at(bytesDone, bytesTotal, `${mebibytes(bytesDone)} of ${mebibytes(bytesTotal)}`),
    })
    progress.end()
    return [
      undefined,
      `${mebibytes(file.length)} on three datanodes each, on disk before the close returned: ${rate(file.length, performance.now() - beganMs)}`,
    ] as const
  })
}

/** What the demo killed, and when (performance.now()). */
interface Victim {
  readonly uuid: string
  readonly atMs: number
}

/** Reads the large file, kills the datanode that it is reading from, and reads on. */
function readWhileKilling({ signal, clusterDir }: Stage, fs: FileSystem, cluster: ClusterDescription, file: LocalFile): Promise<Victim> {
  return step('Reading generated.bin, and killing a datanode that serves it with SIGKILL', async () => {
    const progress = new Progress('get')
    const hash = createHash('sha256')
    let done = 0
    let victim: Victim | undefined
    let longestPauseMs = 0
    let lastMs = performance.now()
    await using reader = await fs.open('/data/generated.bin')
    for await (const piece of reader.stream({ signal })) {
      if (victim !== undefined) longestPauseMs = Math.max(longestPauseMs, performance.now() - lastMs)
      hash.update(piece)
      done += piece.length
      progress.at(done, file.length, `${mebibytes(done)} of ${mebibytes(file.length)}`)
      if (victim === undefined && done >= killAfterBytes) {
        const serving = await servingDatanode(cluster)
        const identity = readRunning(clusterDir)?.roles.find((role) => role.pid === serving.pid)
        if (identity === undefined || !signalProcess(identity, 'SIGKILL')) throw new CheckFailed(`${serving.name} runs`)
        victim = { uuid: serving.id, atMs: performance.now() }
        if (!(await waitForExit(identity, exitWithinMs))) throw new CheckFailed(`${serving.name} ends when it is killed`)
        progress.end()
        say(`  killed ${serving.name} (process ${serving.pid}) after ${mebibytes(done)}, while it was sending`)
      }
      lastMs = performance.now()
    }
    progress.end()
    check(victim !== undefined && done === file.length, `${done.toLocaleString('en')} bytes came back`)
    check(hash.digest('hex') === file.sha256, `sha256 ${file.sha256.slice(0, 16)}… on both sides: byte for byte the same`)
    return [must(victim), `the reader went on with other copies; its longest pause was ${Math.round(longestPauseMs)} ms`] as const
  })
}

/** The datanode that has a reader now, as it says itself. */
async function servingDatanode(cluster: ClusterDescription): Promise<ClusterDescription['datanodes'][number]> {
  for (const datanode of cluster.datanodes) {
    const { readers } = (await (await fetch(`http://${datanode.http}/status`)).json()) as { readers: number }
    if (readers > 0) return datanode
  }
  throw new CheckFailed('one of the datanodes is sending the block that is being read')
}

/** Waits until every block of both files has three copies on living datanodes again. */
async function watchRecovery({ signal }: Stage, fs: FileSystem, { uuid: killed, atMs: killedAtMs }: Victim): Promise<void> {
  await step('Nobody does anything: the survivors make the missing copies', async () => {
    const beganMs = performance.now()
    const progress = new Progress('blocks with three living copies')
    let deadAfterMs: number | undefined
    for (;;) {
      signal.throwIfAborted()
      const [dead, stats, ...files] = await Promise.all([
        fs.datanodes('dead'),
        fs.stats(),
        fs.blockLocations('/data/generated.bin'),
        fs.blockLocations('/data/flights-3m.parquet'),
      ])
      const blocks = files.flat()
      const whole = blocks.filter((block) => block.hosts.filter((host) => host.uuid !== killed).length >= 3).length
      if (deadAfterMs === undefined && dead.some((node) => node.datanode?.uuid === killed)) deadAfterMs = performance.now() - killedAtMs
      progress.at(whole, blocks.length, `${whole} of ${blocks.length}`)
      if (deadAfterMs !== undefined && whole === blocks.length && stats.underReplicated === 0) {
        progress.end()
        check(stats.missingBlocks === 0 && stats.corruptBlocks === 0, 'no block is missing, none is corrupt, none is short of copies')
        return [
          undefined,
          `the datanode was declared dead ${seconds(deadAfterMs)} after the kill; ${seconds(performance.now() - killedAtMs)} after it all ${blocks.length} blocks had three living copies again`,
        ] as const
      }
      if (performance.now() - beganMs > recoverWithinMs)
        throw new CheckFailed(`every block has three copies again within ${recoverWithinMs / 1000} s (${whole} of ${blocks.length} have)`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  })
}

async function runAggregate({ quarry }: Stage, cluster: ClusterDescription, flights: LocalFile): Promise<void> {
  const query = aggregateQuery(`'/data/flights-3m.parquet'`)
  await step(`$ quarry sql "${query}"`, async () => {
    const rows = JSON.parse(await quarry('sql', '--fs', cluster.uri, '--json', query)) as Record<string, unknown>[]
    for (const line of table(rows)) say(line)
    check(sameRows(rows, await aggregateHere(flights.path)), 'the same rows as one DuckDB over the local file')
    return [undefined, 'computed beside the blocks, on the three datanodes that are left'] as const
  })
}

async function sha256Of({ signal }: Stage, fs: FileSystem, file: string): Promise<string> {
  const hash = createHash('sha256')
  await using reader = await fs.open(file)
  for await (const piece of reader.stream({ signal })) hash.update(piece)
  return hash.digest('hex')
}

/** Ends what still runs, by what the directory says, and removes the directory. */
async function cleanUp({ dir, clusterDir }: Stage): Promise<void> {
  const running = readRunning(clusterDir)
  for (const identity of running === undefined ? [] : [running.supervisor, ...running.roles]) {
    if (signalProcess(identity, 'SIGKILL')) await waitForExit(identity, exitWithinMs)
  }
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
}

function printLogs({ clusterDir }: Stage): void {
  for (const role of readRunning(clusterDir)?.roles ?? []) {
    const lines = lastLogLines(logFileOf(clusterDir, role.name), 40)
      .filter((line) => /^\S+ (warn|error) /.test(line))
      .slice(-4)
    if (lines.length > 0) say([`  ${role.name}:`, ...lines.map((line) => `    ${line}`)].join('\n'))
  }
}
