import { describe, expect, test } from 'vitest'
import { ConfigError, readConfig, readProviderConfig, readTokenConfig } from './config.ts'

const apps = [
  { name: 'orders', port: 4102 },
  { name: 'gift-cards', port: 4105 },
]
const faultsOf = (env: Record<string, string>) => {
  try {
    readConfig(apps, env)
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.faults
    throw error
  }
}

describe('readConfig', () => {
  test('of an empty environment has the documented ports and a root key of its own', () => {
    const config = readConfig(apps, {})
    expect(config).toMatchObject({
      host: '127.0.0.1',
      gatewayPort: 4000,
      internalPort: 4001,
      providerPort: 4200,
      postgresPort: 4300,
      databaseUrl: null,
      issuer: 'http://127.0.0.1:4200',
      ownProvider: true,
      dataDir: '.behalf',
      resources: { graphql: 'http://127.0.0.1:4000/graphql', mcp: 'http://127.0.0.1:4000/mcp' },
    })
    expect([...config.appPorts]).toEqual([
      ['orders', 4102],
      ['gift-cards', 4105],
    ])
    expect(Buffer.from(config.rootKey, 'base64url')).toHaveLength(32)
    expect(readConfig(apps, {}).rootKey).not.toBe(config.rootKey)
  })

  test('takes every setting from its variable, and an empty one as unset', () => {
    const config = readConfig(apps, {
      GATEWAY_PORT: '5000',
      GIFT_CARDS_PORT: '5105',
      OIDC_ISSUER: 'https://id.example',
      LOG_LEVEL: 'debug',
      HOST: '',
      SUBGRAPHS: 'orders=http://127.0.0.1:9/graphql',
      MODEL_BASE_URL: 'http://127.0.0.1:11434/v1',
      MODEL_NAME: 'qwen',
      UNRELATED: 'secret',
    })
    expect(config).toMatchObject({
      host: '127.0.0.1',
      gatewayPort: 5000,
      issuer: 'https://id.example',
      ownProvider: false,
      resources: { graphql: 'http://127.0.0.1:5000/graphql' },
      logging: { LOG_LEVEL: 'debug' },
      model: { MODEL_BASE_URL: 'http://127.0.0.1:11434/v1', MODEL_NAME: 'qwen' },
      given: { GATEWAY_PORT: '5000' },
    })
    expect(config.appPorts.get('gift-cards')).toBe(5105)
    expect([...config.subgraphUrls]).toEqual([['orders', 'http://127.0.0.1:9/graphql']])
    expect(JSON.stringify(config)).not.toContain('secret')
  })

  test('reports all faults at once, without values', () => {
    const faults = faultsOf({
      NODE_ENV: 'production',
      GATEWAY_PORT: 'hunter2',
      ORDERS_PORT: '70000',
      DATABASE_URL: 'mysql://hunter2',
      BEHALF_ROOT_KEY: 'hunter2',
      SUBGRAPHS: 'hunter2',
    })
    expect(faults).toEqual([
      'NODE_ENV is production: this starts demo users without passwords',
      'GATEWAY_PORT is not a port number',
      'DATABASE_URL is not a postgres:// URL',
      'BEHALF_ROOT_KEY is not 32 random bytes in base64url',
      'SUBGRAPHS is not a list of name=url',
      'ORDERS_PORT is not a port number',
    ])
    expect(faults.join()).not.toContain('hunter2')
  })

  test('refuses what would only be noticed later, or not at all', () => {
    expect(faultsOf({ MODEL_NAME: 'qwen' })).toEqual(['MODEL_BASE_URL is not set: who serves MODEL_NAME?'])
    expect(faultsOf({ MODEL_BASE_URL: 'http://127.0.0.1:11434/v1' })).toEqual([
      'MODEL_NAME is not set: which model of MODEL_BASE_URL?',
    ])
    expect(faultsOf({ SUBGRAPHS: 'order=http://127.0.0.1:9/graphql' })).toEqual([
      'SUBGRAPHS names "order", which is no subgraph',
    ])
  })

  test('refuses a port for two', () => {
    expect(faultsOf({ ORDERS_PORT: '4200' })).toEqual(['ORDERS_PORT is 4200, and so is IDP_PORT'])
    expect(faultsOf({ ORDERS_PORT: '4201' })).toEqual([])
  })
})

test.each([
  ['the provider', readProviderConfig],
  ['the token command', readTokenConfig],
])('%s refuses production', (_who, read) => {
  expect(() => read({ NODE_ENV: 'production' })).toThrow(ConfigError)
  expect(read({ NODE_ENV: 'development' })).toBeDefined()
})
