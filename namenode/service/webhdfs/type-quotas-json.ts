// Quotas by type of storage, as the summaries of WebHDFS carry them.
import type { TypeQuota } from '../../../proto/ports.ts'
import { storageTypeName } from './blocks-json.ts'

export function typeQuotasJson(types: readonly TypeQuota[] | undefined): object {
  return Object.fromEntries((types ?? []).map(({ type, quota, consumed }) => [storageTypeName(type), { consumed, quota }]))
}
