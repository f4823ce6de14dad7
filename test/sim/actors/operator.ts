// An operator at work while others write and faults happen: takes datanodes out of service and brings them back, puts the namenode into
// safe mode for a moment, moves replicas as the balancer does, and asks for copies. None of it may cost a byte or leave anything
// behind: when the run is over everything is in service again.
import type { FileSystem } from '../../../client/filesystem.ts'
import type { Random } from '../../../common/env.ts'
import { between, pick } from '../world/random.ts'
import { attempt } from './attempt.ts'

/** Moves asked for in one go. */
const movesMax = 8
const outOfServiceMs = [20_000, 120_000] as const
const safeModeMs = [500, 8_000] as const

type Duty = 'decommission' | 'maintenance' | 'safe mode' | 'balance' | 'replicate' | 'look'
const duties: readonly Duty[] = ['decommission', 'maintenance', 'safe mode', 'balance', 'replicate', 'look']

export class Operator {
  readonly #random: Random
  readonly #pauseMs: number
  readonly #now: () => number
  operations = 0

  /** `now`: the wall clock of the namenode, which the ends of maintenances are told by. */
  constructor(options: { readonly random: Random; readonly pauseMs: number; readonly now: () => number }) {
    this.#random = options.random
    this.#pauseMs = options.pauseMs
    this.#now = options.now
  }

  killed(): void {}

  async work(fs: FileSystem, sleep: (ms: number) => Promise<void>, over: () => boolean): Promise<void> {
    // What the process before this one left when it died.
    await this.#restore(fs, sleep)
    while (!over()) {
      await this.#step(fs, sleep)
      this.operations++
      await sleep(between(this.#random, 0.2, 1.8) * this.#pauseMs)
    }
    await this.#restore(fs, sleep)
  }

  async #step(fs: FileSystem, sleep: (ms: number) => Promise<void>): Promise<void> {
    switch (pick(this.#random, duties)!) {
      case 'decommission':
        return this.#outOfService(fs, sleep, 'decommission')
      case 'maintenance':
        return this.#outOfService(fs, sleep, 'maintenance')
      case 'safe mode':
        await attempt(() => fs.safeMode('enter'))
        await sleep(between(this.#random, ...safeModeMs))
        return this.#leaveSafeMode(fs, sleep)
      case 'balance':
        return this.#balance(fs)
      case 'replicate':
        return this.#replicate(fs)
      case 'look':
        await attempt(async () => {
          for await (const file of fs.admin.openFiles()) if (file.path === '') throw new Error('an open file has no path')
        })
    }
  }

  /** One node at a time is out: what the placement needs of the others stays. A maintenance may end by itself first. */
  async #outOfService(fs: FileSystem, sleep: (ms: number) => Promise<void>, action: 'decommission' | 'maintenance'): Promise<void> {
    const node = await this.#someNode(fs)
    if (node === undefined) return
    const staysMs = between(this.#random, ...outOfServiceMs)
    const untilMs = action === 'maintenance' ? this.#now() + between(this.#random, 0.3, 2) * staysMs : 0
    await attempt(() => fs.admin.setNodeState([node], action, { untilMs }))
    await sleep(staysMs)
    await this.#inService(fs, sleep)
  }

  async #balance(fs: FileSystem): Promise<void> {
    await attempt(async () => {
      const nodes = (await fs.datanodes('live')).map((report) => report.datanode!.uuid)
      const source = pick(this.#random, nodes)
      if (source === undefined) return
      const { blocks } = await fs.admin.nodeBlocks(source, { bytes: 2 ** 20 })
      const moves = blocks.slice(0, movesMax).map(({ block }) => ({ block: block!, source, target: pick(this.#random, nodes)! }))
      await fs.admin.moveReplicas(moves)
    })
  }

  async #replicate(fs: FileSystem): Promise<void> {
    const node = await this.#someNode(fs)
    if (node === undefined) return
    await attempt(async () => {
      const { blocks } = await fs.admin.nodeBlocks(node, { bytes: 2 ** 20 })
      await fs.admin.replicateBlocks(blocks.map(({ block }) => block!.blockId))
    })
  }

  async #someNode(fs: FileSystem): Promise<string | undefined> {
    const asked = await attempt(() => fs.datanodes('live'))
    return asked.kind === 'done' ? pick(this.#random, asked.value)?.datanode?.uuid : undefined
  }

  async #restore(fs: FileSystem, sleep: (ms: number) => Promise<void>): Promise<void> {
    await this.#inService(fs, sleep)
    await this.#leaveSafeMode(fs, sleep)
  }

  async #inService(fs: FileSystem, sleep: (ms: number) => Promise<void>): Promise<void> {
    await this.#until(sleep, async () => {
      const out = (await fs.datanodes('all')).filter((report) => report.adminState !== 'In Service')
      if (out.length > 0)
        await fs.admin.setNodeState(
          out.map((report) => report.datanode!.uuid),
          'in-service',
        )
    })
  }

  async #leaveSafeMode(fs: FileSystem, sleep: (ms: number) => Promise<void>): Promise<void> {
    await this.#until(sleep, async () => {
      await fs.safeMode('leave')
    })
  }

  async #until(sleep: (ms: number) => Promise<void>, work: () => Promise<void>): Promise<void> {
    while ((await attempt(work)).kind !== 'done') await sleep(2_000)
  }
}
