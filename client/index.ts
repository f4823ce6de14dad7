// Quarry's SDK. Everything a program needs to work with a cluster:
//
//   await using fs = await FileSystem.connect('quarry://127.0.0.1:8021')
//   await fs.writeFile('/hello.txt', 'hello')
//   for await (const part of (await fs.open('/hello.txt')).stream()) process.stdout.write(part)
export { FileSystem, type VerbOptions } from './filesystem.ts'
export { AdminClient, type NodeStateAction } from './admin.ts'
export type {
  AclEntry,
  AclStatus,
  BlockLocation,
  ConnectOptions,
  ContentSummary,
  CopyOptions,
  CopyProgress,
  CreateOptions,
  FileChecksum,
  FileInfo,
  FileReader,
  FileSystemStats,
  FileWriter,
  QuotaUsage,
  StoragePolicy,
  StorageTypeName,
  TypeUse,
} from './types.ts'
export { applyMode, formatMode } from './mode.ts'
export { compileComponent } from './glob.ts'
export { QuarryError, isQuarryError, type Advice, type ErrorCode, type ErrorDetails } from '../common/errors.ts'
