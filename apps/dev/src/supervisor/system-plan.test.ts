import { describe, expect, test } from 'vitest'
import { readConfig } from '../config.ts'
import { planProvider, planSystem } from './system-plan.ts'

const apps = [
  { name: 'orders', port: 4102, directory: '/repo/apps/orders' },
  { name: 'orchestrator', port: 4104, directory: '/repo/apps/orchestrator' },
]
const plan = (env: Record<string, string> = {}) => {
  const config = readConfig(apps, { PATH: '/bin', SOMETHING: 'else', ...env })
  const databaseUrl = (role: string) => `postgres://${role}@127.0.0.1:4300/postgres`
  const { subgraphs, gateway } = planSystem({
    config,
    root: '/repo',
    apps,
    databaseUrl,
    graphFile: '/repo/.behalf/graph.json',
  })
  const [orders, orchestrator] = subgraphs
  return {
    config,
    provider: planProvider(config, '/repo').env,
    orders: orders!.env,
    orchestrator: orchestrator!.env,
    gateway: gateway.env,
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

  test("the root key goes to the gateway alone, the model's key never there", () => {
    const { config, provider, orders, orchestrator, gateway } = plan({ MODEL_API_KEY: 'key' })
    expect(gateway['BEHALF_ROOT_KEY']).toBe(config.rootKey)
    expect(JSON.stringify([provider, orders, orchestrator])).not.toContain(config.rootKey)
    expect(JSON.stringify([provider, orders, gateway])).not.toContain('MODEL_API_KEY')
  })

  test("the supervisor's own environment reaches none of them", () => {
    const { config: _config, ...environments } = plan()
    for (const env of Object.values(environments)) {
      expect(Object.keys(env)).not.toContain('PATH')
      expect(Object.keys(env)).not.toContain('SOMETHING')
    }
  })
})

test('the gateway can be pointed at something in between', () => {
  expect(plan().gateway['SUBGRAPHS']).toBe(
    'orders=http://127.0.0.1:4102/graphql,orchestrator=http://127.0.0.1:4104/graphql',
  )
  expect(plan({ SUBGRAPHS: 'orders=http://127.0.0.1:9/graphql' }).gateway['SUBGRAPHS']).toBe(
    'orders=http://127.0.0.1:9/graphql,orchestrator=http://127.0.0.1:4104/graphql',
  )
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

test('limits are handed on to the gateway as they are', () => {
  const { gateway, orders } = plan({ LIMIT_USER: 'requests=5', TRUSTED_PROXIES: '' })
  expect(gateway['LIMIT_USER']).toBe('requests=5')
  expect(JSON.stringify([orders, Object.keys(gateway)])).not.toMatch(/"LIMIT_TENANT|"TRUSTED|requests/)
})
