// A Parquet file with nested columns, dictionaries and bloom filters in three row groups.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Alone } from '../../compute/testing/sample-table.ts'

export async function parquetSample(): Promise<Uint8Array> {
  const dir = await mkdtemp(path.join(tmpdir(), 'quarry-fuzz-parquet-'))
  const alone = await Alone.open()
  try {
    const file = path.join(dir, 't.parquet')
    await alone.write("SELECT i AS id, 'k' || i % 5 AS name, {'x': i, 'y': [i]} AS nested FROM range(6000) t(i)", file)
    return await readFile(file)
  } finally {
    alone.close()
    await rm(dir, { recursive: true, force: true })
  }
}
