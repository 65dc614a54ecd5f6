import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigurationError, logLevel, port, postgresUrl, readEnvironment, type Environment } from './index.ts'

const schema = z.object({
  NOTES_PORT: port(4105),
  LOG_LEVEL: logLevel.default('info'),
  NOTES_KEY: z.string(),
  NOTES_FORMAT: z.enum(['plain', 'rich']),
  NOTES_URLS: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.url())),
})
const env = { NOTES_KEY: 'k', NOTES_FORMAT: 'plain', NOTES_URLS: 'http://a,http://b' }

function faults(given: Environment): readonly string[] {
  try {
    readEnvironment(schema, given)
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
}

it('takes a variable that is set to nothing as not set', () => {
  const expected = {
    NOTES_PORT: 4105,
    LOG_LEVEL: 'info',
    NOTES_KEY: 'k',
    NOTES_FORMAT: 'plain',
    NOTES_URLS: ['http://a', 'http://b'],
  }
  expect(readEnvironment(schema, env)).toEqual(expected)
  expect(readEnvironment(schema, { ...env, NOTES_PORT: '', LOG_LEVEL: '', OTHER: 'x' })).toEqual(expected)
  expect(faults({ ...env, NOTES_KEY: '' })).toEqual(['NOTES_KEY: not set'])
})

it('names every fault at once, each once, and no value', () => {
  expect(faults({ NOTES_PORT: 'hunter2', LOG_LEVEL: 'hunter2', NOTES_URLS: 'hunter2,hunter3' })).toEqual([
    'NOTES_PORT: not a port number',
    'LOG_LEVEL: not one of silent, fatal, error, warn, info, debug, trace',
    'NOTES_KEY: not set',
    'NOTES_FORMAT: not set',
    'NOTES_URLS: Invalid URL',
  ])
})

it('says of a database whether it is missing or of another kind', () => {
  const database = z.object({ DATABASE_URL: postgresUrl })
  for (const url of ['postgres://a@b/c', 'postgresql://a@b/c']) {
    expect(readEnvironment(database, { DATABASE_URL: url })).toEqual({ DATABASE_URL: url })
  }
  expect(() => readEnvironment(database, {})).toThrow(new ConfigurationError(['DATABASE_URL: not set']))
  expect(() => readEnvironment(database, { DATABASE_URL: 'mysql://a:hunter2@b/c' })).toThrow(
    new ConfigurationError(['DATABASE_URL: not a postgres:// URL']),
  )
})

describe('a port', () => {
  it.each([
    ['0', 0],
    ['4102', 4102],
    ['65535', 65_535],
  ])('is %s', (text, value) => {
    expect(readEnvironment(schema, { ...env, NOTES_PORT: text }).NOTES_PORT).toBe(value)
  })

  it.each(['65536', '-1', '1.5', '0x10', '1e3', ' ', '80 ', '/var/run/socket'])('is not %j', (text) => {
    expect(faults({ ...env, NOTES_PORT: text })).toEqual(['NOTES_PORT: not a port number'])
  })
})
