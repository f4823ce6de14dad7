// Builds the compute agent of a datanode. DuckDB is not loaded here: it lives in the executor processes alone.
import type { Env } from '../../common/env.ts'
import type { Settings } from '../../common/options.ts'
import type { LocalReplicas } from '../../proto/ports.ts'
import { computeService, type ExtraService } from '../service/compute-service.ts'

/** What a datanode with a compute agent serves: hand it to startDatanode as `services`. Nothing when `compute` is off. */
export function computeServices(settings: Settings, env: Env): (local: LocalReplicas) => ExtraService[] {
  return (local) => (settings.compute ? [computeService(settings, env, local)] : [])
}
