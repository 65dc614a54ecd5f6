import { readHttpMessages } from './http-messages.ts'

/** Bytes of one direction of a connection, or of a log, in which secrets can be looked for. */
export interface Searchable {
  /** Everything there is to see: the bytes themselves, and what is inside of bodies and escapes. */
  readonly text: string
}

/** Bytes as they are, such as PostgreSQL's protocol or a log; each byte is one character. */
export const searchableBytes = (bytes: Buffer): Searchable => ({ text: unescaped(bytes.toString('latin1')) })

/** The bytes, and their bodies once more without chunks and compression, streamed pieces put together. */
export function searchableHttp(stream: Buffer): Searchable {
  const bodies = readHttpMessages(stream).map(({ body }) => body.toString('latin1'))
  return { text: unescaped([stream.toString('latin1'), ...bodies, ...bodies.map(joinedEvents)].join('\n')) }
}

/**
 * Whether a secret is there in any of its spellings: as it is, as hexadecimal, as a list of numbers, percent-encoded, or
 * inside of something that is in base64 or base64url, such as a claim of a token, and that inside of another.
 */
export const occursIn = ({ text }: Searchable, secret: string | Buffer): boolean =>
  spellings(secret).some((spelling) => text.includes(spelling))

const known = new Map<string, readonly string[]>()
function spellings(secret: string | Buffer): readonly string[] {
  const bytes = Buffer.from(secret)
  const key = bytes.toString('latin1')
  const found = known.get(key)
  if (found) return found
  // What is shorter is found by accident, or by nobody.
  if (bytes.length < 12) throw new Error(`"${key}" is too short to be looked for.`)
  const inBase64 = inBase64s(bytes)
  const hex = bytes.toString('hex')
  const all = [key, hex, hex.toUpperCase(), bytes.join(','), ...inBase64, ...inBase64.flatMap(inBase64s)]
  known.set(key, all)
  return all
}

/** The characters that bytes become wherever they begin in what is encoded, without those that they share with others. */
function inBase64s(part: Buffer | string): string[] {
  const bytes = Buffer.from(part)
  return [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replaceAll('=', '')
    const whole = encoded.slice([0, 2, 3][before], (before + bytes.length) % 3 === 0 ? undefined : -1)
    return [...new Set([whole, whole.replaceAll('+', '-').replaceAll('/', '_')])]
  })
}

/** With escapes of JSON, also of JSON within JSON, and of URLs resolved, beside the text as it is. */
function unescaped(text: string): string {
  const all = [text]
  for (let last = text, round = 0; round < 4; round++) {
    const next = last.replaceAll(/(?:\\u00|%)([\da-f]{2})|\\(["\\/])/gi, (_all, hex?: string, character?: string) =>
      hex === undefined ? (character ?? '') : String.fromCharCode(Number.parseInt(hex, 16)),
    )
    if (next === last) break
    all.push((last = next))
  }
  return all.join('\n')
}

/** Of server-sent events with JSON: the texts at each place, one event after another, as one text. */
function joinedEvents(body: string): string {
  const texts = new Map<string, string>()
  const add = (value: unknown, path: string): void => {
    if (typeof value === 'string') texts.set(path, (texts.get(path) ?? '') + value)
    else if (typeof value === 'object' && value !== null)
      for (const [name, inner] of Object.entries(value)) add(inner, `${path}.${name}`)
  }
  for (const [, data = ''] of body.matchAll(/^data: (\{.*\})$/gm)) add(JSON.parse(data), '')
  return [...texts.values()].join('\n')
}
