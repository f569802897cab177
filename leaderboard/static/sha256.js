// SHA-256 (FIPS 180-4) of a file, piece by piece: crypto.subtle wants all of it in memory at once,
// and is away on a page that came without TLS.

const PIECE = 4 * 1048576;
const K = new Uint32Array(64);
const START = new Uint32Array(8);
// the first 32 bits of the fractional parts of the roots of the first primes
for (let number = 2, found = 0; found < 64; number++) {
  let isPrime = true;
  for (let by = 2; by * by <= number; by++) isPrime &&= number % by !== 0;
  if (!isPrime) continue;
  if (found < 8) START[found] = (number ** (1 / 2) % 1) * 2 ** 32;
  K[found++] = (number ** (1 / 3) % 1) * 2 ** 32;
}

class Sha256 {
  constructor() {
    this.state = START.slice();
    this.rest = new Uint8Array(0);
    this.length = 0;
    this.words = new Uint32Array(64);
  }

  add(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.rest.length) {
      at = Math.min(64 - this.rest.length, bytes.length);
      this.rest = Uint8Array.of(...this.rest, ...bytes.subarray(0, at));
      if (this.rest.length < 64) return;
      this.block(this.rest, 0);
    }
    for (; at + 64 <= bytes.length; at += 64) this.block(bytes, at);
    this.rest = bytes.slice(at);
  }

  block(bytes, at) {
    const w = this.words;
    for (let i = 0; i < 16; i++, at += 4) {
      w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = w[i - 16] + low + w[i - 7] + high;
    }
    let [a, b, c, d, e, f, g, h] = this.state;
    for (let i = 0; i < 64; i++) {
      const high = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const first = (h + high + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const low = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const second = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => (this.state[i] += value));
  }

  hex() {
    const bits = this.length * 8;
    const end = new Uint8Array((this.rest.length < 56 ? 64 : 128) - this.rest.length);
    end[0] = 0x80;
    const tail = new DataView(end.buffer, end.length - 8);
    tail.setUint32(0, Math.floor(bits / 2 ** 32));
    tail.setUint32(4, bits >>> 0);
    this.add(end);
    return Array.from(this.state, (word) => word.toString(16).padStart(8, "0")).join("");
  }
}

export async function sha256(file, onProgress = () => {}) {
  const hash = new Sha256();
  for (let at = 0; at < file.size; at += PIECE) {
    hash.add(new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer()));
    onProgress(Math.min(1, (at + PIECE) / file.size));
  }
  return hash.hex();
}
