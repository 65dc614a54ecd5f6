// For editors (GraphQL language service): which schema operations and schemas are written against.
// What is in generated/ is made by `npm run types`, and followed by `npm start`.
import { globSync } from 'node:fs'
import { basename, dirname } from 'node:path'

const apps = globSync('apps/*/behalf.json', { cwd: import.meta.dirname }).map(dirname)

// oxlint-disable-next-line import/no-default-export -- graphql-config looks for it
export default {
  projects: {
    graph: { schema: 'generated/graph.graphql', documents: 'apps/*/tools/*.graphql' },
    ...Object.fromEntries(
      apps.map((app) => [
        basename(app),
        {
          schema: [`${app}/src/schema.graphql`, `${app}/src/generated/definitions.graphql`],
          include: `${app}/src/**/*.graphql`,
        },
      ]),
    ),
  },
}
