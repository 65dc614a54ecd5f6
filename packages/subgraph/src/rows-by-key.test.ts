import { expect, it } from 'vitest'
import { manyByKey, oneByKey } from './rows-by-key.ts'

const none: readonly string[] = []
const row = (of: string, at = 1) => ({ of, at })
const keyOf = ({ of }: { of: string }) => of

it('one: rows stand where their key stands, null where there is none, none of other keys', () => {
  const rows = [row('c'), row('other'), row('a')]
  expect(oneByKey(['a', 'b', 'c'], rows, keyOf)).toEqual([row('a'), null, row('c')])
  expect(oneByKey(['c', 'c'], rows, keyOf)).toEqual([row('c'), row('c')])
  expect(oneByKey(['a', 'b'], [], keyOf)).toEqual([null, null])
  expect(oneByKey(none, rows, keyOf)).toEqual([])
})

it('many: the rows of a key stand where it stands, in their own order', () => {
  const rows = [row('c', 1), row('a', 1), row('other'), row('c', 2)]
  expect(manyByKey(['a', 'b', 'c'], rows, keyOf)).toEqual([[row('a', 1)], [], [row('c', 1), row('c', 2)]])
  expect(manyByKey(['a', 'b'], [], keyOf)).toEqual([[], []])
  expect(manyByKey(none, rows, keyOf)).toEqual([])
})

it('keys of an object that every object has are keys like others', () => {
  expect(oneByKey(['constructor', '__proto__'], [row('__proto__')], keyOf)).toEqual([null, row('__proto__')])
  expect(manyByKey(['constructor', '__proto__'], [row('__proto__')], keyOf)).toEqual([[], [row('__proto__')]])
})
