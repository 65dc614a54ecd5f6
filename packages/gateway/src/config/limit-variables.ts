import { z } from 'zod'

/** A variable such as `depth=20,cost=9000`: some of these names, each with a number. */
export const bounds = <Name extends string>(...names: readonly Name[]) =>
  z
    .string()
    .refine(isList(names, /^[1-9]\d{0,8}$/), `write <name>=<number>, separated by commas; names: ${names.join(', ')}`)
    .transform((text): Partial<Record<Name, number>> => byName(text, Number))
    .prefault('')

/** A variable such as `requests=600,cost=off`: no limit is null. */
export const rates = <Name extends string>(...names: readonly Name[]) =>
  z
    .string()
    .refine(
      isList(names, /^(off|[1-9]\d{0,8})$/),
      `write <name>=<number> or <name>=off, separated by commas; names: ${names.join(', ')}`,
    )
    .transform((text): Partial<Record<Name, number | null>> =>
      byName(text, (most) => (most === 'off' ? null : Number(most))),
    )
    .prefault('')

const itemsOf = (text: string): (readonly [name: string, most: string])[] =>
  text
    .split(',')
    .filter((item) => item.trim() !== '')
    .map((item) => item.trim().split('='))
    .map(([name = '', ...most]) => [name, most.join('=')])

const isList = (names: readonly string[], value: RegExp) => (text: string) =>
  itemsOf(text).every(([name, most]) => names.includes(name) && value.test(most))

function byName<Name extends string, Value>(text: string, read: (most: string) => Value): Partial<Record<Name, Value>> {
  return Object.fromEntries(itemsOf(text).map(([name, most]) => [name, read(most)])) as Partial<Record<Name, Value>>
}
