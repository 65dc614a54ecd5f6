import { joinPathFragments, readJson, type Tree } from '@nx/devkit'

export interface App {
  readonly name: string
  /** Relative to the root. */
  readonly directory: string
  readonly port: number
  /** Text of its SDL. */
  readonly schema: string
}

/** The subgraphs that there are: apps with a behalf.json. */
export function readApps(tree: Tree): App[] {
  return tree.children('apps').flatMap((folder) => {
    const directory = joinPathFragments('apps', folder)
    const manifest = joinPathFragments(directory, 'behalf.json')
    if (!tree.exists(manifest)) return []
    const { name, schema, port } = readJson<{ name: string; schema: string; port: number }>(tree, manifest)
    return [{ name, directory, port, schema: tree.read(joinPathFragments(directory, schema), 'utf8') ?? '' }]
  })
}
