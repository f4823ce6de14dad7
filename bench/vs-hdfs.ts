// Measures Quarry beside the real HDFS and writes bench/RESULTS.md. Start it with `npm run bench:vs-hdfs -- [options]`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { buildProgram } from '../scripts/build.mjs'
import { cliPart } from './parts/cli.ts'
import { clusterPart } from './parts/cluster.ts'
import { hdfsIoPart, hdfsNamespacePart, webhdfsPart } from './parts/doors.ts'
import { ioPart } from './parts/io.ts'
import { memoryPart } from './parts/memory.ts'
import { millionPart } from './parts/million.ts'
import { bulkPart, namespacePart } from './parts/ns.ts'
import type { Part } from './parts/part.ts'
import { keepRows, renderPage, rowLine } from './results.ts'
import { runFacts } from './run-facts.ts'
import { HdfsKit } from './systems/hdfs.ts'

const parts: Record<string, Part> = {
  ns: namespacePart,
  bulk: bulkPart,
  io: ioPart,
  cli: cliPart,
  cluster: clusterPart,
  million: millionPart,
  memory: memoryPart,
  'hdfs-ns': hdfsNamespacePart,
  'hdfs-io': hdfsIoPart,
  'webhdfs': webhdfsPart,
}

const usage = `usage: npm run bench:vs-hdfs -- [options]

  --peer DIR      directory of the HDFS kit (script hdfs-peer); default: QUARRY_HDFS_PEER
  --only a,b      parts: ${Object.keys(parts).join(', ')}; default: all
  --rounds N      runs of each measurement, the median counts; default 3
  --dir DIR       directory on the disk to measure; default: the system's temporary directory
  --page          only write RESULTS.md anew from results.json, where profiles of misses are noted by hand
  --quick         small sizes, one round, nothing written: tries the runner
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      peer: { type: 'string' },
      only: { type: 'string' },
      rounds: { type: 'string' },
      dir: { type: 'string' },
      page: { type: 'boolean' },
      quick: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  })
  if (values.help) return void process.stdout.write(usage)
  if (values.page) return renderPage()
  const place = values.peer ?? process.env['QUARRY_HDFS_PEER']
  if (place === undefined) throw new Error('where is the real HDFS? Give the directory of its kit with --peer DIR or QUARRY_HDFS_PEER.')
  const chosen = values.only?.split(',') ?? Object.keys(parts)
  const unknown = chosen.find((name) => !(name in parts))
  if (unknown !== undefined) throw new Error(`unknown part '${unknown}': there are ${Object.keys(parts).join(', ')}`)
  const quick = values.quick ?? false
  const rounds = quick ? 1 : Number(values.rounds ?? 3)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1')

  const kit = new HdfsKit(place)
  await buildProgram()
  const base = mkdtempSync(path.join(values.dir ?? tmpdir(), 'quarry-bench-'))
  try {
    for (const name of chosen) {
      console.log(`== ${name}`)
      const rows = await parts[name]!({ kit, base, rounds, quick, say: (text) => console.log(`   ${text}`) })
      for (const row of rows) console.log(rowLine(row))
      if (!quick) keepRows(rows, runFacts(name, `npm run bench:vs-hdfs -- --only ${name} --rounds ${rounds}`))
    }
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
}

try {
  await main()
} catch (error) {
  console.error(`bench:vs-hdfs: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}
