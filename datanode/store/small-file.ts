// Replaces a small file as a whole: after a crash it is the old one or the new one, never a part.
import { dirname } from 'node:path'
import type { Disk } from './disk.ts'

export async function replaceFile(disk: Disk, path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  const fd = await disk.open(temporary, 'w')
  try {
    await disk.write(fd, Buffer.from(text), 0)
    await disk.sync(fd)
  } finally {
    await disk.close(fd)
  }
  await disk.rename(temporary, path)
  await disk.syncDirectory(dirname(path))
}
