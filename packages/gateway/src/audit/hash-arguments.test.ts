import { createHash, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { createHashArguments } from './hash-arguments.ts'

const key = () => randomBytes(32).toString('base64url')

it('[P14] arguments are told apart by who holds the root key, and guessed by nobody else', () => {
  const [ours, theirs] = [key(), key()]
  const hash = createHashArguments({ rootKey: ours, epoch: 1 })
  const given = { orderId: 'ord_7Kx2', first: 1 }
  expect(hash(given)).toBe(hash({ first: 1, orderId: 'ord_7Kx2' }))
  expect(hash(given)).not.toBe(hash({ ...given, orderId: 'ord_7Kx3' }))
  // Whoever has the trail and a list of order ids, but not the key.
  expect(hash(given)).not.toBe(createHashArguments({ rootKey: theirs, epoch: 1 })(given))
  expect(hash(given)).not.toContain(createHash('sha256').update('{"first":1,"orderId":"ord_7Kx2"}').digest('base64url'))
  // The next key is seen to be another.
  expect(createHashArguments({ rootKey: ours, epoch: 2 })(given)).toMatch(/^2:/)
})
