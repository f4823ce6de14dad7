// A disk of which a test breaks parts: calls on paths below a directory fail with the code it wants.
import type { Disk } from '../store/disk.ts'

/** Calls that take a path first, those that take a descriptor first, and what a fault may name. */
export type DiskCall = keyof Disk

export interface Fault {
  /** Paths that begin with this. */
  readonly below: string
  readonly code: string
  /** Absent = all calls. */
  readonly calls?: readonly DiskCall[] | undefined
}

export class FaultyDisk {
  readonly faults: Fault[] = []
  /** Calls made, by name. */
  readonly counts = new Map<string, number>()
  readonly disk: Disk
  readonly #paths = new Map<number, string>()

  constructor(inner: Disk) {
    this.disk = new Proxy(inner, {
      get: (target, name: DiskCall) => {
        const call = target[name] as ((...args: unknown[]) => Promise<unknown>) | undefined
        if (call === undefined) return undefined
        return async (...args: unknown[]) => {
          const path = typeof args[0] === 'number' ? (this.#paths.get(args[0]) ?? '') : String(args[0])
          this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
          const fault = this.faults.find(({ below, calls }) => path.startsWith(below) && (calls?.includes(name) ?? name !== 'close'))
          if (fault !== undefined) throw Object.assign(new Error(`${fault.code}: ${name} '${path}'`), { code: fault.code })
          const result = await call.apply(target, args)
          if (name === 'open') this.#paths.set(result as number, path)
          return result
        }
      },
    })
  }
}
