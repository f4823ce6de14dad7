// What is kept beside every figure: the command, the commit, the machine and the time.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunFacts } from './results.ts'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const git = (...args: string[]): string => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()

export function runFacts(part: string, command: string): RunFacts {
  const dirty = git('status', '--porcelain', '--', 'common', 'proto', 'namenode', 'datanode', 'client', 'cli') === '' ? '' : ' + changes'
  const model = /model name\s*:\s*(.*)/.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? 'unknown processor'
  return {
    part,
    command,
    commit: git('rev-parse', '--short', 'HEAD') + dirty,
    machine: `${cpus().length} cores (${model}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`,
    measuredAt: new Date().toISOString().slice(0, 16).replace('T', ' '),
  }
}
