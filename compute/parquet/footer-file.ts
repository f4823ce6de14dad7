// A sparse file with the length, the magic and the footer of a Parquet file, and nothing else: enough for DuckDB to tell the
// columns and types of any query on it without a byte of data.
import { open } from 'node:fs/promises'
import type { ParquetFooter } from './footer.ts'

export async function writeFooterFile(target: string, footer: ParquetFooter): Promise<void> {
  const file = await open(target, 'wx')
  try {
    await file.truncate(footer.fileLength)
    await file.write(Buffer.from('PAR1'), 0, 4, 0)
    await file.write(footer.bytes, 0, footer.bytes.length, footer.start)
  } finally {
    await file.close()
  }
}
