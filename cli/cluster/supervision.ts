// Watches the roles of a cluster in the foreground: says how one ended, and starts it again where that can help (restart-policy.ts).
// What a role acknowledged is on disk, so a restart is always safe.
import type { EmbeddedCluster } from './embedded-cluster.ts'
import { deathsWindowMs, restartDecision } from './restart-policy.ts'
import { describeExit, type RoleProcess } from './role-process.ts'

export class Supervision {
  /** Resolves when no role runs and none will be started again. */
  readonly allGone: Promise<void>
  readonly #cluster: EmbeddedCluster
  readonly #say: (text: string) => void
  readonly #stopped = new AbortController()
  /** Per role: when it died. */
  readonly #deaths = new Map<string, number[]>()
  #watched: number
  #onAllGone = () => {}

  constructor(cluster: EmbeddedCluster, say: (text: string) => void) {
    this.#cluster = cluster
    this.#say = say
    this.#watched = cluster.processes.length
    this.allGone = new Promise((resolve) => (this.#onAllGone = resolve))
    for (const index of cluster.processes.keys()) void this.#watch(index)
  }

  /** From here on an end is an end. */
  stop(): void {
    this.#stopped.abort()
  }

  async #watch(index: number): Promise<void> {
    for (;;) {
      const role = this.#cluster.processes[index] as RoleProcess
      const exit = await role.exited
      if (this.#stopped.signal.aborted) return
      const deaths = [...(this.#deaths.get(role.name) ?? []).filter((atMs) => atMs > exit.atMs - deathsWindowMs), exit.atMs]
      this.#deaths.set(role.name, deaths)
      const decision = restartDecision(exit, deaths, role.refusal)
      const head = `${role.name} (pid ${role.identity.pid}) is gone: ${describeExit(exit)}.`
      switch (decision.kind) {
        case 'stopped':
          this.#say(`${role.name} (pid ${role.identity.pid}) was stopped by somebody else; it is not started again. ${this.#byHand(role)}`)
          return this.#done()
        case 'refused':
          this.#say(`${head} It cannot run: ${decision.reason} ${this.#byHand(role)}`)
          return this.#done()
        case 'given-up':
          this.#say(
            `${head} It died ${decision.deaths} times within ${deathsWindowMs / 60_000} minutes and is not started again. ${this.#byHand(role)}\n${endOfLog(role)}`,
          )
          return this.#done()
        case 'restart':
          this.#say(`${head} It is started again.\n${endOfLog(role)}`)
          if (!(await this.#pause(decision.afterMs))) return
          await this.#cluster.restart(index).then(
            () => this.#say(`${role.name} runs again (pid ${this.#cluster.processes[index]?.identity.pid}).`),
            // It has ended while starting: the next round of the loop decides about that.
            () => {},
          )
      }
    }
  }

  #byHand(role: RoleProcess): string {
    const kind = role.name === 'namenode' ? 'namenode' : 'datanode'
    return `Start it with: quarry ${kind} --config ${this.#cluster.dir}/${role.name}/role.conf`
  }

  #done(): void {
    if (--this.#watched === 0) this.#onAllGone()
  }

  /** False when the cluster was told to stop meanwhile. */
  #pause(ms: number): Promise<boolean> {
    const { signal } = this.#stopped
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(true), ms)
      const onAbort = () => finish(false)
      const finish = (goOn: boolean) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        resolve(goOn)
      }
      signal.addEventListener('abort', onAbort, { once: true })
      if (signal.aborted) finish(false)
    })
  }
}

function endOfLog(role: RoleProcess): string {
  return [`  The end of ${role.logFile}:`, ...role.lastLines().map((line) => `    ${line}`)].join('\n')
}
