import { AppError } from '@behalf/identity'

/**
 * Reads a response's body, and stops reading when it is longer than `limit` bytes.
 *
 * @throws {AppError} `PAYLOAD_TOO_LARGE`
 */
export async function readBounded(response: Response, limit: number): Promise<Uint8Array> {
  if (!response.body) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    // Leaving the loop cancels the stream.
    if (size > limit) throw new AppError('PAYLOAD_TOO_LARGE', 'The answer is too large.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
