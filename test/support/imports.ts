/** A workspace as its package.json and its files show it. */
export interface Workspace {
  readonly name: string
  readonly dependencies: readonly string[]
  readonly devDependencies: readonly string[]
  readonly files: readonly { readonly path: string; readonly isTest: boolean; readonly imports: readonly string[] }[]
}

/**
 * Tests and what they alone import: `x.test.ts`, `x-fixture.ts`, `fixtures.ts`, `fixtures/x.ts`. Nothing else may
 * import them, so that a name makes nobody's code exempt from what production code has to keep to.
 */
export const isTestFile = (path: string): boolean => /\.test(-d)?\.ts$|[/-]fixtures?(\.ts|\/)/.test(path)

export const homesOfElastic: ReadonlySet<string> = new Set(['@behalf/gateway', '@behalf/composition'])
/** Under the Elastic License 2.0. */
export const isElastic = (name: string) =>
  /^@apollo\/(gateway|composition|query-planner|federation-internals|query-graphs)$/.test(name)
const isOurs = (name: string) => /^@(behalf|app)\//.test(name)

/** Specifiers of static and dynamic imports and of re-exports. */
export function importsOf(source: string): string[] {
  const patterns = [
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm,
    /^\s*import\s*['"]([^'"]+)['"]/gm,
    /\bimport\(\s*['"]([^'"]+)['"]/g,
  ]
  return patterns.flatMap((pattern) => Array.from(source.matchAll(pattern), ([, specifier = '']) => specifier))
}

/** Every way in which workspaces differ from the table, a sentence each. */
export function violations(
  workspaces: readonly Workspace[],
  mayImport: Readonly<Record<string, readonly string[]>>,
): string[] {
  return workspaces.flatMap((workspace) => {
    const allowed = mayImport[workspace.name]
    if (allowed === undefined) return [`${workspace.name} is not in the table`]
    const edges = workspace.dependencies.filter(isOurs).filter((name) => !allowed.includes(name))
    return [
      ...edges.map((name) => `${workspace.name} may not depend on ${name}`),
      ...workspace.files.flatMap(({ path, isTest, imports }) =>
        imports.flatMap((specifier) => {
          const problem = importProblem(workspace, path, isTest, specifier, edges)
          return problem === null ? [] : [`${path} imports ${specifier}: ${problem}`]
        }),
      ),
    ]
  })
}

function importProblem(
  workspace: Workspace,
  path: string,
  isTest: boolean,
  specifier: string,
  reported: readonly string[],
): string | null {
  if (specifier.startsWith('.')) {
    const [area = '', name = ''] = path.split('/')
    const target = new URL(specifier, `file:///${path}`).pathname
    if (!target.startsWith(`/${area}/${name}/`)) return 'another workspace by its path'
    return isTestFile(target) && !isTest ? 'a fixture, which is for tests' : null
  }
  if (isElastic(specifier) && !homesOfElastic.has(workspace.name) && !isTest)
    return "Apollo's Elastic packages stay in gateway and composition"
  if (!isOurs(specifier)) return null
  const [scope, name, ...rest] = specifier.split('/')
  const dependency = `${scope}/${name}`
  if (rest.includes('src')) return 'a file inside another workspace'
  if (reported.includes(dependency)) return null
  if (dependency === '@behalf/testing' && !isTest) return 'outside a test'
  const declared = isTest ? [...workspace.dependencies, ...workspace.devDependencies] : workspace.dependencies
  return declared.includes(dependency) || dependency === workspace.name ? null : 'not in its package.json'
}
