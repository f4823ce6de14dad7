// Hadoop's names of the types of storage, by the numbers of its StorageTypeProto, which are ours, too.

export const storageTypeNames: Readonly<Record<number, string>> = {
  1: 'DISK',
  2: 'SSD',
  3: 'ARCHIVE',
  4: 'RAM_DISK',
  5: 'PROVIDED',
  6: 'NVDIMM',
}

/** In any case; undefined for a name that is none. */
export function storageTypeOf(name: string): number | undefined {
  const found = Object.entries(storageTypeNames).find(([, known]) => known === name.toUpperCase())
  return found === undefined ? undefined : Number(found[0])
}
