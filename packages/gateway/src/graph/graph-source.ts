import { createHash } from 'node:crypto'

/** What a graph is read from, again and again. */
export interface GraphSource {
  /** As people know it: a path, or a URL without what may be secret in it. */
  readonly name: string
  /**
   * What is there now.
   *
   * @throws {GraphRefused} that says why it cannot be read.
   */
  read(signal: AbortSignal): Promise<GraphText>
  /**
   * Has it looked at when there may be another.
   *
   * @param known - digest of what was read first.
   * @param look - whether it could be read.
   * @returns how to end it.
   */
  follow(known: string, look: () => Promise<boolean>): () => void
}

export interface GraphText {
  readonly text: string
  /** base64url SHA-256 of its bytes. */
  readonly digest: string
}

export const graphText = (bytes: Buffer | string): GraphText => ({
  text: bytes.toString(),
  digest: createHash('sha256').update(bytes).digest('base64url'),
})
