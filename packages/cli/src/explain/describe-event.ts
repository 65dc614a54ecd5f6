import type { StoredAuditEvent } from '@behalf/postgres'
import { type Branch, leaf } from './render-tree.ts'

/** Whoever decides about requests and tools; what others say of these is theirs to have said. */
const gateway = 'gateway'

/** Events that say how a transaction of the gateway's ended. */
const ends: ReadonlySet<string> = new Set(['request', 'tool.called', 'tool.denied', 'tool.listed'])

export const isEnd = ({ what, source }: StoredAuditEvent): boolean => source === gateway && ends.has(what)

/** What the gateway decided before it asked anybody. */
const firsts: ReadonlySet<string> = new Set(['field.denied', 'subject.bound', 'header.ignored'])

export const isFirst = ({ what, source }: StoredAuditEvent): boolean => source === gateway && firsts.has(what)

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

/** Whose it was, and what was asked for. */
export function callerOf(end: StoredAuditEvent): Branch[] {
  const { subject, tenant, actor, rule, detail } = end
  const who = tenant === null ? 'nobody who is known' : `${subject} of ${tenant}`
  const how = actor === null ? 'in person' : `for whom ${actor} acts`
  const client = textOf(detail['client'])
  const operation = textOf(detail['operation'])
  const name = textOf(detail['name'])
  const delegation = textOf(detail['delegation'])
  return [
    leaf(`by ${who}${tenant === null ? '' : `, ${how}`}${client === null ? '' : `, through ${client}`}`),
    ...(Array.isArray(detail['scopes']) ? [leaf(`with the scopes ${listOf(detail['scopes'])}`)] : []),
    ...(delegation === null ? [] : [leaf(`under ${delegation}, in ${textOf(detail['run'])}`)]),
    ...(rule === null ? [] : [leaf(`by the rule ${rule}`)]),
    ...(operation === null ? [] : [leaf(`${operation}${name === null ? '' : ` ${name}`}${costOf(detail)}`)]),
  ]
}

/** Which receivers were asked, and what each of them was told of the caller. */
export function hopsOf({ detail }: StoredAuditEvent): Branch[] {
  const { hops, unlistedHops } = detail
  const listed = Array.isArray(hops) ? hops.filter(isRecord).map(hopOf) : []
  return unlistedHops === undefined ? listed : [...listed, leaf(`and ${Number(unlistedHops)} more were asked`)]
}

const costOf = ({ cost }: Readonly<Record<string, unknown>>) => (typeof cost === 'number' ? `, cost ${cost}` : '')

function hopOf(hop: Readonly<Record<string, unknown>>): Branch {
  const facts = Object.entries(isRecord(hop['facts']) ? hop['facts'] : {}).map(
    ([fact, value]) => `${fact} = ${JSON.stringify(value)}`,
  )
  const outcomes = [textOf(hop['outcome']), ...textsOf(hop['errors'])].join(', ')
  return {
    text: `asked ${textOf(hop['to'])} (${textOf(hop['operation'])}): ${outcomes} in ${milliseconds(Number(hop['ms']))}`,
    branches: [
      leaf(`told the scopes  ${listOf(hop['scopes'])}`),
      leaf(`told the facts   ${facts.join(', ') || 'none'}`),
      ...(hop['ticket'] === true ? [leaf('given a ticket, with which it may start an agent')] : []),
    ],
  }
}

/** Any other event: what was decided, with the rule that did, and what was missing. */
export const branchOf = (event: StoredAuditEvent): Branch => ({ text: lineOf(event), branches: reasonsOf(event) })

function reasonsOf({ rule, detail }: StoredAuditEvent): Branch[] {
  const alternatives = Array.isArray(detail['missing']) ? detail['missing'].map(listOf) : []
  return [
    ...(rule === null ? [] : [leaf(`rule     ${rule}`)]),
    ...(alternatives.length === 0 ? [] : [leaf(`missing  ${alternatives.join(', or ')}`)]),
  ]
}

function lineOf(event: StoredAuditEvent): string {
  const { what, source, target, outcome, detail } = event
  const at = source === gateway ? '' : ` in ${source}`
  switch (what) {
    case 'field.denied':
      return `denied${at}: ${target}, ${outcome}`
    case 'object.withheld':
      return `withheld${at}: ${textOf(detail['type'])} of ${target}, ${outcome}`
    case 'context.refused':
      return `context token refused by ${source}: ${outcome}`
    case 'subject.bound':
      return `filled from the caller${at}: $${target}`
    case 'header.ignored':
      return `headers ignored${at}: ${textsOf(detail['names']).join(', ')}`
    case 'delegation.made':
      return outcome === 'OK'
        ? `delegation made: ${target}, for ${textOf(detail['agent'])} until ${textOf(detail['expiresAt'])}, with the scopes ${listOf(detail['scopes'])}`
        : `no delegation made for ${textOf(detail['agent'])}: ${outcome}`
    case 'delegation.used':
      return `delegation not to be used${target === null ? '' : `: ${target}`}, ${outcome}`
    case 'delegation.revoked':
      return `delegation ended later${at}: ${target}`
    default:
      return `${what}${target === null ? '' : ` ${target}`}${at}: ${outcome}`
  }
}

const milliseconds = (ms: number) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
const listOf = (texts: unknown) => textsOf(texts).join(' ') || 'none'
const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
