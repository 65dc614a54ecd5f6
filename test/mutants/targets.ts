/** Files whose mutants the tests beside them have to notice: patterns, from the folder of the workspace. */
export interface Target {
  readonly files: readonly string[]
  readonly tests: readonly string[]
}

const all = ['src/**/*.test.ts']
const room = (name: string): Target => ({ files: [`src/${name}/*.ts`], tests: [`src/${name}/*.test.ts`] })

/** The code that keeps the promises, by workspace. Tests and their fixtures are never mutated. */
export const targets: Readonly<Record<string, readonly Target[]>> = {
  'packages/identity': [{ files: ['src/*.ts'], tests: all }],
  'packages/postgres': [
    {
      files: [
        'src/{bound-transaction,bound-kysely,caller-connection,caller,turns}.ts',
        'src/{perform-once,postgres,check-catalogue,database-error}.ts',
      ],
      // Those of provisioning make roles of the server's, once.
      tests: ['src/{audit*,bound-*,caller*,check-*,database-*,perform-*,postgres,round-*,row-*,turns}.test.ts'],
    },
  ],
  'packages/subgraph': [
    {
      files: [
        'src/{http-server,answer-request,read-request,read-operation,request-transaction,request-context}.ts',
        'src/{protect-schema,build-schema,enforce-rules,enforce-policies,check-owners,execute-operation}.ts',
        'src/{check-connections,report-withheld,settle,audit-events,connection,mask-error}.ts',
      ],
      tests: all,
    },
  ],
  'packages/mcp': [{ files: ['src/*.ts'], tests: all }],
  'packages/gateway': [
    room('authenticate'),
    room('authorize'),
    {
      files: ['src/agent/*.ts'],
      tests: ['src/agent/*.test.ts', 'src/audit/audit-agents.test.ts', 'src/revocation/revocation.test.ts'],
    },
    room('revocation'),
    room('limits'),
    room('mcp'),
  ],
}
