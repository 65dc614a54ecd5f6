import { hkdfSync } from 'node:crypto'

/** A key and the epoch it belongs to. Epochs are whole numbers that an operator counts up to rotate keys. */
export interface EpochKey {
  readonly epoch: number
  readonly key: Buffer
}

/**
 * Whether this can name a subgraph: the receiver of its context tokens, its database role and schema, and a part of its
 * variables. Names of the gateway's, of the library's and of PostgreSQL's own are taken.
 */
export const isReceiverName = (name: string): boolean => namePattern.test(name) && !taken.test(name)

const namePattern = /^[a-z][a-z0-9_]{0,39}$/
const taken = /^(pg_.*|gateway|authority|behalf|model|public|postgres|information_schema)$/

/** Whether this is 32 bytes or more in base64url without padding, spelled the one way that encoding spells them. */
export function isRootKey(text: string): boolean {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length >= 32 && bytes.toString('base64url') === text
}

/**
 * Keys that a receiver verifies its context tokens with, as the value of `BEHALF_CONTEXT_KEYS`:
 * `<epoch>:<base64url>`, comma separated. They are pairwise: a receiver's keys are good for no other receiver.
 *
 * @param rootKey - 32 bytes or more, base64url; only the gateway has it.
 * @throws {TypeError} when the root key, the name or an epoch cannot be used.
 */
export function deriveContextKeys(rootKey: string, receiver: string, epochs: readonly number[]): string {
  return formatKeys(epochs.map((epoch) => deriveKey(rootKey, 'context', receiver, epoch)))
}

/** Where counting begins, if nobody says otherwise. */
export const firstEpoch = 1

/** Keys are rotated by counting an epoch up: what the previous one signed is accepted until the next. */
export const acceptedEpochs = (epoch: number): readonly number[] => (epoch > 0 ? [epoch, epoch - 1] : [epoch])

/** Key with which a workload proves itself to the gateway, as the value of `BEHALF_WORKLOAD_KEY`. */
export function deriveWorkloadKey(rootKey: string, name: string, epoch: number): string {
  return formatKeys([deriveKey(rootKey, 'workload', name, epoch)])
}

/** HKDF-SHA256 (RFC 5869) with info `behalf/<use>/<name>/<epoch>`, or `behalf/<use>/<epoch>` where no party is named. */
export function deriveKey(
  rootKey: string,
  use: 'context' | 'workload' | 'ticket' | 'audit',
  name: string | null,
  epoch: number,
): EpochKey {
  const party = name === null ? [] : [name]
  if (!party.every((part) => namePattern.test(part)))
    throw new TypeError(`"${name}" cannot name a receiver: use a-z, 0-9 and _.`)
  if (!Number.isSafeInteger(epoch) || epoch < 0) throw new TypeError(`${epoch} is not an epoch: use 0, 1, 2, ...`)
  if (!isRootKey(rootKey)) {
    throw new TypeError('The root key must be at least 32 random bytes as base64url without padding.')
  }
  const info = ['behalf', use, ...party, epoch].join('/')
  return { epoch, key: Buffer.from(hkdfSync('sha256', Buffer.from(rootKey, 'base64url'), '', info, 32)) }
}

/**
 * Reads the value of `BEHALF_CONTEXT_KEYS`.
 *
 * @throws {TypeError} that says what is wrong, without the value.
 */
export function parseKeys(value: string): readonly EpochKey[] {
  const keys = value.split(',').map(parseKey)
  if (new Set(keys.map(({ epoch }) => epoch)).size !== keys.length) throw new TypeError('Two keys have the same epoch.')
  return keys
}

/**
 * Reads the value of `BEHALF_WORKLOAD_KEY`, or one of several keys.
 *
 * @param index - which one it is, counted from 0.
 * @throws {TypeError} that says what is wrong, without the value.
 */
export function parseKey(value: string, index = 0): EpochKey {
  // 43 characters of base64url are 32 bytes.
  const parts = /^(\d{1,9}):([\w-]{43})$/.exec(value.trim())
  if (parts === null) {
    throw new TypeError(
      `Key ${index + 1} is not "<epoch>:<32 bytes as base64url>". Print one with: behalf keys <receiver>`,
    )
  }
  const [, epoch, key = ''] = parts
  return { epoch: Number(epoch), key: Buffer.from(key, 'base64url') }
}

const formatKeys = (keys: readonly EpochKey[]) =>
  keys.map(({ epoch, key }) => `${epoch}:${key.toString('base64url')}`).join(',')
