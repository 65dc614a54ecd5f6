import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chat } from './chat/section.ts'
import { database } from './database/section.ts'
import { gateway } from './gateway/section.ts'
import { renderGoals } from './goals.ts'
import { growth } from './growth/section.ts'
import { renderPage } from './render-page.ts'
import { circumstances, keepResult, readResult, type Section } from './section.ts'
import { subgraph } from './subgraph/section.ts'

// npm run bench -- <section> [arguments; each section.ts says which]
const sections: Readonly<Record<string, Section<never>>> = { gateway, subgraph, database, chat, growth }
const page = join(import.meta.dirname, '..', 'docs', 'reference', 'performance.md')

const [name = 'gateway', ...args] = process.argv.slice(2)
const section = sections[name]
if (section === undefined) throw new TypeError(`There is no section ${name}: ${Object.keys(sections).join(', ')}.`)

/** Keeps what a section measured, and writes the page anew with what is known of all of them. */
function save(result: object): void {
  keepResult(name, result)
  const parts = Object.entries(sections).flatMap(([each, { render }]) => {
    const known = readResult(each)
    return known === null ? [] : [render(known as never)]
  })
  writeFileSync(page, renderPage(circumstances(), renderGoals(), parts))
}

await section.measure(args, save, readResult(name) as never)
