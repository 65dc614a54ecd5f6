import { ConfigurationError } from '@behalf/process'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { readSubgraphConfig } from './read-subgraph-config.ts'

const env = { DATABASE_URL: 'postgres://giftcards:pw@127.0.0.1/behalf', BEHALF_CONTEXT_KEYS: '1:key' }
const app = { name: 'gift_cards', port: 4105 }

it('has a default for what need not be given; set to nothing is not given', () => {
  expect(readSubgraphConfig(app, { ...env, BIND_HOST: '', LOG_LEVEL: '' })).toEqual({
    port: 4105,
    host: '127.0.0.1',
    databaseUrl: env.DATABASE_URL,
    contextKeys: '1:key',
    trustDomain: 'behalf',
    logLevel: 'info',
    otlpEndpoint: null,
  })
  expect(readSubgraphConfig(app, { ...env, GIFT_CARDS_PORT: '5000' }).port).toBe(5000)
})

it("reads the app's own variables, too", () => {
  const variables = z.object({ CARD_DESIGN: z.string().default('plain') })
  expect(readSubgraphConfig({ ...app, variables }, env).own).toEqual({ CARD_DESIGN: 'plain' })
})

it('names every fault at once, and no value', () => {
  const variables = z.object({ CARD_DESIGN: z.enum(['plain']) })
  const read = () =>
    readSubgraphConfig(
      { ...app, variables },
      { DATABASE_URL: 'mysql://secret', GIFT_CARDS_PORT: '99999', LOG_LEVEL: 'loud', CARD_DESIGN: 'gaudy' },
    )
  expect(read).toThrow(ConfigurationError)
  for (const name of ['GIFT_CARDS_PORT', 'DATABASE_URL', 'BEHALF_CONTEXT_KEYS', 'LOG_LEVEL', 'CARD_DESIGN']) {
    expect(read).toThrow(name)
  }
  for (const value of ['secret', '99999', 'loud', 'gaudy']) expect(read).not.toThrow(value)
})
