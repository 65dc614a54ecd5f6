/** The code that keeps the promises, by workspace: patterns of its files. Tests and their fixtures are never mutated. */
export const targets: Readonly<Record<string, readonly string[]>> = {
  'packages/identity': ['src/*.ts'],
  'packages/postgres': [
    'src/{bound-transaction,bound-kysely,caller-connection,caller,turns}.ts',
    'src/{perform-once,postgres,check-catalogue,database-error}.ts',
  ],
  'packages/subgraph': [
    'src/{http-server,answer-request,read-request,operation-type,request-transaction}.ts',
    'src/{protect-schema,build-schema,enforce-rules,enforce-policies,check-owners,execute-operation}.ts',
  ],
  'packages/gateway': ['src/authenticate/*.ts', 'src/authorize/*.ts', 'src/agent/*.ts'],
}
