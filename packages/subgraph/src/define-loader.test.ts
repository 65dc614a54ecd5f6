import { expect, it } from 'vitest'
import { defineLoader, forgetLoaded } from './define-loader.ts'

it('loads the keys of one tick together, once per context', async () => {
  const loads: [readonly number[], string][] = []
  const doubled = defineLoader(async (keys: readonly number[], context: { user: string }) => {
    loads.push([keys, context.user])
    return keys.map((key) => (key < 0 ? new Error('negative') : `${context.user} ${key * 2}`))
  })
  const ada = { user: 'ada' }
  const ben = { user: 'ben' }
  expect(
    await Promise.all([doubled(ada).load(1), doubled(ada).load(2), doubled(ben).load(1), doubled(ada).load(1)]),
  ).toEqual(['ada 2', 'ada 4', 'ben 2', 'ada 2'])
  expect(loads).toEqual([
    [[1, 2], 'ada'],
    [[1], 'ben'],
  ])
  await expect(doubled(ada).load(-1)).rejects.toThrow('negative')
  expect(await doubled(ada).load(2)).toBe('ada 4')
  expect(loads).toHaveLength(3)
  forgetLoaded(ada)
  expect(await doubled(ada).load(2)).toBe('ada 4')
  expect(loads).toHaveLength(4)
})
