import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Turns } from './turns.ts'

/** What was done, in order. */
let done: string[] = []
const patient = () => {
  done = []
  return new Turns(60_000)
}
const doing = (name: string) => async () => void done.push(name)

/** Work that begins and ends when it is told. */
function slow(name: string) {
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const work = async () => {
    done.push(`${name} begins`)
    begun.resolve()
    await gate.promise
    done.push(`${name} ends`)
  }
  return { work, begun: begun.promise, end: gate.resolve }
}

describe('turns', () => {
  afterEach(() => void vi.useRealTimers())

  it('come one after another, in the order they were asked for, whether the one before failed or not', async () => {
    const turns = patient()
    const first = slow('first')
    const all = [
      turns.take(first.work),
      turns.take(() => Promise.reject(new Error('no'))),
      turns.take(doing('third')),
      turns.take(async () => 'answer'),
    ]
    await first.begun
    await setImmediate()
    expect(done).toEqual(['first begins'])
    first.end()
    expect(await Promise.allSettled(all)).toMatchObject([
      { status: 'fulfilled' },
      { status: 'rejected', reason: { message: 'no' } },
      { status: 'fulfilled' },
      { value: 'answer' },
    ])
    expect(done).toEqual(['first begins', 'first ends', 'third'])
  })

  it('are had already by whoever asks again within one, at any depth', async () => {
    const turns = patient()
    const other = new Turns(60_000)
    await turns.take(() => turns.take(() => other.take(() => turns.take(doing('inside')))))
    expect(done).toEqual(['inside'])
  })

  it('of one request are not those of another', async () => {
    const mine = patient()
    const others = new Turns(60_000)
    const busy = slow('busy')
    const running = others.take(busy.work)
    await busy.begun
    const within = mine.take(() => others.take(doing('within')))
    await setImmediate()
    expect(done).toEqual(['busy begins'])
    busy.end()
    await Promise.all([running, within])
    expect(done).toEqual(['busy begins', 'busy ends', 'within'])
  })

  it('are over for what was started in one and outlives it', async () => {
    const turns = patient()
    const late = Promise.withResolvers<void>()
    let outliving: Promise<void> | undefined
    await turns.take(async () => {
      outliving = late.promise.then(() => turns.take(doing('outliving')))
    })
    const next = slow('next')
    const running = turns.take(next.work)
    await next.begun
    late.resolve()
    await setImmediate()
    expect(done).toEqual(['next begins'])
    next.end()
    await Promise.all([running, outliving])
    expect(done).toEqual(['next begins', 'next ends', 'outliving'])
  })

  it('that do not come in time are given up, and those behind still wait for the one that holds them up', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const turns = patient()
    const holder = slow('holder')
    const running = turns.take(holder.work)
    await holder.begun
    const impatient = turns.take(doing('impatient')).catch((error: unknown) => error)
    vi.advanceTimersByTime(60_000)
    expect(await impatient).toMatchObject({
      code: 'UNAVAILABLE',
      cause: { message: expect.stringContaining('did not end') },
    })
    const behind = turns.take(doing('behind'))
    vi.advanceTimersByTime(59_999)
    await setImmediate()
    expect(done).toEqual(['holder begins'])
    holder.end()
    await Promise.all([running, behind])
    expect(done).toEqual(['holder begins', 'holder ends', 'behind'])
    expect(vi.getTimerCount()).toBe(0)
  })
})
