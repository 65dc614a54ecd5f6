import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../config.ts'
import { planProvider, planSystem } from './system-plan.ts'

const apps = [
  { name: 'orders', port: 4102, directory: '/repo/apps/orders', demoScopes: ['parcels:read'] },
  { name: 'orchestrator', port: 4104, directory: '/repo/apps/orchestrator', demoScopes: [] },
]
const plan = (env: Record<string, string> = {}) => {
  const config = readConfig(apps, { PATH: '/bin', SOMETHING: 'else', ...env })
  const databaseUrl = (role: string) => `postgres://${role}@127.0.0.1:4300/postgres`
  const { subgraph, gateway } = planSystem({
    config,
    root: '/repo',
    databaseUrl,
    graphFile: '/repo/.behalf/graph.json',
  })
  const [orders, orchestrator] = apps.map((app) => subgraph(app, app.port))
  return {
    config,
    provider: planProvider(config, '/repo', apps).env,
    orders: orders!.env,
    orchestrator: orchestrator!.env,
    gateway: gateway.env,
    nodeArgs: gateway.nodeArgs,
  }
}

describe('each process is told what it needs and nothing else', () => {
  test('a subgraph: its port, its role, its keys', () => {
    const { orders } = plan()
    expect(Object.keys(orders).toSorted()).toEqual(['BEHALF_CONTEXT_KEYS', 'DATABASE_URL', 'LOG_LEVEL', 'ORDERS_PORT'])
    expect(orders['DATABASE_URL']).toContain('//orders@')
  })

  test('the orchestrator: also how to reach the gateway and the model', () => {
    const { orchestrator, orders } = plan({ MODEL_API_KEY: 'key' })
    expect(Object.keys(orchestrator).toSorted()).toEqual([
      'BEHALF_CONTEXT_KEYS',
      'BEHALF_WORKLOAD_KEY',
      'DATABASE_URL',
      'GATEWAY_INTERNAL_URL',
      'LOG_LEVEL',
      'MODEL_API_KEY',
      'ORCHESTRATOR_PORT',
    ])
    expect(orchestrator['BEHALF_CONTEXT_KEYS']).not.toBe(orders['BEHALF_CONTEXT_KEYS'])
    expect(JSON.stringify(orders)).not.toContain('MODEL')
  })

  test('the development provider: what apps add to the scopes of its users', () => {
    expect(plan().provider).toMatchObject({ DEMO_SCOPES: 'parcels:read' })
  })

  test("the root key goes to the gateway alone, the model's key never there", () => {
    const { config, provider, orders, orchestrator, gateway } = plan({ MODEL_API_KEY: 'key' })
    expect(gateway['BEHALF_ROOT_KEY']).toBe(config.rootKey)
    expect(JSON.stringify([provider, orders, orchestrator])).not.toContain(config.rootKey)
    expect(JSON.stringify([provider, orders, gateway])).not.toContain('MODEL_API_KEY')
  })

  test("the supervisor's own environment reaches none of them", () => {
    const { config: _config, nodeArgs: _nodeArgs, ...environments } = plan()
    for (const env of Object.values(environments)) {
      expect(Object.keys(env)).not.toContain('PATH')
      expect(Object.keys(env)).not.toContain('SOMETHING')
    }
  })
})

test('the gateway can be pointed at something in between', () => {
  // Else it takes the graph's word.
  expect(plan().gateway).not.toHaveProperty('SUBGRAPHS')
  const { gateway } = plan({ SUBGRAPHS: 'orders=http://127.0.0.1:9/graphql' })
  expect(gateway['SUBGRAPHS']).toBe('orders=http://127.0.0.1:9/graphql')
})

test("the gateway's young generation is as large as docs/reference/config.md says", () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/config.md'), 'utf8')
  const option = '--max-semi-space-size=32'
  expect(page).toContain(`\`${option}\``)
  expect(plan().nodeArgs).toEqual([option])
  const start: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../../gateway/package.json'), 'utf8'))
  expect(start).toMatchObject({ scripts: { start: expect.stringContaining(` ${option} `) } })
})

