import { AppError } from '@behalf/identity'

/**
 * Reads the body of an answer, and stops reading when it is longer than `limit` bytes.
 *
 * @throws {AppError} `PAYLOAD_TOO_LARGE`
 */
export async function readBounded(body: AsyncIterable<Uint8Array> | null, limit: number): Promise<Uint8Array> {
  if (!body) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    // Leaving the loop cancels the stream.
    if (size > limit) throw new AppError('PAYLOAD_TOO_LARGE', 'The answer is too large.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
