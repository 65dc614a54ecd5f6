import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { poll } from './poll.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

/** Milliseconds from one look to the next, when each goes as `could` says. */
async function pauses(could: readonly boolean[], random: () => number): Promise<number[]> {
  const begun = Date.now()
  const at: number[] = []
  const end = poll(
    async () => {
      at.push(Date.now() - begun)
      return could[at.length - 1] ?? true
    },
    { everyMs: 1000, random },
  )
  while (at.length < could.length) await vi.advanceTimersByTimeAsync(50)
  end()
  await vi.advanceTimersByTimeAsync(100_000)
  expect(at).toHaveLength(could.length)
  return at.map((time, index) => time - (at[index - 1] ?? 0))
}

const most = () => 1
it('looks after the same time again and again, and no more once it is ended', async () => {
  expect(await pauses([true, true, true], most)).toEqual([1000, 1000, 1000])
})

it('looks later and later while it cannot, up to ten times as late, and then as before', async () => {
  const could = [false, false, false, false, false, true, true]
  expect(await pauses(could, most)).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000, 1000])
})

it('looks up to a quarter earlier, so that not everybody does at once', async () => {
  const numbers = [0, 0.4, 0.8]
  expect(await pauses([true, true, true], () => numbers.shift() ?? 0)).toEqual([750, 850, 950])
})

it('looks no more where it is ended meanwhile', async () => {
  const looking = Promise.withResolvers<boolean>()
  let looks = 0
  const end = poll(
    () => {
      looks++
      return looking.promise
    },
    { everyMs: 1000 },
  )
  await vi.advanceTimersByTimeAsync(1000)
  end()
  looking.resolve(true)
  await vi.advanceTimersByTimeAsync(100_000)
  expect(looks).toBe(1)
})
