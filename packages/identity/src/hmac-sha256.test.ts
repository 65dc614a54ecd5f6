import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createHmacSha256 } from './hmac-sha256.ts'

describe('HMAC-SHA256', () => {
  it("is node:crypto's, whatever the key and the texts that one after another it is made of", () => {
    const key = fc.uint8Array({ maxLength: 64 })
    const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme', maxLength: 3000, size: 'max' }))
    fc.assert(
      fc.property(key, fc.array(text, { minLength: 1, maxLength: 5 }), (bytes, texts) => {
        const hmac = createHmacSha256(bytes)
        for (const each of texts) expect(hmac(each)).toBe(createHmac('sha256', bytes).update(each).digest('base64url'))
      }),
    )
  })

  // RFC 4231, sections 4.2 and 4.3.
  it.each([
    [Buffer.alloc(20, 0x0b), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      Buffer.from('Jefe'),
      'what do ya want for nothing?',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
  ])('is that of RFC 4231', (key, text, expected) => {
    expect(Buffer.from(createHmacSha256(key)(text), 'base64url').toString('hex')).toBe(expected)
  })

  it('tells a text from another one with the same low bytes', () => {
    const hmac = createHmacSha256(Buffer.alloc(32, 1))
    expect(hmac('A')).not.toBe(hmac('\u0141'))
    expect(hmac('A')).toBe(hmac('\u0041'))
  })

  it('takes no key that would have to be hashed first', () => {
    expect(() => createHmacSha256(Buffer.alloc(65))).toThrow(TypeError)
    expect(() => createHmacSha256(Buffer.alloc(64))).not.toThrow()
  })
})
