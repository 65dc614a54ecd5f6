import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readGatewayConfig as readConfig } from './read-gateway-config.ts'

const rootKey = randomBytes(32).toString('base64url')
const required = {
  DATABASE_URL: 'postgres://gateway:hunter2@127.0.0.1:4300/behalf',
  BEHALF_ROOT_KEY: rootKey,
  OIDC_ISSUER: 'http://127.0.0.1:4200',
  GRAPHQL_RESOURCE: 'http://127.0.0.1:4000/graphql',
}

describe('the configuration', () => {
  it('has defaults for what need not be said', () => {
    const config = readConfig(required)
    expect(config).toEqual({
      listen: { port: 4000, host: '127.0.0.1', internalPort: 4001, internalHost: '127.0.0.1' },
      graph: 'graph.json',
      subgraphs: {},
      databaseUrl: required.DATABASE_URL,
      rootKey,
      epoch: 1,
      trustDomain: 'behalf',
      issuers: [
        {
          issuer: required.OIDC_ISSUER,
          audiences: { graphql: required.GRAPHQL_RESOURCE },
          interactiveClients: [],
          claims: { tenant: 'tenant' },
        },
      ],
      authorization: { mode: 'filter' },
      limits: { operation: {}, user: {}, tenant: {}, anonymous: {}, streams: {} },
      batching: null,
      trustedProxies: [],
      introspection: true,
      documents: { trusted: {}, only: false },
      model: null,
      logLevel: 'info',
      otlpEndpoint: null,
    })
    expect(Object.isFrozen(config)).toBe(true)
  })

  it('takes a variable that is set to nothing as not set', () => {
    const empty = Object.fromEntries(
      [
        'GATEWAY_PORT',
        'HOST',
        'GRAPH',
        'SUBGRAPHS',
        'INTERACTIVE_CLIENTS',
        'LOG_LEVEL',
        'INTROSPECTION',
        'AUTHORIZATION_MODE',
        'LIMIT_USER',
      ].map((name) => [name, '']),
    )
    expect(readConfig({ ...required, ...empty })).toEqual(readConfig(required))
    expect(() => readConfig({ ...required, BEHALF_ROOT_KEY: '' })).toThrow('BEHALF_ROOT_KEY')
  })

  it('takes no root key of which there is another spelling, or less than 32 bytes', () => {
    const fits = Buffer.alloc(32, 7).toString('base64url')
    expect(readConfig({ ...required, BEHALF_ROOT_KEY: fits }).rootKey).toBe(fits)
    for (const unfit of [`${fits.slice(0, -1)}d`, `${fits}=`, `${fits}AA`, fits.slice(0, -1), fits.replace('B', '+')])
      expect(() => readConfig({ ...required, BEHALF_ROOT_KEY: unfit })).toThrow('BEHALF_ROOT_KEY')
  })

  it('reads lists', () => {
    const config = readConfig({
      ...required,
      INTERACTIVE_CLIENTS: 'console, cli,',
      SUBGRAPHS: 'orders=http://127.0.0.1:1/graphql?a=b, my-balance=https://balance.example/graphql',
    })
    expect(config.issuers[0]?.interactiveClients).toEqual(['console', 'cli'])
    expect(config.subgraphs).toEqual({
      orders: 'http://127.0.0.1:1/graphql?a=b',
      'my-balance': 'https://balance.example/graphql',
    })
  })

  it('has a graph of a file, or of a URL, with what is said of that one', () => {
    const url = 'https://graphs.example/graph.json?signature=x'
    expect(readConfig({ ...required, GRAPH: 'https/graph.json' }).graph).toBe('https/graph.json')
    expect(readConfig({ ...required, GRAPH: url }).graph).toEqual({ url })
    expect(readConfig({ ...required, GRAPH: url, GRAPH_POLL_SECONDS: '60', GRAPH_TOKEN: 'a.b-c' }).graph).toEqual({
      url,
      everyMs: 60_000,
      token: 'a.b-c',
    })
  })

  it.each([
    { GRAPH: 'http://graphs.example/hunter2' },
    { GRAPH: 'https://ada:hunter2@graphs.example' },
    { GRAPH: 'https://' },
    { GRAPH_POLL_SECONDS: '0', GRAPH: 'https://graphs.example/graph.json' },
    { GRAPH_POLL_SECONDS: '60' },
    { GRAPH_TOKEN: 'hunter2' },
    { GRAPH_TOKEN: 'hunter2\n', GRAPH: 'https://graphs.example/graph.json' },
  ])('takes no graph that cannot be asked for so: %o', (wrong) => {
    const [name = ''] = Object.keys(wrong)
    expect(() => readConfig({ ...required, ...wrong })).toThrow(name)
    expect(() => readConfig({ ...required, ...wrong })).not.toThrow('hunter2')
  })

  it('reads limits', () => {
    const config = readConfig({
      ...required,
      LIMIT_OPERATION: 'depth=20, cost=9000,',
      LIMIT_USER: 'requests=60,cost=off,toolCalls=10',
      LIMIT_TENANT: 'requests=off',
      LIMIT_ANONYMOUS: 'refusedCredentials=5',
      LIMIT_STREAMS: 'user=3',
      LIMIT_CONCURRENT: '50',
      BATCH_MAX: '10',
      TRUSTED_PROXIES: '10.0.0.0/8, ::1,192.0.2.7,fd00::/8',
    })
    expect(config.limits).toEqual({
      operation: { depth: 20, cost: 9000 },
      user: { requests: 60, cost: null, toolCalls: 10 },
      tenant: { requests: null },
      anonymous: { refusedCredentials: 5 },
      streams: { user: 3 },
      concurrentRequests: 50,
    })
    expect(config.batching).toEqual({ most: 10 })
    expect(config.trustedProxies).toEqual(['10.0.0.0/8', '::1', '192.0.2.7', 'fd00::/8'])
  })

  it.each([
    [
      'LIMIT_USER',
      ['requests', 'requests=', 'requests=0', 'requests=-1', 'requests=1.5', 'requests=1e9', 'depth=3', 'cost=1=2'],
    ],
    ['LIMIT_OPERATION', ['depth=off', 'requests=1', '__proto__=1', 'cost=1000000000']],
    ['BATCH_MAX', ['0', '-1', '1.5', 'on', '1001']],
    ['LIMIT_TENANT', ['toolCalls=1']],
    ['LIMIT_ANONYMOUS', ['toolCalls=1']],
    ['TRUSTED_PROXIES', ['true', '1', '10.0.0.0/33', 'proxy.example', '10.0.0.1:80']],
  ])('takes no %s that says something else', (name, unfit) => {
    for (const value of unfit) expect(() => readConfig({ ...required, [name]: value })).toThrow(name)
  })

  it('names every fault at once, and no value', () => {
    const wrong = {
      DATABASE_URL: 'mysql://root:hunter2@db/behalf',
      BEHALF_ROOT_KEY: 'hunter2',
      OIDC_ISSUER: 'hunter2',
      GATEWAY_PORT: '99999',
      GATEWAY_INTERNAL_PORT: 'hunter2',
      BEHALF_KEY_EPOCH: '-1',
      SUBGRAPHS: 'orders:hunter2',
      LIMIT_OPERATION: 'hunter2',
      LIMIT_USER: 'hunter2=1',
      LIMIT_TENANT: 'requests=hunter2',
      LIMIT_ANONYMOUS: 'hunter2',
      TRUSTED_PROXIES: 'hunter2',
      INTROSPECTION: 'hunter2',
      AUTHORIZATION_MODE: 'hunter2',
      LOG_LEVEL: 'hunter2',
    }
    const read = () => readConfig(wrong)
    for (const name of [...Object.keys(wrong), 'GRAPHQL_RESOURCE']) expect(read).toThrow(name)
    expect(read).not.toThrow('hunter2')
  })
})
