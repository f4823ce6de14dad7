// One CRC of a long run of bytes from the CRCs of its pieces, without the bytes: what HDFS calls COMPOSITE_CRC.
//
// CRCs are linear: crc(a ++ b) = crc(a) * x^(8 * length of b) + crc(b), as polynomials modulo that of the CRC. Here polynomials are
// reflected, as the CRCs are: the highest bit stands for x^0.

const polynomials = { crc32: 0xedb88320, crc32c: 0x82f63b78 } as const

function multiply(a: number, b: number, polynomial: number): number {
  let product = 0
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= b
    b = b & 1 ? (b >>> 1) ^ polynomial : b >>> 1
  }
  return product >>> 0
}

/** x^(8 * bytes) modulo the polynomial. */
function shiftOf(bytes: number, polynomial: number): number {
  let result = 0x8000_0000
  // x^8
  let power = 0x0080_0000
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) result = multiply(result, power, polynomial)
    power = multiply(power, power, polynomial)
  }
  return result
}

/** Products with a fixed polynomial: p(x) = t[x & 255] ^ t[256 + (x >>> 8 & 255)] ^ ... */
function tableOf(factor: number, polynomial: number): Uint32Array {
  const out = new Uint32Array(1024)
  for (let byte = 0; byte < 4; byte++)
    for (let value = 1; value < 256; value++) {
      const low = value & -value
      // Of one bit computed, of several put together.
      out[byte * 256 + value] =
        low === value ? multiply((value << (8 * byte)) >>> 0, factor, polynomial) : out[byte * 256 + low]! ^ out[byte * 256 + value - low]!
    }
  return out
}

export class CrcComposer {
  readonly #polynomial: number
  #value = 0
  #pieceBytes = 0
  #table: Uint32Array = new Uint32Array(0)

  constructor(kind: keyof typeof polynomials) {
    this.#polynomial = polynomials[kind]
  }

  /** The CRC of everything added. */
  get value(): number {
    return this.#value
  }

  /** Adds pieces by their CRCs, 4 bytes big-endian each; all have `pieceBytes` but the last, which has `lastBytes`. */
  add(crcs: Buffer, pieceBytes: number, lastBytes: number): void {
    if (this.#pieceBytes !== pieceBytes) {
      this.#pieceBytes = pieceBytes
      this.#table = tableOf(shiftOf(pieceBytes, this.#polynomial), this.#polynomial)
    }
    const t = this.#table
    const whole = lastBytes === pieceBytes ? crcs.length : crcs.length - 4
    let crc = this.#value
    for (let at = 0; at < whole; at += 4)
      crc =
        t[crc & 0xff]! ^ t[256 + ((crc >>> 8) & 0xff)]! ^ t[512 + ((crc >>> 16) & 0xff)]! ^ t[768 + (crc >>> 24)]! ^ crcs.readUInt32BE(at)
    if (whole < crcs.length) crc = multiply(crc >>> 0, shiftOf(lastBytes, this.#polynomial), this.#polynomial) ^ crcs.readUInt32BE(whole)
    this.#value = crc >>> 0
  }
}
