// A disk that forgets: the file system of one simulated machine, with the page cache that a power failure takes away.
//
// What a program wrote is what it reads, until the power fails. Then of every file the pages that were written since its last sync
// are there or not, each by chance, and so is its growth; names come back as of some moment between the last directory sync that
// covers them and now (names are journalled in order, as on ext4, and a directory sync commits all changes up to the last of its
// own). The death of a process alone takes nothing but its descriptors, its locks and the calls it had under way.
//
// Faults are given per disk: full, slow, broken (every call fails with EIO), lying (a sync answers and does nothing), and single
// bits that rot. The owner of a simulation decides which of them a run may have so that recovery stays possible.
import type { Clock, Random } from '../../common/env.ts'
import { QuarryError } from '../../common/errors.ts'
import type { Disk, DiskSpace, FileFacts } from '../../datanode/store/disk.ts'

const pageBytes = 4096
/** Bytes that a new simulated disk has. */
const capacityDefault = 8 * 1024 * 1024 * 1024

/** Milliseconds of virtual time that a call takes. */
export interface DiskLatency {
  readonly call: number
  readonly sync: number
}

/** Contents by inode; several names may lead to one. */
class SimFile {
  bytes = new Uint8Array(0)
  size = 0
  mtimeMs: number
  links = 0
  /** What is on the platter. */
  durable = new Uint8Array(0)
  durableSize = 0
  readonly dirty = new Set<number>()

  constructor(mtimeMs: number) {
    this.mtimeMs = mtimeMs
  }

  resize(size: number): void {
    if (size > this.bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.bytes.length * 2, pageBytes))
      grown.set(this.bytes.subarray(0, this.size))
      this.bytes = grown
    }
    if (size < this.size) this.bytes.fill(0, size, this.size)
    this.size = size
  }

  write(data: Uint8Array, position: number): void {
    this.resize(Math.max(this.size, position + data.length))
    this.bytes.set(data, position)
    for (let page = Math.floor(position / pageBytes); page * pageBytes < position + data.length; page++) this.dirty.add(page)
  }

  sync(): void {
    this.durable = this.bytes.slice(0, this.size)
    this.durableSize = this.size
    this.dirty.clear()
  }

  /** Each dirty page made it to the platter or not; the size is the old one, the new one, or between. */
  powerLoss(random: Random): void {
    const grown = Math.max(0, this.size - this.durableSize)
    const size = random.float() < 0.5 ? this.size : this.durableSize + random.int(grown + 1)
    const kept = new Uint8Array(size)
    kept.set(this.durable.subarray(0, Math.min(size, this.durableSize)))
    for (const page of [...this.dirty].sort((a, b) => a - b)) {
      const from = page * pageBytes
      if (random.float() < 0.5 || from >= size) continue
      kept.set(this.bytes.subarray(from, Math.min(from + pageBytes, size, this.size)), from)
    }
    this.bytes = kept
    this.size = size
    this.sync()
  }
}

type Node = SimFile | 'directory'
type NameChange = { readonly kind: 'set'; readonly path: string; readonly node: Node } | { readonly kind: 'delete'; readonly path: string }
/** Changes of names that happen together, or not at all. */
interface JournalEntry {
  readonly changes: readonly NameChange[]
  readonly directories: readonly string[]
}

interface Descriptor {
  readonly file: SimFile
  readonly writable: boolean
  readonly path: string
}

export class VirtualDisk implements Disk {
  readonly #clock: Clock
  #names = new Map<string, Node>([['/', 'directory']])
  #durableNames = new Map<string, Node>([['/', 'directory']])
  #journal: JournalEntry[] = []
  readonly #descriptors = new Map<number, Descriptor>()
  readonly #locks = new Set<string>()
  #nextDescriptor = 3
  /** Grows when the process dies: calls it had under way never answer and do nothing. */
  #life = 0
  #used = 0
  capacity = capacityDefault
  latency: DiskLatency = { call: 0, sync: 0 }
  broken = false
  lying = false
  /** Calls answered and syncs that reached the platter, for checks that something was, or was not, done. */
  readonly counts = { calls: 0, syncs: 0 }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  // --- faults -----------------------------------------------------------------------------------------------------------------

