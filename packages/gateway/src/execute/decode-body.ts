import { brotliDecompress, gunzip } from 'node:zlib'
import { promisify } from 'node:util'
import { AppError } from '@behalf/identity'

/** What is asked for; whatever else is answered is not read. */
export const acceptedEncodings = 'gzip, br'

const decoders: Readonly<
  Record<string, (bytes: Buffer, options: { readonly maxOutputLength: number }) => Promise<Buffer>>
> = {
  gzip: promisify(gunzip),
  br: promisify(brotliDecompress),
}

/**
 * The content of a body with a `content-encoding` (RFC 9110 8.4).
 *
 * @param maxBytes - of the content: some bytes can stand for a thousand times as many.
 * @throws {AppError} `SUBGRAPH_INVALID_RESPONSE`
 */
export async function decodeBody(encoding: string, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const name = encoding.toLowerCase()
  if (name === 'identity') return bytes
  const decode = Object.hasOwn(decoders, name) ? decoders[name] : undefined
  if (decode === undefined)
    throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause: 'an encoding that was not asked for' })
  try {
    return await decode(bytes, { maxOutputLength: maxBytes })
  } catch (cause) {
    throw new AppError('SUBGRAPH_INVALID_RESPONSE', undefined, { cause })
  }
}
