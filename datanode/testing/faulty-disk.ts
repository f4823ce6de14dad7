// A disk of which a test breaks parts: calls on paths below a directory fail with the code it wants.
import type { Disk } from '../store/disk.ts'

type DiskCall = keyof Disk

export interface Fault {
  /** Paths that begin with this. */
  readonly below: string
  readonly code: string
  /** Absent = all calls. */
  readonly calls?: readonly DiskCall[] | undefined
}

export class FaultyDisk {
  readonly faults: Fault[] = []
  /** Paths opened to be read, in order. */
  readonly opened: string[] = []
  /** Before each call; path of the descriptor, or the first argument. */
  onCall: (name: DiskCall, path: string) => void = () => {}
  /** What a call waits for before it happens. */
  hold: (name: DiskCall, path: string) => Promise<void> | undefined = () => undefined
  readonly disk: Disk
  readonly #paths = new Map<number, string>()

  constructor(inner: Disk) {
    this.disk = new Proxy(inner, {
      get: (target, name: DiskCall) => {
        const call = target[name] as ((...args: unknown[]) => Promise<unknown>) | undefined
        if (call === undefined) return undefined
        return async (...args: unknown[]) => {
          const path = typeof args[0] === 'number' ? (this.#paths.get(args[0]) ?? '') : String(args[0])
          this.onCall(name, path)
          await this.hold(name, path)
          if (name === 'open' && args[1] === 'r') this.opened.push(path)
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
