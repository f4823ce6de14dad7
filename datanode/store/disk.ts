// Everything the block store asks of a file system, as an interface: the real one (real-disk.ts) and the simulated one implement
// it. Descriptors are numbers; failures are Node's (`code` ENOENT, ENOSPC, EIO …).
//
// What may be assumed after a crash, and what the simulated disk takes away: bytes written and names changed are certain only
// after syncData/sync of the file and syncDirectory of its directory; before that any part of them may be missing.

export interface FileFacts {
  readonly size: number
  readonly mtimeMs: number
  readonly isDirectory: boolean
}

export interface DiskSpace {
  /** Bytes of the file system. */
  readonly total: number
  /** Bytes that this process may still write. */
  readonly free: number
}

export interface ListedFile {
  readonly name: string
  readonly isDirectory: boolean
  /** Bytes; 0 of a directory. */
  readonly size: number
}

export interface Disk {
  /** Flags as in node:fs: 'r', 'r+', 'w', 'w+', 'wx', 'wx+'. */
  open(path: string, flags: string): Promise<number>
  close(fd: number): Promise<void>
  /** Reads into buffer[offset, offset + length) from `position`; answers fewer bytes only at the end of the file. */
  read(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** Writes all of `data`. */
  write(fd: number, data: Uint8Array, position: number): Promise<void>
  /** Writes pieces one after another; `length` is their sum. */
  writePieces(fd: number, pieces: readonly Uint8Array[], length: number, position: number): Promise<void>
  truncate(fd: number, length: number): Promise<void>
  size(fd: number): Promise<number>
  /** Data and metadata. */
  sync(fd: number): Promise<void>
  /** Data, and what is needed to read it. */
  syncData(fd: number): Promise<void>
  /** Makes the names in a directory durable. */
  syncDirectory(path: string): Promise<void>

  /** Replaces `to`. */
  rename(from: string, to: string): Promise<void>
  /** ENOENT when missing. */
  unlink(path: string): Promise<void>
  /** With everything below; nothing when missing. */
  remove(path: string): Promise<void>
  /** With parents; answers the first directory that was made, undefined when it existed. */
  mkdir(path: string): Promise<string | undefined>
  /** Names, sorted. */
  readdir(path: string): Promise<readonly { readonly name: string; readonly isDirectory: boolean }[]>
  /** readdir with the sizes of the files, for the start of a node with millions of them: may hold up the process. Absent = readdir and stat do. */
  list?(path: string): Promise<readonly ListedFile[]>
  stat(path: string): Promise<FileFacts>
  /** Hard link. */
  link(existing: string, path: string): Promise<void>
  /** Space of the file system that holds `path`; asked for often, so the caller caches. */
  space(path: string): Promise<DiskSpace>
  /** A small file as a whole. */
  readFile(path: string): Promise<Uint8Array>
  /** Takes the directory for this process; throws IN_USE when another has it. The result gives it back. */
  lock(directory: string): Promise<() => void>
}
