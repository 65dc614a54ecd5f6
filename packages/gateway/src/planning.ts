import { createWorldGraph } from './execute/plan/fixtures/world-graph.ts'
import { supergraphs } from './execute/plan/fixtures/supergraphs.ts'
import { readSupergraph } from './execute/plan/read-supergraph.ts'
import { normaliseOperation } from './execute/plan/normalise-operation.ts'
import { preparePlanning } from './execute/plan/plannable-operation.ts'
import { measureOperation } from './limits/measure-operation.ts'
import { requireWithin, defaultOperationLimits } from './limits/operation-limits.ts'
import { randomOperation } from './execute/plan/fixtures/random-operation.ts'
import { seededDraw } from './execute/plan/fixtures/seeded-draw.ts'
import { parse, validate } from 'graphql'
const which = process.argv[2] ?? ''
for (const name of Object.keys(supergraphs)) {
  if (which && name !== which) continue
  const g = createWorldGraph(supergraphs[name]!)
  const p = readSupergraph(g.supergraph)
  const time = (text: string, label: string) => {
    let opens = 0; for (const c of text) opens += c === '{' ? 1 : c === '}' ? -1 : 0
    if (opens < 0) text = text.slice(0, opens); else text += '}'.repeat(opens)
    const document = parse(text, { maxTokens: 2000 })
    const errors = validate(g.apiSchema, document)
    if (errors.length) return console.log(label, 'invalid', errors[0]!.message)
    const op = document.definitions[0] as never
    const m = measureOperation(p.apiSchema, document, op)
    try { requireWithin(defaultOperationLimits, m, m.cost({})) } catch (e) { return console.log(label, (e as Error).message) }
    const t = performance.now()
    try {
      const planned = preparePlanning(normaliseOperation(p.apiSchema, document, op, {}), p.addedNames)
      if (planned.document) p.plan(planned.document, [])
    } catch (e) { console.log(label, String(e).slice(0, 100)) }
    const ms = performance.now() - t
    if (ms > 100 || label !== '') console.log(name, label, Math.round(ms) + 'ms', JSON.stringify({ d: m.depth, f: m.fields, c: m.cost({}) }))
    return ms
  }
  const nest = (depth: number, f: (inner: string) => string, last: string) => { let t = last; for (let i = 0; i < depth; i++) t = f(t); return t }
  const tries: Record<string, [string, (inner: string) => string, string]> = name === 'nodes' ? {
    linked: ['{ shape { ', (i) => `next { ... on Linked { ${i} } }`, 'name } }'],
    others: ['{ shape { ', (i) => `next { ... on A { other y } ... on B { y z { id } } ... on C { other x next { id } } ... on Linked { ${i} } }`, 'name } }'],
    bc: ['{ shape { ', (i) => `next { ... on A { other y next { id } } ... on B { y next {id} } ... on C { other next {id} } ... on D { other far { y } } ... on Linked { ${i} } }`, 'name } }'],
    three: ['{ shape { ', (i) => `next { ... on A { other ${i} } ... on B { y ${i} } }`, 'name } }'],
    union: ['{ any { ... on Linked { ', (i) => `next { name ... on A { more { name other y } } ... on Linked { ${i} } }`, 'name } } }'],
    more: ['{ a { ', (i) => `more { x y other ${i} }`, 'name } }'],
    bz: ['{ any { ... on B { ', (i) => `z { y x friend { x y more { x } } ${i} }`, 'name } } }'],
  } : name === 'shop' ? {
    products: ['{ product(id: "1") { ', (i) => `maker { products { label shipping reviews { text } ${i} } }`, 'name } }'],
    related: ['{ product(id: "1") { ', (i) => `related(first: 1) { label shipping best { of { inStock name ${i} } } }`, 'name } }'],
    reviews: ['{ latest { ', (i) => `of { label best { id author { maker { rating owner country } } ${i} } }`, 'id } }'],
 best: ['{ product(id: 1) { ', (i) => `label shipping inStock best { of { ${i} } }`, 'name } }'],
  } : name === 'media' ? {
    one: ['{ review { ', (i) => `of { title score blurb ... on Book { pages author { name } } ... on Movie { length year } } by { name } `, 'text } }'],
    media: ['{ top { ', (i) => `reviews { of { title blurb score ... on Book { pages author { reviews { stars } name } } ... on Movie { length cast { name } } ${i} } }`, 'id } }'],
    person: ['{ one(id: 1) { ', (i) => `... on Book { author { name reviews { of { score ${i} } } } } ... on Movie { cast { name reviews { of { score ${i} } } } }`, 'id } }'],
  } : name === 'rights' ? {
    works: ['{ work(id: 1) { ', (i) => `licences { work { nights rating ... on Opera { acts } ... on Song { year } ... on Ballet { dancers } ${i} } holder { ... on Person { licences { id } } } }`, 'id } }'],
  } : {
    chain: ['{ thing { ', (i) => `self { third fourth second derived others { code third } ${i} }`, 'id } }'],
  }
  for (const [label, [start, f, last]] of Object.entries(tries))
    for (const depth of [1, 2, 3, 4, 5, 6, 7, 9, 11, 13]) {
      const ms = time(start + nest(depth, f, last), `${label} ${depth}`)
      if (ms !== undefined && ms > 20000) break
    }
}
