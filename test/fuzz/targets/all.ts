import { parquetSample } from '../parquet-sample.ts'
import type { Target } from '../fuzz.ts'
import { diskTargets } from './disk.ts'
import { namespaceTargets } from './namespace.ts'
import { rpcTargets } from './rpc.ts'
import { textTargets } from './text.ts'
import { transferTargets } from './transfer.ts'
import { webhdfsTargets } from './webhdfs.ts'
import { wireTargets } from './wire.ts'

/** Every decoder that meets the network or a disk. */
export async function allTargets(): Promise<Target[]> {
  return [
    ...wireTargets(),
    ...transferTargets(),
    ...rpcTargets(),
    ...webhdfsTargets(),
    ...diskTargets(),
    ...textTargets(await parquetSample()),
    ...(await namespaceTargets()),
  ]
}
