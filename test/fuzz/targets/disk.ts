// What a datanode finds on its disks when it starts: identity, checksum files, replicas, names.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chunkChecksums } from '../../../common/checksum.ts'
import type { SeededRandom } from '../../../common/testing/seeded-random.ts'
import { systemEnv } from '../../../common/system-env.ts'
import { checksummer, decodeHeader, encodeHeader } from '../../../datanode/store/checksum-file.ts'
import { checksumName, dataName, finalizedDirectory, storagePaths } from '../../../datanode/store/layout.ts'
import { RealDisk } from '../../../datanode/store/real-disk.ts'
import { ReplicaStore } from '../../../datanode/store/replica-store.ts'
import { verifyReplica } from '../../../datanode/store/verify.ts'
import { ChecksumType } from '../../../proto/ports.ts'
import type { Target } from '../fuzz.ts'
import { mutated, mutatedText } from '../mutate.ts'

const sum = checksummer(ChecksumType.CHECKSUM_CRC32C, 512)
const data = Buffer.alloc(3_000, 'quarry ')
const checksums = Buffer.concat([encodeHeader(sum), chunkChecksums(data, 512)])
const blockId = 1_073_741_900

function headers(): Target {
  return {
    name: 'checksum headers',
    draw: (random) => mutated([checksums, encodeHeader(sum), encodeHeader(checksummer(ChecksumType.CHECKSUM_CRC32, 4096))], random),
    take: (input) => decodeHeader(Buffer.from(input)),
  }
}

const identity = JSON.stringify({ layout: 1, datanodeUuid: 'u-1', storageUuid: 'DS-1', clusterId: 'CID-1', poolId: 'BP-1' })

/** The first byte says which files are damaged; the damaged content follows. */
type Place = 'identity' | 'finalized checksums' | 'finalized data' | 'torn checksums' | 'torn data' | 'names'
const places: readonly Place[] = ['identity', 'finalized checksums', 'finalized data', 'torn checksums', 'torn data', 'names']

function storages(): Target {
  const base = mkdtempSync(path.join(tmpdir(), 'quarry-fuzz-disk-'))
  let number = 0
  return {
    name: 'storage directories',
    draw: (random: SeededRandom) => {
      const place = random.int(places.length)
      const content =
        places[place] === 'identity' || places[place] === 'names'
          ? Buffer.from(
              mutatedText(
                [places[place] === 'identity' ? identity : `${dataName(blockId)}\n${checksumName(blockId, 1003)}\nsubdir0\n`],
                random,
              ),
            )
          : mutated([places[place]?.includes('data') ? data : checksums], random)
      return Buffer.concat([Buffer.from([place]), content])
    },
    take: async (input) => {
      const dir = path.join(base, String(number++))
      try {
        write(dir, places[input[0] ?? 0] ?? 'names', input.subarray(1))
        const store = await ReplicaStore.open({
          dirs: [dir],
          limits: { reserved: 0, capacity: 0 },
          env: systemEnv(),
          sync: false,
          disk: new RealDisk(),
        })
        try {
          for (const storage of store.storages)
            for (const replica of store.list(storage)) await verifyReplica(store, { blockId: replica.blockId, genstamp: replica.genstamp })
        } finally {
          await store.close()
        }
      } finally {
        rmSync(dir, { recursive: true, force: true })
      }
    },
    close: () => Promise.resolve(rmSync(base, { recursive: true, force: true })),
  }
}

function write(dir: string, place: Place, content: Uint8Array): void {
  const paths = storagePaths(dir)
  const finalized = finalizedDirectory(paths, blockId)
  for (const directory of [finalized, paths.rbw, paths.tmp, paths.scratch]) mkdirSync(directory, { recursive: true })
  writeFileSync(path.join(dir, 'identity.json'), place === 'identity' ? content : identity)
  writeFileSync(path.join(finalized, dataName(blockId)), place === 'finalized data' ? content : data)
  writeFileSync(path.join(finalized, checksumName(blockId, 1003)), place === 'finalized checksums' ? content : checksums)
  writeFileSync(path.join(paths.rbw, dataName(blockId + 1)), place === 'torn data' ? content : data)
  writeFileSync(path.join(paths.rbw, checksumName(blockId + 1, 1004)), place === 'torn checksums' ? content : checksums)
  if (place !== 'names') return
  for (const line of Buffer.from(content).toString('utf8').split('\n').slice(0, 20)) {
    // What no file can be called cannot be found either.
    const name = line.replaceAll(/[/\0]/g, '_').slice(0, 100)
    if (name !== '' && name !== '.' && name !== '..') writeFileSync(path.join(paths.rbw, `${name}x`), data)
  }
}

export const diskTargets = (): Target[] => [headers(), storages()]
