import { fileURLToPath } from 'node:url'
import { generateFiles, joinPathFragments, names, type GeneratorCallback, type Tree } from '@nx/devkit'
import { Kind, parse, print, type ObjectTypeDefinitionNode } from 'graphql'
import { finish } from '../finish.ts'
import { readApps, type App } from '../read-apps.ts'

export interface SubgraphOptions {
  readonly name: string
  readonly port?: number
}

const firstPort = 4101
/** As `isReceiverName` of @behalf/identity, which nx cannot load: nothing of ours is built. */
const namePattern =
  /^(?!(?:pg_.*|gateway|authority|behalf|model|public|postgres|information_schema)$)[a-z][a-z0-9_]{0,39}$/

/**
 * Makes `apps/<name>`: a subgraph with a list of notes, each of which belongs to a user.
 *
 * @throws {Error} if there is such an app, or cannot be
 */
// oxlint-disable-next-line import/no-default-export -- nx looks for it
export default function generateSubgraph(tree: Tree, { name, port }: SubgraphOptions): GeneratorCallback {
  const apps = readApps(tree)
  const directory = joinPathFragments('apps', name)
  if (!namePattern.test(name))
    throw new Error(
      `"${name}" is no name of a subgraph: lower-case letters, digits and underscores, such as gift_cards; some are taken.`,
    )
  if (tree.exists(directory)) throw new Error(`There is an app "${name}" already: ${directory}. Nothing was changed.`)
  const own = port ?? Math.max(firstPort - 1, ...apps.map((app) => app.port)) + 1
  const neighbour = apps.find((app) => app.port === own)
  if (neighbour) throw new Error(`Port ${own} is that of ${neighbour.name}. Nothing was changed.`)

  const { className, propertyName } = names(name)
  generateFiles(tree, fileURLToPath(new URL('../../src/subgraph/files', import.meta.url)), directory, {
    name,
    Name: className,
    property: propertyName,
    words: name.replaceAll('_', ' '),
    port: own,
    userOwner: userOwner(apps),
  })
  return finish(tree.root, [
    'npm install --no-audit --no-fund',
    `npm run format --if-present -- ${directory}`,
    'npm run types --if-present',
  ])
}

/** Whose a `User` is has to be the same in every subgraph. */
function userOwner(apps: readonly App[]): string {
  const said = apps.flatMap(({ schema }) =>
    parse(schema).definitions.flatMap((definition) =>
      isUser(definition)
        ? (definition.directives ?? []).filter((each) => each.name.value === 'owner').map((each) => print(each))
        : [],
    ),
  )
  return said[0] ?? '@owner(field: "id")'
}

const isUser = (node: { readonly kind: Kind }): node is ObjectTypeDefinitionNode =>
  node.kind === Kind.OBJECT_TYPE_DEFINITION && (node as ObjectTypeDefinitionNode).name.value === 'User'
