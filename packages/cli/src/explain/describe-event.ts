import type { StoredAuditEvent } from '@behalf/postgres'
import { type Branch, leaf } from './render-tree.ts'

/** Whoever decides about requests and tools; what others say of these is theirs to have said. */
const gateway = 'gateway'

/** Events that say how a transaction of the gateway's ended. */
const ends: ReadonlySet<string> = new Set(['request', 'tool.called', 'tool.denied', 'tool.listed'])

export const isEnd = ({ what, source }: StoredAuditEvent): boolean => source === gateway && ends.has(what)

/** What a transaction was: its end, in one line. */
export function headOf({ what, target, outcome, durationMs, time, txn, detail }: StoredAuditEvent): string {
  const names: Readonly<Record<string, string>> = {
    request: 'request',
    'tool.called': `tool ${target}`,
    'tool.denied': `tool ${target ?? '(there is none of that name)'}, denied`,
    'tool.listed': `tools listed: ${textsOf(detail['tools']).join(', ') || 'none'}`,
  }
  return `${names[what]}  ${txn}  ${outcome}${durationMs === null ? '' : ` in ${milliseconds(durationMs)}`}  ${time.toISOString()}`
}

/** Whose it was, and what each receiver was told. */
export function partsOf(end: StoredAuditEvent): Branch[] {
  const { subject, tenant, actor, rule, detail } = end
  const who = tenant === null ? 'nobody who is known' : `${subject} of ${tenant}`
  const how = actor === null ? 'in person' : `for whom ${actor} acts`
  const client = textOf(detail['client'])
  const operation = textOf(detail['operation'])
  const name = textOf(detail['name'])
  const delegation = textOf(detail['delegation'])
  return [
    leaf(`by ${who}${tenant === null ? '' : `, ${how}`}${client === null ? '' : `, through ${client}`}`),
    ...(delegation === null ? [] : [leaf(`under ${delegation}, in ${textOf(detail['run'])}`)]),
    ...(rule === null ? [] : [leaf(`by the rule ${rule}`)]),
    ...(operation === null ? [] : [leaf(`${operation}${name === null ? '' : ` ${name}`}${costOf(detail)}`)]),
    ...hopsOf(detail['hops']),
    ...(detail['unlistedHops'] === undefined ? [] : [leaf(`and ${Number(detail['unlistedHops'])} more`)]),
  ]
}

const costOf = ({ cost }: Readonly<Record<string, unknown>>) => (typeof cost === 'number' ? `, cost ${cost}` : '')

function hopsOf(hops: unknown): Branch[] {
  if (!Array.isArray(hops)) return []
  return hops.map((hop: Record<string, unknown>) => {
    const facts = Object.entries(isRecord(hop['facts']) ? hop['facts'] : {}).map(
      ([fact, value]) => `${fact} = ${JSON.stringify(value)}`,
    )
    const outcomes = [textOf(hop['outcome']), ...textsOf(hop['errors'])].join(', ')
    return {
      text: `${textOf(hop['to'])} was told, for a ${textOf(hop['operation'])}: ${outcomes} in ${milliseconds(Number(hop['ms']))}`,
      branches: [
        leaf(`scopes  ${textsOf(hop['scopes']).join(' ') || 'none'}`),
        leaf(`facts   ${facts.join(', ') || 'none'}`),
        ...(hop['ticket'] === true ? [leaf('a ticket, with which an agent may be started')] : []),
      ],
    }
  })
}

/** Any other event, in one line. */
export function lineOf(event: StoredAuditEvent): string {
  const { what, source, target, rule, outcome, detail } = event
  const by = rule === null ? '' : `, by ${rule}`
  const at = source === gateway ? '' : ` in ${source}`
  switch (what) {
    case 'field.denied':
      return `${target} denied${at}: ${outcome}${by}`
    case 'object.withheld':
      return `${textOf(detail['type'])} withheld at ${target}${at}: ${outcome}${by}`
    case 'context.refused':
      return `context token refused by ${source}: ${outcome}`
    case 'subject.bound':
      return `$${target} filled from the caller${at}${by}`
    case 'header.ignored':
      return `headers ignored${at}: ${textsOf(detail['names']).join(', ')}`
    case 'delegation.made':
      return outcome === 'OK'
        ? `${target} made for ${textOf(detail['agent'])}, until ${textOf(detail['expiresAt'])}: ${textsOf(detail['scopes']).join(' ') || 'no scopes'}`
        : `no delegation made for ${textOf(detail['agent'])}: ${outcome}`
    default:
      return `${what}${target === null ? '' : ` ${target}`}${at}: ${outcome}${by}`
  }
}

const milliseconds = (ms: number) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
