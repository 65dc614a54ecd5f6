import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'

/** Characters from which on an answer is worth the time. */
const large = 4096

const brotli = promisify(brotliCompress)
/** In the order in which they are preferred. Brotli's default takes ten times as long, for a tenth less. */
const compressors: Readonly<Record<string, (text: string) => Promise<Buffer>>> = {
  br: (text) => brotli(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: promisify<string, Buffer>(gzip),
}

/** Whether an answer may be sent in one of several encodings, by what its client accepts (RFC 9110 12.5.5). */
export const varies = (text: string) => text.length >= large

/**
 * An answer that {@link varies}, compressed as its client prefers it of what it accepts (RFC 9110 12.5.3), beside the
 * thread that answers; null if it accepts none of ours.
 *
 * BREACH reads a secret from how long answers are, by having a victim's browser send guesses that stand beside it: here
 * no answer has a secret of ours in it, and no browser adds a bearer token to what another page makes it send.
 */
export async function compress(
  text: string,
  accepted: unknown,
): Promise<{ readonly encoding: string; readonly bytes: Buffer } | null> {
  const encoding = preferredOf(accepted)
  const compressor = encoding === undefined ? undefined : compressors[encoding]
  return encoding === undefined || compressor === undefined ? null : { encoding, bytes: await compressor(text) }
}

/** Compresses what is large of answers that are sent as text. */
export function compressAnswers(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (typeof payload !== 'string' || !varies(payload)) return payload
    reply.header('vary', 'accept-encoding')
    const compressed = await compress(payload, request.headers['accept-encoding'])
    if (compressed === null) return payload
    reply.header('content-encoding', compressed.encoding).removeHeader('content-length')
    return compressed.bytes
  })
}

/** The best that is accepted; undefined where that is the text as it is. */
function preferredOf(header: unknown): string | undefined {
  if (typeof header !== 'string') return undefined
  const accepted = new Set<string>()
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((each) => each.trim())
    if (!parameters.some((each) => /^q=0(\.0*)?$/.test(each))) accepted.add(name)
  }
  return Object.keys(compressors).find((name) => accepted.has(name))
}