  /** The process is gone; what it wrote stays. */
  processDied(): void {
    this.#life++
    this.#descriptors.clear()
    this.#locks.clear()
    this.#collect()
  }

  /** The machine is gone: what was not synced is there in parts, or not at all. */
  powerLoss(random: Random): void {
    this.processDied()
    const kept = random.int(this.#journal.length + 1)
    for (const entry of this.#journal.slice(0, kept)) change(this.#durableNames, entry)
    this.#journal = []
    this.#names = new Map(this.#durableNames)
    const files = new Set([...this.#names.values()].filter((node) => node instanceof SimFile))
    for (const file of files) file.powerLoss(random)
    this.#used = 0
    for (const file of files) {
      this.#used += file.size
      file.links = 0
    }
    for (const node of this.#names.values()) if (node instanceof SimFile) node.links++
  }

  /** Flips one bit, on the platter and in the cache. False when there is no such byte. */
  rot(path: string, position: number, bit = 0): boolean {
    const node = this.#names.get(path)
    if (!(node instanceof SimFile) || position >= node.size) return false
    node.bytes[position]! ^= 1 << bit
    if (position < node.durableSize) node.durable[position]! ^= 1 << bit
    return true
  }

  /** A file vanishes behind the program's back. */
  lose(path: string): boolean {
    if (!(this.#names.get(path) instanceof SimFile)) return false
    this.#drop(path)
    return true
  }

  /** Paths of all files below a directory, sorted. */
  files(directory = '/'): string[] {
    const prefix = directory === '/' ? '/' : `${directory}/`
    return [...this.#names].flatMap(([path, node]) => (node instanceof SimFile && path.startsWith(prefix) ? [path] : [])).sort()
  }

  get used(): number {
    return this.#used
  }

  // --- descriptors ------------------------------------------------------------------------------------------------------------

  open(path: string, flags: string): Promise<number> {
    return this.#call('open', path, () => {
      let node = this.#names.get(path)
      if (node === 'directory') throw failure('EISDIR', 'open', path)
      if (node !== undefined && flags.includes('x')) throw failure('EEXIST', 'open', path)
      if (node === undefined) {
        if (!flags.startsWith('w')) throw failure('ENOENT', 'open', path)
        node = this.#make(path, 'open')
      } else if (flags.startsWith('w')) this.#resize(node, 0, path)
      const fd = this.#nextDescriptor++
      this.#descriptors.set(fd, { file: node, writable: flags !== 'r', path })
      return fd
    })
  }

  close(fd: number): Promise<void> {
    return this.#call('close', '', () => {
      this.#descriptor(fd, 'close')
      this.#descriptors.delete(fd)
      this.#collect()
    })
  }

  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return this.#call('read', '', () => {
      const { file } = this.#descriptor(fd, 'read')
      const bytes = file.bytes.subarray(position, Math.min(position + length, file.size))
      buffer.set(bytes, offset)
      return bytes.length
    })
  }

  write(fd: number, data: Uint8Array, position: number): Promise<void> {
    return this.writePieces(fd, [data], data.length, position)
  }

  writePieces(fd: number, pieces: readonly Uint8Array[], _length: number, position: number): Promise<void> {
    return this.#call('write', '', () => {
      const { file, writable, path } = this.#descriptor(fd, 'write')
      if (!writable) throw failure('EBADF', 'write', path)
      let at = position
      for (const piece of pieces) {
        const grows = Math.max(0, at + piece.length - file.size)
        if (this.#used + grows > this.capacity) throw failure('ENOSPC', 'write', path)
        file.write(piece, at)
        this.#used += grows
        at += piece.length
      }
      file.mtimeMs = this.#clock.nowMs()
    })
  }

