// Files that people and programs write: settings, the files of an embedded cluster, edits, and the footers of Parquet files.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { readCluster, readRunning } from '../../../cli/cluster/directory.ts'
import { loadSettings } from '../../../common/config.ts'
import { optionNames } from '../../../common/options.ts'
import { readFooter } from '../../../compute/parquet/footer.ts'
import type { Target } from '../fuzz.ts'
import { mutated, mutatedText } from '../mutate.ts'

const settingsText = `# a file\n${optionNames.map((name) => `${name} = 1`).join('\n')}\n`
const usualSettings =
  'dir = /tmp/x\nnamenode = quarry://127.0.0.1:8021\nblock.size = 64m\ndead.after = 10s\ndata.dirs = ["/a","/b,c"]\nrack = /r/1\n'

function settings(dir: string): Target {
  return {
    name: 'settings files',
    draw: (random) => Buffer.from(mutatedText([settingsText, usualSettings, usualSettings], random)),
    take: (input) => {
      const file = path.join(dir, 'role.conf')
      writeFileSync(file, input)
      loadSettings({ file, role: 'datanode' })
    },
  }
}

const clusterText = '{ "layout": 1, "port": 4711, "datanodes": 3, "replication": 3 }'
const runningText = JSON.stringify({
  supervisor: { pid: 1, started: 'x' },
  detached: false,
  ready: true,
  startedAtMs: 1,
  uri: 'quarry://127.0.0.1:1',
  drainMs: 1000,
  roles: [{ pid: 2, started: 'y', name: 'namenode', grpc: '127.0.0.1:1', http: '127.0.0.1:2', dir: '/x' }],
})

function clusterFiles(dir: string): Target {
  return {
    name: 'cluster files',
    draw: (random) => Buffer.from(`${random.int(2)}${mutatedText([clusterText, runningText], random)}`),
    take: (input) => {
      const running = input[0] === 0x31
      writeFileSync(path.join(dir, 'cluster.json'), running ? clusterText : input.subarray(1))
      writeFileSync(path.join(dir, 'running.json'), running ? input.subarray(1) : runningText)
      readCluster(dir)
      readRunning(dir)
    },
  }
}

function footers(sample: Uint8Array): Target {
  return {
    name: 'parquet footers',
    draw: (random) => mutated([sample, sample.subarray(-2_000)], random),
    take: (input) => readFooter('/t', input.length, (start, length) => Promise.resolve(input.subarray(start, start + length))),
  }
}

/** `parquet`: a file with several row groups. */
export function textTargets(parquet: Uint8Array): Target[] {
  const dir = mkdtempSync(path.join(tmpdir(), 'quarry-fuzz-text-'))
  const close = () => Promise.resolve(rmSync(dir, { recursive: true, force: true }))
  return [settings(dir), { ...clusterFiles(dir), close }, footers(parquet)]
}
