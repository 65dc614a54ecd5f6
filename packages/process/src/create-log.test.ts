import { expect, it } from 'vitest'
import { createLog } from './create-log.ts'

/** What is logged when these are the fields. */
function logged(fields: object): Record<string, unknown> {
  let line = ''
  createLog('notes', 'info', { write: (text) => void (line += text) }).info(fields, 'said')
  return JSON.parse(line) as Record<string, unknown>
}

it('has the name of the process, of the level, and the time in ISO 8601', () => {
  expect(logged({ txn: 't' })).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.+Z$/) as string,
    name: 'notes',
    txn: 't',
    msg: 'said',
  })
})

it.each([
  ['authorization'],
  ['cookie'],
  ['set-cookie'],
  ['txn-token'],
  ['workload-token'],
  ['ticket'],
  ['token'],
  ['headers'],
  ['rawHeaders'],
  ['contextKeys'],
  ['password'],
  ['detail'],
])('never has %s', (secret) => {
  const fields = { [secret]: 'hunter2', kept: 1 }
  expect(logged({ ...fields, one: fields, two: { two: fields } })).toMatchObject({
    kept: 1,
    one: { kept: 1 },
    two: { two: { kept: 1 } },
  })
  expect(JSON.stringify(logged({ ...fields, one: fields, two: { two: fields } }))).not.toContain('hunter2')
})

it('logs nothing below its level', () => {
  const lines: string[] = []
  const log = createLog('notes', 'warn', { write: (line) => void lines.push(line) })
  log.info('quiet')
  log.warn('loud')
  expect(lines).toHaveLength(1)
})
