import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createSealer } from './sealed-text.ts'

const secret = randomBytes(32).toString('base64url')
const ours = createSealer(secret)
const text = JSON.stringify({ run: 'run_1', text: 'Your balance is 12.50 – 🙂' })

describe('sealed text', () => {
  test('is opened by every process that has the secret', () => {
    expect(createSealer(secret).open(ours.seal(text))).toBe(text)
    expect(ours.open(ours.seal(''))).toBe('')
  })

  test('says nothing of what it is, and is another each time', () => {
    const sealed = ours.seal(text)
    expect(Buffer.from(sealed, 'base64').toString('latin1')).not.toContain('balance')
    expect(ours.seal(text)).not.toBe(sealed)
  })

  test('of another secret is not opened', () => {
    const theirs = createSealer(randomBytes(32).toString('base64url'))
    expect(ours.open(theirs.seal(text))).toBeNull()
  })

  test('with any byte changed, or cut short, is not opened', () => {
    const bytes = Buffer.from(ours.seal(text), 'base64')
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      expect(ours.open(changed.toString('base64'))).toBeNull()
      expect(ours.open(bytes.subarray(0, at).toString('base64'))).toBeNull()
    }
    expect(ours.open(bytes.toString('base64'))).toBe(text)
  })

  test.each(['', 'not base64 at all', text])('that is none is not opened: %s', (payload) => {
    expect(ours.open(payload)).toBeNull()
  })
})
