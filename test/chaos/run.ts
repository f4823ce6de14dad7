// One run of chaos: starts the cluster and its clients, lets the schedule happen, waits for the cluster to heal, compares.
import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { must } from '../../common/assert.ts'
import { Client } from './client.ts'
import { ChaosCluster } from './cluster.ts'
import { DiskDamage, finalizedReplicas } from './disk-damage.ts'
import { Faults } from './faults.ts'
import { Ledger } from './ledger.ts'
import { schedule, type FaultKind } from './schedule.ts'
import { ShellClient } from './shell-client.ts'
import { broken, healed } from './verify.ts'

export interface RunPlan {
  readonly seed: number
  readonly durationMs: number
  readonly datanodes: number
  readonly kinds: readonly FaultKind[] | undefined
  readonly dir: string
  readonly program: string
  readonly say: (text: string) => void
}

export interface Summary {
  readonly violations: readonly string[]
  readonly lines: readonly string[]
}

const clientCount = 3
const progressMs = 10_000

export async function runChaos(plan: RunPlan, signal: AbortSignal): Promise<Summary> {
  const { seed, durationMs, datanodes, kinds, dir, program } = plan
  const startedMs = performance.now()
  const elapsedMs = () => performance.now() - startedMs
  const say = (text: string) => plan.say(`${(elapsedMs() / 1000).toFixed(1).padStart(6)} s  ${text}`)
  const ledger = new Ledger()
  const faultList = schedule({ seed, durationMs, datanodes, clients: clientCount, kinds })
  await using cluster = await ChaosCluster.start({
    dir,
    program,
    datanodes,
    say,
    onDeath: (name, how) => ledger.violations.push(`${name} ended by itself: ${how}; see logs/${name}.log`),
  })
  await using fs = await cluster.connect()
  await fs.mkdir('/chaos', { recursive: true })
  const clients = Array.from({ length: clientCount }, (_, index) => new Client({ dir, uri: cluster.uri, ledger, number: index + 1, seed }))
  const shell = new ShellClient({ dir, uri: cluster.uri, ledger, program, seed })
  const damage = new DiskDamage(cluster.dataDirs)
  const usedBytes = (index: number) =>
    finalizedReplicas(must(cluster.dataDirs[index]), index).reduce(
      (sum, replica) => sum + replica.length + statSync(replica.checksums).size,
      0,
    )
  const faults = new Faults({ cluster, clients, damage, usedBytes, say })
  const progress = () =>
    say(
      `${ledger.living} files, ${mib(ledger.bytes)} MiB acknowledged, ${ledger.operations} operations, ${sum(ledger.failures)} failed, ` +
        `${sum(faults.counts)} faults, ${faults.underWay} under way${ledger.violations.length > 0 ? `, ${ledger.violations.length} VIOLATIONS` : ''}`,
    )
  say(`cluster of 1 namenode and ${datanodes} datanodes at ${cluster.uri}; ${faultList.length} faults in ${durationMs / 1000} s`)
  try {
    for (const client of clients) client.start()
    shell.start()
    const ticker = setInterval(progress, progressMs)
    try {
      const zeroMs = elapsedMs()
      for (const fault of faultList) {
        await sleep(Math.max(0, zeroMs + fault.atMs - elapsedMs()), undefined, { signal })
        faults.begin(fault)
      }
      await sleep(Math.max(0, zeroMs + durationMs - elapsedMs()), undefined, { signal })
      await faults.settled()
      cluster.healNetwork()
      say('the faults are over')
      const stopped = await Promise.all([...clients.map((client) => client.stop()), shell.stop()])
      if (!stopped.every(Boolean)) ledger.violations.push('a client was still in an operation long after the faults were over')
      progress()
    } finally {
      clearInterval(ticker)
    }
    const healingMs = elapsedMs()
    await healed(cluster, fs, damage, say).catch((error: unknown) => ledger.violations.push(String(error)))
    const healedMs = elapsedMs() - healingMs
    ledger.violations.push(...(await broken(cluster, fs, ledger, program)))
    return { violations: ledger.violations, lines: summary() }

    function summary(): string[] {
      const restarts = [cluster.namenode, ...cluster.datanodes].reduce((total, role) => total + role.starts - 1, 0)
      const slowest = ledger.slowest
      return [
        `files      ${ledger.files.size} made, ${ledger.living} at the end; ${mib(ledger.bytes)} MiB acknowledged`,
        `operations ${list(ledger.counts)}; failed under faults: ${list(ledger.failures) || 'none'}`,
        `faults     ${sum(faults.counts)}: ${list(faults.counts)}; ${faults.skipped} found nothing to hit`,
        `recoveries ${restarts} roles started again, ${clients.reduce((total, client) => total + client.kills, 0)} killed writers, ${damage.count} damaged replicas; whole again ${(healedMs / 1000).toFixed(1)} s after the end of the faults`,
        `slowest    ${slowest === undefined ? 'nothing' : `${slowest.kind} of ${slowest.path}, ${(slowest.ms / 1000).toFixed(1)} s`}`,
      ]
    }
  } finally {
    await Promise.all([...clients.map((client) => client.kill()), shell.kill()])
  }
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((total, count) => total + count, 0)
const list = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .toSorted()
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
