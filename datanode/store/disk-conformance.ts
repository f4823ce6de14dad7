// What every disk keeps to, as a suite that the real one and the simulated one both run. Not shipped: only tests import it.
import { describe, expect, it } from 'vitest'
import type { Disk } from './disk.ts'

export interface DiskUnderTest {
  readonly disk: Disk
  /** An empty directory of it. */
  readonly root: string
}

/** `make` is called for each test; what it makes lives until the test is over. */
export function testDisk(name: string, make: () => Promise<DiskUnderTest>): void {
  describe(`${name} is a disk`, () => {
    describe('files', () => {
      it('gives back what was written, from any place, fewer bytes only at the end', async () => {
        const { disk, root } = await make()
        const fd = await disk.open(`${root}/a`, 'w+')
        await disk.write(fd, bytes(10), 0)
        await disk.write(fd, bytes(10, 50), 5)
        expect(await contents(disk, fd)).toEqual([0, 1, 2, 3, 4, ...bytes(10, 50)])
        const into = new Uint8Array(8)
        expect(await disk.read(fd, into, 2, 4, 3)).toBe(4)
        expect([...into]).toEqual([0, 0, 3, 4, 50, 51, 0, 0])
        expect(await disk.read(fd, into, 0, 8, 12)).toBe(3)
        expect(await disk.read(fd, into, 0, 8, 15)).toBe(0)
        expect(await disk.read(fd, into, 0, 8, 99)).toBe(0)
        expect(await disk.read(fd, into, 0, 0, 0)).toBe(0)
        await disk.close(fd)
      })

      it('writes pieces one after another, any number of them', async () => {
        const { disk, root } = await make()
        const fd = await disk.open(`${root}/a`, 'w+')
        await disk.writePieces(fd, [], 0, 0)
        expect(await disk.size(fd)).toBe(0)
        await disk.writePieces(fd, [bytes(3)], 3, 0)
        const many = Array.from({ length: 2500 }, (_, i) => new Uint8Array([i % 251]))
        await disk.writePieces(fd, [new Uint8Array(0), ...many], 2500, 3)
        expect(await contents(disk, fd)).toEqual([0, 1, 2, ...many.map((piece) => piece[0])])
        await disk.close(fd)
      })

      it('fills a hole with zeros', async () => {
        const { disk, root } = await make()
        const fd = await disk.open(`${root}/a`, 'w+')
        await disk.write(fd, new Uint8Array([7]), 5)
        expect(await contents(disk, fd)).toEqual([0, 0, 0, 0, 0, 7])
        await disk.close(fd)
      })

      it('cuts and stretches a file', async () => {
        const { disk, root } = await make()
        const fd = await disk.open(`${root}/a`, 'w+')
        await disk.write(fd, bytes(10), 0)
        await disk.truncate(fd, 4)
        expect(await disk.size(fd)).toBe(4)
        await disk.truncate(fd, 6)
        expect(await contents(disk, fd)).toEqual([0, 1, 2, 3, 0, 0])
        await disk.close(fd)
      })

      it('opens as the flags say', async () => {
        const { disk, root } = await make()
        await expect(disk.open(`${root}/a`, 'r')).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(disk.open(`${root}/a`, 'r+')).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(disk.open(`${root}/none/a`, 'w')).rejects.toMatchObject({ code: 'ENOENT' })
        await put(disk, `${root}/a`, bytes(5))
        for (const flags of ['wx', 'wx+']) await expect(disk.open(`${root}/a`, flags)).rejects.toMatchObject({ code: 'EEXIST' })
        const again = await disk.open(`${root}/a`, 'r+')
        await disk.write(again, new Uint8Array([9]), 1)
        expect(await contents(disk, again)).toEqual([0, 9, 2, 3, 4])
        await disk.close(again)
        const reading = await disk.open(`${root}/a`, 'r')
        await expect(disk.write(reading, bytes(1), 0)).rejects.toMatchObject({ code: 'EBADF' })
        await disk.close(reading)
        await disk.close(await disk.open(`${root}/a`, 'w'))
        expect(await disk.readFile(`${root}/a`)).toHaveLength(0)
        await disk.close(await disk.open(`${root}/b`, 'wx'))
      })

      it('knows a descriptor only until it is closed', async () => {
        const { disk, root } = await make()
        const fd = await disk.open(`${root}/a`, 'w+')
        await disk.close(fd)
        await expect(disk.size(fd)).rejects.toMatchObject({ code: 'EBADF' })
      })

      it('keeps the bytes of a file that was unlinked or replaced while it is open', async () => {
        const { disk, root } = await make()
        await put(disk, `${root}/a`, bytes(3))
        await put(disk, `${root}/b`, bytes(3, 100))
        const a = await disk.open(`${root}/a`, 'r')
        const b = await disk.open(`${root}/b`, 'r')
        await disk.unlink(`${root}/a`)
        await put(disk, `${root}/c`, bytes(1))
        await disk.rename(`${root}/c`, `${root}/b`)
        expect(await contents(disk, a)).toEqual([0, 1, 2])
        expect(await contents(disk, b)).toEqual([100, 101, 102])
        await disk.close(a)
        await disk.close(b)
      })

      it('syncs files, data and directories', async () => {
        const { disk, root } = await make()
        const fd = await disk.open(`${root}/a`, 'w')
        await disk.write(fd, bytes(3), 0)
        await disk.syncData(fd)
        await disk.sync(fd)
        await disk.close(fd)
        await disk.syncDirectory(root)
        await expect(disk.syncDirectory(`${root}/none`)).rejects.toMatchObject({ code: 'ENOENT' })
      })
    })

    describe('names', () => {
      it('renames over what is there', async () => {
        const { disk, root } = await make()
        await put(disk, `${root}/a`, bytes(3))
        await put(disk, `${root}/b`, bytes(7))
        await disk.rename(`${root}/a`, `${root}/b`)
        expect(await disk.readFile(`${root}/b`)).toHaveLength(3)
        await expect(disk.stat(`${root}/a`)).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(disk.rename(`${root}/a`, `${root}/b`)).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(disk.rename(`${root}/b`, `${root}/none/b`)).rejects.toMatchObject({ code: 'ENOENT' })
      })

      it('makes directories with their parents and says which was the first', async () => {
        const { disk, root } = await make()
        expect(await disk.mkdir(`${root}/x/y/z`)).toBe(`${root}/x`)
        expect(await disk.mkdir(`${root}/x/y/w`)).toBe(`${root}/x/y/w`)
        expect(await disk.mkdir(`${root}/x/y`)).toBe(undefined)
        expect(await disk.stat(`${root}/x`)).toMatchObject({ isDirectory: true })
      })

      it('lists names in order, and sizes where it can', async () => {
        const { disk, root } = await make()
        await disk.mkdir(`${root}/m`)
        for (const name of ['z', 'a10', 'a9', 'B']) await put(disk, `${root}/${name}`, bytes(name.length))
        const expected = ['B', 'a10', 'a9', 'm', 'z']
        expect(await disk.readdir(root)).toEqual(expected.map((name) => ({ name, isDirectory: name === 'm' })))
        if (disk.list !== undefined)
          expect(await disk.list(root)).toEqual(
            expected.map((name) => ({ name, isDirectory: name === 'm', size: name === 'm' ? 0 : name.length })),
          )
        await expect(disk.readdir(`${root}/none`)).rejects.toMatchObject({ code: 'ENOENT' })
        await expect(disk.readdir(`${root}/z`)).rejects.toMatchObject({ code: 'ENOTDIR' })
      })

      it('tells what a name is', async () => {
        const { disk, root } = await make()
        await put(disk, `${root}/a`, bytes(12))
        const facts = await disk.stat(`${root}/a`)
        expect(facts).toMatchObject({ size: 12, isDirectory: false })
        expect(facts.mtimeMs).toBeGreaterThanOrEqual(0)
        await expect(disk.stat(`${root}/b`)).rejects.toMatchObject({ code: 'ENOENT' })
      })

      it('unlinks one name and removes trees', async () => {
        const { disk, root } = await make()
        await put(disk, `${root}/a`, bytes(1))
        await disk.unlink(`${root}/a`)
        await expect(disk.unlink(`${root}/a`)).rejects.toMatchObject({ code: 'ENOENT' })
        await disk.mkdir(`${root}/x/y`)
        await put(disk, `${root}/x/y/f`, bytes(1))
        await put(disk, `${root}/xx`, bytes(1))
        await disk.remove(`${root}/x`)
        await disk.remove(`${root}/x`)
        expect(await disk.readdir(root)).toEqual([{ name: 'xx', isDirectory: false }])
        await disk.remove(`${root}/xx`)
        expect(await disk.readdir(root)).toEqual([])
      })

      it('gives a file a second name that outlives the first', async () => {
        const { disk, root } = await make()
        await put(disk, `${root}/a`, bytes(4))
        await disk.link(`${root}/a`, `${root}/b`)
        await expect(disk.link(`${root}/a`, `${root}/b`)).rejects.toMatchObject({ code: 'EEXIST' })
        await expect(disk.link(`${root}/none`, `${root}/c`)).rejects.toMatchObject({ code: 'ENOENT' })
        await disk.unlink(`${root}/a`)
        expect([...(await disk.readFile(`${root}/b`))]).toEqual([0, 1, 2, 3])
      })

      it('reads a small file as a whole', async () => {
        const { disk, root } = await make()
        await put(disk, `${root}/a`, bytes(40))
        expect([...(await disk.readFile(`${root}/a`))]).toEqual([...bytes(40)])
        await expect(disk.readFile(`${root}/none`)).rejects.toMatchObject({ code: 'ENOENT' })
      })
    })

    it('tells its space', async () => {
      const { disk, root } = await make()
      const { total, free } = await disk.space(root)
      expect(total).toBeGreaterThan(0)
      expect(free).toBeGreaterThanOrEqual(0)
      expect(free).toBeLessThanOrEqual(total)
    })

    it('gives a directory to one owner at a time', async () => {
      const { disk, root } = await make()
      const release = await disk.lock(root)
      await expect(disk.lock(root)).rejects.toMatchObject({ code: 'IN_USE' })
      release()
      release()
      const again = await disk.lock(root)
      // The first owner has nothing to give back any more.
      release()
      await expect(disk.lock(root)).rejects.toMatchObject({ code: 'IN_USE' })
      again()
    })
  })
}

function bytes(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => from + i)
}

async function put(disk: Disk, path: string, data: Uint8Array): Promise<void> {
  const fd = await disk.open(path, 'w')
  await disk.write(fd, data, 0)
  await disk.close(fd)
}

async function contents(disk: Disk, fd: number): Promise<number[]> {
  const into = new Uint8Array(await disk.size(fd))
  expect(await disk.read(fd, into, 0, into.length, 0)).toBe(into.length)
  return [...into]
}
