import { brotliCompress, constants, gzip } from 'node:zlib'
import type { FastifyInstance } from 'fastify'

/** Characters from which on an answer is worth the time. */
const large = 4096

type Compress = (text: string, done: (error: Error | null, bytes: Buffer) => void) => void
/** In the order in which they are preferred. Brotli's default takes ten times as long, for a tenth less. */
const compressors: Readonly<Record<string, Compress>> = {
  br: (text, done) => brotliCompress(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }, done),
  gzip: (text, done) => gzip(text, done),
}

/**
 * Compresses large answers for clients that accept it (RFC 9110 12.5.3), beside the thread that answers.
 *
 * BREACH reads a secret from how long answers are, by having a victim's browser send guesses that stand beside it: here
 * no answer has a secret of ours in it, and no browser adds a bearer token to what another page makes it send.
 */
export function compressAnswers(app: FastifyInstance): void {
  app.addHook('onSend', (request, reply, payload, done) => {
    if (typeof payload !== 'string' || payload.length < large) return done(null, payload)
    reply.header('vary', 'accept-encoding')
    const name = acceptedOf(request.headers['accept-encoding'])
    const compress = name === undefined ? undefined : compressors[name]
    if (compress === undefined) return done(null, payload)
    compress(payload, (error, bytes) => {
      if (error) return done(error)
      reply.header('content-encoding', name).removeHeader('content-length')
      done(null, bytes)
    })
  })
}

/** The best that is accepted; undefined where that is the text as it is. */
function acceptedOf(header: unknown): string | undefined {
  if (typeof header !== 'string') return undefined
  const accepted = new Set<string>()
  for (const part of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = part.split(';').map((each) => each.trim())
    if (!parameters.some((each) => /^q=0(\.0*)?$/.test(each))) accepted.add(name)
  }
  return Object.keys(compressors).find((name) => accepted.has(name))
}
