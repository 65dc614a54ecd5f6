// This file is the complete public surface of @behalf/testing.
export { attackSubgraph, type AttackOptions } from './attack-subgraph.ts'
export type { Operation } from './attacks.ts'
export type {
  AgentClaims,
  SignedRequest,
  TamperedToken,
  TestAnswer,
  TestCaller,
  TestData,
  TestError,
} from './test-caller.ts'
export { testPrincipal, type TestClaims } from './test-principal.ts'
export {
  testSubgraph,
  type OtherSchema,
  type TestConfig,
  type TestSubgraph,
  type TestSubgraphOptions,
} from './test-subgraph.ts'
