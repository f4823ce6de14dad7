// Names the file system a process sees, so that a client can tell whether a datanode's files are its own to read.
import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

const read = (get: () => string): string => {
  try {
    return get().trim()
  } catch {
    return ''
  }
}

let cached: string | undefined

/**
 * 32 hex digits, equal for processes of one running machine that share a mount namespace; containers of one machine differ.
 * Only a hint: whoever opens a path by it must still be ready to find nothing there, and checks what it reads.
 */
export function hostId(): string {
  cached ??= createHash('sha256')
    .update(
      [
        hostname(),
        read(() => readFileSync('/etc/machine-id', 'utf8')),
        read(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
        read(() => readlinkSync('/proc/self/ns/mnt')),
      ].join('\n'),
    )
    .digest('hex')
    .slice(0, 32)
  return cached
}
