// This file is the complete public surface of @behalf/testing.
export { testPrincipal, type TestClaims } from './test-principal.ts'
export type { AgentClaims, SignedRequest, TestAnswer, TestCaller, TestData, TestError } from './test-caller.ts'
export { testSubgraph, type TestConfig, type TestSubgraph, type TestSubgraphOptions } from './test-subgraph.ts'
