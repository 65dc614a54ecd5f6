import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'

/**
 * JWE Compact Serialization (RFC 7516) with `dir` and A256GCM only, of JSON objects. By node:crypto it is done at once; a
 * general library's way over WebCrypto costs ten times as much, and waits for a thread. Tests open and make these with jose, too.
 */
const algorithm = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16

/** The protected header, encoded. Its members and their order are fixed: nothing else is accepted. */
export const encodeJweHeader = (typ: string, kid: string): string =>
  encode(Buffer.from(JSON.stringify({ alg: 'dir', enc: 'A256GCM', typ, kid })))

export function encryptCompact(header: string, claims: object, key: KeyObject): string {
  // Random, as NIST SP 800-38D 8.2.2 allows: of one key, far fewer than 2^32 are made in the life of an epoch.
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes })
  cipher.setAAD(Buffer.from(header, 'ascii'))
  const text = Buffer.concat([cipher.update(JSON.stringify(claims), 'utf8'), cipher.final()])
  return `${header}..${encode(iv)}.${encode(text)}.${encode(cipher.getAuthTag())}`
}

/**
 * @param keyOf - the key that goes with a header, which has to be exactly one that is known
 * @throws {Error} for whatever was not encrypted so, with that key
 */
export function decryptCompact(jwe: string, keyOf: (header: string) => KeyObject): unknown {
  const parts = /^([\w-]+)\.\.([\w-]{16})\.([\w-]+)\.([\w-]{22})$/.exec(jwe)
  if (parts === null) throw new Error('no such JWE')
  const [, header = '', iv = '', text = '', tag = ''] = parts
  const decipher = createDecipheriv(algorithm, keyOf(header), decode(iv), { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(header, 'ascii'))
  decipher.setAuthTag(decode(tag))
  return JSON.parse(Buffer.concat([decipher.update(decode(text)), decipher.final()]).toString('utf8'))
}

const encode = (bytes: Buffer) => bytes.toString('base64url')
const decode = (text: string) => Buffer.from(text, 'base64url')
