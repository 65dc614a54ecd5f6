import { ConfigurationError } from '@behalf/process'
import { expect, test } from 'vitest'
import { readConfig } from './config.ts'

const env = {
  DATABASE_URL: 'postgres://orchestrator:secret@127.0.0.1:4300/postgres',
  BEHALF_CONTEXT_KEYS: '1:key',
  BEHALF_WORKLOAD_KEY: '1:key',
  GATEWAY_INTERNAL_URL: 'http://127.0.0.1:4001',
}

function faults(given: Record<string, string>): string[] {
  try {
    readConfig(given)
    return []
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return error.faults.map((fault) => fault.slice(0, fault.indexOf(':')))
  }
}

test('without a model it is keyword-router', () => {
  expect(readConfig({ ...env, MODEL_BASE_URL: '', MODEL_NAME: '' })).toMatchObject({
    model: null,
    port: 4104,
    host: '127.0.0.1',
  })
})

test('a model', () => {
  const model = { MODEL_BASE_URL: 'http://127.0.0.1:8000/v1', MODEL_NAME: 'm', MODEL_API_KEY: 'k' }
  expect(readConfig({ ...env, ...model }).model).toEqual({
    baseUrl: 'http://127.0.0.1:8000/v1',
    model: 'm',
    apiKey: 'k',
    context: false,
  })
  expect(readConfig({ ...env, ...model, MODEL_CONTEXT: 'on' }).model).toMatchObject({ context: true })
})

test('keyword-router is refused in production unless it is allowed', () => {
  expect(faults({ ...env, NODE_ENV: 'production' })).toEqual(['MODEL_BASE_URL'])
  expect(faults({ ...env, NODE_ENV: 'production', KEYWORD_ROUTER_IN_PRODUCTION: 'yes' })).toContain(
    'KEYWORD_ROUTER_IN_PRODUCTION',
  )
  expect(faults({ ...env, NODE_ENV: 'production', KEYWORD_ROUTER_IN_PRODUCTION: 'allow' })).toEqual([])
  expect(faults({ ...env, NODE_ENV: 'production', MODEL_BASE_URL: 'http://m/v1', MODEL_NAME: 'm' })).toEqual([])
})

test('half a model is a fault', () => {
  expect(faults({ ...env, MODEL_BASE_URL: 'http://m/v1' })).toEqual(['MODEL_NAME'])
  expect(faults({ ...env, MODEL_NAME: 'm' })).toEqual(['MODEL_BASE_URL'])
  expect(faults({ ...env, MODEL_CONTEXT: 'on' })).toEqual(['MODEL_BASE_URL'])
})

test('all faults at once, and no value', () => {
  const given = { DATABASE_URL: 'mysql://secret', ORCHESTRATOR_PORT: '-1', LOG_LEVEL: 'loud' }
  expect(faults(given).toSorted()).toEqual([
    'BEHALF_CONTEXT_KEYS',
    'BEHALF_WORKLOAD_KEY',
    'DATABASE_URL',
    'GATEWAY_INTERNAL_URL',
    'LOG_LEVEL',
    'ORCHESTRATOR_PORT',
  ])
  expect(() => readConfig(given)).toThrow(
    expect.not.objectContaining({ message: expect.stringContaining('secret') as string }) as Error,
  )
})
