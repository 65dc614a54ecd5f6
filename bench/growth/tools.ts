import { load } from '../gateway/load.ts'
import { createRows, type GrowthRow } from './growth-row.ts'
import { toolName } from './repository.ts'
import { type Grown, startGrown } from './start-gateway.ts'

const protocol = '2026-07-28'
const meta = {
  'io.modelcontextprotocol/protocolVersion': protocol,
  'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}

export async function growTools(sizes: readonly number[]): Promise<GrowthRow[]> {
  const rows = createRows('tools')
  for (const size of sizes) {
    await using grown = await startGrown({ subgraphs: 1, tools: size })
    const { compose, start, heap } = grown.costs
    rows.add(size, 'composing', 'ms of CPU', 'as it', compose)
    rows.add(size, 'start of the gateway', 'ms', 'as it', start)
    rows.add(size, 'heap of the gateway', 'MB', 'as it', heap / 1e6)
    const last = toolName(size - 1)
    const cursor = await lastPage(grown)
    const list = (params: object) => ask(grown, 'tools/list', params, '"name":"get_name_', 200)
    rows.add(size, '`tools/list`, its first page (100 at most)', 'ms of CPU', 'no', await list({}))
    if (cursor !== null) rows.add(size, '`tools/list`, its last page', 'ms of CPU', 'no', await list({ cursor }))
    const call = { name: last, arguments: { style: 'bold' } }
    const expected = '"structuredContent":{"viewer":{"id":"usr_u0","name":"Ada"}}'
    rows.add(size, '`tools/call`', 'ms of CPU', 'no', await ask(grown, 'tools/call', call, expected, 300))
  }
  return rows.all()
}

/** Where it begins; null where there is but one. Reads all, so that none is missing. */
async function lastPage(grown: Grown): Promise<string | null> {
  let cursor: string | null = null
  const seen = new Set<string>()
  for (;;) {
    const { body, headers } = requestOf('tools/list', cursor === null ? {} : { cursor })
    const response = await fetch(`${grown.url}/mcp`, {
      method: 'POST',
      headers: { ...headers, authorization: `Bearer ${grown.mcpToken}` },
      body,
    })
    const { result } = (await response.json()) as {
      result: { readonly tools: readonly { readonly name: string }[]; readonly nextCursor?: string }
    }
    for (const { name } of result.tools) seen.add(name)
    if (result.nextCursor === undefined) break
    cursor = result.nextCursor
  }
  if (seen.size !== grown.tools) throw new Error(`${seen.size} of ${grown.tools} tools are listed.`)
  return cursor
}

function requestOf(method: string, params: { readonly name?: string }) {
  return {
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } }),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': protocol,
      'mcp-method': method,
      ...(params.name !== undefined && { 'mcp-name': params.name }),
    },
  }
}

/** Milliseconds of the gateway's CPU time for each. */
async function ask(
  { gateway, url, mcpToken: token }: Grown,
  method: string,
  params: { readonly name?: string },
  expected: string,
  requests: number,
): Promise<number> {
  const { body, headers: named } = requestOf(method, params)
  const headers = Object.entries(named)
    .filter(([name]) => name.startsWith('mcp-'))
    .flat()
  const next = () => ({ body, token, headers, expected })
  const run = (count: number) => load({ url: `${url}/mcp`, connections: 8, requests: count, next })
  await run(requests)
  let wrong = 0
  const spent = await gateway.during(method.replace('/', '-'), async () => {
    ;({ wrong } = await run(requests))
  })
  if (wrong > 0) throw new Error(`${method}: ${wrong} answers were wrong.`)
  return spent / requests
}
