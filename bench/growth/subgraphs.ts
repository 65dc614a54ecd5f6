import { load } from '../gateway/load.ts'
import { createRows, type GrowthRow } from './growth-row.ts'
import { partOf } from './repository.ts'
import { type Grown, startGrown } from './start-gateway.ts'

export async function growSubgraphs(sizes: readonly number[]): Promise<GrowthRow[]> {
  const rows = createRows('subgraphs')
  for (const size of sizes) {
    await using grown = await startGrown({ subgraphs: size, tools: 1 })
    const { compose, start, heap } = grown.costs
    rows.add(size, 'composing', 'ms of CPU', 'as it', compose)
    rows.add(size, 'start of the gateway', 'ms', 'as it', start)
    rows.add(size, 'heap of the gateway', 'MB', 'as it', heap / 1e6)
    // The first of all has code compiled, too.
    await ask(grown, 'Warm', [1], 50)
    const some = [1, size - 1]
    rows.add(size, 'first time of an operation of three subgraphs', 'ms of CPU', 'no', await first(grown, 'Some', some))
    rows.add(size, 'a known operation of three subgraphs', 'ms of CPU', 'no', await ask(grown, 'Known', some, 400))
    const all = Array.from({ length: size - 1 }, (_, index) => index + 1)
    rows.add(size, 'first time of an operation of all subgraphs', 'ms of CPU', 'as it', await first(grown, 'All', all))
    rows.add(size, 'a known operation of all subgraphs', 'ms of CPU', 'as it', await ask(grown, 'All', all, 100))
  }
  return rows.all()
}

/** Of five that nobody asked before. */
async function first(grown: Grown, name: string, parts: readonly number[]): Promise<number> {
  let sum = 0
  for (let index = 0; index < 5; index++) {
    const fields =
      ['title amount', 'amount title', 'title a: amount', 'amount t: title', 't: title a: amount'][index] ?? ''
    sum += await spent(grown, `First${name}${index}`, parts, 1, fields)
  }
  return sum / 5
}

async function ask(grown: Grown, name: string, parts: readonly number[], requests: number): Promise<number> {
  await spent(grown, name, parts, requests)
  return spent(grown, name, parts, requests)
}

/** Milliseconds of the gateway's CPU time for each request. */
async function spent(
  { gateway, url, token }: Grown,
  name: string,
  parts: readonly number[],
  requests: number,
  fields = 'title amount',
): Promise<number> {
  const selections = parts.map((part) => `part${part} { ${fields} }`).join(' ')
  const body = JSON.stringify({ query: `query ${name} { viewer { id ${selections} } }` })
  const expected = `"id":"usr_u0",${JSON.stringify(
    Object.fromEntries(parts.map((part) => [`part${part}`, select(part, fields)])),
  ).slice(1)}`
  const next = () => ({ body, token, headers: [], expected })
  let wrong = 0
  const cost = await gateway.during('known', async () => {
    ;({ wrong } = await load({ url: `${url}/graphql`, connections: Math.min(8, requests), requests, next }))
  })
  if (wrong > 0) throw new Error(`${name}: ${wrong} answers were wrong.`)
  return cost / requests
}

/** What a part is answered with, in the order of `fields`. */
function select(part: number, fields: string): Record<string, unknown> {
  const all: Record<string, unknown> = partOf(part)
  return Object.fromEntries(
    Array.from(fields.matchAll(/(?:(\w+): )?(\w+)/g), ([, alias, field = '']) => [alias ?? field, all[field]]),
  )
}
