// Which bytes of a replica a read sends: aligned to chunks, so that the stored checksums can go with them as they are.
import { QuarryError } from '../../common/errors.ts'

export interface ReadPlan {
  /** First byte sent: the asked offset rounded down to a chunk. */
  readonly start: number
  /** One past the last byte sent: the asked end rounded up to a chunk, or the end of the replica. */
  readonly end: number
}

/** `length` is the visible length of the replica. */
export function planRead(length: number, bytesPerChunk: number, offset: number, wanted: number): ReadPlan {
  if (!(offset >= 0) || !(wanted >= 0) || offset + wanted > length) {
    throw new QuarryError('INVALID_ARGUMENT', `Bytes ${offset} to ${offset + wanted} were asked of a replica of ${length} bytes.`, {
      length,
    })
  }
  const start = offset - (offset % bytesPerChunk)
  const end = Math.min(length, Math.ceil((offset + wanted) / bytesPerChunk) * bytesPerChunk)
  return { start, end: wanted === 0 ? start : end }
}

/** Data bytes of a packet: as near to `target` as whole chunks allow. */
export function packetDataBytes(bytesPerChunk: number, target: number): number {
  return Math.max(1, Math.floor(target / bytesPerChunk)) * bytesPerChunk
}