  truncate(fd: number, length: number): Promise<void> {
    return this.#call('ftruncate', '', () => {
      const { file, path } = this.#descriptor(fd, 'ftruncate')
      this.#resize(file, length, path)
    })
  }

  size(fd: number): Promise<number> {
    return this.#call('fstat', '', () => this.#descriptor(fd, 'fstat').file.size)
  }

  sync(fd: number): Promise<void> {
    return this.#call('fsync', '', () => this.#settle(() => this.#descriptor(fd, 'fsync').file.sync()), this.latency.sync)
  }

  syncData(fd: number): Promise<void> {
    return this.sync(fd)
  }

  syncDirectory(path: string): Promise<void> {
    return this.#call(
      'fsync',
      path,
      () => {
        if (this.#names.get(path) !== 'directory') throw failure('ENOENT', 'fsync', path)
        this.#settle(() => {
          const last = this.#journal.findLastIndex((entry) => entry.directories.includes(path))
          for (const entry of this.#journal.splice(0, last + 1)) change(this.#durableNames, entry)
        })
      },
      this.latency.sync,
    )
  }

  // --- names ------------------------------------------------------------------------------------------------------------------

  rename(from: string, to: string): Promise<void> {
    return this.#call('rename', from, () => {
      const node = this.#names.get(from)
      if (node === undefined || this.#names.get(parentOf(to)) !== 'directory') throw failure('ENOENT', 'rename', from)
      const below = node === 'directory' ? [...this.#names].filter(([path]) => path.startsWith(`${from}/`)) : []
      const target = this.#names.get(to)
      if (target === 'directory' && [...this.#names.keys()].some((path) => path.startsWith(`${to}/`)))
        throw failure('ENOTEMPTY', 'rename', to)
      if (from === to) return
      this.#record([
        { kind: 'delete', path: from },
        ...below.map(([path]) => ({ kind: 'delete', path }) as const),
        { kind: 'set', path: to, node },
        ...below.map(([path, moved]) => ({ kind: 'set', path: to + path.slice(from.length), node: moved }) as const),
      ])
      if (target instanceof SimFile) this.#unlinked(target)
    })
  }

  unlink(path: string): Promise<void> {
    return this.#call('unlink', path, () => {
      if (!(this.#names.get(path) instanceof SimFile)) throw failure('ENOENT', 'unlink', path)
      this.#drop(path)
    })
  }

  remove(path: string): Promise<void> {
    return this.#call('rm', path, () => {
      const paths = [...this.#names.keys()].filter((one) => one === path || one.startsWith(`${path}/`))
      for (const one of paths.sort().reverse()) this.#drop(one)
    })
  }

  mkdir(path: string): Promise<string | undefined> {
    return this.#call('mkdir', path, () => {
      let first: string | undefined
      const parts = path.split('/').filter((part) => part !== '')
      for (let i = 1; i <= parts.length; i++) {
        const directory = `/${parts.slice(0, i).join('/')}`
        const node = this.#names.get(directory)
        if (node instanceof SimFile) throw failure('ENOTDIR', 'mkdir', directory)
        if (node === 'directory') continue
        first ??= directory
        this.#record([{ kind: 'set', path: directory, node: 'directory' }])
      }
      return first
    })
  }

  readdir(path: string): Promise<readonly { readonly name: string; readonly isDirectory: boolean }[]> {
    return this.#call('readdir', path, () => {
      if (this.#names.get(path) !== 'directory') throw failure(this.#names.has(path) ? 'ENOTDIR' : 'ENOENT', 'readdir', path)
      const found: { name: string; isDirectory: boolean }[] = []
      for (const [one, node] of this.#names) {
        if (one !== '/' && parentOf(one) === path)
          found.push({ name: one.slice(one.lastIndexOf('/') + 1), isDirectory: node === 'directory' })
      }
      return found.sort((a, b) => (a.name < b.name ? -1 : 1))
    })
  }

  stat(path: string): Promise<FileFacts> {
    return this.#call('stat', path, () => {
      const node = this.#names.get(path)
      if (node === undefined) throw failure('ENOENT', 'stat', path)
      return node === 'directory'
        ? { size: 0, mtimeMs: 0, isDirectory: true }
        : { size: node.size, mtimeMs: node.mtimeMs, isDirectory: false }
    })
  }

  link(existing: string, path: string): Promise<void> {
    return this.#call('link', existing, () => {
      const node = this.#names.get(existing)
      if (!(node instanceof SimFile)) throw failure('ENOENT', 'link', existing)
      if (this.#names.has(path)) throw failure('EEXIST', 'link', path)
      node.links++
      this.#record([{ kind: 'set', path, node }])
    })
  }

  space(path: string): Promise<DiskSpace> {
    return this.#call('statfs', path, () => ({ total: this.capacity, free: Math.max(0, this.capacity - this.#used) }))
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.#call('open', path, () => {
      const node = this.#names.get(path)
      if (!(node instanceof SimFile)) throw failure(node === undefined ? 'ENOENT' : 'EISDIR', 'open', path)
      return node.bytes.slice(0, node.size)
    })
  }

  lock(directory: string): Promise<() => void> {
    return this.#call('flock', directory, () => {
      if (this.#locks.has(directory)) throw new QuarryError('IN_USE', `${directory} is in use by another process.`)
      this.#locks.add(directory)
      const life = this.#life
      let held = true
      return () => {
        if (held && life === this.#life) this.#locks.delete(directory)
        held = false
      }
    })
  }

  // --- inside -----------------------------------------------------------------------------------------------------------------

  /** One call: its time passes, then it happens as a whole, unless its process has died meanwhile. */
  #call<T>(name: string, path: string, run: () => T, extraMs = 0): Promise<T> {
    const life = this.#life
    return new Promise((resolve, reject) => {
      const happen = () => {
        if (life !== this.#life) return
        this.counts.calls++
        try {
          if (this.broken) throw failure('EIO', name, path)
          resolve(run())
        } catch (error) {
          reject(error as Error)
        }
      }
      const ms = this.latency.call + extraMs
      if (ms > 0) this.#clock.after(ms, happen)
      else happen()
    })
  }

  #settle(run: () => void): void {
    if (this.lying) return
    this.counts.syncs++
    run()
  }

  #descriptor(fd: number, call: string): Descriptor {
    const found = this.#descriptors.get(fd)
    if (found === undefined) throw failure('EBADF', call, `descriptor ${fd}`)
    return found
  }

  #make(path: string, call: string): SimFile {
    if (this.#names.get(parentOf(path)) !== 'directory') throw failure('ENOENT', call, path)
    if (this.#used >= this.capacity) throw failure('ENOSPC', call, path)
    const file = new SimFile(this.#clock.nowMs())
    file.links = 1
    this.#record([{ kind: 'set', path, node: file }])
    return file
  }

  #resize(file: SimFile, size: number, path: string): void {
    const grows = size - file.size
    if (this.#used + grows > this.capacity) throw failure('ENOSPC', 'ftruncate', path)
    const first = Math.floor(Math.min(size, file.size) / pageBytes)
    const last = Math.floor(Math.max(size, file.size) / pageBytes)
    file.resize(size)
    for (let page = first; page <= last; page++) file.dirty.add(page)
    this.#used += grows
  }

  #record(changes: readonly NameChange[]): void {
    const entry = { changes, directories: [...new Set(changes.map(({ path }) => parentOf(path)))] }
    change(this.#names, entry)
    this.#journal.push(entry)
  }

  #drop(path: string): void {
    const node = this.#names.get(path)
    this.#record([{ kind: 'delete', path }])
    if (node instanceof SimFile) this.#unlinked(node)
  }

  #unlinked(file: SimFile): void {
    file.links--
    this.#collect()
  }

  /** Space of files without a name that nobody has open any more. */
  #collect(): void {
    const open = new Set([...this.#descriptors.values()].map(({ file }) => file))
    let used = 0
    for (const file of new Set([...this.#names.values(), ...open])) if (file instanceof SimFile) used += file.size
    this.#used = used
  }
}

function change(names: Map<string, Node>, { changes }: JournalEntry): void {
  for (const one of changes) {
    if (one.kind === 'set') names.set(one.path, one.node)
    else names.delete(one.path)
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')))
}

function failure(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${call} '${path}'`), { code, syscall: call, path })
}
