import { hash } from 'node:crypto'

/** The HMAC of a text, base64url. */
export type HmacSha256 = (text: string) => string

/** Bytes that SHA-256 takes at a time, those of what it makes, and of a character in UTF-8 at most, for UTF-16's units. */
const block = 64
const digest = 32
const unit = 3

/**
 * HMAC-SHA256 (RFC 2104, section 2) with one key, as two one-shot hashes. `createHmac` makes an object for each text,
 * which costs more than the hashing, and the collector's time after that.
 *
 * @param key - at most 64 bytes.
 */
export function createHmacSha256(key: Uint8Array): HmacSha256 {
  if (key.length > block) throw new TypeError(`The key has ${key.length} bytes, of ${block} at most.`)
  const outer = Buffer.alloc(block + digest, 0x5c)
  let inner = Buffer.alloc(block, 0x36)
  key.forEach((byte, at) => {
    outer[at] = byte ^ 0x5c
    inner[at] = byte ^ 0x36
  })
  return (text) => {
    const length = block + unit * text.length
    if (length > inner.length) inner = Buffer.concat([inner.subarray(0, block)], length)
    const end = block + inner.write(text, block)
    outer.write(hash('sha256', inner.subarray(0, end), 'binary'), block, 'latin1')
    return hash('sha256', outer, 'base64url')
  }
}
