// Makes inputs for decoders out of valid ones: damage of the kinds that disks, networks and strangers bring.
import type { SeededRandom } from '../../common/testing/seeded-random.ts'

const inputBytesMax = 256 * 1024

/** Numbers that decoders stumble over: lengths and counts at the edges of 8, 16, 32, 53 and 64 bits, as varints. */
const edges = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53]

/** One to four mutations of one of the samples. */
export function mutated(samples: readonly Uint8Array[], random: SeededRandom): Buffer {
  let bytes: Buffer = Buffer.from(samples[random.int(samples.length)] ?? [])
  for (let count = 1 + random.int(4); count > 0; count--) bytes = mutateOnce(bytes, samples, random)
  return bytes.subarray(0, inputBytesMax)
}

function mutateOnce(bytes: Buffer, samples: readonly Uint8Array[], random: SeededRandom): Buffer {
  const at = random.int(bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + random.int(16))
  switch (random.int(10)) {
    case 0: // A bit.
      if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << random.int(8))
      return bytes
    case 1: // Bytes of chance.
      return replace(bytes, at, end, random.bytes(end - at))
    case 2: // Torn off.
      return bytes.subarray(0, at)
    case 3: // The beginning lost.
      return bytes.subarray(at)
    case 4: // Something in between.
      return replace(bytes, at, at, random.bytes(1 + random.int(64)))
    case 5: // A piece lost.
      return replace(bytes, at, end, Buffer.alloc(0))
    case 6: // A piece many times over.
      return replace(bytes, at, end, Buffer.concat(Array.from({ length: 2 + random.int(40) }, () => bytes.subarray(at, end))))
    case 7: // A number at an edge, as a varint or as four bytes.
      return replace(bytes, at, Math.min(bytes.length, at + 1 + random.int(4)), edgeNumber(random))
    case 8: {
      // The head of one, the tail of another.
      const other = Buffer.from(samples[random.int(samples.length)] ?? [])
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.int(other.length + 1))])
    }
    default: // Nothing but chance.
      return random.int(8) === 0 ? Buffer.from(random.bytes(random.int(2_000))) : replace(bytes, at, end, Buffer.alloc(end - at, 0xff))
  }
}

function replace(bytes: Buffer, from: number, to: number, by: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)])
}

function edgeNumber(random: SeededRandom): Buffer {
  const value = edges[random.int(edges.length)] ?? 0
  if (random.int(2) === 0) {
    const four = Buffer.alloc(4)
    if (random.int(2) === 0) four.writeUInt32BE(value % 2 ** 32)
    else four.writeUInt32LE(value % 2 ** 32)
    return four
  }
  const out: number[] = []
  let rest = BigInt(value)
  do {
    out.push(Number(rest & 127n) | (rest > 127n ? 128 : 0))
    rest >>= 7n
  } while (rest > 0n)
  // Sometimes a varint that never ends.
  return Buffer.from(random.int(4) === 0 ? Array.from({ length: 12 }, () => 0xff) : out)
}

/** Damage to text that leaves more of it meaningful: values of other kinds, names twice, lines torn. */
export function mutatedText(samples: readonly string[], random: SeededRandom): string {
  let text = samples[random.int(samples.length)] ?? ''
  for (let count = 1 + random.int(3); count > 0; count--) {
    const tokens = text.split(/([\s=,:{}[\]"]+)/)
    const at = random.int(tokens.length)
    switch (random.int(6)) {
      case 0:
        tokens[at] = words[random.int(words.length)] ?? ''
        break
      case 1:
        tokens.splice(at, 1 + random.int(3))
        break
      case 2:
        tokens.splice(at, 0, ...tokens.slice(at, at + 1 + random.int(6)))
        break
      case 3:
        tokens.splice(at)
        break
      case 4:
        tokens.splice(at, 0, words[random.int(words.length)] ?? '')
        break
      default:
        return mutated([Buffer.from(text)], random).toString('utf8')
    }
    text = tokens.join('')
  }
  return text.slice(0, inputBytesMax)
}

const words = [
  'null', 'true', '[]', '{}', '""', '0', '-1', '1e400', '9007199254740993', 'NaN', '"__proto__"', '__proto__', 'constructor', '\u0000',
  '\ud800', '../..', '/', '\n', '=', ',', '"', '{"a":', '[[[[[[[[', '1k', '99999999999999999999t', '-5m', '#',
] // prettier-ignore
