import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventReader } from './event-reader.ts'

const read = (chunks: readonly Uint8Array[], maxBytes = 1000) => {
  const reader = new EventReader(maxBytes)
  const all = chunks.map((chunk) => reader.read(chunk))
  return {
    events: all.flatMap(({ events }) => events.map(({ event, data }) => ({ event, data }))),
    isFaulty: all.some(({ fault }) => fault !== null),
  }
}

/** `bytes`, cut at each of `places`. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

describe('events of a stream', () => {
  it('are the same however their bytes are cut, with whichever ends of lines', () => {
    const event = fc.record({ event: fc.constantFrom('next', 'complete'), data: fc.string({ unit: 'grapheme' }) })
    fc.assert(
      fc.property(
        fc.array(
          event.filter(({ data }) => !/[\r\n]/.test(data)),
          { maxLength: 5 },
        ),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat()),
        (events, end, places) => {
          const written = events.map(({ event, data }) => [`event: ${event}`, `data: ${data}`, ':', '', ':', '', ''])
          const bytes = Buffer.from(written.map((lines) => lines.join(end)).join(''))
          expect(read(cut(bytes, places))).toEqual({ events, isFaulty: false })
        },
      ),
    )
  })

  it('are no longer than they may be, and what came before is read', () => {
    const long = (length: number) => Buffer.from(`event: next\ndata: ${'x'.repeat(length)}`)
    const first = Buffer.from('event: next\ndata: 1\n\n')
    expect(read([first, long(500), long(600)])).toEqual({ events: [{ event: 'next', data: '1' }], isFaulty: true })
    expect(read([first, long(300), long(300)]).isFaulty).toBe(false)
    expect(read(Array.from({ length: 100 }, () => first)).events).toHaveLength(100)
  })
})
