import { type KeyObject, sign } from 'node:crypto'

/** A certificate of an EC key that vouches for itself (RFC 5280 4.1), base64 DER: for tokens that bring their own. */
export function selfSignedCertificate(privateKey: KeyObject, publicKey: KeyObject): string {
  const name = sequence(der(0x31, sequence(objectId(0x55, 4, 3), der(0x0c, Buffer.from('thief')))))
  const validity = sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z')))
  const ecdsaWithSha256 = sequence(objectId(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2))
  const body = sequence(
    der(0x02, Buffer.of(1)),
    ecdsaWithSha256,
    name,
    validity,
    name,
    publicKey.export({ format: 'der', type: 'spki' }),
  )
  const signature = Buffer.concat([Buffer.of(0), sign('sha256', body, privateKey)])
  return sequence(body, ecdsaWithSha256, der(0x03, signature)).toString('base64')
}

const sequence = (...parts: readonly Buffer[]) => der(0x30, Buffer.concat(parts))
const objectId = (...bytes: readonly number[]) => der(0x06, Buffer.of(...bytes))

/** Tag, length and content (X.690 8.1). */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.of(tag, ...size), content])
}