test('so can the orchestrator and the provider', () => {
  expect(plan().orchestrator['GATEWAY_INTERNAL_URL']).toBe('http://127.0.0.1:4001')
  expect(plan().provider).toMatchObject({ IDP_PORT: '4200', IDP_LISTEN_PORT: '4200' })
  const { orchestrator, provider, gateway } = plan({
    GATEWAY_INTERNAL_URL: 'http://127.0.0.1:9',
    IDP_LISTEN_PORT: '4210',
  })
  expect(orchestrator['GATEWAY_INTERNAL_URL']).toBe('http://127.0.0.1:9')
  expect(provider).toMatchObject({ IDP_PORT: '4200', IDP_LISTEN_PORT: '4210' })
  expect(gateway).toMatchObject({ GATEWAY_INTERNAL_PORT: '4001', OIDC_ISSUER: 'http://127.0.0.1:4200' })
})

test('the gateway trusts the development provider, unless it is told of others', () => {
  const one = plan().gateway
  expect(one).toMatchObject({ OIDC_ISSUER: 'http://127.0.0.1:4200', INTERACTIVE_CLIENTS: 'behalf-console,behalf-cli' })
  expect(Object.keys(one)).not.toContain('ISSUERS')
  const several = plan({ ISSUERS: 'issuers.json' }).gateway
  // The gateway refuses these beside the file.
  for (const name of ['OIDC_ISSUER', 'INTERACTIVE_CLIENTS', 'TENANT_CLAIM'])
    expect(Object.keys(several)).not.toContain(name)
  expect(several['ISSUERS']).toBe('issuers.json')
  for (const name of ['OIDC_ISSUER', 'INTERACTIVE_CLIENTS', 'TENANT_CLAIM'])
    expect(() => plan({ ISSUERS: 'issuers.json', [name]: 'https://issuer.example' })).toThrow(name)
})

describe('docs/reference/config.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/config.md'), 'utf8')
  const variablesOf = (section: string) => {
    const [, text = ''] = page.split(`\n## ${section}\n`)
    const rows = (text.split('\n## ')[0] ?? '').matchAll(/^\| (`[^|]*) \|/gm)
    return Array.from(rows, ([, names = '']) => Array.from(names.matchAll(/`(\w+)`/g), ([, name = '']) => name)).flat()
  }
  const ofGateway = variablesOf('Gateway')
  const ofStart = variablesOf('`npm start`')
  /** Where what `npm start` starts can only have one value. */
  const ofGraph = ['GRAPH', 'GRAPH_POLL_SECONDS', 'GRAPH_TOKEN']
  const fixed = ['GATEWAY_INTERNAL_HOST', ...ofGraph, 'BEHALF_KEY_EPOCH', 'BEHALF_TRUST_DOMAIN']
  const valid: Record<string, string> = {
    GATEWAY_PORT: '5000',
    GATEWAY_INTERNAL_PORT: '5001',
    DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c',
    BEHALF_ROOT_KEY: Buffer.alloc(32, 7).toString('base64url'),
    OIDC_ISSUER: 'https://issuer.example',
    GRAPHQL_RESOURCE: 'https://api.example/graphql',
    MCP_RESOURCE: 'https://api.example/mcp',
    SUBGRAPHS: 'orders=http://127.0.0.1:9/graphql',
    LOG_LEVEL: 'warn',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318',
  }

  test('says of each variable of the gateway that npm start takes it, or it has but one value there', () => {
    expect(ofGateway.length).toBeGreaterThan(20)
    expect(ofGateway.filter((name) => !ofStart.includes(name)).toSorted()).toEqual(fixed.toSorted())
  })

  test.each(ofGateway.filter((name) => !fixed.includes(name)))('%s is handed on to the gateway', (name) => {
    const value = valid[name] ?? 'as it is'
    // Each role has a URL of its own.
    const expected = name === 'DATABASE_URL' ? '//gateway@' : value
    expect(plan({ [name]: value }).gateway[name]).toContain(expected)
  })
})

test('limits are handed on to the gateway as they are', () => {
  const { gateway, orders } = plan({ LIMIT_USER: 'requests=5', TRUSTED_PROXIES: '' })
  expect(gateway['LIMIT_USER']).toBe('requests=5')
  expect(JSON.stringify([orders, Object.keys(gateway)])).not.toMatch(/"LIMIT_TENANT|"TRUSTED|requests/)
})
