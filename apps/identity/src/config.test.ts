import { expect, test } from 'vitest'
import { readConfig } from './config.ts'

const env = { DATABASE_URL: 'postgres://identity:secret@127.0.0.1/behalf', BEHALF_CONTEXT_KEYS: '1:a2V5' }

test('has defaults for what need not be said', () => {
  expect(readConfig({ ...env, BIND_HOST: '', LOG_LEVEL: '' })).toEqual({
    port: 4101,
    host: '127.0.0.1',
    databaseUrl: env.DATABASE_URL,
    contextKeys: env.BEHALF_CONTEXT_KEYS,
    trustDomain: 'behalf',
    logLevel: 'info',
  })
})

test('names every fault at once, and no value', () => {
  const read = () => readConfig({ DATABASE_URL: 'mysql://secret', IDENTITY_PORT: '99999', LOG_LEVEL: 'loud' })
  for (const name of ['DATABASE_URL', 'BEHALF_CONTEXT_KEYS', 'IDENTITY_PORT', 'LOG_LEVEL']) expect(read).toThrow(name)
  expect(read).not.toThrow('secret')
})
